"""The running invoice: what a subscription's current period costs so far.

Usage is grouped by metric and by the price versions that applied when each request was admitted. Versions of one price
share the period's allowance, in the order of their first use: editing a price gives nobody its free units twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tollgate_billing.rating.lines import InvoiceLine, LinePeriod
from tollgate_billing.rating.models import rate
from tollgate_core.catalog import Price
from tollgate_core.money import Money, to_money
from tollgate_core.quantity import EXACT

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Metered:
    """Units of a metric under one price version in that price's period; ``price`` None where there is no price.
    ``name`` and ``version`` are set where the event named a version, known or not."""

    metric: str
    period: LinePeriod
    first_ms: int
    quantities: Mapping[str, Decimal]
    events: Mapping[str, int]
    price: Price | None = None
    name: str = ""
    version: str = ""

    @property
    def quantity(self) -> Decimal:
        """Of all qualities."""
        total = _ZERO
        for quantity in self.quantities.values():
            total = EXACT.add(total, quantity)
        return total


@dataclass(frozen=True)
class Invoice:
    """``totals`` holds one amount per currency, the sum of the rounded lines."""

    lines: tuple[InvoiceLine, ...]
    totals: tuple[Money, ...]


def running_invoice(fees: Iterable[tuple[Price, LinePeriod]], metered: Iterable[Metered]) -> Invoice:
    """Fees first, then usage by metric; usage without a price is shown without an amount, never dropped."""
    lines = [_fee_line(price, period) for price, period in sorted(fees, key=lambda fee: fee[0].name)]
    allowance_used: dict[str, Decimal] = {}
    for usage in sorted(metered, key=lambda m: (m.metric, m.name, m.first_ms, m.version)):
        if usage.price is None:
            lines.append(_unpriced_line(usage))
        else:
            lines.append(_usage_line(usage, usage.price, allowance_used))
    return Invoice(tuple(lines), _totals(lines))


def _fee_line(price: Price, period: LinePeriod) -> InvoiceLine:
    charge = rate(price, _ZERO, _ZERO)
    return InvoiceLine(
        period=period,
        price=price.name,
        version=price.version,
        description=price.display_name or price.name,
        formula=charge.formula(price.currency),
        amount=to_money(charge.exact, price.currency),
    )


def _usage_line(usage: Metered, price: Price, allowance_used: dict[str, Decimal]) -> InvoiceLine:
    quantity, used = usage.quantity, allowance_used.get(price.name, _ZERO)
    charge = rate(price, quantity, used)
    allowance_used[price.name] = EXACT.add(used, charge.free)
    return InvoiceLine(
        period=usage.period,
        metric=usage.metric,
        price=price.name,
        version=price.version,
        description=price.display_name or usage.metric,
        quantity=quantity,
        included=charge.free,
        billable=charge.billable,
        formula=charge.formula(price.currency),
        amount=to_money(charge.exact, price.currency),
        events=tuple(sorted(usage.events.items())),
        quantities=tuple(sorted(usage.quantities.items())),
    )


def _unpriced_line(usage: Metered) -> InvoiceLine:
    return InvoiceLine(
        period=usage.period,
        metric=usage.metric,
        price=usage.name,
        version=usage.version,
        description=usage.metric,
        quantity=usage.quantity,
        note=f"price version {usage.name}:{usage.version} is not known" if usage.name else "no price",
        events=tuple(sorted(usage.events.items())),
        quantities=tuple(sorted(usage.quantities.items())),
    )


def _totals(lines: Sequence[InvoiceLine]) -> tuple[Money, ...]:
    totals: dict[str, Money] = {}
    for line in lines:
        if line.amount is not None:
            currency = line.amount.currency
            totals[currency] = totals.get(currency, Money(0, currency)) + line.amount
    return tuple(totals[currency] for currency in sorted(totals))
