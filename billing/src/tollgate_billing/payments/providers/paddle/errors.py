"""What Paddle's exceptions mean for what was asked. Texts hold what a person needs, and neither keys nor bodies."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from paddle_billing.Exceptions.ApiError import ApiError
from requests import RequestException

from tollgate_billing.payments.port import AmbiguousError, RefusedError, TryLaterError, UnauthorizedError

_KEY_PAUSE_MS = 300_000
_RENEWAL_PAUSE_MS = 1_800_000
_HOUR_MS = 3_600_000
_KEY_CODES = frozenset({"forbidden", "invalid_token", "authentication_missing", "authentication_malformed"})
_UNAUTHORIZED, _FORBIDDEN, _CONFLICT, _TOO_MANY, _SERVER = 401, 403, 409, 429, 500


@contextmanager
def speaking() -> Generator[None]:
    """Around calls of the SDK."""
    try:
        yield
    except ApiError as error:
        raise _meaning(error) from None
    except RequestException as error:
        status = error.response.status_code if error.response is not None else 0
        if status == _TOO_MANY:  # an answer that is not Paddle's JSON, as of a proxy
            raise TryLaterError("Paddle asks for fewer requests", 0) from None
        said = f"failed with status {status}" if status else "did not answer"
        raise AmbiguousError(f"Paddle {said}") from None


def _meaning(error: ApiError) -> Exception:
    status = error.response.status_code if error.response is not None else 0
    code = f"{error.error_code}"
    if status in {_UNAUTHORIZED, _FORBIDDEN} or code in _KEY_CODES:
        return UnauthorizedError(f"Paddle does not accept the API key ({code})", _KEY_PAUSE_MS)
    if status == _TOO_MANY:
        limited = "immediate_charge" in code
        return TryLaterError(
            f"Paddle asks for fewer requests ({code})", _wait_ms(error) or (_HOUR_MS if limited else 0)
        )
    if status == _CONFLICT:
        return TryLaterError(f"Paddle is busy with the same object ({code})", _RENEWAL_PAUSE_MS)
    if status >= _SERVER:
        return AmbiguousError(f"Paddle failed with status {status} ({code})")
    wrong: tuple[Any, ...] = error.field_errors  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    fields = "; ".join(f"{one.field}: {one.error}" for one in wrong)
    return RefusedError(f"Paddle refuses: {error.detail}{f' ({fields})' if fields else ''}")


def _wait_ms(error: ApiError) -> int:
    return error.retry_after * 1000 if error.retry_after else 0
