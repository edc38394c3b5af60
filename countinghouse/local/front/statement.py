"""What a statement's text says about itself: its format, and where an INSERT's data begins.

Pure; the engine's own parser judges everything else.
"""

import re
from dataclasses import dataclass

# One token of the head of a statement: a quoted piece, a comment, a bracket or a word.
_TOKEN = re.compile(
    rb"""
    '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*`
    | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/
    | [()]
    | \w+
    """,
    re.VERBOSE | re.DOTALL,
)
_FIRST_WORD = re.compile(rb"(?:\s|--[^\n]*\n|#[ !][^\n]*\n|/\*.*?\*/|\()*(\w*)", re.DOTALL)
_TRAILING_FORMAT = re.compile(
    rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\s[^()]*)?;?\s*$", re.IGNORECASE | re.DOTALL
)
# Where an INSERT without data in a format of its own is recognised.
_SELF_CONTAINED = {b"SELECT", b"WITH", b"VALUES", b"WATCH", b"EXPLAIN"}
HEAD_BYTES = 256 * 1024  # ClickHouse's own limit (max_query_size)


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT whose data follows its text: `sql` ends before SETTINGS and FORMAT."""

    sql: bytes
    format: str
    data: bytes
    settings: bytes = b""

    def from_file(self, path: str) -> bytes:
        """The same INSERT of what is in a file."""
        name = path.replace("\\", "\\\\").replace("'", "\\'").encode()
        parts = self.sql, name, self.settings, self.format.encode()
        return b"%b FROM INFILE '%b' COMPRESSION 'none' %b FORMAT %b" % parts


def first_word(sql: bytes) -> str:
    """The statement's verb in upper case, comments and brackets skipped."""
    match = _FIRST_WORD.match(sql)
    return match[1].decode().upper() if match else ""


def split_insert(head: bytes) -> Insert | None:
    """The parts of an INSERT with data; None for every other statement.

    `head` is the statement's beginning, long enough to hold all of its text. The word FORMAT counts
    outside brackets and quotes only; after the format's name one line break belongs to the text.
    """
    if first_word(head) != "INSERT":
        return None
    depth, end_of_sql, tokens = 0, None, _TOKEN.finditer(head, 0, HEAD_BYTES)
    for token in tokens:
        word = token[0].upper()
        depth += (word == b"(") - (word == b")")
        if depth == 0 and word in _SELF_CONTAINED:
            return None
        if depth == 0 and word in {b"SETTINGS", b"FORMAT"} and end_of_sql is None:
            end_of_sql = token.start()
        if depth == 0 and word == b"FORMAT":
            name = next(tokens, None)
            return name and _insert(head, end_of_sql or 0, token.start(), name)
    return None


def _insert(head: bytes, end_of_sql: int, end_of_settings: int, name: re.Match[bytes]) -> Insert:
    data = head[name.end() :]
    gap = re.match(rb"[ \t\r]*;?[ \t\r]*\n?", data)
    rest = data[gap.end() if gap else 0 :]
    settings = head[end_of_sql:end_of_settings]
    return Insert(head[:end_of_sql], name[0].decode(), rest, settings)


def trailing_format(sql: bytes) -> str | None:
    """The output format that a query names at its end."""
    match = _TRAILING_FORMAT.search(sql[-4096:])
    return match[1].decode() if match else None
