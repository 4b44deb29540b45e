"""What Paddle charges at least, and lines as it takes them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from tollgate_billing.payments.port import InvoiceLine
from tollgate_core.money import minor_unit_exponent

#: What a transaction may hold.
LINES_AT_MOST = 100
#: About 0.70 USD in ISO 4217's minor units, rounded up.
_LEAST = {
    "USD": 70,
    "EUR": 70,
    "GBP": 70,
    "CHF": 70,
    "CAD": 100,
    "AUD": 110,
    "JPY": 110,
    "KRW": 1000,
    "CNY": 500,
    "INR": 6000,
    "BRL": 400,
    "MXN": 1400,
    "PLN": 300,
    "SEK": 800,
    "NOK": 800,
    "DKK": 500,
    "CZK": 1700,
    "HUF": 26000,
    "ARS": 70000,
    "CLP": 700,
    "COP": 300000,
    "HKD": 550,
    "ILS": 260,
    "NZD": 120,
    "RUB": 6500,
    "SGD": 100,
    "THB": 2400,
    "TRY": 2800,
    "TWD": 2300,
    "UAH": 2900,
    "VND": 18000,
    "ZAR": 1300,
}


def least_minor(currency: str) -> int:
    """Less than that Paddle does not charge."""
    return _LEAST.get(currency, 70 if minor_unit_exponent(currency) else 100)


def without_credits(lines: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    """The same sum with no line below zero, which Paddle has not: what is credited comes off the last lines first, and
    these say so. A line of nothing is left out."""
    credit = -sum(line.minor for line in lines if line.minor < 0)
    kept: list[InvoiceLine] = []
    for line in reversed([line for line in lines if line.minor > 0]):
        taken = min(credit, line.minor)
        credit -= taken
        if taken < line.minor:
            note = f"{line.description} (less credit)" if taken else line.description
            kept.append(replace(line, minor=line.minor - taken, description=note))
    return list(reversed(kept))
