"""Routes of the provider API for money that customers pay in, and for what they are to be told."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.http.changes import minor_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.provider_calls import asking, port_of
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing, locked
from tollgate_billing.http.views import Json, view_invoice, view_notification, view_top_up
from tollgate_billing.ledger.subscriptions import Subscription, bump_revision
from tollgate_billing.notifications.store import list_notifications
from tollgate_billing.notifications.watching import allowed_top_ups
from tollgate_billing.payments.applying import apply_invoice
from tollgate_billing.payments.debts import top_up_subject
from tollgate_billing.payments.outbox import find_request
from tollgate_billing.payments.paid_in import tell, tell_settled
from tollgate_billing.payments.receivables import find_receivable
from tollgate_billing.wallets.top_ups import (
    TopUpRefusedError,
    add_top_up,
    ask_for_automatic,
    automatic_of,
    find_top_up,
    list_top_ups,
    pending_top_ups,
    settle_top_up,
)
from tollgate_billing.wallets.topping_up import Allowed, Automatic, State, TopUp
from tollgate_core.money import Money


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTopUp(_Request):
    """``amount`` in major units. The same id again changes nothing; those of automatic ones begin with ``auto-``."""

    id: Annotated[str, Field(pattern=r"^([A-Zb-z0-9._-]|a[^u]|au[^t])[A-Za-z0-9._-]{0,99}$")]
    amount: Annotated[str, Field(max_length=40)]


class Settlement(_Request):
    """``note``: how it was paid, or why not."""

    note: Annotated[str, Field(max_length=500)] = ""


class AutomaticTopUp(_Request):
    """``amount`` is paid in whenever less than ``below`` is available, at most ``month`` in 30 days; major units."""

    below: Annotated[str, Field(max_length=40)]
    amount: Annotated[str, Field(max_length=40)]
    month: Annotated[str, Field(max_length=40)]


def top_up_routes(services: Services) -> APIRouter:
    """Of a subscription, and those that somebody has to collect."""
    router = APIRouter()

    @router.get("/top-ups")
    def pending() -> Json:
        with services.database.read() as connection:
            return {"top_ups": [_view_with_invoice(connection, top_up) for top_up in pending_top_ups(connection)]}

    @router.get("/subscriptions/{name:path}/top-ups")
    def listed(name: str) -> Json:
        with services.database.read() as connection:
            existing(connection, name)
            return {"top_ups": [_view_with_invoice(connection, top_up) for top_up in list_top_ups(connection, name)]}

    @router.get("/top-ups/{top_up}")
    def show(top_up: str) -> Json:
        with services.database.read() as connection:
            return _view_with_invoice(connection, _existing(connection, top_up))

    @router.post("/subscriptions/{name:path}/top-ups", status_code=201)
    def begin(name: str, asked: NewTopUp) -> Json:
        now = services.clock()
        with services.database.write() as connection:
            row = locked(connection, name)
            allowed = _allowed(services, row)
            minor = minor_of(asked.amount, row.currency)
            _require_allowed(allowed, minor, row.currency)
            wanted = TopUp(asked.id, name, row.customer, minor, row.currency, "customer", "pending", "", now, None)
            try:
                made = add_top_up(connection, wanted)
            except TopUpRefusedError as error:
                raise Problem(409, str(error)) from error
            if made is wanted:
                services.pay_in(connection, row, made)
                tell(connection, row, made, "top_up.created", now, note=made.note)
            return _view_with_invoice(connection, made)

    @router.post("/top-ups/{top_up}/paid")
    def paid(top_up: str, asked: Settlement | None = None) -> Json:
        return _settle(services, top_up, "paid", asked)

    @router.post("/top-ups/{top_up}/failed")
    def failed(top_up: str, asked: Settlement | None = None) -> Json:
        return _settle(services, top_up, "failed", asked)

    @router.post("/top-ups/{top_up}/cancel")
    def cancel(top_up: str, asked: Settlement | None = None) -> Json:
        _void(services, top_up)
        return _settle(services, top_up, "cancelled", asked)

    return router


def automatic_routes(services: Services) -> APIRouter:
    """What a customer wants to be paid in by itself."""
    router = APIRouter()

    @router.get("/subscriptions/{name:path}/automatic-top-up")
    def automatic(name: str) -> Json:
        with services.database.read() as connection:
            return {"automatic": _view(automatic_of(connection, name), existing(connection, name))}

    @router.put("/subscriptions/{name:path}/automatic-top-up")
    def ask(name: str, asked: AutomaticTopUp) -> Json:
        now = services.clock()
        with services.database.write() as connection:
            row = locked(connection, name)
            allowed = _allowed(services, row)
            below, amount, month = (
                minor_of(text, row.currency, field)
                for field, text in (("below", asked.below), ("amount", asked.amount), ("month", asked.month))
            )
            if below < 0:  # credit that has run out would never be topped up
                raise Problem(422, "below: must be more than zero")
            _require_allowed(allowed, amount, row.currency)
            if not allowed.per_day:
                raise Problem(409, "the product allows no automatic top-ups")
            if not amount <= month <= allowed.month_minor:
                most = Money(allowed.month_minor, row.currency)
                raise Problem(422, f"month: must be at least the amount, and at most {most}")
            wanted = Automatic(name, below, amount, month, "active", now)
            ask_for_automatic(connection, name, wanted)
            bump_revision(connection, name)  # it is to be looked at now
            return {"automatic": _view(wanted, row)}

    @router.delete("/subscriptions/{name:path}/automatic-top-up")
    def end(name: str) -> Json:
        with services.database.write() as connection:
            locked(connection, name)
            ask_for_automatic(connection, name, None)
            return {"automatic": None}

    return router


def notification_routes(services: Services) -> APIRouter:
    """In the order of time."""
    router = APIRouter()

    @router.get("/notifications")
    def listed(
        subscription: str | None = None, after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> Json:
        with services.database.read() as connection:
            found = list_notifications(connection, subscription, after=after, limit=limit)
        return {
            "notifications": [view_notification(notification) for notification in found],
            "next": found[-1].id if len(found) == limit else None,
        }

    return router


def _settle(services: Services, top_up: str, state: State, asked: Settlement | None) -> Json:
    now = services.clock()
    with services.database.write() as connection:
        found = _existing(connection, top_up)
        if state == "cancelled" and found.state == "failed":
            return view_top_up(found)  # its invoice was voided a moment ago
        _require_by_hand(connection, top_up, state)
        row = locked(connection, found.subscription)
        found = find_top_up(connection, top_up) or found
        try:
            changed = settle_top_up(connection, row, found, state, asked.note if asked else "", now)
        except TopUpRefusedError as error:
            raise Problem(409, str(error)) from error
        settled = find_top_up(connection, top_up) or found
        if changed:
            tell_settled(connection, row, settled, state, now, settled.note)
        return view_top_up(settled)


def _existing(connection: Connection, top_up: str) -> TopUp:
    found = find_top_up(connection, top_up)
    if found is None:
        raise Problem(404, f"there is no top-up {top_up}")
    return found


def _void(services: Services, top_up: str) -> None:
    """At the provider first: what is paid a moment before is not cancelled."""
    with services.database.read() as connection:
        _existing(connection, top_up)
        receivable = find_receivable(connection, top_up_subject(top_up))
    if receivable is None or receivable.status != "open":
        return
    with asking():
        found = port_of(services, receivable.provider).void(receivable.reference)
    if found is not None:
        with services.database.write() as connection:
            apply_invoice(connection, receivable.provider, found, services.clock(), services.judge)


def _require_by_hand(connection: Connection, top_up: str, state: State) -> None:
    """What a provider is collecting would be paid twice."""
    receivable = find_receivable(connection, top_up_subject(top_up))
    if receivable is None or receivable.status == "void":
        return
    request = find_request(connection, f"top_up.{receivable.subject}")
    if request is not None and request.state == "dropped" and receivable.status != "open":
        return
    if receivable.status == "paid":
        raise Problem(409, f"the top-up {top_up} was paid through {receivable.provider}: give it back with a refund")
    what = "cancel it first" if state != "cancelled" else "try again when its invoice was made"
    raise Problem(409, f"{receivable.provider} is collecting the top-up {top_up}: {what}")


def _view_with_invoice(connection: Connection, top_up: TopUp) -> Json:
    receivable = find_receivable(connection, top_up_subject(top_up.id))
    return {**view_top_up(top_up), "invoice": view_invoice(receivable)}


def _allowed(services: Services, row: Subscription) -> Allowed:
    product = services.catalog.current.product(row.product)
    if product is None or product.top_ups is None or not row.currency:
        raise Problem(409, f"the product {row.product} is not prepaid")
    return allowed_top_ups(product.top_ups, row.currency)


def _require_allowed(allowed: Allowed, minor: int, currency: str) -> None:
    if not allowed.least_minor <= minor <= allowed.most_minor:
        least, most = Money(allowed.least_minor, currency), Money(allowed.most_minor, currency)
        raise Problem(422, f"amount: must be between {least} and {most}")


def _view(wanted: Automatic | None, row: Subscription) -> Json | None:
    if wanted is None:
        return None
    amounts = {"below": wanted.below_minor, "amount": wanted.amount_minor, "month": wanted.month_minor}
    shown = {name: Money(minor, row.currency).amount for name, minor in amounts.items()}
    return {**shown, "currency": row.currency, "state": wanted.state}
