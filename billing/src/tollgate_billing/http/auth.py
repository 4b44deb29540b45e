"""Who is asking: the provider with the admin token, or a customer with an API key."""

import hmac
from collections.abc import Callable

from fastapi import Request

from tollgate_billing.http.problems import unauthorized
from tollgate_billing.http.services import Services
from tollgate_billing.ledger.api_keys import StoredKey


def bearer_token(request: Request) -> str:
    """Raises a 401 where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("send 'Authorization: Bearer …'")
    return token.strip()


def require_admin(services: Services) -> Callable[[Request], None]:
    """A dependency that lets the provider pass, in a time that says nothing about the token."""
    expected = services.admin_token.encode()

    def check(request: Request) -> None:
        if not hmac.compare_digest(bearer_token(request).encode(errors="replace"), expected):
            raise unauthorized("the token is not valid")

    return check


def require_customer(services: Services) -> Callable[[Request], StoredKey]:
    """A dependency that answers the caller's key."""

    def check(request: Request) -> StoredKey:
        key = services.keys.owner(bearer_token(request))
        if key is None:
            raise unauthorized("the API key is not valid")
        return key

    return check
