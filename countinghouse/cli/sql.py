"""`countinghouse sql`: ask the warehouse."""

from contextlib import closing
from typing import Annotated

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from stores.warehouse import client


def sql(
    query: Annotated[str, typer.Argument(help="A statement, such as 'SHOW TABLES'.")],
    as_script: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the warehouse in ClickHouse's SQL: a table on a terminal, CSV in a pipe.

    Views: usage, usage_daily, invoices, invoice_lines, rejected_usage, conflicts, unpriced_usage;
    docs/analytics.md says what they hold. A day's usage that is kept: usage_by_day.
    """
    settings = Settings()
    with closing(client.connect(settings.clickhouse_url)) as warehouse:
        try:
            with client.reachable(settings.clickhouse_url):
                answer = warehouse.query(query)
        except (ClickHouseError, client.MissingTable) as problem:
            raise InvalidInput(_first_line(problem)) from problem
    if any(answer.column_names):  # a statement such as CREATE TABLE answers with nothing
        form = chosen_format(as_json=as_script, as_csv=as_csv)
        show(answer.column_names, answer.result_rows, form)


def _first_line(problem: Exception) -> str:
    said = problem.__cause__ if isinstance(problem, client.MissingTable) else problem
    text = str(said).strip().partition("DB::Exception: ")[2] or str(said)
    return f"the warehouse refused the statement: {text.splitlines()[0]}"
