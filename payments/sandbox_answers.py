"""How the sandbox reads a request's body and says what is wrong with it."""

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.errors import InvalidInput

T = TypeVar("T")


async def body_of(request: Request, form: type[T]) -> T:
    """The body in its form; an empty one is an empty object. Raises InvalidInput."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=form)
    except msgspec.MsgspecError as error:
        raise InvalidInput(str(error)) from None


def refusal(status: int, text: str) -> Response:
    """An error with its reason."""
    return JSONResponse({"error": text}, status)
