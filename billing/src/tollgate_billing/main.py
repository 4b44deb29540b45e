"""The composition root: everything is made here, once, and handed to what needs it."""

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn

from tollgate_billing.checkpoints import crash_at
from tollgate_billing.clock import Clock, system_clock
from tollgate_billing.health import Health, Metrics
from tollgate_billing.http.app import build_app
from tollgate_billing.http.services import Services
from tollgate_billing.hydration.counters import CounterRestorer
from tollgate_billing.hydration.keeper import Keeper
from tollgate_billing.hydration.subscriptions import SubscriptionPusher
from tollgate_billing.ingest.batch import Poster
from tollgate_billing.ingest.consumer import Consumer
from tollgate_billing.ingest.replay import replay
from tollgate_billing.ingest.streams import Streams
from tollgate_billing.keys import KeyRing
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.migrate import migrate
from tollgate_billing.ledger.verification import verify
from tollgate_billing.notifications.watching import Watcher
from tollgate_billing.payments.accounts import Checker
from tollgate_billing.payments.checking_out import CheckingOut
from tollgate_billing.payments.collecting import Collecting, PayingIn
from tollgate_billing.payments.dunning import Dunning
from tollgate_billing.payments.following import Follower
from tollgate_billing.payments.reconciling import Reconciler
from tollgate_billing.payments.registry import Registry
from tollgate_billing.payments.sending import Sender
from tollgate_billing.redis_link import RedisLink
from tollgate_billing.settings import Settings
from tollgate_billing.statements.closing import Closer
from tollgate_billing.statements.verification import changed_statements
from tollgate_billing.sync.catalog_sync import CatalogSync
from tollgate_core.logs import configure_logging

_log = structlog.get_logger("billing")
_STOP_SECONDS = 10
_CERTIFICATE_SECONDS = 10.0


class Billing:
    """All parts of the process, wired but not started."""

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.link = RedisLink(settings.redis_url)
        self.health, self.metrics = Health(), Metrics()
        self.streams = Streams(self.link, settings.consumer)
        self.catalog = CatalogSync(self.database, self.link, clock)
        pusher = SubscriptionPusher(self.database, self.link, clock, lambda: self.catalog.current)
        restorer = CounterRestorer(self.database, self.link, clock)
        self.keeper = Keeper(self.database, self.link, self.catalog, pusher, restorer, clock, self.health, self.metrics)
        poster = Poster(self.database, clock, self.metrics)
        checkpoint = crash_at(settings.crash_at)
        delay_ms = int(settings.close_delay_seconds * 1000)
        registry = Registry(lambda: self.catalog.current, settings.payment_keys_dir, settings.payment_simulators)
        self.checker = Checker(self.database, registry, clock, self.health)
        providers, suspect = self.checker.admitted, self.checker.suspect
        self.closer = Closer(
            self.database,
            lambda: self.catalog.current,
            clock,
            delay_ms,
            self.health,
            checkpoint,
            Collecting(lambda: self.catalog.current),
        )
        self.dunning = Dunning(self.database, lambda: self.catalog.current, clock, self.health)
        judge = self.dunning.judge
        pay_in = PayingIn(lambda: self.catalog.current)
        self.sender = Sender(self.database, providers, clock, self.health, checkpoint, judge, suspect)
        self.follower = Follower(
            self.database, providers, clock, self.health, checkpoint, judge, suspect, lambda: self.catalog.current
        )
        self.reconciler = Reconciler(
            self.database,
            providers,
            clock,
            self.health,
            self.metrics,
            lambda: restorer.wallet_differences(self.catalog.current),
            judge,
        )
        self.watcher = Watcher(self.database, lambda: self.catalog.current, clock, self.health, pay_in)
        self.consumer = Consumer(self.streams, poster, clock, self.health, self.metrics, checkpoint)
        self.services = Services(
            database=self.database,
            catalog=self.catalog,
            keys=KeyRing(self.database, pusher, settings.key_pepper, clock),
            clock=clock,
            health=self.health,
            metrics=self.metrics,
            replay=lambda letter_id: replay(self.database, self.streams, clock, letter_id),
            is_warm=lambda: self.keeper.is_warm,
            providers=providers,
            outcomes=self.checker.outcomes,
            judge=judge,
            pay_in=pay_in,
            reconcile=self.reconciler.reconcile,
            checking_out=CheckingOut(self.database, lambda: self.catalog.current, providers, clock),
            admin_token=settings.admin_token,
        )

    def prepare(self, stop: threading.Event) -> bool:
        """Migrate and load, waiting for a database that is away. False where told to stop meanwhile."""
        while not stop.is_set():
            try:
                migrate(self.database)
                self.catalog.load()
            except DATABASE_AWAY as error:
                _log.warning("waiting for the database", error=type(error).__name__)
                stop.wait(0.5)
            else:
                return True
        return False

    def close(self) -> None:
        """Close all connections."""
        self.link.close()
        self.database.close()


def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the batch in hand is finished first."""
    configure_logging()
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    billing = Billing(settings)
    try:
        if billing.prepare(stop):
            _run(billing, stop)
    finally:
        billing.close()
    return 0


def _run(billing: Billing, stop: threading.Event) -> None:
    settings = billing.settings
    listener = socket.create_server((settings.listen_host, settings.listen_port))
    host, port = listener.getsockname()[:2]
    url = f"{'https' if settings.tls_dir else 'http'}://{host}:{port}"
    threads = [_start("ingest", billing.consumer.run, stop), _start("keeper", billing.keeper.run, stop)]
    threads.append(_start("closer", billing.closer.run, stop))
    threads.append(_start("watcher", billing.watcher.run, stop))
    threads.append(_start("checker", billing.checker.run, stop))
    threads.append(_start("sender", billing.sender.run, stop))
    threads.append(_start("follower", billing.follower.run, stop))
    threads.append(_start("dunning", billing.dunning.run, stop))
    threads.append(_start("reconciler", billing.reconciler.run, stop))

    def on_serving() -> None:
        _log.info("serving", url=url, consumer=settings.consumer)
        if settings.ready_file:
            write_atomically(settings.ready_file, url)

    app = build_app(billing.services, on_serving)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5, **_tls(settings))
    server = uvicorn.Server(config)
    threads.append(_start("certificate", lambda stop: follow_certificate(config, settings.tls_dir, stop), stop))
    if not stop.is_set():
        server.run(sockets=[listener])
    stop.set()
    deadline = time.monotonic() + _STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    _log.info("stopped")


def _tls(settings: Settings) -> dict[str, Any]:
    if settings.tls_dir is None:
        return {}
    return {"ssl_certfile": settings.tls_dir / "tls.crt", "ssl_keyfile": settings.tls_dir / "tls.key"}


def follow_certificate(
    config: uvicorn.Config, directory: Path | None, stop: threading.Event, every: float = _CERTIFICATE_SECONDS
) -> None:
    """Take a renewed certificate for new connections: a mounted Secret changes while the process runs."""
    if directory is None:
        return
    certificate, key = directory / "tls.crt", directory / "tls.key"
    seen = certificate.read_bytes()
    while not stop.wait(every):
        try:
            found = certificate.read_bytes()
            if found != seen and config.ssl is not None:
                # Elsewhere first: a certificate without its key would break the context that serves.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
                config.ssl.load_cert_chain(certificate, key)
                seen = found
                _log.info("certificate renewed")
        except (OSError, ssl.SSLError) as error:
            _log.warning("certificate not usable", error=type(error).__name__)


def _start(name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=run, args=(stop,), name=name, daemon=True)
    thread.start()
    return thread


def write_atomically(path: Path, content: str) -> None:
    """A reader sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content)
    os.replace(temporary, path)


def verify_command(settings: Settings) -> list[str]:
    """Check the ledger's invariants; answers what is wrong."""
    database = Database(settings.database_url)
    try:
        with database.read() as connection:
            return verify(connection) + [f"statement {name} was changed" for name in changed_statements(connection)]
    finally:
        database.close()


def replay_command(settings: Settings, letter_id: str | None) -> int:
    """Put dead letters back on their streams; answers how many."""
    billing = Billing(settings)
    try:
        return billing.services.replay(letter_id)
    finally:
        billing.close()
