"""The front's small parts: errors, tokens, compression."""

import gzip
from pathlib import Path

import lz4.frame
import pytest
from backports import zstd

from countinghouse.local.front.compression import request_decoder, response_encoder
from countinghouse.local.front.errors import ClickHouseError
from countinghouse.local.front.token import authenticate, ensure_token

TEXT = b"usage " * 1000


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("Code: 60. DB::Exception: no such table", 60, 404),
        ("Code: 62. DB::Exception: syntax", 62, 400),
        ("Code: 241. DB::Exception: memory", 241, 500),
        ("something else", 1002, 500),
    ],
)
def test_an_engines_error_keeps_its_code(text: str, code: int, status: int) -> None:
    error = ClickHouseError.from_engine(RuntimeError(text))
    assert (error.code, error.status) == (code, status)


def test_a_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "warehouse.token"
    token = ensure_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_token(path) == token


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Authorization": "Bearer secret"}, {}),
        ({"Authorization": "Basic Y291bnRpbmdob3VzZTpzZWNyZXQ="}, {}),
        ({"X-ClickHouse-User": "countinghouse", "X-ClickHouse-Key": "secret"}, {}),
        ({}, {"user": "countinghouse", "password": "secret"}),
    ],
)
def test_every_way_of_naming_user_and_token_is_taken(
    headers: dict[str, str], query: dict[str, str]
) -> None:
    authenticate("secret", headers, query)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!"},
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "secret"},
    ],
)
def test_anyone_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ClickHouseError, match="AUTHENTICATION_FAILED"):
        authenticate("secret", headers, {})


@pytest.mark.parametrize(
    ("accepted", "name", "undo"),
    [
        ("lz4", "lz4", lz4.frame.decompress),
        ("br, zstd;q=0.5", "zstd", zstd.decompress),
        ("gzip, deflate", "gzip", gzip.decompress),
    ],
)
@pytest.mark.parametrize("pieces", [[], [TEXT], [TEXT, TEXT]])
def test_a_response_is_encoded_as_asked(
    accepted: str, name: str, undo: "type[bytes]", pieces: list[bytes]
) -> None:
    found, encoder = response_encoder(accepted, is_wanted=True)
    encoded = b"".join(encoder.encode(piece) for piece in pieces) + encoder.finish()
    assert (found, undo(encoded)) == (name, b"".join(pieces))


@pytest.mark.parametrize(("accepted", "wanted"), [("lz4", False), ("br", True), ("", True)])
def test_a_response_is_plain_otherwise(accepted: str, wanted: bool) -> None:
    name, encoder = response_encoder(accepted, wanted)
    assert (name, encoder.encode(b"x") + encoder.finish()) == (None, b"x")


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_lz4_frames_are_undone_piece_by_piece(cut: int) -> None:
    data = lz4.frame.compress(TEXT) + lz4.frame.compress(b"end")
    decoder = request_decoder({"Content-Encoding": "lz4"})
    pieces = [decoder.decode(data[i : i + cut]) for i in range(0, len(data), cut)]
    assert b"".join(pieces) == TEXT + b"end"


def test_a_body_that_is_not_lz4_is_refused() -> None:
    with pytest.raises(ClickHouseError, match="not lz4"):
        request_decoder({"Content-Encoding": "lz4"}).decode(b"plain text, not a frame")
