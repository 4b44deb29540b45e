"""Errors as RFC 9457 problem documents. The one place where our errors become status codes."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from tollgate_billing.ledger.api_keys import TooManyKeysError
from tollgate_billing.ledger.database import DATABASE_AWAY
from tollgate_billing.ledger.events import UnknownEventError
from tollgate_core.errors import UnavailableError

_log = structlog.get_logger("http")
_MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """An error of ours with a detail for the caller."""


def unauthorized(detail: str) -> Problem:
    """401 with the challenge that RFC 6750 asks for."""
    return Problem(401, detail, {"WWW-Authenticate": 'Bearer realm="tollgate"'})


def _document(status: int, detail: str, headers: Any = None, errors: Sequence[Any] = ()) -> JSONResponse:
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, headers, media_type=_MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Translate every error that a route can raise."""

    def framework(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _document(error.status_code, error.detail, error.headers)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # Without the input itself: it may hold what nobody should log.
        errors = [{"field": ".".join(str(p) for p in e["loc"]), "message": e["msg"]} for e in error.errors()]
        return _document(422, "the request is not valid", errors=errors)

    def unavailable(request: Request, error: Exception) -> JSONResponse:
        detail = str(error) if isinstance(error, UnavailableError) else "a neighbour is not answering; try again"
        _log.warning("unavailable", path=request.url.path, error=type(error).__name__)
        return _document(503, detail, {"Retry-After": "1"})

    def conflict(request: Request, error: Exception) -> JSONResponse:
        return _document(409, str(error))

    def not_found(request: Request, error: Exception) -> JSONResponse:
        return _document(404, str(error))

    def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected error", path=request.url.path, error=type(error).__name__)
        return _document(500, "an unexpected error; it was logged")

    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(TooManyKeysError, conflict)
    app.add_exception_handler(UnknownEventError, not_found)
    for kind in (UnavailableError, RedisError, *DATABASE_AWAY):
        app.add_exception_handler(kind, unavailable)
    app.add_exception_handler(Exception, unexpected)
