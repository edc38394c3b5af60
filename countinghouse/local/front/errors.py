"""ClickHouse's errors over HTTP: code, text and status, as its server answers them."""

import re

SYNTAX_ERROR = 62
READONLY = 164
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
NOT_IMPLEMENTED = 48
BAD_ARGUMENTS = 36
AUTHENTICATION_FAILED = 516
CANNOT_DECOMPRESS = 271
TOO_MANY_SIMULTANEOUS_QUERIES = 202

# As the server maps them; every other code is 500.
_STATUS: dict[int, int] = {
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 43, 53, 62, 69, 70, 72, 271, 386, 457), 400),
    **dict.fromkeys((AUTHENTICATION_FAILED, 497), 403),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 81, 115, SESSION_NOT_FOUND), 404),
    READONLY: 405,
    159: 408,
    NOT_IMPLEMENTED: 501,
}
_NAMES = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    READONLY: "READONLY",
    SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    TOO_MANY_SIMULTANEOUS_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
}
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")


class ClickHouseError(Exception):
    """An error that goes to the client as ClickHouse would word it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def of(cls, code: int, message: str) -> "ClickHouseError":
        """An error of our own, in ClickHouse's form."""
        return cls(code, f"Code: {code}. DB::Exception: {message} ({_NAMES[code]})")

    @classmethod
    def from_engine(cls, error: Exception) -> "ClickHouseError":
        """What the engine raised; 1002 (unknown) when it names no code."""
        text = str(error)
        found = _CODE.search(text)
        return cls(int(found[1]), text[found.start() :]) if found else cls(1002, text)

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return _STATUS.get(self.code, 500)
