"""`countinghouse sql` on a real engine: it answers, and changes nothing whatever it is told."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner, Result

from countinghouse.cli.app import app
from schemas.errors import InvalidInput
from tests.embedded import ROOT
from tests.integration.stores.test_views import COLUMNS
from tests.warehouses import Delivery, count, deliver, own_warehouse

pytestmark = pytest.mark.integration


@pytest.fixture
def warehouse(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A warehouse with an event and a counter, which the settings name."""
    with own_warehouse(warehouse_url) as (client, url):
        monkeypatch.setenv("COUNTINGHOUSE_CLICKHOUSE", url)
        deliver(client, Delivery(0, "x", 5))
        count(client, 5, at=1)
        yield client


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sql", *arguments])


def refusal(statement: str) -> str:
    problem = ask(statement).exception
    assert isinstance(problem, InvalidInput), problem
    assert problem.exit_code == 2
    return str(problem)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE usage_events",
        "TRUNCATE TABLE metered_usage",
        "ALTER TABLE counters UPDATE tenant = 'b' WHERE 1",
        "DELETE FROM counters WHERE 1",
        "INSERT INTO usage_events SELECT * FROM usage_events",
        "INSERT INTO usage_events (tenant) VALUES ('b')",
        "CREATE TABLE mine (a Int8) ENGINE = Memory",
        "RENAME TABLE counters TO others",
        "SELECT * FROM usage_events INTO OUTFILE 'events.csv'",
        "KILL QUERY WHERE 1",
        "SYSTEM STOP MERGES",
        "SELECT 1 SETTINGS readonly = 0",
        "/* SELECT */ OPTIMIZE TABLE usage_events",
    ],
)
def test_what_would_change_something_is_refused(warehouse: Client, statement: str) -> None:
    before = contents(warehouse)
    assert "`countinghouse sql` only reads" in refusal(statement)
    assert contents(warehouse) == before


def contents(warehouse: Client) -> list[object]:
    tables = ["usage_events", "metered_usage", "counters"]
    return [warehouse.query(f"SELECT * FROM {table}").result_rows for table in tables]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("SELECT count() AS n FROM usage_events", "n\n1\n"),
        ("WITH 1 AS x SELECT x FROM numbers(1)", "x\n1\n"),
        ("EXISTS TABLE counters", "result\n1\n"),
    ],
)
def test_a_question_is_answered(warehouse: Client, question: str, answer: str) -> None:
    assert ask(question).stdout == answer


@pytest.mark.parametrize("view", COLUMNS)
def test_every_view_can_be_asked_by_who_only_reads(warehouse: Client, view: str) -> None:
    assert ask(f"SELECT {COLUMNS[view].replace(' ', ',')} FROM {view}").exception is None


def test_an_answer_without_rows_is_empty(warehouse: Client) -> None:
    assert ask("SELECT * FROM rejected_usage").stdout == ""
    assert ask("SELECT * FROM rejected_usage", "--json").stdout == "[]\n"


def test_the_questions_to_begin_with_are_answered(warehouse: Client) -> None:
    lines = (ROOT / "examples" / "analytics.sql").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    questions = [each for each in text.split(";") if each.strip()]
    assert questions
    for question in questions:
        assert ask(question).exception is None, question


@pytest.mark.parametrize("form", ["JSON", "CSV;"])
def test_a_format_in_the_statement_is_an_option(warehouse: Client, form: str) -> None:
    assert "leave FORMAT out: --json and --csv" in refusal(f"SELECT 1 FORMAT {form}")


@pytest.mark.parametrize("nothing", ["", "  ", " ; "])
def test_nothing_to_ask_is_told(warehouse: Client, nothing: str) -> None:
    assert "ask something, such as 'SHOW TABLES'" in refusal(nothing)


def test_a_mistake_is_told_in_the_engines_words(warehouse: Client) -> None:
    assert "the warehouse refused the statement" in refusal("SELECT nosuch")
