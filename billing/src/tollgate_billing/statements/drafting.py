"""A statement that is not closed: all that is due at a moment, by what the ledger knows now."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection

from tollgate_billing.ledger.catalogs import PriceKey, stored_prices
from tollgate_billing.ledger.late import earliest_change, last_record
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.totals import Share, UsageTotal, usage_totals
from tollgate_billing.statements.charges import Charge, charge_due, charges_of
from tollgate_billing.statements.facts import LedgerUsage, account_of
from tollgate_billing.statements.moments import next_moment
from tollgate_billing.statements.store import StoredStatement, history_of, last_statement
from tollgate_billing.wallets.burning import Burn, burns
from tollgate_billing.wallets.grants import own_grants
from tollgate_core.catalog import Catalog, Price
from tollgate_core.money import Money
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Account, Calendar, Due, Line, LineKey, Span, assess, statement_lines, terms_of


@dataclass(frozen=True)
class Terms:
    """What is the same for every subscription."""

    prices: Mapping[PriceKey, Price]
    #: Products whose unpriced usage is given away.
    free: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Draft:
    """``moment_ms`` is when it is (or would be) closed. ``brought`` is what earlier statements left as a credit, never
    positive; ``due`` is what remains to be paid, never negative; ``held`` is usage that no price charges, given away
    where ``is_free``."""

    subscription: Subscription
    sequence: int
    moment_ms: int
    period: Span
    lines: tuple[Line, ...]
    #: Of each line of usage, over its whole period: what was counted exactly and what was not.
    qualities: Mapping[LineKey, Mapping[str, Share]]
    total: Money
    brought: Money
    burned: tuple[Burn, ...]
    held: tuple[UsageTotal, ...]
    is_free: bool
    previous_hash: str

    @property
    def applied(self) -> Money:
        """What the wallet pays."""
        return Money(sum(burn.minor for burn in self.burned), self.total.currency)

    @property
    def due(self) -> Money:
        """To be paid."""
        return Money(max(0, self.total.minor + self.brought.minor) - self.applied.minor, self.total.currency)

    @property
    def left(self) -> Money:
        """A credit for later statements, never positive."""
        return Money(min(0, self.total.minor + self.brought.minor), self.total.currency)


def terms_now(connection: Connection, catalog: Catalog) -> Terms:
    """By the current catalog; a price version's own terms never change."""
    free = frozenset(product.name for product in catalog.products if product.unpriced == "free")
    return Terms(stored_prices(connection), free)


def draft_now(connection: Connection, terms: Terms, row: Subscription, now_ms: int) -> Draft:
    """The statement at the end of the current period as it would be if nothing more was used."""
    after = max(row.closed_ms, min(now_ms, row.ended_ms - 1) if row.ended_ms else now_ms)
    moment = moment_after(connection, terms, row, after)
    return draft_at(connection, terms, row, max(now_ms, row.closed_ms) if moment is None else moment)


def moment_after(connection: Connection, terms: Terms, row: Subscription, after_ms: int) -> int | None:
    """When the books are to be closed next: see ``next_moment``."""
    pins = pins_of(connection, [row.name])
    others = [pin.recorded_ms for pin in pins] + [charge.at_ms for charge in charges_of(connection, row)]
    if row.ended_ms is not None and row.ended_ms <= after_ms:
        late = last_record(connection, row.name)
        others += [late] if late is not None else []
    return next_moment(account_of(row, pins, terms.prices), row, others, after_ms)


def draft_at(connection: Connection, terms: Terms, row: Subscription, moment_ms: int) -> Draft:
    """The statement of one closing moment."""
    account, charges = _account(connection, terms, row), charges_of(connection, row)
    usage = LedgerUsage(connection, row.name)
    dues = assess(account, usage, moment_ms, earliest_change(connection, row))
    dues += _charges(charges, row, moment_ms)
    lines = statement_lines(dues, history_of(connection, row.name, row.customer))
    currency = row.currency or next((line.due.price.currency for line in lines), "USD")
    last = last_statement(connection, row.name)
    total, brought = sum(line.minor for line in lines), _credit(last, row)
    start = max(last.closed_ms, row.started_ms) if last else row.started_ms
    return Draft(
        subscription=row,
        sequence=last.sequence + 1 if last else 1,
        moment_ms=moment_ms,
        period=Span(min(start, moment_ms), moment_ms),
        lines=lines,
        qualities={
            line.key: usage.qualities(line.due.price, line.due.span) for line in lines if line.due.kind == "usage"
        },
        total=Money(total, currency),
        brought=Money(brought, currency),
        burned=tuple(burns(own_grants(connection, row, currency), total + brought, moment_ms)),
        held=_held(connection, row, moment_ms),
        is_free=row.product in terms.free,
        previous_hash=last.hash if last else "",
    )


def usage_period(connection: Connection, terms: Terms, row: Subscription, now_ms: int) -> Span:
    """The running billing period, as its metered prices have it (the longest; months, where there is none): it stays
    the same where something is billed in the middle of it."""
    calendar = Calendar(row.anchor_ms, row.time_zone)
    held = [terms.prices[pin.price, pin.version] for pin in pins_of(connection, [row.name]) if pin.holds_at(now_ms)]
    spans = [calendar.at(terms_of(price).billing, now_ms) for price in held if price.metric]
    spans = spans or [calendar.at(Recurrence("month", 1), now_ms)]
    return Span(max(row.started_ms, min(span.start_ms for span in spans)), max(span.end_ms for span in spans))


def unbilled_usage(connection: Connection, terms: Terms, row: Subscription, now_ms: int) -> int:
    """Minor units of all usage so far that is on no statement, whenever it will be due."""
    account = _account(connection, terms, row)
    metered = [terms_of(pin.price).billing for pin in account.pins if pin.price.metric]
    moment = max((account.calendar.at(billing, now_ms).end_ms for billing in metered), default=now_ms)
    dues = assess(account, LedgerUsage(connection, row.name), moment, earliest_change(connection, row))
    usage = [due for due in dues if due.kind == "usage"]
    return sum(line.minor for line in statement_lines(usage, history_of(connection, row.name, row.customer)))


def _credit(last: StoredStatement | None, row: Subscription) -> int:
    """What the statement before left to the same customer."""
    if last is None or last.customer != row.customer:
        return 0
    return min(0, last.total_minor + last.brought_minor)


def _account(connection: Connection, terms: Terms, row: Subscription) -> Account:
    return account_of(row, pins_of(connection, [row.name]), terms.prices)


def _charges(charges: list[Charge], row: Subscription, moment_ms: int) -> list[Due]:
    return [charge_due(charge, row.product) for charge in charges if charge.at_ms <= moment_ms]


def _held(connection: Connection, row: Subscription, moment_ms: int) -> tuple[UsageTotal, ...]:
    """All of it: it stays on every statement until a price applies."""
    totals = usage_totals(connection, row.name, row.started_ms, moment_ms, unpriced=True)
    return tuple(total for total in totals if total.micros)


def exact_texts(line: Line) -> tuple[str, str]:
    """(exact, quantity) as the ledger keeps them."""
    return _fraction(line.exact), _fraction(line.quantity)


def _fraction(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
