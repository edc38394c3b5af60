"""`countinghouse sql`: ask the warehouse."""

from contextlib import closing
from typing import Annotated

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.local.front.errors import READONLY, SYNTAX_ERROR
from countinghouse.local.front.statement import trailing_format
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from stores.warehouse import client


def sql(
    query: Annotated[str, typer.Argument(help="A query, such as 'SHOW TABLES'.")],
    as_script: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the warehouse in ClickHouse's SQL: a table on a terminal, CSV in a pipe.

    It only reads. Views: usage, usage_daily, usage_by_day, invoices, invoice_lines, rejected_usage,
    conflicts, unpriced_usage; docs/analytics.md says what they hold.
    """
    if not query.strip("; \n\t"):
        raise InvalidInput("nothing is asked: ask something, such as 'SHOW TABLES'")
    settings = Settings()
    with closing(client.connect(settings.clickhouse_url)) as warehouse:
        try:
            answer = client.ask_reading(warehouse, query)
        except (
            client.MissingTable
        ) as missing:  # the statement is not ours: nothing of ours is missing
            raise InvalidInput(_explained(query, missing.__cause__ or missing)) from missing
        except ClickHouseError as problem:
            raise InvalidInput(_explained(query, problem)) from problem
    form = chosen_format(as_json=as_script, as_csv=as_csv)
    if answer.column_names or form is Format.JSON:  # without rows there are no names of columns
        show(answer.column_names, answer.result_rows, form)


def _explained(query: str, problem: BaseException) -> str:
    text = str(problem).strip().partition("DB::Exception: ")[2] or str(problem)
    line, code = text.splitlines()[0], problem.code if isinstance(problem, DatabaseError) else None
    if code == READONLY:
        return f"`countinghouse sql` only reads, and changes no setting: {line}"
    if code == SYNTAX_ERROR and trailing_format(query.encode()):
        return "leave FORMAT out: --json and --csv say how the answer is printed"
    return f"the warehouse refused the statement: {line}"
