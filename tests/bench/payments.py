"""Payments: statements exported within a provider's limits, webhooks acknowledged, the inbox worked off. Simulated
providers in processes of their own, billing's own code through the official SDKs."""

import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil
import stripe
import structlog
from msgspec.structs import replace
from requests import PreparedRequest, Response, Session

from tests.bench.measure import percentile
from tests.integration.billing.neighbours import BillingProcess, Valkey, wait_until
from tests.integration.payments.account import PADDLE_KEY, SECRET_KEY, WEBHOOK_SECRET, StripeAccount, simulator
from tests.support.loops import running
from tests.unit.billing.builders import make_fee
from tests.unit.billing.desk import PROVIDER, collected_catalog
from tollgate_billing.clock import system_clock
from tollgate_billing.health import Health
from tollgate_billing.ledger.catalogs import store_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate
from tollgate_billing.payments.collecting import Collecting
from tollgate_billing.payments.following import Follower
from tollgate_billing.payments.inbox import count_events, receive
from tollgate_billing.payments.outbox import count_requests
from tollgate_billing.payments.pace import LIMITS, Pace
from tollgate_billing.payments.port import ProviderEvent, ProviderPort
from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client
from tollgate_billing.payments.providers.session import PacedAdapter
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client, stripe_http
from tollgate_billing.payments.receivables import unsettled
from tollgate_billing.payments.sending import Sender
from tollgate_billing.statements.closing import Closer
from tollgate_billing.subscriptions.declared import declare
from tollgate_core.catalog import Catalog, PaymentProvider, Subscription, content_hash
from tollgate_core.payment_keys import PaymentKeys, keys_file

Kind = Literal["stripe", "paddle"]
#: (requests a second of the account, requests a second of each endpoint), as documented.
_DOCUMENTED = {"stripe": (100.0, 25.0), "paddle": (4.0, float("inf"))}
_THREADS = 8
_PER_INVOICE = 6
_MIB = 2**20


class CountingAdapter(PacedAdapter):
    """Knows how often which endpoint was asked, and how often that was too much."""

    def __init__(self, kind: Kind) -> None:
        self.asked: Counter[str] = Counter()
        self.refused = 0
        pace = Pace(*LIMITS[kind], time.monotonic, time.sleep)
        super().__init__(pace)
        wait = pace.wait

        def counted(endpoint: str) -> None:
            wait(endpoint)
            self.asked[endpoint] += 1

        pace.wait = counted  # type: ignore[method-assign]

    def send(self, request: PreparedRequest, *args: Any, **more: Any) -> Response:
        answer = super().send(request, *args, **more)
        self.refused += answer.status_code == 429
        return answer


def run(directory: Path, statements: int, seconds: float) -> dict[str, Any]:
    """All three, one after the other."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    figures: dict[str, Any] = {}
    for kind in ("stripe", "paddle"):
        figures[f"export to {kind}"] = export(directory / kind, kind, statements)
    figures["webhooks"] = acknowledge(directory / "webhooks", seconds)
    figures["drain"] = drain(directory / "drain", statements)
    return figures


@dataclass
class Books:
    """A database with one open statement for each subscription."""

    database: Database
    catalog: Catalog


@contextmanager
def books(directory: Path, kind: Kind, statements: int) -> Iterator[Books]:
    directory.mkdir()
    database = Database(f"sqlite:///{directory / 'ledger.db'}")
    migrate(database)
    made = collected_catalog(make_fee(in_arrears=True), provider=PaymentProvider(name=PROVIDER, kind=kind))
    product = made.products[0].name
    declared = tuple(
        Subscription(name=f"s{n:05}", product=product, customer=f"c{n}", starts_at="2026-09-30T00:00:00Z")
        for n in range(statements)
    )
    catalog = replace(made, subscriptions=declared)
    cut_ms = 1_793_404_800_000  # 2026-10-31
    with database.write() as connection:
        store_catalog(connection, content_hash(catalog.encode()), catalog.encode(), catalog, cut_ms)
        declare(connection, catalog, cut_ms)
    closer = Closer(
        database,
        lambda: catalog,
        lambda: cut_ms,
        0,
        Health(),
        collect=Collecting(lambda: catalog),
    )
    closer.tick()
    yield Books(database, catalog)
    database.close()


def export(directory: Path, kind: Kind, statements: int) -> dict[str, Any]:
    """Busy time against the least that the limits allow."""
    key = SECRET_KEY if kind == "stripe" else PADDLE_KEY
    with books(directory, kind, statements) as made, simulator(directory, kind, key, "--rate-limits") as url:
        adapter = CountingAdapter(kind)
        port = _port(kind, url, adapter)
        sender = Sender(made.database, lambda: {PROVIDER: port}, system_clock, Health())
        before, started = _resident(), time.monotonic()
        with running(sender):
            _wait(made.database, statements - 100)
            early = _resident()
            _wait(made.database, 0)
            busy = time.monotonic() - started
    whole, endpoint = _DOCUMENTED[kind]
    least = max(adapter.asked.total() / whole, max(adapter.asked.values()) / endpoint)
    return {
        "statements": statements,
        "requests": adapter.asked.total(),
        "answered 429": adapter.refused,
        "busy s": busy,
        "least s": least,
        "busy / least": busy / least,
        "RSS MiB before, after 100, at the end": [round(one / _MIB) for one in (before, early, _resident())],
    }


def _wait(database: Database, pending: int) -> None:
    """Until no more than these are still to be sent."""
    while _pending(database) > max(pending, 0):
        time.sleep(0.05)


def _port(kind: Kind, url: str, adapter: PacedAdapter) -> ProviderPort:
    if kind == "paddle":
        paddle = paddle_client(PADDLE_KEY, api_url=url)
        paddle.client.mount("http://", adapter)
        return PaddlePort(paddle, ())
    session = Session()
    session.mount("http://", adapter)
    return StripePort(stripe_client(SECRET_KEY, url, http=stripe_http(session)), ())


def _pending(database: Database) -> int:
    with database.read() as connection:
        return count_requests(connection)["pending"]


def acknowledge(directory: Path, seconds: float, rate: int = 200) -> dict[str, Any]:
    """By billing as a process, whose provider does not answer: nothing is followed meanwhile."""
    directory.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    valkey = Valkey(directory)
    process = BillingProcess(valkey, f"sqlite:///{directory / 'ledger.db'}", directory)
    keys = directory / "keys"
    keys.mkdir()
    (keys / keys_file(PROVIDER)).write_text(PaymentKeys(SECRET_KEY, (WEBHOOK_SECRET,)).encode())
    try:
        with simulator(directory, "stripe", SECRET_KEY) as url:
            provider = PaymentProvider(name=PROVIDER, kind="stripe", api_url=url)
            valkey.publish(collected_catalog(make_fee(in_arrears=True), provider=provider))
            listen = f"127.0.0.1:{port}"
            started = process.start(TOLLGATE_PAYMENT_KEYS_DIR=str(keys), TOLLGATE_BILLING_LISTEN=listen)
            target = f"{process.url}/v1/webhooks/{PROVIDER}"
            wait_until(lambda: _post(httpx.Client(), target, _event("warm")) == 200)
            held = next(one for one in psutil.Process().children() if "tollgate_sandbox" in " ".join(one.cmdline()))
            held.send_signal(signal.SIGSTOP)
            before = psutil.Process(started.pid).memory_info().rss
            taken = _at_rate(target, rate, int(rate * seconds))
            after = psutil.Process(started.pid).memory_info().rss
            held.send_signal(signal.SIGCONT)
    finally:
        process.stop_all()
        valkey.stop()
    return {
        "events": len(taken),
        "p50 ms": percentile(taken, 0.5),
        "p99 ms": percentile(taken, 0.99),
        "RSS MiB before": round(before / _MIB),
        "RSS MiB after": round(after / _MIB),
    }


def _at_rate(target: str, rate: int, count: int) -> list[int]:
    """Nanoseconds from the moment at which each was to be sent."""
    begin, taken = time.monotonic_ns() + 200_000_000, list[int]()
    bodies = [_event(f"{number}") for number in range(count)]

    def send(worker: int) -> None:
        with httpx.Client() as client:
            for number in range(worker, count, _THREADS):
                due = begin + number * 1_000_000_000 // rate
                time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
                assert _post(client, target, bodies[number]) == 200
                taken.append(time.monotonic_ns() - due)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(send, range(_THREADS)))
    return taken


def _event(number: str) -> bytes:
    found = {"object": "invoice", "id": f"in_{number}"}
    made = {"id": f"evt_{os.getpid()}_{number}", "type": "invoice.paid", "created": 1_795_000_000}
    return json.dumps({**made, "livemode": False, "data": {"object": found}}).encode()


def _post(client: httpx.Client, target: str, body: bytes) -> int:
    header = stripe.WebhookSignature.generate_signature_header(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        body.decode(), WEBHOOK_SECRET, timestamp=int(time.time())
    )
    return client.post(target, content=body, headers={"Stripe-Signature": str(header)}).status_code  # pyright: ignore[reportUnknownArgumentType]


def drain(directory: Path, statements: int) -> dict[str, Any]:
    """Events of invoices that were paid, without a limit of the provider; against looking once for each event."""
    invoices = min(statements, 300)
    with books(directory, "stripe", invoices) as made, simulator(directory, "stripe", SECRET_KEY) as url:
        account = StripeAccount(url)
        port = account.port
        sender = Sender(made.database, lambda: {PROVIDER: port}, system_clock, Health())
        with running(sender):
            _wait(made.database, 0)
        follower = Follower(made.database, lambda: {PROVIDER: port}, system_clock, Health())
        while follower.tick():
            pass
        with made.database.read() as connection:
            references = [one.reference for one in unsettled(connection, PROVIDER)]
        one, _ = _drained(made.database, follower, references, 1)
        many, memory = _drained(made.database, follower, references, _PER_INVOICE)
    return {
        "invoices": len(references),
        "events/s, one for each invoice": one,
        f"events/s, {_PER_INVOICE} for each": many,
        "ratio": many / one,
        "RSS MiB before, after": memory,
    }


def _drained(database: Database, follower: Follower, references: list[str], each: int) -> tuple[float, list[int]]:
    for reference in references:
        account_event = [ProviderEvent(f"{reference}.{each}.{n}", "invoice.paid", 0, reference) for n in range(each)]
        with database.write() as connection:
            for event in account_event:
                receive(connection, PROVIDER, event, system_clock())
    before, started = _resident(), time.monotonic()
    with running(follower):
        while _unseen(database):
            time.sleep(0.02)
        seconds = time.monotonic() - started
    return len(references) * each / seconds, [round(before / _MIB), round(_resident() / _MIB)]


def _unseen(database: Database) -> int:
    with database.read() as connection:
        return count_events(connection)["pending"]


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
