"""What a subscription to a product would pay for a time that begins with it: the lines of a statement, of usage that
is only said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor

from tollgate_core.catalog import Catalog, Price, Product
from tollgate_core.errors import QuantityError, QuoteError
from tollgate_core.events import Usage, UsageEvent, rfc3339
from tollgate_core.manifests.parse import nearest
from tollgate_core.money import Money
from tollgate_core.pricing.account import Account, Pin
from tollgate_core.pricing.assessment import assess
from tollgate_core.pricing.calendar import COUNTABLE, Calendar, Span, countable
from tollgate_core.pricing.document import Json, line_document, money_document, span_document
from tollgate_core.pricing.formula import number
from tollgate_core.pricing.lines import History, Line, statement_lines
from tollgate_core.pricing.selection import choose, event_variables, in_order
from tollgate_core.pricing.terms import terms_of
from tollgate_core.quantity import MICROS, parse_quantity, to_micros

_DAY_MS = 86_400_000
_MOST_DAYS = 3660


@dataclass(frozen=True)
class QuoteRequest:
    """``usage`` are quantities by metric in the whole time, ``seats`` numbers by price. Without ``days`` the time is
    one billing period, the longest of the product's prices. ``model`` is what conditions see."""

    product: str
    start_ms: int
    currency: str = ""
    usage: Mapping[str, str] = field(default_factory=dict[str, str])
    seats: Mapping[str, int] = field(default_factory=dict[str, int])
    model: str = ""
    days: int | None = None


@dataclass(frozen=True)
class Quote:
    """``unpriced`` are metrics for which usage was said and no price applies. ``notes`` say what was assumed."""

    product: Product
    span: Span
    lines: tuple[Line, ...]
    total: Money
    unpriced: Mapping[str, Fraction]
    notes: tuple[str, ...]


def quote(catalog: Catalog, request: QuoteRequest) -> Quote:
    """Raises QuoteError with what is wrong in the request."""
    product = _product(catalog, request.product)
    if not countable(request.start_ms):
        raise QuoteError(f"start {COUNTABLE}")
    prices = _prices(catalog, product, request.currency)
    usage = _usage(catalog, request.usage)
    calendar = Calendar(request.start_ms, product.time_zone or "UTC")
    span = _span(calendar, prices, request)
    chosen = _chosen(product, prices, usage, request)
    pins = tuple(Pin(p, span.start_ms, span.end_ms, seats) for p, seats in _seats(prices, request.seats))
    reader = _SaidUsage(span, {price.name: usage[metric] for metric, price in chosen.items() if price})
    lines = statement_lines(assess(Account(calendar, pins), reader, span.end_ms), History())
    return Quote(
        product=product,
        span=span,
        lines=lines,
        total=Money(sum(line.minor for line in lines), prices[0].currency),
        unpriced={metric: usage[metric] for metric, price in chosen.items() if price is None},
        notes=tuple(_notes(product, prices, chosen, request)),
    )


def quote_document(answer: Quote) -> Json:
    """As JSON; its lines are a statement's."""
    return {
        "product": answer.product.name,
        "currency": answer.total.currency,
        "period": span_document(answer.span),
        "lines": [line_document(line) for line in answer.lines],
        "unpriced": [
            {"metric": metric, "quantity": number(quantity), "treatment": answer.product.unpriced}
            for metric, quantity in answer.unpriced.items()
        ],
        "total": money_document(answer.total),
        "notes": list(answer.notes),
    }


class _SaidUsage:
    """A ``UsageReader`` of quantities that are spread evenly over a time, in whole units where they are whole."""

    def __init__(self, span: Span, by_price: Mapping[str, Fraction]) -> None:
        self._span = span
        self._by_price = by_price

    def quantities(self, price: Price, spans: Sequence[Span]) -> Sequence[Fraction]:
        """See ``UsageReader``. What does not add up is the same in every period."""
        whole = self._by_price.get(price.name, Fraction(0))
        if price.aggregation in {"sum", "count"}:
            return [self._until(whole, span.end_ms) - self._until(whole, span.start_ms) for span in spans]
        return [whole if self._span.covered(span.start_ms, span.end_ms) else Fraction(0) for span in spans]

    def _until(self, whole: Fraction, moment_ms: int) -> Fraction:
        length = self._span.end_ms - self._span.start_ms
        step = 1 if whole.denominator == 1 else MICROS
        passed = min(max(moment_ms - self._span.start_ms, 0), length)
        return whole if passed == length else Fraction(floor(whole * step * passed / length), step)


def _product(catalog: Catalog, name: str) -> Product:
    found = next((product for product in catalog.products if product.name == name), None)
    if found is None:
        raise QuoteError(f"there is no product {name!r}{nearest(name, [p.name for p in catalog.products])}")
    return found


def _prices(catalog: Catalog, product: Product, currency: str) -> list[Price]:
    """In the asked currency, else as a subscription without one gets them."""
    mine = [price for price in catalog.prices if price.product == product.name]
    offered = sorted({price.currency for price in mine})
    if not offered:
        raise QuoteError(f"the product {product.name} has no price")
    if currency and currency not in offered:
        raise QuoteError(f"the product {product.name} has no price in {currency}; it has {', '.join(offered)}")
    return [price for price in mine if price.currency == (currency or offered[0])]


def _usage(catalog: Catalog, said: Mapping[str, str]) -> dict[str, Fraction]:
    names = [metric.name for metric in catalog.metrics]
    found: dict[str, Fraction] = {}
    for name, text in said.items():
        if name not in names:
            raise QuoteError(f"there is no metric {name!r}{nearest(name, names)}")
        try:
            found[name] = Fraction(parse_quantity(text))
            to_micros(parse_quantity(text))  # more cannot be billed, so that it cannot be quoted
        except QuantityError as error:
            raise QuoteError(f"usage of {name}: {error}") from error
        if found[name] < 0:
            raise QuoteError(f"usage of {name} must not be negative")
    return found


def _span(calendar: Calendar, prices: Sequence[Price], request: QuoteRequest) -> Span:
    start = request.start_ms
    if request.days is not None:
        if not 1 <= request.days <= _MOST_DAYS:
            raise QuoteError(f"days must be from 1 to {_MOST_DAYS}, not {request.days}")
        return Span(start, start + request.days * _DAY_MS)
    recurring = [terms_of(price).billing for price in prices if not price.one_off]
    return Span(start, max((calendar.at(r, start).end_ms for r in recurring), default=start + 1))


def _seats(prices: Sequence[Price], asked: Mapping[str, int]) -> list[tuple[Price, int]]:
    fees = {price.name: price for price in prices if not price.metric}
    for name, seats in asked.items():
        price = fees.get(name)
        if price is None:
            raise QuoteError(f"there is no fee {name!r} with seats{nearest(name, list(fees))}")
        if not price.min_seats <= seats <= price.max_seats:
            raise QuoteError(f"{name} allows {price.min_seats} to {price.max_seats} seats, not {seats}")
    return [(price, asked.get(price.name, price.seats)) for price in prices]


def _chosen(
    product: Product, prices: Sequence[Price], usage: Mapping[str, Fraction], request: QuoteRequest
) -> dict[str, Price | None]:
    """By metric, as a call of the model at the beginning would be priced."""
    call = _call(product, request)
    variables = event_variables(call, product.time_zone or "UTC")
    by_metric = {metric: in_order(price for price in prices if price.metric == metric) for metric in usage}
    return {metric: choose(rivals, variables, Decimal(0)) for metric, rivals in by_metric.items()}


def _call(product: Product, request: QuoteRequest) -> UsageEvent:
    moment = rfc3339(request.start_ms)
    usage = Usage(
        customer="",
        product=product.name,
        product_version=product.version,
        catalog="",
        endpoint=product.endpoints[0] if product.endpoints else "",
        outcome="completed",
        quality="exact",
        witness="api",
        ended_at=moment,
        requested_model=request.model,
        served_model=request.model,
    )
    return UsageEvent(id="quote", source="quote", subject="", time=moment, data=usage)


def _notes(
    product: Product, prices: Sequence[Price], chosen: Mapping[str, Price | None], request: QuoteRequest
) -> list[str]:
    notes: list[str] = []
    if product.trial_days:
        notes.append(f"{product.trial_days} days of trial come before this and cost nothing.")
    conditional = sorted({price.metric for price in prices if price.when and price.metric in chosen})
    if conditional and not request.model:
        notes.append(f"Prices of {', '.join(conditional)} have conditions, and no model was named.")
    elif conditional:
        notes.append(f"All usage is taken to be of {request.model}; other conditions see a call of no size.")
    charged = [price for price in chosen.values() if price]
    if any(terms_of(price).aggregation != terms_of(price).billing for price in charged):
        notes.append("Usage is spread evenly over the aggregation periods.")
    return notes
