"""Errors of the warehouse's connection: one line, the address without its password, a remedy."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import DependencyUnreachable, InvalidInput
from stores.warehouse.client import address, connect, reachable, statement


def test_an_address_is_shown_without_its_password() -> None:
    assert address("http://user:p@ss@host:8123/db") == "http://host:8123/db"


@pytest.mark.parametrize("url", ["", "localhost:8123", "postgresql://host/db"])
def test_what_is_no_clickhouse_url_names_the_setting(url: str) -> None:
    with pytest.raises(InvalidInput, match="set COUNTINGHOUSE_CLICKHOUSE"):
        connect(url)


def test_a_port_that_nothing_listens_on_is_said_in_one_line() -> None:
    with pytest.raises(DependencyUnreachable) as caught:
        connect("http://user:secret@127.0.0.1:1/default")
    text = str(caught.value)
    assert "127.0.0.1:1" in text
    assert "countinghouse up" in text
    assert "secret" not in text
    assert "\n" not in text


def test_a_refused_statement_is_not_an_unreachable_warehouse() -> None:
    with pytest.raises(DatabaseError), reachable("http://host"):
        raise DatabaseError("Code: 62. DB::Exception: Syntax error")


def test_a_table_that_is_missing_is_named_with_what_makes_it() -> None:
    said = "Code: 60. DB::Exception: Unknown table expression identifier 'metered_usage' in scope"
    told = "host does not have the table metered_usage: run `countinghouse worker init`"
    with pytest.raises(DependencyUnreachable, match=told), reachable("http://me:secret@host"):
        raise DatabaseError(said)
    with pytest.raises(DependencyUnreachable, match="table usage_by_day"), reachable("http://host"):
        raise DatabaseError("Code: 60. DB::Exception: Table default.usage_by_day does not exist.")


@pytest.mark.parametrize("failure", [OSError("gone"), DatabaseError("AUTHENTICATION_FAILED")])
def test_a_broken_connection_and_a_refused_user_are(failure: Exception) -> None:
    with pytest.raises(DependencyUnreachable), reachable("http://host"):
        raise failure


def test_a_query_is_a_file() -> None:
    assert statement("usage").startswith("-- A month's usage")
