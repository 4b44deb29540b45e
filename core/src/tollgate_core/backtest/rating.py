"""Adding events up: by subscription, price version and aggregation period, with conditions asked for each event."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction

from tollgate_core.backtest.call import STATIC, Call
from tollgate_core.backtest.sides import AnySide, Subscriber
from tollgate_core.catalog import Price
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar, Span, terms_of
from tollgate_core.pricing.selection import choose, compile_condition, in_order
from tollgate_core.quantity import MICROS, from_micros

PriceKey = tuple[str, str]
#: Of one period: micros; for ``last`` (time, id, micros); for ``unique`` the different micros.
Bucket = int | tuple[int, str, int] | set[int]
_MOST_REMEMBERED = 10_000


@dataclass
class Leftover:
    """Usage that is not in any revenue, and why."""

    events: int = 0
    micros: int = 0


LeftoverKey = tuple[str, str, str]
"""(product, metric or empty, reason)"""


class Rater:
    """One side of a backtest."""

    def __init__(self, side: AnySide) -> None:
        self.side = side
        self.accounts: dict[tuple[str, str], Account | None] = {}
        self._names = side.names()
        self.leftovers: defaultdict[LeftoverKey, Leftover] = defaultdict(Leftover)
        self._spans: dict[tuple[Calendar, Recurrence], Spans] = {}

    def take(self, call: Call) -> None:
        """Add one event."""
        event = call.event
        account = self.account(event.subject, event.data.customer, event.data.product)
        if account is None:
            self._leave(event.data.product, "", "unknown product", sum(micros for _, micros in call.counted))
            return
        for metric, micros in call.counted:
            tally = account.tally(call, metric, micros)
            if tally is not None:
                tally.add(call, micros)
            elif micros:
                self._leave(account.subscriber.product, metric, account.reason(metric), micros)

    def account(self, name: str, customer: str, product: str) -> "Account | None":
        """Found once; a subscription that the side does not know has one for each product that its events name."""
        key = (name, "") if name in self._names else (name, product)
        if key not in self.accounts:
            subscriber = self.side.subscriber(name, customer, product)
            self.accounts[key] = Account(subscriber, self.side.metrics, self._spans_of) if subscriber else None
        return self.accounts[key]

    def _leave(self, product: str, metric: str, reason: str, micros: int) -> None:
        left = self.leftovers[product, metric, reason]
        left.events += 1
        left.micros += micros

    def _spans_of(self, calendar: Calendar, recurrence: Recurrence) -> "Spans":
        """Shared by all that have the same periods."""
        key = (calendar, recurrence)
        if key not in self._spans:
            self._spans[key] = Spans(*key)
        return self._spans[key]


class Spans:
    """Periods of one recurrence that were asked for."""

    def __init__(self, calendar: Calendar, recurrence: Recurrence) -> None:
        self._calendar, self._recurrence = calendar, recurrence
        self._found: list[tuple[int, int]] = []
        self._last = (0, 0)

    def start_of(self, at_ms: int) -> int:
        """Of the period that holds a moment. Usage mostly comes in order."""
        if self._last[0] <= at_ms < self._last[1]:
            return self._last[0]
        position = bisect_right(self._found, (at_ms, 1 << 62)) - 1
        if position >= 0:
            self._last = self._found[position]
            if at_ms < self._last[1]:
                return self._last[0]
        span = self._calendar.at(self._recurrence, at_ms)
        self._last = (span.start_ms, span.end_ms)
        insort(self._found, self._last)
        return span.start_ms

    def end_of(self, start_ms: int) -> int:
        """Of the period that begins then."""
        self.start_of(start_ms)
        return self._last[1]


class Tally:
    """Units that one price version charges one subscriber, by the start of the aggregation period."""

    __slots__ = ("_spans", "periods", "price")

    def __init__(self, price: Price, spans: Spans) -> None:
        self.price = price
        self.periods: dict[int, Bucket] = {}
        self._spans = spans

    def add(self, call: Call, micros: int) -> None:
        """One call."""
        start_ms, periods = self._spans.start_of(call.at_ms), self.periods
        match self.price.aggregation:
            case "sum":
                periods[start_ms] = _number(periods.get(start_ms, 0)) + micros
            case "count":
                periods[start_ms] = _number(periods.get(start_ms, 0)) + MICROS
            case "max":
                periods[start_ms] = max(_number(periods.get(start_ms, 0)), micros)
            case "last":
                latest, before = (call.at_ms, call.event.id, micros), periods.get(start_ms)
                periods[start_ms] = max(before, latest) if isinstance(before, tuple) else latest
            case "unique":
                before = periods.get(start_ms)
                periods[start_ms] = before | {micros} if isinstance(before, set) else {micros}

    def within(self, span: Span) -> Fraction:
        """What lies in a time of whole aggregation periods."""
        inside = (
            [self.periods[span.start_ms]]
            if span.start_ms in self.periods and self._is_one(span)
            else [bucket for start, bucket in self.periods.items() if span.start_ms <= start < span.end_ms]
        )
        numbers = [_number(bucket) for bucket in inside]
        match self.price.aggregation:
            case "sum" | "count":
                return Fraction(sum(numbers), MICROS)
            case "max":
                return Fraction(max(numbers, default=0), MICROS)
            case "last":
                return Fraction(max((b for b in inside if isinstance(b, tuple)), default=(0, "", 0))[2], MICROS)
            case "unique":
                return Fraction(len(set[int]().union(*(b for b in inside if isinstance(b, set)))))

    def _is_one(self, span: Span) -> bool:
        return self._spans.end_of(span.start_ms) == span.end_ms


def _number(bucket: Bucket) -> int:
    return bucket if isinstance(bucket, int) else 0


class Account:
    """The sums of one subscriber."""

    def __init__(
        self,
        subscriber: Subscriber,
        metrics: Set[str],
        spans_of: Callable[[Calendar, Recurrence], Spans],
    ) -> None:
        self.subscriber = subscriber
        self._known_metrics = metrics
        self._spans_of = spans_of
        self._tallies: dict[PriceKey, Tally] = {}
        self._changes = sorted({moment for pin in subscriber.pins for moment in (pin.since_ms, pin.until_ms or 0)})
        self._choosers: dict[tuple[str, int], _Chooser] = {}
        self._metrics = {pin.price.metric for pin in subscriber.pins}

    def reason(self, metric: str) -> str:
        """Why no price charges it."""
        if metric not in self._known_metrics:
            return "unknown metric"
        return "no price applies" if metric in self._metrics else "the product has no price for it"

    def tally(self, call: Call, metric: str, micros: int) -> Tally | None:
        """Of the price that charges a metric of a call."""
        key = (metric, bisect_right(self._changes, call.at_ms))
        chooser = self._choosers.get(key)
        if chooser is None:
            chooser = self._choosers[key] = self._chooser(metric, call.at_ms)
        return chooser.chosen(call, micros)

    def _chooser(self, metric: str, at_ms: int) -> "_Chooser":
        held = [
            pin.price
            for pin in self.subscriber.pins
            if pin.price.metric == metric and pin.since_ms <= at_ms and (pin.until_ms is None or at_ms < pin.until_ms)
        ]
        return _Chooser([self._tally_of(price) for price in in_order(held)], self.subscriber.calendar.zone)

    def _tally_of(self, price: Price) -> Tally:
        key = (price.name, price.version)
        if key not in self._tallies:
            spans = self._spans_of(self.subscriber.calendar, terms_of(price).aggregation)
            self._tallies[key] = Tally(price, spans)
        return self._tallies[key]

    def quantities(self, price: Price, spans: Sequence[Span]) -> Sequence[Fraction]:
        """See ``UsageReader``."""
        tally = self._tallies.get((price.name, price.version))
        return [tally.within(span) if tally else Fraction(0) for span in spans]


class _Chooser:
    """``choose`` among the prices of one metric. An answer that depends on little is remembered; one that depends on
    the call is shared with the other side, where that has the same conditions."""

    def __init__(self, tallies: Sequence[Tally], zone: str) -> None:
        self._tallies, self._zone = tallies, zone
        self._prices = [tally.price for tally in tallies]
        self._conditions = tuple(price.when for price in self._prices)
        roots = set[str]().union(*(compile_condition(when).roots for when in self._conditions if when))
        self._remembers = roots <= STATIC
        self._answers: dict[tuple[object, ...], Tally | None] = {}

    def chosen(self, call: Call, micros: int) -> Tally | None:
        if not self._tallies:
            return None
        if not self._conditions[0]:
            return self._tallies[0]
        if not self._remembers:
            key = (self._conditions, self._zone, micros)
            if key not in call.positions:
                call.positions[key] = self._position(call, micros)
            position = call.positions[key]
            return None if position is None else self._tallies[position]
        static = call.static()
        if static not in self._answers:
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers.clear()
            position = self._position(call, micros)
            self._answers[static] = None if position is None else self._tallies[position]
        return self._answers[static]

    def _position(self, call: Call, micros: int) -> int | None:
        price = choose(self._prices, call.variables(self._zone), from_micros(micros))
        return None if price is None else self._prices.index(price)
