"""Errors as `application/problem+json` (RFC 9457): where exceptions become status codes."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.errors import (
    BillingError,
    Conflict,
    DependencyUnreachable,
    InvalidInput,
    NotFound,
    PeriodNotComplete,
    PeriodNotOver,
)

STATUS: tuple[tuple[type[BillingError], int], ...] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (PeriodNotOver, 409),
    (PeriodNotComplete, 409),
    (DependencyUnreachable, 503),
)
"""The first that fits; any other BillingError is ours: 500."""


def problem(status: int, detail: str) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


def status_of(error: BillingError) -> int:
    """The status code of an error of ours."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


async def on_billing_error(_request: Request, error: Exception) -> Response:
    """Answer for a BillingError that a route raised."""
    assert isinstance(error, BillingError)  # noqa: S101 - registered for this class only
    return problem(status_of(error), str(error))


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Answer for an unknown path, a wrong method and the like."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return problem(error.status_code, error.detail)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase
