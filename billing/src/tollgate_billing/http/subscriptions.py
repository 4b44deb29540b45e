"""Routes of the provider API for subscriptions, their invoices and keys. A name may contain a slash."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.clock import to_milliseconds
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json, view_key, view_pin, view_subscription
from tollgate_billing.ledger.api_keys import list_keys
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription, list_subscriptions, lock_subscription
from tollgate_billing.statements.document import document_of
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_core.api_keys import is_well_formed


class KeyRequest(BaseModel):
    """What may be said about a new key."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(max_length=128)] = ""
    expires_at: AwareDatetime | None = None


class OwnKey(BaseModel):
    """A key that its owner made; ``overlap_seconds``: how long the label's earlier keys work on."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=128, repr=False)]
    label: Annotated[str, Field(min_length=1, max_length=253)]
    overlap_seconds: Annotated[int, Field(ge=0, le=366 * 86_400)] = 86_400


def existing(connection: Connection, name: str) -> Subscription:
    """Raises a 404."""
    row = find_subscription(connection, name)
    if row is None:
        raise Problem(404, f"there is no subscription {name}")
    return row


def locked(connection: Connection, name: str) -> Subscription:
    """Like ``existing``; nobody else changes it before the transaction ends."""
    row = lock_subscription(connection, name)
    if row is None:
        raise Problem(404, f"there is no subscription {name}")
    return row


def subscription_routes(services: Services) -> APIRouter:
    """Subscriptions and invoices."""
    router = APIRouter()

    @router.get("/subscriptions")
    def subscriptions() -> Json:
        with services.database.read() as connection:
            return {"subscriptions": [view_subscription(row) for row in list_subscriptions(connection)]}

    @router.get("/subscriptions/{name:path}/invoice")
    def invoice(name: str) -> Json:
        with services.database.read() as connection:
            row = existing(connection, name)
            terms = terms_now(connection, services.catalog.current)
            return document_of(draft_now(connection, terms, row, services.clock()), "draft")

    @router.get("/subscriptions/{name:path}/prices")
    def prices(name: str) -> Json:
        with services.database.read() as connection:
            existing(connection, name)
            stored, pins = stored_prices(connection), pins_of(connection, [name])
        return {"prices": [view_pin(pin, stored[pin.price, pin.version]) for pin in pins]}

    return router


def key_routes(services: Services) -> APIRouter:
    """Keys of a subscription."""
    router = APIRouter()

    @router.get("/subscriptions/{name:path}/keys")
    def keys(name: str) -> Json:
        now = services.clock()
        with services.database.read() as connection:
            existing(connection, name)
            return {"keys": [view_key(key, now) for key in list_keys(connection, name)]}

    @router.post("/subscriptions/{name:path}/keys", status_code=201)
    def create_key(name: str, response: Response, request: Annotated[KeyRequest | None, Body()] = None) -> Json:
        asked = request or KeyRequest()
        with services.database.read() as connection:
            row = existing(connection, name)
        if row.state == "cancelled":
            raise Problem(409, f"the subscription {name} is cancelled")
        expires_ms = _expiry(asked.expires_at, services.clock())
        made = services.keys.create(name, _max_keys(services, row.product), asked.label, expires_ms)
        response.headers["Cache-Control"] = "no-store"
        return {"key": made.plaintext, "pushed": made.pushed, **view_key(made.stored, services.clock())}

    @router.put("/subscriptions/{name:path}/keys")
    def put_key(name: str, asked: OwnKey) -> Json:
        if not is_well_formed(asked.key):
            raise Problem(422, "key is not one of Tollgate's: its form or checksum is wrong")
        with services.database.read() as connection:
            row = existing(connection, name)
        if row.state == "cancelled":
            raise Problem(409, f"the subscription {name} is cancelled")
        most = _max_keys(services, row.product)
        made = services.keys.put(name, asked.key, asked.label, most, asked.overlap_seconds * 1000)
        if made is None:
            raise Problem(409, "this key was revoked, has expired, or belongs to another subscription")
        return {"pushed": made.pushed, **view_key(made.stored, services.clock())}

    @router.delete("/subscriptions/{name:path}/keys/{key_id}", status_code=204)
    def revoke_key(name: str, key_id: str) -> None:
        if not services.keys.revoke(name, key_id):
            raise Problem(404, f"the subscription {name} has no key {key_id}")

    return router


def _expiry(expires_at: datetime | None, now_ms: int) -> int | None:
    if expires_at is None:
        return None
    expires_ms = to_milliseconds(expires_at)
    if expires_ms <= now_ms:
        raise Problem(422, "expires_at has passed already")
    return expires_ms


def _max_keys(services: Services, product: str) -> int:
    for known in services.catalog.current.products:
        if known.name == product:
            return known.max_keys
    raise Problem(409, f"the product {product} is not in the catalog")
