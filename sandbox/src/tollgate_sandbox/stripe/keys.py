"""API keys: which are let in."""

from base64 import b64decode
from binascii import Error
from collections.abc import Collection

from tollgate_sandbox.stripe.errors import StripeError

TEST_PREFIXES = ("sk_test_", "rk_test_")


def check_key(authorization: str, accepted: Collection[str], revoked: Collection[str]) -> None:
    """Raise StripeError unless the header carries a key that is let in."""
    key = _key(authorization)
    if not key:
        raise _refused(
            "You did not provide an API key. Provide it in the Authorization header, as in 'Bearer sk_test_...'."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise _refused("This is a simulator: a live key has no business here. Use a test key.")
    if key in revoked:
        raise _refused(f"Expired API Key provided: {_masked(key)}", "api_key_expired")
    if not key.startswith(TEST_PREFIXES) or (accepted and key not in accepted):
        raise _refused(f"Invalid API Key provided: {_masked(key)}")


def _key(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode(errors="replace").partition(":")[0]
        except Error:
            return ""
    return ""


def _masked(key: str) -> str:
    return f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}"


def _refused(message: str, code: str | None = None) -> StripeError:
    return StripeError(401, message, code=code)
