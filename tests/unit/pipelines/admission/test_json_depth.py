"""How deep JSON nests, and arrays with an element that nests too deep."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.admission.json_depth import is_too_deep, without_deep_elements

values = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a"\\[]{},'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        return 1 + max(map(depth_of, inner), default=0)
    return 0


@given(values, st.integers(0, 5))
def test_depth_by_its_definition(value: Any, limit: int) -> None:
    assert is_too_deep(json.dumps(value).encode(), limit) == (depth_of(value) > limit)


@given(st.lists(values, max_size=5), st.integers(0, 4), st.sampled_from([None, 1]))
def test_each_deep_element_and_no_other_is_taken_out(
    array: list[Any], limit: int, indent: int | None
) -> None:
    shallow, deep = without_deep_elements(json.dumps(array, indent=indent).encode(), limit)
    expected = {n: value for n, value in enumerate(array) if depth_of(value) > limit}
    assert {n: json.loads(text) for n, text in deep.items()} == expected
    rest = [None if n in expected else value for n, value in enumerate(array)]
    assert json.loads(shallow) == rest
