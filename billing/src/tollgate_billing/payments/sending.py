"""The loop that sends the outbox. Killed anywhere, it goes on where it was: that something was attempted is written
before it is sent, and what was attempted is looked for before it is sent again.

A row is sent by one thread at a time, rows of one subscription in their order, those of many side by side.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tollgate_billing.checkpoints import Checkpoint, no_checkpoint
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.payments.applying import DriftError, Judge, StaleError, apply_invoice, judge_nobody
from tollgate_billing.payments.backoff import pause_ms
from tollgate_billing.payments.crews import Crews, Jobs
from tollgate_billing.payments.drifts import blocking_drift
from tollgate_billing.payments.lease import sending_while
from tollgate_billing.payments.ordering import is_cancelled, order_of, refund_order
from tollgate_billing.payments.outbox import (
    Request,
    claim,
    count_stuck,
    due_requests,
    finish,
    postpone,
    postpone_unseen,
    postpone_unsent,
    put_aside,
    wait_for_provider,
    waiting_providers,
)
from tollgate_billing.payments.port import (
    AmbiguousError,
    ProviderInvoice,
    ProviderPort,
    RefusedError,
    TryLaterError,
    UnauthorizedError,
    UnseenError,
    suspect_nobody,
)
from tollgate_billing.payments.receivables import find_receivable
from tollgate_billing.payments.received import PaymentRefusedError
from tollgate_billing.payments.refunds import subject_of

_log = structlog.get_logger("payments")
_PAUSE_SECONDS = 1.0
_AT_ONCE = 32
#: Longer than all calls of one invoice may take together: nobody else begins before that.
_LEASE_MS = 600_000
#: Of the lease, so that what is sent last is answered, or given up, before it ends.
_SENDING_MS = _LEASE_MS - 120_000
#: After a start, keys are known to be right within a second or two.
_WAITING_PAUSE_MS = 10_000
#: Whoever looks too early may not see yet what he sent.
_AMBIGUOUS_PAUSE_MS = 5_000
_Postpone = Callable[[Connection, Request, int, str], None]


class Sender:
    """``tick`` sends what is due once and can be driven by a test; ``run`` repeats it. ``providers`` by name: those
    whose keys are there."""

    def __init__(
        self,
        database: Database,
        providers: Callable[[], Mapping[str, ProviderPort]],
        clock: Clock,
        health: Health,
        checkpoint: Checkpoint = no_checkpoint,
        judge: Judge = judge_nobody,
        suspect: Callable[[str], None] = suspect_nobody,
    ) -> None:
        self._suspect = suspect
        self._database = database
        self._providers = providers
        self._clock = clock
        self._health = health
        self._checkpoint = checkpoint
        self._judge = judge

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        with Crews() as crews:
            while not stop.is_set():
                fed = False
                with surviving(self._health, "payments", _log):
                    self._feed(crews)
                    self._say()
                    fed = crews.are_busy()
                if fed:
                    crews.wait(_PAUSE_SECONDS)
                else:
                    stop.wait(_PAUSE_SECONDS)

    def _feed(self, crews: Crews) -> None:
        providers = self._providers()

        def more(name: str) -> Jobs:
            with self._database.read() as connection:
                due = due_requests(connection, self._clock(), _AT_ONCE, name)
            return {request.id: partial(self._send, providers, request) for request in due}, len(due) == _AT_ONCE

        with self._database.read() as connection:
            waiting = waiting_providers(connection)
        crews.feed(sorted(waiting), more)

    def _say(self) -> None:
        """What does not become better by itself."""
        with self._database.read() as connection:
            stuck = count_stuck(connection)
            waiting = waiting_providers(connection) - set(self._providers())
        troubles = [f"{stuck} requests wait for a person: tollgate payments list"] if stuck else []
        troubles += [f"no keys of {', '.join(sorted(waiting))}"] if waiting else []
        if troubles:
            self._health.trouble("payments", "; ".join(troubles), of_others=True)
        else:
            self._health.fine("payments")

    def tick(self) -> int:
        """One after the other; answers how many rows were tried."""
        providers = self._providers()
        with self._database.read() as connection:
            due = due_requests(connection, self._clock())
        return sum(self._send(providers, request) for request in due)

    def _send(self, providers: Mapping[str, ProviderPort], request: Request) -> bool:
        """False where somebody else has it."""
        provider = providers.get(request.provider)
        if provider is None:
            self._wait(request, f"there is no payment provider {request.provider}, or its keys are missing")
            return False
        with self._database.read() as connection:
            held = blocking_drift(connection, request.subscription) if request.kind == "invoice" else ""
        if held:  # not an attempt yet
            self._wait(request, f"held back until books agree (tollgate reconcile): {held}")
            return False
        self._checkpoint("before-attempt")
        claimed_ms = self._clock()
        with self._database.write() as connection:
            if not claim(connection, request, claimed_ms, _LEASE_MS):
                return False
        self._checkpoint("after-attempt")
        try:
            with sending_while(lambda: self._clock() - claimed_ms < _SENDING_MS):
                self._do(provider, request)
        except (StaleError, IntegrityError):
            self._postpone(request, pause_ms(0), "another worker was faster")
        except TryLaterError as error:
            if isinstance(error, UnauthorizedError):
                self._suspect(request.provider)
            self._postpone(request, error.after_ms or pause_ms(request.attempts), str(error), postpone_unsent)
        except UnseenError as error:
            self._postpone(request, error.after_ms, str(error), postpone_unseen)
        except AmbiguousError as error:
            self._postpone(request, max(_AMBIGUOUS_PAUSE_MS, pause_ms(request.attempts)), str(error))
        except (RefusedError, DriftError, PaymentRefusedError) as error:
            self._put_aside(request, str(error))
        except DATABASE_AWAY:
            raise
        except Exception as error:
            _log.exception("cannot be sent", request=request.id)
            self._put_aside(request, f"internal: {type(error).__name__}")
        return True

    def _wait(self, request: Request, problem: str) -> None:
        now = self._clock()
        with self._database.write() as connection:
            wait_for_provider(connection, request, now, now + _WAITING_PAUSE_MS, problem)

    def _do(self, provider: ProviderPort, request: Request) -> None:
        with self._database.write() as connection:
            ask = self._prepared(connection, provider, request)
            known = find_receivable(connection, subject_of(connection, request))
            seen = known.version if known else 0
            if ask is None:
                finish(connection, request, self._clock())
        if ask is None:
            return
        self._checkpoint("before-send")
        found = ask()
        self._checkpoint("after-send")
        with self._database.write() as connection:
            if found is not None:
                apply_invoice(connection, request.provider, found, self._clock(), self._judge, seen)
            finish(connection, request, self._clock())
            self._checkpoint("before-commit-sent")
        self._checkpoint("after-commit-sent")
        seen_there = {"invoice": found.reference, "status": found.status} if found else {}
        _log.info("sent", request=request.id, provider=request.provider, **seen_there)

    def _prepared(
        self, connection: Connection, provider: ProviderPort, request: Request
    ) -> Callable[[], ProviderInvoice | None] | None:
        """What is to be asked; None where nothing is."""
        if request.kind == "refund":
            return partial(provider.refund, refund_order(connection, request, self._clock()))
        order = order_of(connection, request, provider, self._clock())
        if order is None:
            return None
        withdrawn = request.kind == "top_up" and is_cancelled(connection, request)
        return partial(provider.withdraw if withdrawn else provider.collect, order)

    def _postpone(self, request: Request, after_ms: int, problem: str, write: _Postpone = postpone) -> None:
        _log.warning("is sent later", request=request.id, problem=problem)
        with self._database.write() as connection:
            write(connection, request, self._clock() + after_ms, problem)

    def _put_aside(self, request: Request, problem: str) -> None:
        _log.error("a person has to decide", request=request.id, problem=problem)
        with self._database.write() as connection:
            put_aside(connection, request, problem)
