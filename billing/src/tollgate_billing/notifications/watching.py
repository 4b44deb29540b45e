"""The loop that looks at subscriptions whose usage or terms changed: it tells what is worth telling, and tops up."""

import threading
from collections.abc import Callable
from fractions import Fraction

import structlog
from sqlalchemy import Connection, insert, select, update

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.events import recently_recorded
from tollgate_billing.ledger.limits import applying_limit, own_limits
from tollgate_billing.ledger.subscriptions import Subscription, list_subscriptions, lock_subscription
from tollgate_billing.ledger.tables import credit_levels
from tollgate_billing.ledger.totals import metric_sums
from tollgate_billing.notifications.levels import credit_level, reached
from tollgate_billing.notifications.store import Kind, notify
from tollgate_billing.statements.credit import credit_of
from tollgate_billing.statements.drafting import Terms, terms_now
from tollgate_billing.wallets.standing import turned
from tollgate_billing.wallets.top_ups import add_top_up, automatic_of, list_top_ups
from tollgate_billing.wallets.topping_up import Allowed, TopUp, top_up_now
from tollgate_core.catalog import Catalog, Product
from tollgate_core.catalog import TopUps as Bounds
from tollgate_core.events import rfc3339
from tollgate_core.money import Money, minor_unit_exponent
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar
from tollgate_core.quantity import format_decimal, from_micros, to_micros

_log = structlog.get_logger("notifications")
_PAUSE_SECONDS = 2.0
#: A transaction may take so long to show.
_MARGIN_MS = 10_000


#: Is told of a top-up, in the transaction that makes it.
PayIn = Callable[[Connection, Subscription, TopUp], None]


def nobody_collects(connection: Connection, row: Subscription, top_up: TopUp) -> None:
    """Whoever does says so later."""
    del connection, row, top_up


class Watcher:
    """``tick`` looks once and can be driven by a test; ``run`` repeats it."""

    def __init__(
        self,
        database: Database,
        catalog: Callable[[], Catalog],
        clock: Clock,
        health: Health,
        pay_in: PayIn = nobody_collects,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._pay_in = pay_in
        self._clock = clock
        self._health = health
        self._seen: dict[str, int] = {}
        self._at = 0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            with surviving(self._health, "notifications", _log):
                wrong = self.tick()
                if wrong:
                    self._health.trouble("notifications", f"cannot be looked at: {', '.join(sorted(wrong)[:5])}")
                else:
                    self._health.fine("notifications")
            stop.wait(_PAUSE_SECONDS)

    def tick(self) -> set[str]:
        """Answers names of subscriptions that could not be looked at: one of them does not stop the others."""
        now, catalog = self._clock(), self._catalog()
        products = {product.name: product for product in catalog.products}
        with self._database.read() as connection:
            rows, terms = list_subscriptions(connection), terms_now(connection, catalog)
            due: set[str] = set()
            if self._at:  # at first every one is looked at
                due = recently_recorded(connection, self._at - _MARGIN_MS) | turned(connection, self._at, now)
        wrong: set[str] = set()
        for row in rows:
            product = products.get(row.product)
            if product is None or not _is_watched(product) or not row.currency:
                continue
            if row.name not in due and self._seen.get(row.name) == row.revision:
                continue
            try:
                with self._database.write() as connection:
                    self._look(connection, terms, product, row.name)
            except DATABASE_AWAY:
                raise
            except Exception:
                wrong.add(row.name)
                _log.exception("cannot be looked at", subscription=row.name)
            else:
                self._seen[row.name] = row.revision
        self._at = now
        return wrong

    def _look(self, connection: Connection, terms: Terms, product: Product, name: str) -> None:
        row, now_ms = lock_subscription(connection, name), self._clock()
        if row is None or row.state == "cancelled":
            return
        _tell_limits(connection, product, row, now_ms)
        if row.overdraft:
            credit = credit_of(connection, terms, row, now_ms)
            _tell_credit(connection, product, row, credit.available, now_ms)
            made = _top_up(connection, product, row, credit.available, now_ms)
            if made is not None:
                self._pay_in(connection, row, made)


def _is_watched(product: Product) -> bool:
    return bool(product.overdraft) or any(limit.notify_at for limit in product.limits)


def _tell_limits(connection: Connection, product: Product, row: Subscription, now_ms: int) -> None:
    calendar, own = Calendar(row.anchor_ms, row.time_zone), own_limits(connection, [row]).get(row.name, [])
    for limit in product.limits:
        if not limit.notify_at or limit.per_key:
            continue
        period = calendar.at(Recurrence(limit.interval, limit.interval_count), now_ms)
        used = metric_sums(connection, row.name, period.start_ms, period.end_ms).get(limit.metric, 0)
        allowed = to_micros(applying_limit(own, limit))
        for percent in reached(used, allowed, limit.notify_at):
            body = {
                "metric": limit.metric,
                "limit": format_decimal(from_micros(allowed)),
                "used": format_decimal(from_micros(used)),
                "percent": percent,
                "enforcement": "soft" if limit.soft else "hard",
                "period_end": rfc3339(period.end_ms),
            }
            notify(connection, row, "limit.reached", f"{limit.metric} {period.start_ms} {percent}", now_ms, body)


def _tell_credit(connection: Connection, product: Product, row: Subscription, available: int, now_ms: int) -> None:
    low = minor_of(product.low_balance, row.currency) if product.low_balance else None
    level = credit_level(available, low, minor_of(row.overdraft, row.currency))
    c = credit_levels.c
    found = connection.execute(select(c.level, c.sequence).where(c.subscription == row.name)).first()
    if found is None:
        connection.execute(insert(credit_levels).values(subscription=row.name, level=level, sequence=0))
        return  # a new subscription has no credit yet: nobody has to be told
    if found[0] == level:
        return
    sequence = found[1] + 1
    connection.execute(update(credit_levels).where(c.subscription == row.name).values(level=level, sequence=sequence))
    kinds: dict[str, Kind] = {"enough": "credit.restored", "low": "credit.low", "exhausted": "credit.exhausted"}
    body = {"available": Money(available, row.currency).amount, "currency": row.currency}
    notify(connection, row, kinds[level], str(sequence), now_ms, body)


def _top_up(connection: Connection, product: Product, row: Subscription, available: int, now_ms: int) -> TopUp | None:
    """The one that was made."""
    wanted = automatic_of(connection, row.name)
    if wanted is None:
        return None
    earlier = list_top_ups(connection, row.name)
    allowed = allowed_top_ups(product.top_ups, row.currency) if product.top_ups else None
    decision = top_up_now(wanted, allowed, earlier, available, now_ms)
    if decision is False:
        return None
    amount = {"amount": Money(wanted.amount_minor, row.currency).amount, "currency": row.currency}
    if decision is True:
        # The number of those before it names it: another replica that decides the same makes the same one.
        name = f"auto-{row.name.replace('/', '.')}-{wanted.since_ms}-{len(earlier)}"[-100:]
        made = TopUp(
            id=name,
            subscription=row.name,
            customer=row.customer,
            minor=wanted.amount_minor,
            currency=row.currency,
            reason="automatic",
            state="pending",
            note="",
            created_ms=now_ms,
            settled_ms=None,
        )
        add_top_up(connection, made)
        notify(connection, row, "top_up.created", name, now_ms, {**amount, "top_up": name})
        return made
    if decision != "pending":
        about = f"{decision} {wanted.since_ms} {len(earlier)}"
        notify(connection, row, "top_up.withheld", about, now_ms, {**amount, "reason": decision})
    return None


def allowed_top_ups(bounds: Bounds, currency: str) -> Allowed:
    """A product's bounds in minor units."""
    return Allowed(
        least_minor=minor_of(bounds.least, currency),
        most_minor=minor_of(bounds.most, currency),
        per_day=bounds.automatic_per_day,
        month_minor=minor_of(bounds.automatic_per_month, currency),
    )


def minor_of(amount: str, currency: str) -> int:
    """Major units as minor ones; what is less than one of them is cut off."""
    return int(Fraction(amount) * 10 ** minor_unit_exponent(currency))
