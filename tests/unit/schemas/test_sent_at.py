"""The send time that a producer gives, or nothing where it is none."""

import pytest

from schemas.sent_at import Headers, sent_ms_of

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
