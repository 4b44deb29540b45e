"""The loop that follows what providers say: events of the inbox, and, for those that never came, looks of our own.

An event says only where to look. What is there now is applied: late, repeated, missing or unordered events make no
difference.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tollgate_billing.checkpoints import Checkpoint, no_checkpoint
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.payments.applying import Judge, StaleError, apply_invoice, judge_nobody, problem_of
from tollgate_billing.payments.backoff import pause_ms
from tollgate_billing.payments.checkouts import Checkout, apply_checkout
from tollgate_billing.payments.collecting import collect_again
from tollgate_billing.payments.crews import Crews, Jobs
from tollgate_billing.payments.inbox import (
    Received,
    by_look,
    due_events,
    postpone_events,
    put_events_aside,
    settle_events,
    waiting_events,
)
from tollgate_billing.payments.polling import Poller
from tollgate_billing.payments.port import (
    ProviderCheckout,
    ProviderError,
    ProviderInvoice,
    ProviderPort,
    UnauthorizedError,
    suspect_nobody,
)
from tollgate_billing.payments.receivables import (
    by_reference,
    find_receivable,
    known_customer,
)
from tollgate_core.catalog import Catalog

_log = structlog.get_logger("payments")
_PAUSE_SECONDS = 0.5
_AT_ONCE = 1000


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
        self._poller = Poller(database, clock, health, judge, suspect, catalog)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        with Crews() as polls, Crews() as looks:
            while not stop.is_set():
                busy = False
                with surviving(self._health, "payment events", _log):
                    self._feed(polls, looks, stop)
                    self._health.fine("payment events")
                    busy = looks.are_busy()
                if busy:
                    looks.wait(_PAUSE_SECONDS)
                else:
                    stop.wait(_PAUSE_SECONDS)

    def _feed(self, polls: Crews, looks: Crews, stop: threading.Event) -> None:
        """A provider that is polled, or that is slow, keeps no event of another one waiting."""
        providers = self._providers()

        def poll(name: str) -> Jobs:
            return {name: partial(self._poller.poll, name, providers[name], stop.is_set)}, False

        def look(name: str) -> Jobs:
            with self._database.read() as connection:
                due = due_events(connection, self._clock(), _AT_ONCE, name)
            jobs = {" ".join(about): partial(self._look, providers, alike) for about, alike in by_look(due).items()}
            return jobs, len(due) == _AT_ONCE

        with self._database.read() as connection:
            waiting = waiting_events(connection)
        polls.feed(self._poller.due(providers), poll)
        looks.feed(sorted(waiting), look)

    def tick(self) -> int:
        """All of it, one after the other; answers how many events were looked at."""
        providers = self._providers()
        for name in self._poller.due(providers):
            self._poller.poll(name, providers[name])
        with self._database.read() as connection:
            due = due_events(connection, self._clock())
        for alike in by_look(due).values():
            self._look(providers, alike)
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
            problem = problem_of(error)
            with self._database.write() as connection:
                put_events_aside(connection, alike, problem)
            _log.error("a person has to look", provider=received.provider, id=received.event.id, problem=problem)

    def _changed_customer(self, connection: Connection, received: Received, checkout: Checkout | None) -> None:
        """Whoever has another payment method need not wait until what he owes is tried again."""
        name = received.provider
        known = known_customer(connection, name, received.event.customer) if received.event.customer else ""
        customer = checkout.customer if checkout is not None and checkout.status == "complete" else known
        if customer:
            collect_again(connection, name, customer, self._clock())

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

    def _apply_checkout(self, connection: Connection, name: str, found: ProviderCheckout | None) -> Checkout | None:
        return apply_checkout(connection, self._catalog(), name, found, self._clock()) if found else None
