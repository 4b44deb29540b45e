"""The loop that asks every payment provider whose key this is, and lets only the right ones be used.

What was invoiced is at one account, in one of its modes. A key of another one would look for it in vain, and make it
again there: so a key is used once the provider has said that it is of the account which the name always stood for.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import structlog
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.tables import payment_account_ids, payment_accounts
from tollgate_billing.payments.port import Account, ProviderError, ProviderPort, RefusedError, UnauthorizedError
from tollgate_billing.payments.registry import Configured

_log = structlog.get_logger("payments")
_PAUSE_SECONDS = 1.0
_THREADS = 8
#: How often what is well is asked again, and what a person has to change anyway.
_AGAIN_MS = 600_000
#: And what may pass by itself.
_SOON_MS = 30_000

Reason = Literal["Synced", "KeysMissing", "Unauthorized", "Unreachable", "Refused", "AccountChanged", "Pending"]


@dataclass(frozen=True)
class Outcome:
    """What the last round trip has shown. ``message`` is for people, without secrets; ``spec`` names the content of the
    spec that it is about, ``checked_ms`` is None before the first."""

    provider: str
    kind: str
    spec: str
    reason: Reason
    message: str = ""
    account: str = ""
    mode: str = ""
    checked_ms: int | None = None

    @property
    def synced(self) -> bool:
        """Whether it can be used."""
        return self.reason == "Synced"


@dataclass(frozen=True)
class _Checked:
    configured: Configured
    outcome: Outcome
    admitted: bool
    due_ms: int


class Checker:
    """``tick`` looks once and can be driven by a test; ``run`` repeats it. What it admits may be used."""

    def __init__(
        self, database: Database, registry: Callable[[], Sequence[Configured]], clock: Clock, health: Health
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._health = health
        self._lock = threading.Lock()
        self._checked: dict[str, _Checked] = {}

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        with ThreadPoolExecutor(_THREADS, "checker") as pool:
            while not stop.is_set():
                with surviving(self._health, "payment accounts", _log):
                    self.tick(pool)
                    self._health.fine("payment accounts")
                stop.wait(_PAUSE_SECONDS)

    def admitted(self) -> Mapping[str, ProviderPort]:
        """By name: those whose key is known to be of the right account. Nothing may be asked of others."""
        found: dict[str, ProviderPort] = {}
        for one in self._registry():
            known = self._known(one)
            if one.port is not None and (one.provider.kind == "manual" or (known is not None and known.admitted)):
                found[one.provider.name] = one.port
        return found

    def outcomes(self) -> Sequence[Outcome]:
        """Of all providers of the catalog."""
        configured = self._registry()
        return [known.outcome if (known := self._known(one)) else _outcome(one, "Pending") for one in configured]

    def suspect(self, provider: str) -> None:
        """A key was refused: ask at once."""
        with self._lock:
            known = self._checked.get(provider)
            if known is not None and known.outcome.reason != "Unauthorized":
                self._checked[provider] = replace(known, due_ms=0)

    def tick(self, pool: ThreadPoolExecutor | None = None) -> int:
        """Answers how many were asked."""
        configured, now = self._registry(), self._clock()
        self._forget_all_but({one.provider.name for one in configured})
        due = [one for one in configured if (known := self._known(one)) is None or known.due_ms <= now]
        asked: Iterable[None] = pool.map(self._check, due) if pool else map(self._check, due)
        return len(list(asked))

    def _known(self, one: Configured) -> _Checked | None:
        """What was found out about this very spec and these very keys."""
        with self._lock:
            known = self._checked.get(one.provider.name)
        return known if known is not None and known.configured is one else None

    def _forget_all_but(self, names: set[str]) -> None:
        with self._lock:
            gone = self._checked.keys() - names
            for name in gone:
                del self._checked[name]
        for name in gone:
            self._health.fine(_part(name))

    def _check(self, one: Configured) -> None:
        name, before = one.provider.name, self._known(one)
        outcome = replace(self._ask(one), checked_ms=self._clock())
        soon = outcome.reason in {"Unauthorized", "Unreachable", "Refused"}
        admitted = outcome.synced or (soon and before is not None and before.admitted)
        due_ms = self._clock() + (_SOON_MS if soon else _AGAIN_MS)
        with self._lock:
            self._checked[name] = _Checked(one, outcome, admitted, due_ms)
        if outcome.synced:
            self._health.fine(_part(name))
        else:
            self._health.trouble(_part(name), outcome.message, of_others=True)
        if before is None or before.outcome.reason != outcome.reason:
            _log.info("payment provider", name=name, reason=outcome.reason, account=outcome.account, mode=outcome.mode)

    def _ask(self, one: Configured) -> Outcome:
        """One that cannot be checked does not stop the others."""
        if one.port is None or one.provider.kind == "manual":
            return _without_asking(one)
        with self._database.read() as connection:
            known = known_account(connection, one.provider.name)
        try:
            return self._ask_port(one, one.port, known)
        except ProviderError as error:
            return replace(_outcome(one, _reason(error), str(error)), account=known.id if known else "")
        except (*DATABASE_AWAY, IntegrityError):  # the latter: another replica was faster; the next look finds it
            raise
        except Exception as error:
            _log.exception("cannot be checked", provider=one.provider.name)
            return _outcome(one, "Unreachable", f"internal: {type(error).__name__}")

    def _ask_port(self, one: Configured, port: ProviderPort, known: Account | None) -> Outcome:
        if known is not None and one.mode is not None and one.mode != known.mode:
            # A key of the wrong mode is not even shown to anybody.
            return _changed(one, known, f"of {one.mode} mode")
        found = port.check()
        if known is None or (not known.id and found.id and found.mode == known.mode):
            with self._database.write() as connection:
                remember_account(connection, one.provider.name, found, self._clock())
            known = found
        if (found.id, found.mode) != (known.id, known.mode):
            return _changed(one, known, f"of account {found.id or 'that is empty'} in {found.mode} mode")
        label = f"{found.name} ({found.id})" if found.name else found.id or "an empty account"
        return replace(_outcome(one, "Synced", f"{label} in {found.mode} mode"), account=found.id, mode=found.mode)


def known_account(connection: Connection, provider: str) -> Account | None:
    """The one that the name has stood for since its first key."""
    a, i = payment_accounts.c, payment_account_ids.c
    named = payment_accounts.outerjoin(payment_account_ids, i.provider == a.provider)
    query = select(func.coalesce(i.account, a.account), a.mode).select_from(named)
    row = connection.execute(query.where(a.provider == provider)).first()
    return None if row is None else Account(row[0], row[1])


def remember_account(connection: Connection, provider: str, account: Account, now_ms: int) -> None:
    """Once, and its id as soon as there is one. Raises IntegrityError where somebody else has just done it."""
    values = {"provider": provider, "account": account.id, "first_seen_ms": now_ms}
    if known_account(connection, provider) is None:
        connection.execute(insert(payment_accounts).values(mode=account.mode, **values))
    else:
        connection.execute(insert(payment_account_ids).values(values))


def _part(name: str) -> str:
    return f"payment account {name}"


def _outcome(one: Configured, reason: Reason, message: str = "") -> Outcome:
    provider = one.provider
    return Outcome(provider.name, provider.kind, provider.digest(), reason, message, mode=one.mode or "")


def _reason(error: ProviderError) -> Reason:
    if isinstance(error, UnauthorizedError):
        return "Unauthorized"
    return "Refused" if isinstance(error, RefusedError) else "Unreachable"


def _without_asking(one: Configured) -> Outcome:
    if one.provider.kind == "manual":
        return _outcome(one, "Synced")
    if one.problem:
        return _outcome(one, "Refused", one.problem)
    return _outcome(one, "KeysMissing", "its keys have not reached billing, or are not usable")


def _changed(one: Configured, known: Account, now: str) -> Outcome:
    message = (
        f"PaymentProvider {one.provider.name} was account {known.id} in {known.mode} mode and its key is now {now}: "
        "make another PaymentProvider"
    )
    return replace(_outcome(one, "AccountChanged", message), account=known.id, mode=known.mode)
