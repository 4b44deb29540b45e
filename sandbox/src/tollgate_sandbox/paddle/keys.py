"""API keys: which are let in."""

from collections.abc import Collection

from tollgate_sandbox.paddle.errors import PaddleError, refused

TEST_PREFIXES = ("pdl_sdbx_apikey_",)


def check_key(authorization: str, accepted: Collection[str], revoked: Collection[str]) -> None:
    """Raise PaddleError unless the header carries a key that is let in."""
    if not authorization:
        raise refused("authentication_missing", "Authentication header missing.", 401)
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.startswith("pdl_"):
        raise refused("authentication_malformed", "Authentication header included, but incorrectly formatted.", 401)
    if not key.startswith(TEST_PREFIXES):
        raise _forbidden("This is a sandbox: a key of another environment has no business here.")
    if key in revoked:
        raise _forbidden("This API key is revoked.")
    if accepted and key not in accepted:
        raise _forbidden("You aren't permitted to perform this request.")


def _forbidden(detail: str) -> PaddleError:
    return refused("forbidden", detail, 403)
