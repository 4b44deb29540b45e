"""What was charged beside what it cost: by product, customer and price, from closed statements.

Cost is units times the price version's declared ``cost``, for every unit, included ones too: they cost the provider the
same. A price with a condition on the model is the model's row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection, select

from tollgate_billing.ledger.catalogs import PriceKey, stored_prices
from tollgate_billing.ledger.tables import statement_lines, statements
from tollgate_core.catalog import Price
from tollgate_core.money import Money, to_money

_ZERO = Fraction(0)


@dataclass
class Margin:
    """Of lines with the same ``key``. ``cost`` is None where a price of them declares none."""

    key: tuple[str, ...]
    currency: str
    units: Fraction = _ZERO
    charged_minor: int = 0
    cost: Fraction | None = _ZERO

    @property
    def charged(self) -> Money:
        """What statements say."""
        return Money(self.charged_minor, self.currency)

    @property
    def costs(self) -> Money | None:
        """Rounded once."""
        return None if self.cost is None else to_money(self.cost, self.currency)

    @property
    def margin(self) -> Money | None:
        """What remains."""
        return None if self.costs is None else Money(self.charged_minor - self.costs.minor, self.currency)


@dataclass(frozen=True)
class _Line:
    product: str
    customer: str
    price: Price
    units: Fraction
    minor: int


def margins(connection: Connection, by: tuple[str, ...], start_ms: int, end_ms: int) -> list[Margin]:
    """Statements that were closed in the half-open time. ``by`` names parts of a key: product, customer, price."""
    found: dict[tuple[tuple[str, ...], str], Margin] = {}
    for line in _lines(connection, stored_prices(connection), start_ms, end_ms):
        key = tuple({"product": line.product, "customer": line.customer, "price": line.price.name}[part] for part in by)
        margin = found.setdefault((key, line.price.currency), Margin(key, line.price.currency))
        margin.units += line.units
        margin.charged_minor += line.minor
        if line.price.metric and margin.cost is not None:
            margin.cost = margin.cost + line.units * _unit_cost(line.price) if line.price.cost else None
    return sorted(found.values(), key=lambda margin: (-margin.charged_minor, margin.key, margin.currency))


def _unit_cost(price: Price) -> Fraction:
    return Fraction(price.cost) / Fraction(price.cost_per)


def _lines(connection: Connection, prices: Mapping[PriceKey, Price], start_ms: int, end_ms: int) -> Iterable[_Line]:
    s, li = statements.c, statement_lines.c
    query = (
        select(s.customer, li.price, li.version, li.quantity, li.minor)
        .join(statements, s.id == li.statement)
        .where(s.closed_ms >= start_ms, s.closed_ms < end_ms)
    )
    for customer, name, version, quantity, minor in connection.execute(query):
        price = prices.get((name, version))
        if price is not None:  # a charge by hand is nobody's margin
            yield _Line(price.product, customer, price, Fraction(quantity), minor)
