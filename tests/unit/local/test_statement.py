"""Where an INSERT's data begins, and which format a query names."""

import pytest

from countinghouse.local.front.statement import Insert, first_word, split_insert, trailing_format

INSERTS = {
    "a line break ends the text": (
        b"INSERT INTO t FORMAT Native\n\x01\x02",
        Insert(b"INSERT INTO t ", "Native", b"\x01\x02"),
    ),
    "one line break only": (
        b"INSERT INTO t FORMAT TSV\n\n1",
        Insert(b"INSERT INTO t ", "TSV", b"\n1"),
    ),
    "data on the same line": (
        b'insert into t (a) format JSONEachRow {"a": 1}',
        Insert(b"insert into t (a) ", "JSONEachRow", b'{"a": 1}'),
    ),
    "no data yet": (b"INSERT INTO t FORMAT CSV", Insert(b"INSERT INTO t ", "CSV", b"")),
    "settings before the format": (
        b"INSERT INTO t SETTINGS async_insert = 1 FORMAT CSV\n1",
        Insert(b"INSERT INTO t ", "CSV", b"1", b"SETTINGS async_insert = 1 "),
    ),
    "a column named format": (
        b"INSERT INTO t (format, `select`) FORMAT CSV\n1,2",
        Insert(b"INSERT INTO t (format, `select`) ", "CSV", b"1,2"),
    ),
    "a quoted word": (
        b"INSERT INTO `format x` SETTINGS log_comment = 'FORMAT y' FORMAT CSV\n1",
        Insert(b"INSERT INTO `format x` ", "CSV", b"1", b"SETTINGS log_comment = 'FORMAT y' "),
    ),
    "comments before and within": (
        b"/* FORMAT a */ -- x\nINSERT INTO t /* FORMAT b */ FORMAT CSV\n1",
        Insert(b"/* FORMAT a */ -- x\nINSERT INTO t /* FORMAT b */ ", "CSV", b"1"),
    ),
    "a windows line break": (
        b"INSERT INTO t FORMAT CSV\r\n1\r\n",
        Insert(b"INSERT INTO t ", "CSV", b"1\r\n"),
    ),
}


@pytest.mark.parametrize(("sql", "expected"), INSERTS.values(), ids=INSERTS)
def test_an_insert_is_split_from_its_data(sql: bytes, expected: Insert) -> None:
    assert split_insert(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t VALUES (1, 'FORMAT CSV')",
        b"INSERT INTO t SELECT 1 FORMAT Null",
        b"INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x",
        b"SELECT 1 FORMAT CSV",
        b"",
    ],
)
def test_other_statements_are_left_whole(sql: bytes) -> None:
    assert split_insert(sql) is None


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        (b"select 1", "SELECT"),
        (b"  ((SELECT 1) UNION ALL (SELECT 2))", "SELECT"),
        (b"-- note\n/* more */WITH x AS (SELECT 1) SELECT 1", "WITH"),
        (b"", ""),
        (b"'", ""),
    ],
)
def test_the_verb_is_found_behind_comments_and_brackets(sql: bytes, word: str) -> None:
    assert first_word(sql) == word


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1\n format Native ;\n", "Native"),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        (b"SELECT 1", None),
        (b"SELECT format FROM t", None),
        (b"SELECT ' FORMAT JSON'", None),
    ],
)
def test_the_output_format_is_the_one_named_last(sql: bytes, form: str | None) -> None:
    assert trailing_format(sql) == form


def test_an_insert_from_a_file_keeps_its_settings() -> None:
    insert = Insert(b"INSERT INTO t (a) ", "CSV", b"1", b"SETTINGS max_threads = 1 ")
    assert insert.from_file("/tmp/it's") == (
        b"INSERT INTO t (a)  FROM INFILE '/tmp/it\\'s' COMPRESSION 'none' "
        b"SETTINGS max_threads = 1  FORMAT CSV"
    )
