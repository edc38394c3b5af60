"""A request's body as plain bytes, in pieces large enough to be worth a step of the engine."""

from aiohttp import web

from countinghouse.local.front.compression import request_decoder

PIECE_BYTES = 1 << 20


class Body:
    """Reads the body once, from front to back."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self._decoder = request_decoder(request.headers)
        self._is_form = request.content_type.startswith("multipart/")

    async def read(self, least: int = PIECE_BYTES) -> bytes:
        """At least so many bytes, fewer only at the end; empty after it."""
        if self._is_form:
            return b""
        pieces, size = [], 0
        while size < least and not self._content.at_eof():
            piece = self._decoder.decode(await self._content.readany())
            pieces.append(piece)
            size += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read_all(self) -> bytes:
        """All that is left."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)
