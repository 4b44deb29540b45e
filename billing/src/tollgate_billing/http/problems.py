"""Errors as RFC 9457 problem documents. The one place where our errors become status codes."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError
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


def _framework(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestValidationError):
        # Without the input itself: it may hold what nobody should see again.
        errors = [{"field": ".".join(str(p) for p in e["loc"]), "message": e["msg"]} for e in error.errors()]
        return _document(422, "the request is not valid", errors=errors)
    if isinstance(error, HTTPException):
        return _document(error.status_code, error.detail, error.headers)
    return _unexpected(request, error)


def _ours(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, TooManyKeysError):
        return _document(409, str(error))
    if isinstance(error, UnknownEventError):
        return _document(404, str(error))
    if isinstance(error, DataError):
        return _document(422, "a text holds what cannot be stored, for example a NUL character")
    _log.warning("unavailable", path=request.url.path, error=type(error).__name__)
    detail = str(error) if isinstance(error, UnavailableError) else "a neighbour is not answering; try again"
    return _document(503, detail, {"Retry-After": "1"})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected error", path=request.url.path, error=type(error).__name__)
    return _document(500, "an unexpected error; it was logged")


def install(app: FastAPI) -> None:
    """Translate every error that a route can raise."""
    framework: tuple[type[Exception], ...] = (HTTPException, RequestValidationError)
    away = (UnavailableError, RedisError, *DATABASE_AWAY)
    ours: tuple[type[Exception], ...] = (TooManyKeysError, UnknownEventError, DataError, *away)
    for kind in framework:
        app.add_exception_handler(kind, _framework)
    for kind in ours:
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(Exception, _unexpected)
