"""The send time that a producer gives, or nothing where it is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.sent_at import Headers, sent_ms_of, sent_ms_of_all

CASES = [
    ((), None),
    ((("sent-at", b"1790000000123"),), 1_790_000_000_123),
    ((("other", b"1"), ("sent-at", b"1790000000123")), 1_790_000_000_123),
    ((("sent-at", b"1790000000123"), ("sent-at", b"1790000000124")), 1_790_000_000_123),
    ((("sent-at", None),), None),
    ((("sent-at", b""),), None),
    ((("sent-at", b"-1"),), None),
    ((("sent-at", b"0"),), None),
    ((("sent-at", b"9" * 15),), None),
    ((("sent-at", b"9" * 5000),), None),
    ((("sent-at", "٣".encode() * 13),), None),
]


@pytest.mark.parametrize(("headers", "sent_ms"), CASES)
def test_a_send_time_that_is_none_is_left_out(headers: Headers, sent_ms: int | None) -> None:
    assert sent_ms_of(headers) == sent_ms


_usual = st.integers(946_684_799_999, 7_258_118_400_000).map(lambda n: (("sent-at", b"%d" % n),))
_records = st.lists(_usual) | st.lists(_usual | st.sampled_from([headers for headers, _ in CASES]))


@given(_records)
def test_many_are_read_as_each_is(records: list[Headers]) -> None:
    assert sent_ms_of_all(records) == list(map(sent_ms_of, records))
