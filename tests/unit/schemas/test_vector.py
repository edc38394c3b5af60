"""Cuts through the log: who has read how far."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.vector import OFFSET_BITS, Vector, position

KEYS = st.tuples(st.integers(1, 3), st.integers(0, 12))
VECTORS = st.dictionaries(KEYS, st.integers(0, 2**40)).map(Vector)


@given(VECTORS)
def test_a_vector_is_read_back_from_its_json(vector: Vector) -> None:
    assert Vector.from_json(vector.to_json()) == vector


@given(st.dictionaries(KEYS, st.integers(0, 2**40)), st.randoms(use_true_random=False))
def test_the_order_of_partitions_does_not_change_the_json(
    offsets: dict[tuple[int, int], int], random: Random
) -> None:
    items = list(offsets.items())
    random.shuffle(items)
    assert list(Vector(dict(items)).to_json().items()) == list(Vector(offsets).to_json().items())


def test_a_partition_that_is_missing_counts_as_zero() -> None:
    vector = Vector({(1, 0): 5, (1, 1): 0})
    assert vector[1, 1] == vector[1, 7] == 0
    assert (1, 1) not in vector
    assert dict(vector) == {(1, 0): 5}
    assert len(vector) == 1
    assert repr(vector) == "Vector({(1, 0): 5})"


@given(VECTORS, VECTORS)
def test_a_vector_covers_another_exactly_when_it_is_nowhere_behind(a: Vector, b: Vector) -> None:
    assert a.covers(b) == (not a.behind(b))
    assert all(a[key] + records == b[key] for key, records in a.behind(b).items())


@given(VECTORS)
def test_a_vector_covers_itself_and_the_empty_one(vector: Vector) -> None:
    assert vector.covers(vector)
    assert vector.covers(Vector())


@given(st.integers(1, 2**15), st.integers(0, 2**OFFSET_BITS - 1), st.integers(1, 2**15))
def test_a_position_grows_with_the_epoch_and_then_the_offset(
    epoch: int, offset: int, later: int
) -> None:
    assert position(epoch, offset) < position(epoch, offset + 1)
    assert position(epoch, offset) < position(epoch + later, 0)
