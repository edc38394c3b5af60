"""Send times of many records: what `schemas.sent_at` reads of each."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from schemas.sent_at import Headers, sent_ms_of
from streams.landing.sent_times import sent_times
from tests.unit.schemas.test_sent_at import CASES


@dataclass(frozen=True)
class Told:
    """A record with these headers."""

    given: Headers

    def headers(self) -> Headers | None:
        return self.given or None

    def set_headers(self, value: list[tuple[str, bytes | None]]) -> None:
        raise AssertionError


_ODD = st.sampled_from([headers for headers, _ in CASES])
_USUAL = st.integers(946_684_799_999, 7_258_118_400_000).map(lambda n: (("sent-at", b"%d" % n),))


@given(st.lists(_USUAL) | st.lists(_USUAL | _ODD))
def test_many_are_read_as_each_is(records: list[Headers]) -> None:
    times = sent_times([Told(headers) for headers in records])
    assert times == list(map(sent_ms_of, records))


def test_digits_of_two_times_are_never_read_as_one() -> None:
    parted = [(("sent-at", b"179000000000"),), (("sent-at", b"01790000000123"),)]
    times = sent_times([Told(headers) for headers in parted])
    assert times == list(map(sent_ms_of, parted))
