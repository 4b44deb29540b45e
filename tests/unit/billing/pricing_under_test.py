"""Tollgate's pricing, asked the oracle's questions: ``assess`` and ``statement_lines``, from closing to closing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.unit.billing.oracle import scenario as o
from tests.unit.billing.oracle.usage import aggregated
from tollgate_core.catalog import Price, PriceTier
from tollgate_core.pricing import (
    Account,
    Billed,
    Calendar,
    Carried,
    History,
    Line,
    LineKey,
    Pin,
    Span,
    assess,
    statement_lines,
)
from tollgate_core.quantity import format_decimal

_CURRENCIES = {0: "JPY", 2: "USD", 3: "KWD"}


@dataclass(frozen=True)
class _Charged:
    """An event with the version that was pinned at its time."""

    event: o.Event
    version: str


class _Reader:
    """A ``UsageReader`` of what is known at a closing."""

    def __init__(self, closing: o.Closing) -> None:
        self._events: defaultdict[str, list[_Charged]] = defaultdict(list)
        for event in closing.events:
            pins = (pin for pin in closing.pins if pin.price == event.price and pin.holds(event.time))
            for pin in pins:
                self._events[event.price].append(_Charged(event, pin.version))

    def quantities(self, price: Price, spans: Sequence[Span]) -> Sequence[Fraction]:
        own = [charged.event for charged in self._events[price.name] if charged.version == price.version]
        inside = ([event for event in own if span.start_ms <= event.time < span.end_ms] for span in spans)
        return [aggregated(events, price.aggregation) if events else Fraction(0) for events in inside]


def statements(scenario: o.Scenario, *, only_changed: bool) -> list[list[o.Line]]:
    """As ``oracle.statements.statements``. ``only_changed``: periods whose usage did not change are not assessed, as
    closing does."""
    prices = {(terms.price, terms.version): _price(terms, scenario.decimals) for terms in scenario.terms}
    history = History()
    made: list[list[o.Line]] = []
    before = o.Closing(scenario.start - 1, (), ())
    for closing in scenario.closings:
        account = Account(
            Calendar(scenario.anchor, scenario.zone),
            tuple(Pin(prices[pin.price, pin.version], pin.since, pin.until, pin.seats) for pin in closing.pins),
        )
        since = _earliest_change(before, closing) if only_changed else None
        lines = statement_lines(assess(account, _Reader(closing), closing.moment, since), history)
        history = _with(history, lines)
        made.append([_line(line) for line in lines])
        before = closing
    return made


def _earliest_change(before: o.Closing, now: o.Closing) -> int:
    changed = set(now.events).symmetric_difference(before.events)
    return min([before.moment, *(event.time for event in changed)])


def _with(history: History, lines: Sequence[Line]) -> History:
    """As ``history_of`` adds up what is stored."""
    billed: defaultdict[LineKey, Billed] = defaultdict(Billed, history.billed)
    carried: defaultdict[str, Carried] = defaultdict(Carried, history.carried)
    for line in lines:
        name = line.due.price.name
        billed[line.key] = Billed(billed[line.key].exact + line.exact, billed[line.key].quantity + line.quantity)
        carried[name] = Carried(carried[name].exact + line.exact, carried[name].minor + line.minor)
    return History(dict(billed), dict(carried))


def _line(line: Line) -> o.Line:
    price, span = line.due.price, line.due.span
    return o.Line(
        metric=price.metric,
        price=price.name,
        version=price.version,
        start=span.start_ms,
        end=span.end_ms,
        quantity=line.quantity,
        exact=line.exact,
        minor=line.minor,
        adjustment=line.adjustment,
    )


def _price(terms: o.Terms, decimals: int) -> Price:
    billing, aggregation = terms.billing, terms.aggregation_period
    return Price(
        name=terms.price,
        version=terms.version,
        product="pro",
        currency=_CURRENCIES[decimals],
        model=terms.model,
        amount=_text(terms.amount),
        per=_text(terms.per),
        included=_text(terms.included),
        metric=terms.metric,
        aggregation=terms.aggregation,
        interval=billing.interval,
        interval_count=billing.count,
        one_off=terms.one_off,
        tiers=tuple(
            PriceTier(
                up_to="" if tier.up_to is None else _text(tier.up_to),
                amount=_text(tier.amount),
                flat_amount=_text(tier.flat_amount),
            )
            for tier in terms.tiers
        ),
        aggregation_interval=None if aggregation == billing else aggregation.interval,
        aggregation_interval_count=1 if aggregation == billing else aggregation.count,
        in_arrears=not terms.in_advance,
        trial_units=_text(terms.trial_units),
    )


def _text(value: Fraction) -> str:
    """All digits; raises where a decimal has no end."""
    scaled = value * 10**12
    assert scaled.denominator == 1, value
    return format_decimal(Decimal(scaled.numerator).scaleb(-12))
