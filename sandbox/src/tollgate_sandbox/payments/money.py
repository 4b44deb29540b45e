"""Amounts for people."""

from decimal import Decimal


def written(amount: int, currency: str, digits: int) -> str:
    """Minor units with so many digits: 1,234.50 EUR."""
    return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency.upper()}"
