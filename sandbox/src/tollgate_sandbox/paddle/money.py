"""Currencies: minor units and the smallest amount that can be charged."""

from tollgate_sandbox.payments.money import written as with_digits

ZERO_DECIMAL = frozenset({"CLP", "JPY", "KRW", "VND"})
_SMALLEST = {
    "ARS": 70000, "BRL": 400, "CLP": 700, "CNY": 500, "COP": 300000, "CZK": 1700, "DKK": 500, "HKD": 550,
    "HUF": 26000, "ILS": 260, "INR": 6000, "JPY": 110, "KRW": 1000, "MXN": 1400, "NOK": 750, "PLN": 280,
    "RUB": 6500, "SEK": 750, "THB": 2400, "TRY": 2800, "TWD": 2300, "UAH": 2900, "VND": 18000, "ZAR": 1300,
}  # fmt: skip
SMALLEST = 70


def smallest(currency: str) -> int:
    """About 0.70 US dollars."""
    return _SMALLEST.get(currency, SMALLEST)


def written(amount: str | int, currency: str) -> str:
    """For people: 1,234.50 EUR."""
    return with_digits(int(amount), currency, 0 if currency in ZERO_DECIMAL else 2)
