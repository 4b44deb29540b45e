"""Recording, drafting and closing: how long, and how much memory. On SQLite, by billing's own code, without HTTP."""

import random
import resource
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from tests.support.usage import completed_event
from tollgate_billing.health import Health
from tollgate_billing.ingest.batch import decode
from tollgate_billing.ingest.streams import Message
from tollgate_billing.ledger.catalogs import store_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.writer import post
from tollgate_billing.statements.closing import Closer
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_billing.subscriptions.declared import declare
from tollgate_core.catalog import Catalog, Metric, Price, PriceTier, Product, Subscription, content_hash
from tollgate_core.events import UsageEvent

DAY_MS = 86_400_000
START_MS = 1_793_491_200_000  # 2026-11-01T00:00:00Z
END_MS = START_MS + 30 * DAY_MS
_BATCH = 1000
_DRAFTS = 30


def catalog(subscriptions: int) -> Catalog:
    """A fee, a graduated price with a cheaper one for a small model, and an allowance for each day."""
    tiers = (PriceTier(up_to="1000000", amount="3"), PriceTier(amount="2", flat_amount="5"))
    usage: dict[str, Any] = {"version": "1", "product": "pro", "currency": "USD", "per": "1000000"}
    daily: dict[str, Any] = {"metric": "calls", "amount": "100", "included": "10", "aggregation_interval": "day"}
    prices = (
        Price(name="calls", model="standard", **usage, **daily),
        Price(name="fee", version="1", product="pro", currency="USD", model="flat", amount="20"),
        Price(name="mini", model="standard", metric="tokens", amount="1", when='model == "mini"', **usage),
        Price(name="tokens", model="graduated", metric="tokens", tiers=tiers, **usage),
    )
    declared = tuple(
        Subscription(name=f"s{n:05}", product="pro", customer=f"c{n}", starts_at="2026-11-01T00:00:00Z")
        for n in range(subscriptions)
    )
    return Catalog(
        metrics=(Metric(name="calls", unit="call", usage=()), Metric(name="tokens", unit="token", usage=())),
        products=(Product(name="pro", version="1", endpoints=()),),
        prices=prices,
        subscriptions=declared,
    )


def events(count: int, subscriptions: int) -> Iterator[UsageEvent]:
    """Spread over a month and over all subscriptions."""
    rng = random.Random(1)
    for number in range(count):
        at_ms = START_MS + number * 30 * DAY_MS // count
        owner = number % subscriptions
        model = "mini" if rng.random() < 0.5 else "large"
        tokens = rng.randrange(1, 5000)
        yield completed_event(
            f"e{number}",
            f"s{owner:05}",
            at_ms,
            source="bench",
            model=model,
            tokens=tokens,
            customer=f"c{owner}",
            product="pro",
            product_version="1",
            endpoint="api/chat",
            quantities={"tokens": str(tokens), "calls": "1"},
        )


class Ledger:
    """One database, filled through the same code as the stream's consumer uses."""

    def __init__(self, path: Path, subscriptions: int) -> None:
        self.catalog = catalog(subscriptions)
        self.database = Database(f"sqlite:///{path}")
        migrate(self.database)
        encoded = self.catalog.encode()
        with self.database.write() as connection:
            store_catalog(connection, content_hash(encoded), encoded, self.catalog, START_MS)
            declare(connection, self.catalog, START_MS)

    def record(self, count: int, subscriptions: int) -> float:
        """Seconds in the ledger alone: decoding, choosing prices, writing."""
        book, batch, spent = PriceBook(), list[Message](), 0.0

        def write() -> float:
            began = time.perf_counter()
            decoded = decode(batch)
            with self.database.write() as connection:
                post(connection, decoded.deliveries, decoded.letters, END_MS, book)
            batch.clear()
            return time.perf_counter() - began

        for event in events(count, subscriptions):
            batch.append(Message(0, b"0-0", event.encode()))
            if len(batch) == _BATCH:
                spent += write()
        return spent + write()

    def draft(self) -> float:
        """p95 of milliseconds for the draft of the first subscription."""
        times: list[float] = []
        for _ in range(_DRAFTS):
            began = time.perf_counter()
            with self.database.read() as connection:
                row = find_subscription(connection, "s00000")
                assert row
                assert draft_now(connection, terms_now(connection, self.catalog), row, END_MS - 1).lines
            times.append((time.perf_counter() - began) * 1000)
        return statistics.quantiles(times, n=20)[-1]

    def close(self) -> float:
        """Seconds for the opening and the month of every subscription."""
        closer = Closer(self.database, lambda: self.catalog, lambda: END_MS, 0, Health())
        began = time.perf_counter()
        assert closer.tick() == set()
        return time.perf_counter() - began


def run(directory: Path, count: int, subscriptions: int) -> dict[str, float]:
    """Figures by what they are of; memory is the process's peak."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    figures: dict[str, float] = {}
    spread = Ledger(directory / "spread.db", 1000)
    figures[f"record {count:,} events of 1,000 subscriptions, s"] = spread.record(count, 1000)
    figures["close them (two statements each), s"] = spread.close()
    one = Ledger(directory / "one.db", 1)
    figures[f"record {count:,} events of one subscription, s"] = one.record(count, 1)
    figures["its draft, p95, ms"] = one.draft()
    many = Ledger(directory / "many.db", subscriptions)
    many.record(subscriptions * 10, subscriptions)
    figures[f"close {subscriptions:,} subscriptions with 10 events each, s"] = many.close()
    figures["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures
