"""The loop that follows what providers say: events of the inbox, and, for those that never came, a look of its own.

An event says only where to look. What is there now is applied: late, repeated, missing or unordered events make no
difference.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tollgate_billing.checkpoints import Checkpoint, no_checkpoint
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.locks import FOLLOWING, alone
from tollgate_billing.payments.applying import DriftError, Judge, StaleError, apply_invoice, judge_nobody
from tollgate_billing.payments.backoff import pause_ms
from tollgate_billing.payments.checkouts import Checkout, apply_checkout, list_checkouts
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.inbox import (
    Received,
    by_look,
    due_events,
    last_poll,
    postpone_events,
    put_events_aside,
    receive,
    remember_poll,
    settle_events,
)
from tollgate_billing.payments.outbox import send_again
from tollgate_billing.payments.port import (
    ProviderCheckout,
    ProviderError,
    ProviderInvoice,
    ProviderPort,
    RefusedError,
    UnauthorizedError,
    suspect_nobody,
)
from tollgate_billing.payments.receivables import (
    Receivable,
    by_reference,
    find_receivable,
    known_customer,
    open_invoices,
    unsettled,
)
from tollgate_billing.payments.received import PaymentRefusedError
from tollgate_core.catalog import Catalog

_log = structlog.get_logger("payments")
_PAUSE_SECONDS = 0.5
_THREADS = 8
#: How often invoices are looked at that nothing was heard of.
_POLL_MS = 600_000
#: Events are asked for a while back: clocks differ, and so do the times at which they can be listed.
_BACK_MS = 3_600_000
#: Where nothing has come yet; as far back as Stripe can list.
_FAR_BACK_MS = 29 * 86_400_000
_POLL_AGAIN_MS = 60_000
#: How long a customer may take to pay a top-up.
_TOP_UP_MS = 86_400_000
#: How long a link to a checkout works.
_CHECKOUT_MS = 2 * 86_400_000


class Follower:
    """``tick`` looks once and can be driven by a test; ``run`` repeats it."""

    def __init__(
        self,
        database: Database,
        providers: Callable[[], Mapping[str, ProviderPort]],
        clock: Clock,
        health: Health,
        checkpoint: Checkpoint = no_checkpoint,
        judge: Judge = judge_nobody,
        suspect: Callable[[str], None] = suspect_nobody,
        catalog: Callable[[], Catalog] = Catalog,
    ) -> None:
        self._suspect = suspect
        self._database = database
        self._providers = providers
        self._clock = clock
        self._health = health
        self._checkpoint = checkpoint
        self._judge = judge
        self._catalog = catalog
        #: By provider: when it was last looked at.
        self._polled: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        with ThreadPoolExecutor(_THREADS, "follower") as pool:
            while not stop.is_set():
                done = 0
                with surviving(self._health, "payment events", _log):
                    done = self.tick(pool)
                    self._health.fine("payment events")
                if not done:
                    stop.wait(_PAUSE_SECONDS)

    def tick(self, pool: ThreadPoolExecutor | None = None) -> int:
        """Answers how many events were looked at. Those about the same thing need one look."""
        providers = self._providers()
        for name, provider in providers.items():
            if self._clock() - self._polled.get(name, 0) >= _POLL_MS:
                self._poll(name, provider)
        with self._database.read() as connection:
            due = due_events(connection, self._clock())
        look = partial(self._look, providers)
        alike = by_look(due)
        looked: Iterable[None] = pool.map(look, alike) if pool else map(look, alike)
        deque(looked, 0)
        return len(due)

    def _look(self, providers: Mapping[str, ProviderPort], alike: Sequence[Received]) -> None:
        received = alike[0]
        provider = providers.get(received.provider)
        if provider is None:
            self._postpone(alike, f"there is no payment provider {received.provider}")
            return
        try:
            checkout = provider.read_checkout(received.event.checkout) if received.event.checkout else None
            found = None if received.event.checkout else self._affected(provider, received)
            self._checkpoint("before-apply")
            with self._database.write() as connection:
                if found is not None:
                    apply_invoice(connection, received.provider, found[0], self._clock(), self._judge, found[1])
                self._changed_customer(
                    connection, received, self._apply_checkout(connection, received.provider, checkout)
                )
                settle_events(connection, alike)
                self._checkpoint("before-commit-applied")
            self._checkpoint("after-commit-applied")
        except StaleError:
            self._postpone(alike, "somebody else has looked meanwhile", at_once=True)
        except (ProviderError, IntegrityError) as error:  # the latter: another worker was faster
            if isinstance(error, UnauthorizedError):
                self._suspect(received.provider)
            self._postpone(alike, str(error) if isinstance(error, ProviderError) else type(error).__name__)
        except DATABASE_AWAY:
            raise
        except Exception as error:
            problem = _problem(error)
            with self._database.write() as connection:
                put_events_aside(connection, alike, problem)
            _log.error("a person has to look", provider=received.provider, id=received.event.id, problem=problem)

    def _changed_customer(self, connection: Connection, received: Received, checkout: Checkout | None) -> None:
        """Whoever has another payment method need not wait until what he owes is tried again."""
        name = received.provider
        known = known_customer(connection, name, received.event.customer) if received.event.customer else ""
        customer = checkout.customer if checkout is not None and checkout.status == "complete" else known
        if customer:
            self._collect_again(connection, name, customer)

    def _collect_again(self, connection: Connection, name: str, customer: str) -> None:
        """Whatever he owes, with the payment method that he has now."""
        for receivable in open_invoices(connection, name, customer):
            send_again(connection, "invoice", receivable.subject, self._clock())

    def _affected(self, provider: ProviderPort, received: Received) -> tuple[ProviderInvoice, int] | None:
        """The invoice as it is, and the state of our books before that was read."""
        event = received.event
        if not event.invoice:
            found = provider.affected_invoice(event)
            if found is None:
                return None
            event = replace(event, invoice=found.reference)
        with self._database.read() as connection:
            known = by_reference(connection, received.provider, event.invoice)
        found = provider.affected_invoice(event)
        if found is None:
            return None
        if known is None:
            with self._database.read() as connection:
                known = find_receivable(connection, found.subject)
            found = provider.affected_invoice(event) or found  # read again: now it is known what was known before
        return found, known.version if known else 0

    def _postpone(self, alike: Sequence[Received], problem: str, *, at_once: bool = False) -> None:
        pause = 0 if at_once else pause_ms(max(one.attempts for one in alike))
        with self._database.write() as connection:
            postpone_events(connection, alike, self._clock() + pause, problem)

    def _poll(self, name: str, provider: ProviderPort) -> None:
        """What is missing in the inbox, and every invoice that may still change."""
        now = self._clock()
        self._polled[name] = now - _POLL_MS + _POLL_AGAIN_MS  # where it fails, others come first
        try:
            missed = self._fetch_missed(name, provider, now)
            with self._database.read() as connection:
                open_ones = unsettled(connection, name)
                checkouts = list_checkouts(connection, "open", name)
            for receivable in open_ones:
                with _alone(name, receivable.subject):
                    self._read_anew(name, provider, receivable)
            for checkout in checkouts:
                with _alone(name, checkout.id):
                    self._read_checkout(name, provider, checkout)
        except (ProviderError, IntegrityError) as error:  # the latter: an event came by itself at the same moment
            if isinstance(error, UnauthorizedError):
                self._suspect(name)
            if isinstance(error, ProviderError):
                self._health.trouble(f"payment provider {name}", str(error), of_others=True)
            return
        except DATABASE_AWAY:
            raise
        except Exception as error:  # what has come already, from other providers too, is looked at all the same
            _log.exception("cannot be polled", provider=name)
            self._health.trouble(f"payment provider {name}", _problem(error))
            return
        self._polled[name] = now
        self._health.fine(f"payment provider {name}")
        if missed:
            _log.info("events that had not come", provider=name, events=missed)

    def _fetch_missed(self, name: str, provider: ProviderPort, now_ms: int) -> int:
        """Since the last time that this was asked with success, however long ago."""
        with self._database.read() as connection:
            since = last_poll(connection, name) or now_ms - _FAR_BACK_MS
        events = list(provider.events_since(min(since, now_ms) - _BACK_MS))
        with self._database.write() as connection:
            alone(connection, FOLLOWING)
            remember_poll(connection, name, now_ms)
            return sum(receive(connection, name, event, now_ms) for event in events)

    def _read_checkout(self, name: str, provider: ProviderPort, checkout: Checkout) -> None:
        old = self._clock() - checkout.created_ms > _CHECKOUT_MS
        look = provider.end_checkout if old else provider.read_checkout
        found = look(checkout.reference) if checkout.reference else None
        if found is not None and found.status != "open":
            with self._database.write() as connection:
                self._apply_checkout(connection, name, found)
                self._collect_again(connection, name, checkout.customer)

    def _apply_checkout(self, connection: Connection, name: str, found: ProviderCheckout | None) -> Checkout | None:
        return apply_checkout(connection, self._catalog(), name, found, self._clock()) if found else None

    def _read_anew(self, name: str, provider: ProviderPort, receivable: Receivable) -> None:
        # Nobody comes back to pay in what he wanted yesterday, and meanwhile nothing is paid in by itself.
        old = top_up_of(receivable.subject) and self._clock() - receivable.changed_ms > _TOP_UP_MS
        look = provider.void if old else provider.read_invoice
        found = look(receivable.reference)
        if found is not None:
            with self._database.write() as connection:
                apply_invoice(connection, name, found, self._clock(), self._judge, receivable.version)


@contextmanager
def _alone(name: str, about: str) -> Generator[None]:
    """One that cannot be applied, or that its provider refuses to show, does not stop the others."""
    try:
        yield
    except StaleError:
        return  # somebody else has just looked
    except RefusedError as error:
        _log.error("a person has to look", provider=name, about=about, problem=str(error))
    except (ProviderError, *DATABASE_AWAY):
        raise
    except Exception as error:
        _log.error("a person has to look", provider=name, about=about, problem=_problem(error))


def _problem(error: Exception) -> str:
    known = isinstance(error, DriftError | PaymentRefusedError)
    return str(error) if known else f"internal: {type(error).__name__}"
