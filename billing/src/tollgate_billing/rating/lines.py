"""What every pricing model answers, and the invoice line made of it."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tollgate_core.money import Money, to_money
from tollgate_core.quantity import format_decimal

_SHOWN_DECIMALS = 12


@dataclass(frozen=True)
class Charge:
    """An exact amount in major units and how it came about. ``free`` units of the quantity cost nothing."""

    exact: Fraction
    free: Decimal
    billable: Decimal
    working: str

    def formula(self, currency: str) -> str:
        """A text that a person can check with a calculator, up to the rounded amount."""
        rounded = to_money(self.exact, currency)
        value = Fraction(rounded.amount)
        if value == self.exact:
            return f"{self.working} = {rounded}"
        shown = self.exact.limit_denominator(10**_SHOWN_DECIMALS)
        text = format_decimal(Decimal(round(shown * 10**_SHOWN_DECIMALS)).scaleb(-_SHOWN_DECIMALS))
        return f"{self.working} = {text} ≈ {rounded}"


@dataclass(frozen=True)
class LinePeriod:
    """Half-open, milliseconds since 1970."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class InvoiceLine:
    """``amount`` is None for usage without a price; ``events`` and ``quantities`` are by quality, so that what was
    estimated can be told from what was counted."""

    period: LinePeriod
    metric: str = ""
    price: str = ""
    version: str = ""
    description: str = ""
    quantity: Decimal = Decimal(0)
    included: Decimal = Decimal(0)
    billable: Decimal = Decimal(0)
    formula: str = ""
    note: str = ""
    amount: Money | None = None
    events: tuple[tuple[str, int], ...] = ()
    quantities: tuple[tuple[str, Decimal], ...] = ()
