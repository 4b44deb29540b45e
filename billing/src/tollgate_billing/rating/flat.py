"""Flat: the amount once per period."""

from decimal import Decimal
from fractions import Fraction

from tollgate_billing.rating.lines import Charge
from tollgate_core.catalog import Price


def rate_flat(price: Price) -> Charge:
    """A fee. Nothing is counted."""
    return Charge(Fraction(price.amount), Decimal(0), Decimal(0), f"{price.amount} {price.currency} per period")
