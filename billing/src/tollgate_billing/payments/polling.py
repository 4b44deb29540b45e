"""Looks of our own at providers: events that never came, invoices and checkouts that may have changed unheard.

Of many that are open some are looked at each time, the next ones the next time: providers allow so many requests, and
whoever sends and follows needs them too.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog
from sqlalchemy.exc import IntegrityError

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.locks import FOLLOWING, alone
from tollgate_billing.payments.applying import Judge, StaleError, apply_invoice, judge_nobody, problem_of
from tollgate_billing.payments.checkouts import Checkout, apply_checkout, list_checkouts
from tollgate_billing.payments.collecting import collect_again
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.inbox import last_poll, receive, remember_poll
from tollgate_billing.payments.port import ProviderError, ProviderPort, RefusedError, UnauthorizedError, suspect_nobody
from tollgate_billing.payments.receivables import Receivable, unsettled
from tollgate_core.catalog import Catalog

_log = structlog.get_logger("payments")
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
#: Of each kind in one poll: at Paddle, a sixteenth of the requests that it allows in that time.
_AT_ONCE = 150
_T = TypeVar("_T")


def never() -> bool:
    """Nobody wants it to stop."""
    return False


class Poller:
    """``poll`` looks at one provider; those whose time has come are ``due``. Called by a thread for each provider."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        health: Health,
        judge: Judge = judge_nobody,
        suspect: Callable[[str], None] = suspect_nobody,
        catalog: Callable[[], Catalog] = Catalog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._health = health
        self._judge = judge
        self._suspect = suspect
        self._catalog = catalog
        #: By provider: when it was last looked at.
        self._polled: dict[str, int] = {}
        #: By kind and provider: what was looked at last.
        self._last: dict[str, str] = {}

    def due(self, providers: Mapping[str, ProviderPort]) -> list[str]:
        """Names of those that are to be polled now."""
        now = self._clock()
        return [name for name in providers if now - self._polled.get(name, 0) >= _POLL_MS]

    def poll(self, name: str, provider: ProviderPort, stopping: Callable[[], bool] = never) -> None:
        """What is missing in the inbox, and invoices and checkouts that may still change."""
        now = self._clock()
        self._polled[name] = now - _POLL_MS + _POLL_AGAIN_MS  # where it fails, others come first
        try:
            missed = self._fetch_missed(name, provider, now)
            for receivable in self._some_invoices(name):
                with _alone(name, receivable.subject):
                    self._read_anew(name, provider, receivable)
                if stopping():
                    return
            for checkout in self._some_checkouts(name):
                with _alone(name, checkout.id):
                    self._read_checkout(name, provider, checkout)
                if stopping():
                    return
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
            self._health.trouble(f"payment provider {name}", problem_of(error))
            return
        self._polled[name] = now
        self._health.fine(f"payment provider {name}")
        if missed:
            _log.info("events that had not come", provider=name, events=missed)

    def _some_invoices(self, name: str) -> list[Receivable]:
        with self._database.read() as connection:
            waiting = unsettled(connection, name)
        return self._next(f"invoices {name}", waiting, lambda one: one.subject)

    def _some_checkouts(self, name: str) -> list[Checkout]:
        with self._database.read() as connection:
            waiting = list_checkouts(connection, "open", name, limit=None)
        return self._next(f"checkouts {name}", waiting, lambda one: one.id)

    def _next(self, what: str, all_of_them: Sequence[_T], key: Callable[[_T], str]) -> list[_T]:
        """Those after the last ones, and from the beginning where these are the last."""
        ordered = sorted(all_of_them, key=key)
        left = [one for one in ordered if key(one) > self._last.get(what, "")] or ordered
        found = left[:_AT_ONCE]
        self._last[what] = key(found[-1]) if len(left) > _AT_ONCE else ""
        return found

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
            now = self._clock()
            with self._database.write() as connection:
                apply_checkout(connection, self._catalog(), name, found, now)
                collect_again(connection, name, checkout.customer, now)

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
        _log.error("a person has to look", provider=name, about=about, problem=problem_of(error))
