"""Minor units as Stripe counts them, which are not ISO 4217's in all currencies. Pure.

Source: Stripe's documentation of supported currencies, "Zero-decimal", "Three-decimal" and "Special case" currencies.
"""

from tollgate_billing.payments.port import RefusedError
from tollgate_core.money import Money, minor_unit_exponent

#: No minor unit in ISO 4217, and yet Stripe wants two decimals, which are 00.
_TWO_ZEROS = frozenset({"ISK", "UGX"})
#: Two decimals in ISO 4217, and none at Stripe.
_WHOLE = frozenset({"MGA"})
#: What Stripe charges at least, in ISO's minor units; others are worth about half a dollar too.
_LEAST = {
    "USD": 50,
    "EUR": 50,
    "GBP": 30,
    "CHF": 50,
    "JPY": 50,
    "CAD": 50,
    "AUD": 50,
    "DKK": 250,
    "NOK": 300,
    "SEK": 300,
    "PLN": 200,
    "CZK": 1500,
    "HUF": 17500,
    "MXN": 1000,
    "BRL": 50,
    "INR": 50,
    "HKD": 400,
    "SGD": 50,
    "AED": 200,
    "MGA": 5000,
    "MYR": 200,
    "RON": 200,
    "THB": 1000,
}
#: Of all others, by their decimals.
_LEAST_OF_OTHERS = {0: 50, 3: 500}


def least_minor(currency: str) -> int:
    """Less than that Stripe does not charge: it calls such an invoice paid, and puts it on the customer's balance."""
    return _LEAST.get(currency) or _LEAST_OF_OTHERS.get(minor_unit_exponent(currency), 50)


def to_stripe(minor: int, currency: str) -> int:
    """Raises RefusedError for what Stripe cannot charge."""
    if currency in _TWO_ZEROS:
        return minor * 100
    if currency in _WHOLE:
        if minor % 100:
            raise RefusedError(f"Stripe takes no {Money(minor, currency)}: only whole {currency}")
        return minor // 100
    if minor_unit_exponent(currency) == 3 and minor % 10:
        raise RefusedError(f"Stripe takes no {Money(minor, currency)}: the last digit of such amounts must be 0")
    return minor


def from_stripe(amount: int, currency: str) -> int:
    """The inverse."""
    if currency in _TWO_ZEROS:
        return amount // 100
    return amount * 100 if currency in _WHOLE else amount
