"""What holds of adjusting lines whatever is sold, discounted, taxed and granted."""

from itertools import accumulate
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.adjustments.buckets import filled, product_of, spread
from pipelines.adjustments.case import Case
from pipelines.adjustments.credits import burn_down, is_usable
from pipelines.adjustments.discounts import discounts, in_force
from pipelines.adjustments.invoice import adjust
from pipelines.adjustments.taxes import tax_on_top, tax_within
from schemas.extras import Credit, CreditGrant
from schemas.invoice import InvoiceLine
from schemas.offers import PRODUCTS
from schemas.period import BillingPeriod, add_months, from_ms, to_ms
from schemas.prices import PPM
from tests.builders import OCTOBER
from tests.unit.pipelines.adjustments.strategies import Month, credit_rows, months

amounts = st.integers(-(10**9), 10**9)
rates = st.integers(0, PPM)
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def credit(row: tuple[object, ...]) -> Credit:
    *grant, left = row
    return Credit(CreditGrant(*grant), left)  # type: ignore[arg-type]


credits = credit_rows("acme").map(lambda rows: [credit(row) for row in rows])


def is_below_zero(case: Case) -> bool:
    return any(amount < 0 for amount in filled(case.lines).values())


@some
@given(months())
def test_nothing_goes_below_zero_that_was_not(month: Month) -> None:
    for case in month.cases():
        if is_below_zero(case):
            continue
        lines = [*case.lines, *adjust(case)]
        net = [line for line in lines if line.kind not in ("tax", "credit_applied")]
        for product in PRODUCTS:
            own = [line.amount_minor for line in net if product_of(line) == product]
            assert sum(own) >= 0
        assert sum(line.amount_minor for line in lines) >= 0


@some
@given(months())
def test_discounts_and_what_is_left_are_the_whole(month: Month) -> None:
    for case in month.cases():
        left = filled(case.lines)
        lines, rest = discounts(case, left)
        off = sum(line.amount_minor for line in lines)
        assert sum(rest.values()) - off == sum(left.values())
        assert all(0 <= rest[each] <= left[each] for each in left if left[each] >= 0)


@some
@given(months())
def test_a_percentage_is_rounded_once_over_all_that_it_is_on(month: Month) -> None:
    for case in month.cases():
        shares = [each for each in in_force(case) if each.terms.percent is not None]
        if len(shares) != 1:
            continue
        [only] = shares
        left = filled(case.lines)
        whole = sum(max(0, left[each]) for each in left if only.names(each))
        lines, _ = discounts(case, left)
        off = -sum(line.amount_minor for line in lines if line.rate_ppm is not None)
        assert abs(off * PPM - whole * (only.terms.percent or 0)) * 2 <= PPM


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.data())
def test_parts_add_up_and_none_is_more_than_it_is_taken_from(
    weights: list[int], data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    parts = spread(amount, weights)
    assert sum(parts) == amount
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@given(st.integers(0, 10**9), credits)
def test_credits_pay_what_is_due_and_no_more(due: int, found: list[Credit]) -> None:
    used = list(burn_down(due, found))
    assert sum(paid for _, paid in used) == min(due, sum(each.left_minor for each in found))
    assert all(0 < paid <= each.left_minor for each, paid in used)
    assert all(paid == each.left_minor for each, paid in used[:-1])


@given(st.integers(0, 50_000), credits, st.randoms(use_true_random=False))
def test_the_order_in_which_credits_are_found_does_not_matter(
    due: int, found: list[Credit], random: Random
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert list(burn_down(due, shuffled)) == list(burn_down(due, found))


@given(credits, st.lists(st.integers(0, 15_000), min_size=1, max_size=6))
def test_credits_are_conserved_from_month_to_month(found: list[Credit], dues: list[int]) -> None:
    """Granted is applied, expired and left, after each invoice."""
    left = {each.grant.key: each.left_minor for each in found}
    grants = {each.grant.key: each.grant for each in found}
    granted, applied = sum(left.values()), 0
    start = from_ms(OCTOBER.start_ms)
    periods = [BillingPeriod.month_of(to_ms(add_months(start, n))) for n in range(len(dues))]
    for period, due in zip(periods, dues, strict=True):
        usable = [Credit(grants[k], left[k]) for k in left if is_usable(grants[k], period)]
        for each, paid in burn_down(due, usable):
            left[each.grant.key] -= paid
            applied += paid
        assert granted == applied + sum(left.values())
        assert all(each >= 0 for each in left.values())


@given(amounts, rates)
def test_tax_within_a_price_is_the_tax_on_what_is_without_it(gross: int, rate: int) -> None:
    """Within one minor unit: the net amount has been rounded once more."""
    within = tax_within(gross, rate, rate)
    assert abs(tax_on_top(gross - within, rate) - within) <= 1
    assert abs(within) <= abs(gross)


@given(amounts, rates)
def test_what_is_taken_back_is_taxed_as_what_was_charged(amount: int, rate: int) -> None:
    assert tax_on_top(-amount, rate) == -tax_on_top(amount, rate)
    assert tax_within(-amount, rate, rate) == -tax_within(amount, rate, rate)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), rates)
def test_the_tax_of_lines_is_near_the_tax_of_their_sum(lines: list[int], rate: int) -> None:
    """Half a unit a line at most, and half for the sum's own rounding."""
    by_line = sum(tax_on_top(amount, rate) for amount in lines)
    assert 2 * abs(by_line - tax_on_top(sum(lines), rate)) <= len(lines) + 1


@some
@given(months())
def test_a_tax_within_prices_changes_no_total(month: Month) -> None:
    for case in month.cases():
        if not all(rule.included for rule in case.taxes):
            continue
        before = [line for line in adjust(case) if line.kind not in ("tax", "credit_applied")]
        with_tax = [line for line in adjust(case) if line.kind != "credit_applied"]
        assert sum(map(_amount, with_tax)) == sum(map(_amount, before))


def _amount(line: InvoiceLine) -> int:
    return line.amount_minor


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_the_growth_of_a_rounded_sum_is_its_parts(weights: list[int]) -> None:
    if sum(weights):
        assert list(accumulate(spread(sum(weights), weights))) == list(accumulate(weights))
