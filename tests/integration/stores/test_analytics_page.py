"""docs/analytics.md is the contract of the views: by HTTP, DuckDB and SQLAlchemy alike."""

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from clickhouse_connect.driver.client import Client

from tests.warehouses import Delivery, deliver

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "analytics.md").read_text()
VIEWS = {
    view: dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
    for view, text in re.findall(r"^### `(\w+)`\n(.*?)(?=^### |^`examples)", PAGE, re.M | re.S)
}
DDL = ROOT / "stores" / "warehouse" / "ddl"


def plain(kind: str) -> str:
    """A type, however its texts are stored."""
    return re.sub(r"^LowCardinality\((.*)\)$", r"\1", kind)


def test_every_view_is_on_the_page() -> None:
    made = "".join(script.read_text() for script in DDL.glob("1*.sql"))
    # One is a table: what it shows is kept.
    assert set(VIEWS) == {*re.findall(r"CREATE OR REPLACE VIEW (\w+)", made), "usage_by_day"}


@pytest.mark.parametrize("view", VIEWS)
def test_columns_and_types_are_those_of_the_page(warehouse: Client, view: str) -> None:
    described = warehouse.query(f"DESCRIBE TABLE {view}").result_rows
    assert [(row[0], plain(row[1])) for row in described] == list(VIEWS[view].items())


def test_duckdb_and_sqlalchemy_read_what_http_reads(warehouse: Client, warehouse_url: str) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7, "b"), Delivery(2, "x", 5))
    asked = "SELECT tenant, sum(quantity) AS used FROM usage WHERE meter = 'tokens' GROUP BY tenant"
    expected = [("a", Decimal(5)), ("b", Decimal(7))]
    assert sorted(map(tuple, warehouse.query(asked).result_rows)) == expected
    usage = warehouse.query_arrow("SELECT * FROM usage WHERE meter = 'tokens'")
    with duckdb.connect(":memory:") as connection:
        connection.register("usage", usage)
        assert sorted(connection.execute(asked).fetchall()) == expected
    server = warehouse_url.removesuffix("default").replace("http://", "clickhousedb://")
    engine = sa.create_engine(f"{server}{warehouse.database}")
    with engine.connect() as http:
        assert sorted(map(tuple, http.execute(sa.text(asked)))) == expected
    engine.dispose()
