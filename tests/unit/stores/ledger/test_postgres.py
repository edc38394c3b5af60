"""The tables as Postgres would make them; no server is started for that.

Set COUNTINGHOUSE_TEST_POSTGRES to the URL of a server, and all tests of this folder run on it.
"""

import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from stores.ledger.connection import open_engine
from stores.ledger.tables.tables import metadata

POSTGRES = open_engine("postgresql://user@host/billing").dialect


def test_text_is_ordered_bytewise_as_in_sqlite() -> None:
    made = "".join(str(CreateTable(it).compile(dialect=POSTGRES)) for it in metadata.sorted_tables)
    texts = [line for line in made.splitlines() if " TEXT" in line]
    assert texts
    assert all('COLLATE "C"' in line for line in texts)


def test_one_attempt_that_may_pay_is_unique() -> None:
    index = next(
        index
        for index in metadata.tables["payment_attempts"].indexes
        if index.name == "uq_payment_attempts_open"
    )
    assert str(CreateIndex(index).compile(dialect=POSTGRES)) == (
        "CREATE UNIQUE INDEX uq_payment_attempts_open ON payment_attempts (invoice)"
        " WHERE state IN ('submitting', 'processing', 'succeeded')"
    )


@pytest.mark.parametrize("url", ["postgresql://h/d", "postgresql+psycopg2://h/d"])
def test_postgres_is_reached_by_psycopg_3(url: str) -> None:
    assert isinstance(POSTGRES, sa.Dialect)
    assert open_engine(url).dialect.driver == "psycopg"
