"""Rows made for many counters at once are what the rule makes of each."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.counting.accounts import Accounts
from streams.counting.folds import Counter, Told
from streams.counting.rows import Moment, RowEncoder, encode_row
from tests.unit.streams.builders import NOON_MS, a_wide_catalog, entitled, limits

CATALOG = a_wide_catalog()
OCTOBER, LATER = "2026-10-01T00:00:00Z", "2026-10-20T18:00:00Z"
DAY_MS = 86_400_000

tenants = st.one_of(
    st.sampled_from(["graced", '"', "%b", "<tenant>", "<used>", "é\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
)
used = st.one_of(
    st.sampled_from([n * 10**6 for n in (0, 79, 80, 99, 100, 101, -5)]),
    st.integers(-(10**24), 10**24),
)
counters = st.builds(
    Counter,
    used=used,
    alarm=st.just(0),
    version=st.integers(-1, 9),
    told=st.builds(
        Told,
        st.lists(st.sampled_from(["a", "hard:b", "<used>"]), max_size=3).map(tuple),
        st.one_of(st.none(), st.none(), st.just(NOON_MS)),
    ),
    memory=st.one_of(st.none(), st.none(), st.just(NOON_MS)),
)
with_grace = msgspec.structs.replace(limits(10, 100), deny_after_s=60)
published = entitled(7, {OCTOBER: with_grace, LATER: limits(20)}, "graced")


@given(st.lists(st.tuples(tenants, counters), max_size=6), st.booleans(), st.integers(-2, 40))
def test_rows_of_many_counters_are_those_of_each(
    found: list[tuple[str, Counter]], is_published: bool, days: int
) -> None:
    moment = Moment(3, 4711, NOON_MS + days * DAY_MS)
    accounts = Accounts(CATALOG, None)
    encoder = RowEncoder(accounts.meters, moment)
    if is_published:
        accounts.publish(published, NOON_MS)
    for tenant, counter in found:
        for sheet in accounts.turn(accounts.account(tenant), NOON_MS):
            for index, meter in enumerate(accounts.meters):
                row = encode_row(sheet, counter, (index, meter), moment)
                assert encoder.row(sheet, index, counter) == row


def test_a_row_is_as_gates_know_it() -> None:
    accounts = Accounts(CATALOG, None)
    sheet, *_ = accounts.turn(accounts.account("a"), NOON_MS)
    encoder = RowEncoder(accounts.meters, Moment(1, 9, NOON_MS))
    key, value = encoder.row(sheet, 0, Counter(80_500_000, 0, 2, Told(("x",))))
    assert key == b'["a","tokens","billing_period","2026-10-01T00:00:00Z"]'
    assert value == (
        b'{"tenant":"a","meter":"tokens","window":{"kind":"billing_period",'
        b'"start":"2026-10-01T00:00:00Z","end":"2026-11-01T00:00:00Z"},"used":"80.5",'
        b'"limit":"100","decision":"warn","resets_at":"2026-11-01T00:00:00Z","announced":["x"],'
        b'"epoch":1,"position":9,"entitlement_version":2}'
    )


def test_a_row_in_its_grace_says_when_it_ends() -> None:
    accounts = Accounts(CATALOG, None)
    accounts.publish(published, NOON_MS)
    sheet, *_ = accounts.turn(accounts.account("graced"), NOON_MS)
    counter = Counter(10_000_000, 0, 7, Told(("hard:x",), NOON_MS))
    _, value = RowEncoder(accounts.meters, Moment(1, 9, NOON_MS)).row(sheet, 0, counter)
    assert value is not None
    assert b'"decision":"deny"' in value
    assert b'"deny_from":"2026-10-05T12:00:00Z"' in value
