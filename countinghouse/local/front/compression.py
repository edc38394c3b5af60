"""Bodies in lz4, zstd and gzip: what clients send compressed, and what they ask to get so.

aiohttp itself undoes gzip, deflate, br and zstd in requests; lz4 frames are undone here.
"""

import zlib
from collections.abc import Mapping
from typing import Protocol

import lz4.frame
from backports import zstd

from countinghouse.local.front.errors import CANNOT_DECOMPRESS, ClickHouseError


class Decoder(Protocol):
    """Undoes a request body piece by piece."""

    def decode(self, data: bytes) -> bytes:
        """What the piece adds to the plain body."""
        ...


class Encoder(Protocol):
    """Makes a response body piece by piece."""

    def encode(self, data: bytes) -> bytes:
        """What the piece adds to the encoded body."""
        ...

    def finish(self) -> bytes:
        """The last bytes of the encoded body."""
        ...


class Plain:
    """No encoding."""

    def decode(self, data: bytes) -> bytes:
        """The data itself."""
        return data

    def encode(self, data: bytes) -> bytes:
        """The data itself."""
        return data

    def finish(self) -> bytes:
        """Nothing."""
        return b""


class Lz4Decoder:
    """Frames of lz4, one after the other."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameDecompressor()

    def decode(self, data: bytes) -> bytes:
        """The plain bytes of a piece.

        Raises:
            ClickHouseError: the bytes are no lz4 frame.
        """
        plain = []
        try:
            while data:
                plain.append(self._frame.decompress(data))
                data = self._frame.unused_data or b""
                if self._frame.eof:
                    self._frame = lz4.frame.LZ4FrameDecompressor()
        except RuntimeError as error:
            raise ClickHouseError.of(CANNOT_DECOMPRESS, f"The body is not lz4: {error}.") from error
        return b"".join(plain)


class Lz4Encoder:
    """One frame of lz4."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def encode(self, data: bytes) -> bytes:
        """A piece as blocks of the frame."""
        begin = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(begin + self._frame.compress(data))

    def finish(self) -> bytes:
        """The frame's end; an empty body has a frame, too."""
        return self.encode(b"") + bytes(self._frame.flush())


class ZstdEncoder:
    """One frame of zstd, at its fastest level."""

    def __init__(self) -> None:
        self._frame = zstd.ZstdCompressor(level=1)

    def encode(self, data: bytes) -> bytes:
        """A piece of the frame."""
        return self._frame.compress(data)

    def finish(self) -> bytes:
        """The frame's end."""
        return self._frame.flush()


class GzipEncoder:
    """A gzip stream, at its fastest level."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(1, zlib.DEFLATED, 31)

    def encode(self, data: bytes) -> bytes:
        """A piece of the stream."""
        return self._stream.compress(data)

    def finish(self) -> bytes:
        """The stream's end."""
        return self._stream.flush()


_ENCODERS: dict[str, type[Lz4Encoder] | type[ZstdEncoder] | type[GzipEncoder]] = {
    "lz4": Lz4Encoder,
    "zstd": ZstdEncoder,
    "gzip": GzipEncoder,
}


def request_decoder(headers: Mapping[str, str]) -> Decoder:
    """What undoes this request's body after aiohttp has had its turn."""
    return Lz4Decoder() if headers.get("Content-Encoding") == "lz4" else Plain()


def response_encoder(accepted: str, is_wanted: bool) -> tuple[str | None, Encoder]:
    """The first of the client's encodings that we know, and its name; plain when not wanted."""
    if is_wanted:
        for part in accepted.split(","):
            name = part.partition(";")[0].strip().lower()
            if name in _ENCODERS:
                return name, _ENCODERS[name]()
    return None, Plain()
