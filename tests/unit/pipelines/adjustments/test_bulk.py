"""The bulk engine's adjusting lines are those of the specification, for any offers and tenants."""

from hypothesis import HealthCheck, given, settings

from pipelines.adjustments.bulk import adjust_lines
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.invoice import adjust
from pipelines.adjustments.offered import Offered
from pipelines.columns.tables import lines_by_subscription
from pipelines.segments.segment_tables import segment_table
from schemas.invoice import InvoiceLine
from schemas.tables import LINE_COLUMNS
from tests.builders import OCTOBER, a_subscription
from tests.unit.pipelines.adjustments.builders import a_catalog, extras, lines_table
from tests.unit.pipelines.adjustments.strategies import Month, months


def offered(month: Month) -> Offered:
    return Offered(month.catalogs, month.catalogs[2].taxes, month.extras)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(months())
def test_bulk_lines_equal_the_specification(month: Month) -> None:
    found = concerned(segment_table(each for each, _ in month.lines), offered(month))
    table = adjust_lines(lines_table(month.lines), found, OCTOBER, offered(month))
    bulk = {row["subscription"]: lines for row, lines in lines_by_subscription(table)}
    specified = {case.subscription.id: tuple(adjust(case)) for case in month.cases()}
    assert bulk == {name: lines for name, lines in specified.items() if lines}
    assert {field.name: str(field.type) for field in table.schema} == LINE_COLUMNS


def test_whoever_has_nothing_is_not_concerned() -> None:
    pro = a_subscription("pro 09-01", "plain")
    catalogs = {1: a_catalog({"pro": {}}, taxes=[{"name": "VAT", "country": "DE", "rate": "19%"}])}
    has = extras(
        buyers=[("plain", "FR", None, None), ("german", "DE", None, None)],
        items=[("other", "setup", "2026-10", "USD", 100, "Setup")],
    )
    found = [pro, a_subscription("pro 09-01", "german"), a_subscription("pro 09-01", "other")]
    chosen = concerned(segment_table(found), Offered(catalogs, catalogs[1].taxes, has))
    assert chosen["tenant"].to_pylist() == ["german", "other"]


def test_lines_of_others_are_passed_over() -> None:
    acme, bolt = a_subscription("pro 09-01", "acme"), a_subscription("pro 09-01", "bolt")
    fee = InvoiceLine("base_fee", "pro", OCTOBER, 1000)
    catalogs = {1: a_catalog({"pro": {"discount": {"percent": "10%"}}})}
    rated = lines_table([(acme, [fee]), (bolt, [fee])])
    table = adjust_lines(rated, segment_table([bolt]), OCTOBER, Offered(catalogs, (), extras()))
    assert table["tenant"].to_pylist() == ["bolt"]
    assert table["amount_minor"].to_pylist() == [-100]
