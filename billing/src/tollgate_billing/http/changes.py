"""Routes of the provider API that change subscriptions. ``?preview=true`` shows what would be, and changes nothing."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Body, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.http.preconditions import IfMatch, entity_tag, require_match
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing, locked
from tollgate_billing.http.views import Json, view_pin, view_subscription
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.pins import PinRow, pins_of
from tollgate_billing.ledger.repricing import reprice_changed
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.statements.document import document_of
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_billing.subscriptions import changes
from tollgate_billing.subscriptions.beginning import after_closing
from tollgate_billing.subscriptions.fingerprint import migration_fingerprint
from tollgate_core.catalog import Catalog, Price
from tollgate_core.catalog import Subscription as Declared
from tollgate_core.events import rfc3339
from tollgate_core.money import CURRENCIES, minor_unit_exponent
from tollgate_core.pricing.checks import moment_problems, time_zone_problems
from tollgate_core.quantity import parse_quantity

_LARGEST_MINOR = 10**15
Preview = Annotated[bool, Query(description="Show what would be, and change nothing.")]
Change = Callable[[Connection, Subscription, int], None]
_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewSubscription(_Request):
    """A subscription that no manifest declares."""

    name: Annotated[str, Field(pattern=_NAME)]
    product: str
    customer: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}$")]
    customer_name: Annotated[str, Field(max_length=128)] = ""
    currency: str = ""
    time_zone: str = ""
    starts_at: AwareDatetime | None = None


class Switch(_Request):
    """To another product."""

    product: str


class Seats(_Request):
    """Of a flat price."""

    price: str
    seats: Annotated[int, Field(ge=0, le=1_000_000)]


class Migration(_Request):
    """To the current versions of ``prices``, and to these ``versions`` of others (version by price); to the current
    versions of all if none are named."""

    prices: list[str] | None = None
    versions: Annotated[dict[str, str], Field(max_length=100)] = {}


class Cancellation(_Request):
    """When it ends."""

    at: Literal["period_end", "now"] = "period_end"


class NewCharge(_Request):
    """``amount`` in major units; a negative one is a credit. The same id again changes nothing."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    amount: Annotated[str, Field(max_length=40)]
    comment: Annotated[str, Field(min_length=1, max_length=500)]


def changing(services: Services, preview: bool) -> AbstractContextManager[Connection]:
    """A transaction of which nothing stays if it is a preview."""
    return services.database.preview() if preview else services.database.write()


class _Changer:
    """Runs a change in one transaction, or shows what it would do."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def apply(self, name: str, preview: bool, change: Change) -> Json:
        now = self._services.clock()
        try:
            with changing(self._services, preview) as connection:
                row = locked(connection, name)
                now = after_closing(row, now)
                change(connection, row, now)
                reprice_changed(connection, {name: now}, now)
                answer = _state(connection, self._services, name, now)
        except changes.ChangeRefusedError as error:
            raise Problem(409, str(error)) from error
        return {**answer, "effective_at": rfc3339(now), "preview": preview}


def plan_routes(services: Services) -> APIRouter:
    """Begin, switch, seats."""
    router, apply = APIRouter(), _Changer(services).apply

    @router.post("/subscriptions", status_code=201)
    def begin(asked: NewSubscription, preview: Preview = False) -> Json:
        now = services.clock()
        wrong = [*moment_problems("starts_at", asked.starts_at), *time_zone_problems("time_zone", asked.time_zone)]
        if wrong:
            raise Problem(422, str(wrong[0]))
        wanted = Declared(
            name=asked.name,
            product=asked.product,
            customer=asked.customer,
            customer_name=asked.customer_name,
            currency=asked.currency,
            time_zone=asked.time_zone,
            starts_at=asked.starts_at.isoformat() if asked.starts_at else "",
        )
        try:
            with changing(services, preview) as connection:
                row = changes.begin(connection, services.catalog.current, wanted, now)
                # Its first statement, which closes when it begins: what it will pay then, and not a month later too.
                answer = _state(connection, services, asked.name, row.closed_ms)
        except changes.ChangeRefusedError as error:
            raise Problem(409, str(error)) from error
        return {**answer, "effective_at": rfc3339(row.started_ms), "preview": preview}

    @router.post("/subscriptions/{name:path}/switch")
    def switch(name: str, asked: Switch, preview: Preview = False) -> Json:
        catalog = services.catalog.current
        return apply(name, preview, lambda c, row, now: changes.switch(c, catalog, row, asked.product, now))

    @router.post("/subscriptions/{name:path}/seats")
    def seats(name: str, asked: Seats, preview: Preview = False) -> Json:
        return apply(name, preview, lambda c, row, now: changes.set_seats(c, row, asked.price, asked.seats, now))

    return router


def migration_routes(services: Services) -> APIRouter:
    """To other versions of prices, where ``If-Match`` says so only if a preview's ``ETag`` is still right."""
    router, apply = APIRouter(), _Changer(services).apply

    @router.post("/subscriptions/{name:path}/migrate")
    def migrate(
        name: str,
        response: Response,
        asked: Annotated[Migration | None, Body()] = None,
        preview: Preview = False,
        if_match: IfMatch = None,
    ) -> Json:
        wanted = asked or Migration()
        named = [*(wanted.prices or ()), *wanted.versions] or wanted.prices
        shown: Json = {}

        def change(connection: Connection, row: Subscription, now: int) -> None:
            stored = stored_prices(connection)
            held = {pin.price: pin for pin in pins_of(connection, [name]) if pin.holds_at(now)}
            catalog = _with_versions(services.catalog.current, stored, wanted.versions)
            migrated = changes.migrate(connection, catalog, row, now, named)
            shown["fingerprint"] = migration_fingerprint(row, migrated, held, now)
            require_match(if_match, shown["fingerprint"])
            shown["migrated"] = [_view_step(pin, held.get(pin.price), stored) for pin in migrated]

        answer = {**apply(name, preview, change), **shown}
        if preview:
            response.headers["ETag"] = entity_tag(answer["fingerprint"])
        return answer

    return router


def _view_step(pin: PinRow, before: PinRow | None, stored: Mapping[tuple[str, str], Price]) -> Json:
    return {
        **view_pin(pin, stored[pin.price, pin.version]),
        "from": view_pin(before, stored[before.price, before.version]) if before else None,
    }


def _with_versions(catalog: Catalog, stored: Mapping[tuple[str, str], Price], versions: Mapping[str, str]) -> Catalog:
    """With the named versions as the current ones, for one migration."""
    chosen: dict[str, Price] = {}
    for price, version in versions.items():
        known = [found for name, found in stored if name == price]
        if version not in known:
            listed = f"it has {', '.join(known)}" if known else "no such price was ever seen"
            raise changes.ChangeRefusedError(f"there is no version {version} of the price {price}; {listed}")
        chosen[price] = stored[price, version]
    kept = (price for price in catalog.prices if price.name not in chosen)
    return msgspec.structs.replace(catalog, prices=(*kept, *chosen.values()))


def ending_routes(services: Services) -> APIRouter:
    """Cancel, reactivate, charge."""
    router, apply = APIRouter(), _Changer(services).apply

    @router.post("/subscriptions/{name:path}/cancel")
    def cancel(name: str, asked: Annotated[Cancellation | None, Body()] = None, preview: Preview = False) -> Json:
        at_end = (asked or Cancellation()).at == "period_end"

        def change(connection: Connection, row: Subscription, now: int) -> None:
            changes.cancel(connection, row, now, at_period_end=at_end)

        return apply(name, preview, change)

    @router.post("/subscriptions/{name:path}/reactivate")
    def reactivate(name: str, preview: Preview = False) -> Json:
        catalog = services.catalog.current
        return apply(name, preview, lambda c, row, now: changes.reactivate(c, catalog, row, now))

    @router.post("/subscriptions/{name:path}/charges", status_code=201)
    def charge(name: str, asked: NewCharge, preview: Preview = False) -> Json:
        def change(connection: Connection, row: Subscription, now: int) -> None:
            minor = minor_of(asked.amount, row.currency)
            try:
                wanted = Charge(asked.id, name, now, minor, row.currency, asked.comment, now)
                add_charge(connection, wanted)
            except ValueError as error:
                raise changes.ChangeRefusedError(str(error)) from error

        return apply(name, preview, change)

    return router


def _state(connection: Connection, services: Services, name: str, now_ms: int) -> Json:
    row = existing(connection, name)
    draft = draft_now(connection, terms_now(connection, services.catalog.current), row, now_ms)
    return {"subscription": view_subscription(row), "draft": document_of(draft, "draft")}


def minor_of(amount: str, currency: str, field: str = "amount") -> int:
    """Major units as whole minor ones; raises a 422 that names the field."""
    if currency not in CURRENCIES:
        raise Problem(409, "the subscription has no currency yet: its product has no price")
    try:
        minor = parse_quantity(amount) * 10 ** minor_unit_exponent(currency)
    except ValueError as error:
        raise Problem(422, f"{field}: {error}") from error
    if minor != int(minor) or not minor:
        raise Problem(422, f"{field}: must be a number of whole minor units of {currency} and not zero")
    if abs(minor) > _LARGEST_MINOR:
        raise Problem(422, f"{field}: is beyond what the ledger holds")
    return int(minor)
