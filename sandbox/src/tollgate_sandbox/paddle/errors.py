"""Paddle's errors, in the shape its SDK reads."""

from collections.abc import Iterable

from tollgate_sandbox.jsons import Json

_DOCS = "https://developer.paddle.com/errors"
_GROUPS = (
    "address",
    "adjustment",
    "business",
    "customer",
    "notification",
    "price",
    "product",
    "subscription",
    "transaction",
)


class PaddleError(Exception):
    """A refusal with everything the answer says."""

    def __init__(self, status: int, code: str, detail: str, errors: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        """Fields and what is wrong with each."""

    def body(self) -> Json:
        """The answer's `error`."""
        first = self.code.partition("_")[0]
        group = f"{first}s" if first in _GROUPS else "shared"
        error: Json = {
            "type": "api_error" if self.status >= 500 else "request_error",
            "code": self.code,
            "detail": self.detail,
            "documentation_url": f"{_DOCS}/{group}/{self.code}",
        }
        if self.errors:
            error["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        return error


def bad_request(*errors: tuple[str, str]) -> PaddleError:
    """Fields that are wrong."""
    return PaddleError(400, "bad_request", "Invalid request.", errors)


def refused(code: str, detail: str, status: int = 400) -> PaddleError:
    """A request that cannot be carried out."""
    return PaddleError(status, code, detail)


def missing(id_: str) -> PaddleError:
    """An object that does not exist."""
    return PaddleError(404, "not_found", f"Entity {id_} not found.")
