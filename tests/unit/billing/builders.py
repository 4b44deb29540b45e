"""Events, catalogs and databases for the tests of billing."""

from typing import Any

from tollgate_billing.ingest.batch import decode
from tollgate_billing.ingest.streams import Message
from tollgate_billing.ledger.catalogs import store_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.writer import Posted, post
from tollgate_billing.subscriptions.declared import Outcome, declare
from tollgate_core import catalog as c
from tollgate_core.admission import PriceVersion
from tollgate_core.events import Usage, UsageEvent, rfc3339
from tollgate_core.redis_contract import partition_of

#: 2097-01-31T00:00:00Z: an anchor that February cannot keep, and late enough that Redis expires nothing of it.
ANCHOR_MS = 4_010_428_800_000
NOW_MS = ANCHOR_MS + 3_600_000
SUBSCRIPTION = "team/acme"


def make_event(
    event_id: str,
    quantity: str = "10",
    *,
    subscription: str = SUBSCRIPTION,
    at_ms: int = NOW_MS,
    prices: tuple[PriceVersion, ...] = (PriceVersion("tokens", "token-price", "v1"),),
    quantities: dict[str, str] | None = None,
    usage: dict[str, Any] | None = None,
    **fields: Any,
) -> UsageEvent:
    """One event that counts ``quantity`` tokens and one call."""
    counted = {"tokens": quantity, "calls": "1"} if quantities is None else quantities
    data = Usage(
        **{
            "customer": "acme",
            "product": "pro",
            "product_version": "1",
            "catalog": "c",
            "endpoint": "api/chat",
            "outcome": "completed",
            "quality": "exact",
            "witness": "meter",
            "ended_at": rfc3339(at_ms + 5),
            "quantities": counted,
            "usage": usage if usage is not None else {"total_tokens": counted.get("tokens")},
            "prices": prices,
            **fields,
        }
    )
    return UsageEvent(id=event_id, source="tollgate/api/chat", subject=subscription, time=rfc3339(at_ms), data=data)


def make_price(**fields: Any) -> c.Price:
    """A standard price of tokens."""
    defaults: dict[str, Any] = {
        "name": "token-price",
        "version": "v1",
        "product": "pro",
        "currency": "USD",
        "model": "standard",
        "amount": "5",
        "per": "1000000",
        "included": "2000000",
        "metric": "tokens",
    }
    return c.Price(**{**defaults, **fields})


def make_fee(**fields: Any) -> c.Price:
    """A monthly fee."""
    return make_price(
        **{"name": "fee", "model": "flat", "amount": "49", "per": "1", "included": "0", "metric": "", **fields}
    )


def make_catalog(**fields: Any) -> c.Catalog:
    """One product with a fee, a price, a limit and one subscription."""
    defaults: dict[str, Any] = {
        "metrics": (c.Metric(name="tokens", unit="token", usage=(), display_name="Tokens"),),
        "products": (
            c.Product(
                name="pro",
                version="1",
                endpoints=(),
                max_keys=2,
                limits=(c.MetricLimit(metric="tokens", limit=1_000_000, interval="month"),),
            ),
        ),
        "prices": (make_fee(), make_price()),
        "subscriptions": (
            c.Subscription(
                name=SUBSCRIPTION,
                product="pro",
                customer="acme",
                customer_name="Acme Inc.",
                starts_at="2097-01-31T00:00:00+00:00",
            ),
        ),
    }
    return c.Catalog(**{**defaults, **fields})


def messages(*events: UsageEvent | bytes) -> list[Message]:
    """As if read from the stream."""
    return [
        Message(
            partition_of(event.subject) if isinstance(event, UsageEvent) else 0,
            f"{number + 1}-0".encode(),
            event.encode() if isinstance(event, UsageEvent) else event,
        )
        for number, event in enumerate(events)
    ]


def record(database: Database, *events: UsageEvent | bytes, now_ms: int = NOW_MS) -> Posted:
    """Post events in one transaction."""
    decoded = decode(messages(*events))
    with database.write() as connection:
        return post(connection, decoded.deliveries, decoded.letters, now_ms, PriceBook())


def declared(database: Database, catalog: c.Catalog, now_ms: int = NOW_MS) -> Outcome:
    """As the synchronisation does: the catalog is stored and its subscriptions declared."""
    encoded = catalog.encode()
    with database.write() as connection:
        store_catalog(connection, c.content_hash(encoded), encoded, catalog, now_ms)
        return declare(connection, catalog, now_ms)


def apply_catalog(database: Database, catalog: c.Catalog, now_ms: int = NOW_MS) -> dict[str, int | None]:
    """Like ``declared``, and all of it can be. Answers what changed."""
    outcome = declared(database, catalog, now_ms)
    assert not outcome.failed
    return outcome.changed
