"""Standard: the amount for every ``per`` units beyond those included."""

from decimal import Decimal
from fractions import Fraction

from tollgate_billing.rating.lines import Charge
from tollgate_core.catalog import Price
from tollgate_core.quantity import EXACT, format_decimal

_ZERO = Decimal(0)


def rate_standard(price: Price, quantity: Decimal, allowance_used: Decimal = _ZERO) -> Charge:
    """``allowance_used`` units of the period's allowance were given to earlier versions of the same price."""
    left = max(_ZERO, EXACT.subtract(Decimal(price.included), allowance_used))
    free = min(quantity, left)
    billable = EXACT.subtract(quantity, free)
    exact = Fraction(billable) * Fraction(price.amount) / Fraction(price.per)
    return Charge(exact, free, billable, _working(price, quantity, free))


def _working(price: Price, quantity: Decimal, free: Decimal) -> str:
    units = format_decimal(quantity)
    if free:
        units = f"({units} - {format_decimal(free)} included)"
    per = "" if Decimal(price.per) == 1 else f" / {format_decimal(Decimal(price.per))}"
    return f"{units}{per} x {price.amount} {price.currency}"
