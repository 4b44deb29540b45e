"""What Stripe's exceptions mean for what was asked. Texts hold what a person needs, and neither keys nor bodies."""

from collections.abc import Generator
from contextlib import contextmanager

import stripe

from tollgate_billing.payments.port import AmbiguousError, RefusedError, TryLaterError, UnauthorizedError

#: A key that was revoked is replaced by a person.
_KEY_PAUSE_MS = 300_000
_CONFLICT = 409


@contextmanager
def speaking() -> Generator[None]:
    """Around calls of the SDK."""
    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise UnauthorizedError(f"Stripe does not accept the API key ({_code(error)})", _KEY_PAUSE_MS) from None
    except stripe.RateLimitError as error:
        raise TryLaterError("Stripe asks for fewer requests", _retry_after(error)) from None
    except (stripe.InvalidRequestError, stripe.IdempotencyError, stripe.CardError) as error:
        if error.http_status == _CONFLICT:
            raise TryLaterError("Stripe is busy with the same object") from None
        raise RefusedError(f"Stripe refuses: {error.user_message or _code(error)}") from None
    except stripe.APIConnectionError:
        raise AmbiguousError("Stripe did not answer") from None
    except stripe.StripeError as error:
        raise AmbiguousError(f"Stripe failed with status {error.http_status} ({_code(error)})") from None


def _code(error: stripe.StripeError) -> str:
    return error.code or f"status {error.http_status}"


def _retry_after(error: stripe.StripeError) -> int:
    """Milliseconds."""
    text = (error.headers or {}).get("retry-after", "")
    return int(text) * 1000 if text.isdigit() else 0
