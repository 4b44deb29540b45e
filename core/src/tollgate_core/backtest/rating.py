"""Adding events up: by subscription, price version and aggregation period, with conditions asked for each event."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tollgate_core.backtest.call import STATIC, Call
from tollgate_core.backtest.sides import AnySide, Subscriber
from tollgate_core.catalog import Aggregation, Price
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
        self._spans: dict[tuple[Calendar, Recurrence], _Spans] = {}

    def take(self, call: Call) -> None:
        """Add one event."""
        event = call.event
        account = self.account(event.subject, event.data.customer, event.data.product)
        if account is None:
            self._leave(event.data.product, "", "unknown product", sum(micros for _, micros in call.counted))
            return
        for metric, micros in call.counted:
            price = account.price(call, metric, micros)
            if price is not None:
                account.add(price, call, micros, self._start_of(account.subscriber.calendar, price, call.at_ms))
            elif micros:
                self._leave(account.subscriber.product, metric, account.reason(metric), micros)

    def account(self, name: str, customer: str, product: str) -> "Account | None":
        """Found once; a subscription that the side does not know has one for each product that its events name."""
        key = (name, "") if name in self._names else (name, product)
        if key not in self.accounts:
            subscriber = self.side.subscriber(name, customer, product)
            self.accounts[key] = Account(subscriber, self.side.aggregations) if subscriber else None
        return self.accounts[key]

    def _leave(self, product: str, metric: str, reason: str, micros: int) -> None:
        left = self.leftovers[product, metric, reason]
        left.events += 1
        left.micros += micros

    def _start_of(self, calendar: Calendar, price: Price, at_ms: int) -> int:
        key = (calendar, terms_of(price).aggregation)
        spans = self._spans.get(key)
        if spans is None:
            spans = self._spans[key] = _Spans(*key)
        return spans.start_of(at_ms)


class _Spans:
    """Periods of one recurrence that were asked for."""

    def __init__(self, calendar: Calendar, recurrence: Recurrence) -> None:
        self._calendar, self._recurrence = calendar, recurrence
        self._found: list[tuple[int, int]] = []

    def start_of(self, at_ms: int) -> int:
        position = bisect_right(self._found, (at_ms, 1 << 62)) - 1
        if position >= 0:
            start, end = self._found[position]
            if at_ms < end:
                return start
        span = self._calendar.at(self._recurrence, at_ms)
        insort(self._found, (span.start_ms, span.end_ms))
        return span.start_ms


class Account:
    """The sums of one subscriber."""

    def __init__(self, subscriber: Subscriber, aggregations: Mapping[str, Aggregation]) -> None:
        self.subscriber = subscriber
        self.buckets: defaultdict[PriceKey, dict[int, Bucket]] = defaultdict(dict)
        self._aggregations = aggregations
        self._changes = sorted({moment for pin in subscriber.pins for moment in (pin.since_ms, pin.until_ms or 0)})
        self._choosers: dict[tuple[str, int], _Chooser] = {}
        self._metrics = {pin.price.metric for pin in subscriber.pins}

    def reason(self, metric: str) -> str:
        """Why no price charges it."""
        if metric not in self._aggregations:
            return "unknown metric"
        return "no price applies" if metric in self._metrics else "the product has no price for it"

    def price(self, call: Call, metric: str, micros: int) -> Price | None:
        """The one that charges a metric of a call."""
        key = (metric, bisect_right(self._changes, call.at_ms))
        chooser = self._choosers.get(key)
        if chooser is None:
            held = [
                pin.price
                for pin in self.subscriber.pins
                if pin.price.metric == metric
                and pin.since_ms <= call.at_ms
                and (pin.until_ms is None or call.at_ms < pin.until_ms)
            ]
            chooser = self._choosers[key] = _Chooser(in_order(held), self.subscriber.calendar.zone)
        return chooser.price(call, micros)

    def add(self, price: Price, call: Call, micros: int, start_ms: int) -> None:
        """Units that a price version charges in the aggregation period that begins then."""
        periods = self.buckets[price.name, price.version]
        match self._aggregations.get(price.metric, "sum"):
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

    def quantities(self, price: Price, aggregation: Aggregation, spans: Sequence[Span]) -> Sequence[Fraction]:
        """See ``UsageReader``."""
        periods = self.buckets.get((price.name, price.version), {})
        return [self._in(periods, aggregation, span) for span in spans]

    @staticmethod
    def _in(periods: Mapping[int, Bucket], aggregation: Aggregation, span: Span) -> Fraction:
        inside = [bucket for start, bucket in periods.items() if span.start_ms <= start < span.end_ms]
        numbers = [_number(bucket) for bucket in inside]
        if aggregation in {"sum", "count"}:
            return Fraction(sum(numbers), MICROS)
        if aggregation == "unique":
            return Fraction(len(set[int]().union(*(b for b in inside if isinstance(b, set)))))
        if aggregation == "last":
            return Fraction(max((b for b in inside if isinstance(b, tuple)), default=(0, "", 0))[2], MICROS)
        return Fraction(max(numbers, default=0), MICROS)


def _number(bucket: Bucket) -> int:
    return bucket if isinstance(bucket, int) else 0


class _Chooser:
    """``choose`` among the prices of one metric; an answer that depends on little is remembered."""

    def __init__(self, prices: Sequence[Price], zone: str) -> None:
        self._prices, self._zone = prices, zone
        self._plain = not prices or not prices[0].when
        roots = set[str]().union(*(compile_condition(price.when).roots for price in prices if price.when))
        self._remembers = roots <= STATIC
        self._answers: dict[tuple[object, ...], Price | None] = {}

    def price(self, call: Call, micros: int) -> Price | None:
        if self._plain:
            return self._prices[0] if self._prices else None
        if not self._remembers:
            return choose(self._prices, call.variables(self._zone), from_micros(micros))
        key = call.static()
        if key not in self._answers:
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers.clear()
            self._answers[key] = choose(self._prices, call.variables(self._zone), from_micros(micros))
        return self._answers[key]
