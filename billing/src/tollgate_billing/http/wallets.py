"""Routes of the provider API for prepaid credit."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.clock import to_milliseconds
from tollgate_billing.http.changes import Preview, changing, minor_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing, locked
from tollgate_billing.http.views import Json
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.statements.credit import credit_of
from tollgate_billing.statements.drafting import terms_now
from tollgate_billing.wallets.burning import Grant
from tollgate_billing.wallets.grants import add_grant, grants_of, void_grant
from tollgate_core.events import rfc3339
from tollgate_core.money import Money


class NewGrant(BaseModel):
    """``amount`` in major units. Smaller priorities burn first. The same id again changes nothing."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    amount: Annotated[str, Field(max_length=40)]
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    expires_at: AwareDatetime | None = None
    source: Literal["topUp", "promotion", "refund", "provider"] = "provider"
    comment: Annotated[str, Field(max_length=500)] = ""


def wallet_routes(services: Services) -> APIRouter:
    """A subscription's wallet and its grants."""
    router = APIRouter()

    @router.get("/subscriptions/{name:path}/wallet")
    def wallet(name: str) -> Json:
        with services.database.read() as connection:
            return _view(connection, services, existing(connection, name))

    @router.post("/subscriptions/{name:path}/grants", status_code=201)
    def give(name: str, asked: NewGrant, preview: Preview = False) -> Json:
        now = services.clock()
        expires_ms = to_milliseconds(asked.expires_at) if asked.expires_at else None
        if expires_ms is not None and expires_ms <= now:
            raise Problem(422, "expires_at has passed already")
        with changing(services, preview) as connection:
            row = locked(connection, name)
            minor = minor_of(asked.amount, row.currency)
            if minor <= 0:
                raise Problem(422, "amount: must be more than zero; take a grant back by deleting it")
            grant = Grant(
                id=asked.id,
                subscription=name,
                minor=minor,
                currency=row.currency,
                priority=asked.priority,
                granted_ms=now,
                expires_ms=expires_ms,
                source=asked.source,
                comment=asked.comment,
                remaining_minor=minor,
            )
            try:
                add_grant(connection, grant)
            except ValueError as error:
                raise Problem(409, str(error)) from error
            return _view(connection, services, row)

    @router.delete("/subscriptions/{name:path}/grants/{grant}")
    def take_back(name: str, grant: str, preview: Preview = False) -> Json:
        with changing(services, preview) as connection:
            row = locked(connection, name)
            if void_grant(connection, name, grant, services.clock()) is None:
                raise Problem(404, f"the subscription {name} has no grant {grant}")
            return _view(connection, services, row)

    return router


def _view(connection: Connection, services: Services, row: Subscription) -> Json:
    """``settled`` is what grants hold, ``pending`` usage that is not billed yet, ``owed`` what statements left to be
    paid (negative: a credit); ``available`` what remains of them."""
    terms, currency = terms_now(connection, services.catalog.current), row.currency or "USD"
    credit = credit_of(connection, terms, row, services.clock())
    return {
        "subscription": row.name,
        "currency": currency,
        "settled": Money(credit.settled, currency).amount,
        "pending": Money(credit.pending, currency).amount,
        "owed": Money(credit.owed, currency).amount,
        "available": Money(credit.available, currency).amount,
        "grants": [_view_grant(grant) for grant in grants_of(connection, row.name)],
    }


def _view_grant(grant: Grant) -> Json:
    return {
        "id": grant.id,
        "amount": Money(grant.minor, grant.currency).amount,
        "remaining": Money(grant.remaining_minor, grant.currency).amount,
        "currency": grant.currency,
        "priority": grant.priority,
        "granted_at": rfc3339(grant.granted_ms),
        "expires_at": rfc3339(grant.expires_ms) if grant.expires_ms is not None else None,
        "source": grant.source,
        "comment": grant.comment,
    }
