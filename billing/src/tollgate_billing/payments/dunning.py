"""Access follows what is owed. It is judged anew in the transaction that changed what is owed, and when its time has
come: so a payment opens the gate as soon as it is known."""

import threading
from collections.abc import Callable, Mapping

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection, delete, exists, func, insert, select

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.money import SETTLING
from tollgate_billing.ledger.subscriptions import CATALOG_ORIGIN, Subscription, bump_revision, lock_subscription
from tollgate_billing.ledger.tables import access as access_table
from tollgate_billing.ledger.tables import invoices, payments, statements
from tollgate_billing.notifications.store import Kind, notify
from tollgate_billing.payments.access import GOOD, Access, Level, Unpaid, access
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.paid_in import shortfall_minor
from tollgate_billing.subscriptions.beginning import after_closing
from tollgate_billing.subscriptions.changes import cancel
from tollgate_core.catalog import Catalog, Product
from tollgate_core.catalog import Dunning as Policy
from tollgate_core.pricing.document import Json

_log = structlog.get_logger("payments")
_PAUSE_SECONDS = 0.5
_DAY_MS = 86_400_000
#: How often everybody who owes is judged anew.
_ALL_MS = 60_000
_KINDS: dict[Level, Kind] = {
    "active": "access.restored",
    "grace": "access.grace",
    "throttled": "access.throttled",
    "suspended": "access.suspended",
    "cancelled": "access.cancelled",
}


class Dunning:
    """``judge`` is called where what is owed has changed; ``tick`` finds what time has changed."""

    def __init__(self, database: Database, catalog: Callable[[], Catalog], clock: Clock, health: Health) -> None:
        self._database = database
        self._catalog = catalog
        self._clock = clock
        self._health = health
        self._judged: Catalog | None = None
        self._all_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            with surviving(self._health, "dunning", _log):
                self.tick()
                self._health.fine("dunning")
            stop.wait(_PAUSE_SECONDS)

    def tick(self) -> None:
        """Whose time has come; everybody who owes, where the catalog has another policy."""
        now, catalog = self._clock(), self._catalog()
        with self._database.read() as connection:
            names = _whose_time_has_come(connection, now)
            changed = catalog is not self._judged
            if changed or now >= self._all_ms:  # products change, by other hands too
                names |= _who_owes(connection)
                self._all_ms = now + _ALL_MS
        if changed and self._judged is not None:
            self._tell_gate()
        for name in sorted(names):
            self._judge_alone(name)
        self._judged = catalog

    def _tell_gate(self) -> None:
        """How many requests a throttled one may send is in the catalog, and may have changed."""
        with self._database.write() as connection:
            for (name, _), level in levels(connection).items():
                if level == "throttled":
                    bump_revision(connection, name)

    def _judge_alone(self, name: str) -> None:
        """One that cannot be judged does not stop the others."""
        try:
            with self._database.write() as connection:
                self.judge(connection, name)
        except DATABASE_AWAY:
            raise
        except Exception:
            _log.exception("cannot be judged", subscription=name)

    def judge(self, connection: Connection, name: str) -> Access:
        """By what is owed now. The caller commits."""
        row, now = lock_subscription(connection, name), self._clock()
        if row is None:
            connection.execute(delete(access_table).where(access_table.c.subscription == name))
            return GOOD
        _forget_others(connection, row)
        product = self._catalog().product(row.product)
        policy = _policy(row, product)
        wanted = access(_unpaid(connection, row, self._days_until_due()), policy, now)
        before = access_of(connection, row)
        if wanted != before:
            _keep(connection, row, wanted)
            if wanted.level == "cancelled" and row.ended_ms is None:
                cancel(connection, row, after_closing(row, now), at_period_end=False)
            if wanted.level != before.level:
                bump_revision(connection, name)  # the gate must know
                _tell(connection, row, before.level, wanted, now)
        return wanted

    def _days_until_due(self) -> dict[str, int]:
        return {provider.name: provider.days_until_due for provider in self._catalog().payment_providers}


def _policy(row: Subscription, product: Product | None) -> Policy | None:
    """What a manifest declares ends with the manifest."""
    policy = product.dunning if product else None
    return replace(policy, cancel_days=-1) if policy and row.origin == CATALOG_ORIGIN else policy


def access_of(connection: Connection, row: Subscription) -> Access:
    """Of the present customer."""
    a = access_table.c
    query = select(a.level, a.since_ms, a.next_ms, a.statement)
    found = connection.execute(query.where(a.subscription == row.name, a.customer == row.customer)).first()
    return GOOD if found is None else Access(*found)


def levels(connection: Connection) -> dict[tuple[str, str], Level]:
    """By subscription and customer; without those whose access is good."""
    a = access_table.c
    query = select(a.subscription, a.customer, a.level).where(a.level != "active")
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _unpaid(connection: Connection, row: Subscription, days: Mapping[str, int]) -> list[Unpaid]:
    """Statements whose invoices are not paid, be it what they have carried of earlier ones; what was voided is
    forgiven. ``days``: until they are due, by the provider that collects them."""
    i, s, p, part = invoices.c, statements.c, payments.c, invoices.alias("part").c
    paid = select(func.coalesce(func.sum(p.minor), 0)).where(p.subject == part.subject, p.kind.in_(SETTLING))
    lacks = part.due_minor > paid.scalar_subquery()
    query = (
        select(i.subject, s.cut_ms, i.status, i.disputed, i.provider, i.changed_ms)
        .join(statements, s.id == i.subject)
        .where(i.subscription == row.name, i.customer == row.customer)
        .where(i.status.in_(["open", "uncollectible"]) | i.disputed)
        .where(exists().where((part.subject == i.subject) | (part.carried_by == i.subject), lacks))
    )
    found: list[Unpaid] = []
    for statement, cut_ms, status, disputed, provider, changed_ms in connection.execute(query):
        hopeless = disputed or status == "uncollectible"
        # It may have been paid long ago: whoever has to pay again has as much time as anybody.
        due_ms = changed_ms if hopeless else cut_ms + days.get(provider, 0) * _DAY_MS
        found.append(Unpaid(statement, due_ms, hopeless))
    return [*found, *_charged_back(connection, row)]


def _charged_back(connection: Connection, row: Subscription) -> list[Unpaid]:
    """Top-ups whose money a bank took back after their credit was used."""
    i = invoices.c
    query = select(i.subject, i.changed_ms).where(i.subscription == row.name, i.customer == row.customer, i.disputed)
    return [
        Unpaid(subject, changed_ms, hopeless=True)
        for subject, changed_ms in connection.execute(query)
        if top_up_of(subject) and shortfall_minor(connection, row.name, top_up_of(subject))
    ]


def _forget_others(connection: Connection, row: Subscription) -> None:
    """What an earlier customer of the name owed is not this one's."""
    a = access_table.c
    connection.execute(delete(access_table).where(a.subscription == row.name, a.customer != row.customer))


def _keep(connection: Connection, row: Subscription, wanted: Access) -> None:
    connection.execute(delete(access_table).where(access_table.c.subscription == row.name))
    if wanted != GOOD:
        connection.execute(insert(access_table).values(subscription=row.name, customer=row.customer, **vars(wanted)))


def _tell(connection: Connection, row: Subscription, before: Level, wanted: Access, now_ms: int) -> None:
    if before == "active" and wanted.level == "active":
        return
    body: Json = {"level": wanted.level, "statement": wanted.statement}
    notify(connection, row, _KINDS[wanted.level], f"{wanted.level} {wanted.statement} {now_ms}", now_ms, body)
    _log.info("access", subscription=row.name, level=wanted.level, statement=wanted.statement)


def _whose_time_has_come(connection: Connection, now_ms: int) -> set[str]:
    a = access_table.c
    return set(connection.execute(select(a.subscription).where(a.next_ms <= now_ms)).scalars())


def _who_owes(connection: Connection) -> set[str]:
    i = invoices.c
    owing = select(i.subscription).where(i.status.in_(["open", "uncollectible"]) | i.disputed).distinct()
    judged = select(access_table.c.subscription)
    return {*connection.execute(owing).scalars(), *connection.execute(judged).scalars()}
