"""A missing table, in the engine's own words, is told with the command that makes it."""

import pytest
from clickhouse_connect.driver.client import Client

from stores.warehouse.client import MissingTable, reachable

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count() FROM never_made",
        "SELECT count() FROM default.never_made FINAL",
        "ALTER TABLE never_made DROP PARTITION 'a'",
    ],
)
def test_a_missing_table_is_named(warehouse: Client, statement: str) -> None:
    told = r"does not have the table never_made: run `countinghouse worker init`"
    with pytest.raises(MissingTable, match=told), reachable(warehouse.uri):
        warehouse.command(statement)


def test_so_is_one_that_something_is_put_into(warehouse: Client) -> None:
    with pytest.raises(MissingTable, match="never_made"), reachable(warehouse.uri):
        warehouse.insert("never_made", [(1,)], column_names=["id"])
