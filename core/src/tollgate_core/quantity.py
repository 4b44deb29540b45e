"""Quantities as texts: ``"0.15"``, ``"1M"``, ``"10Mi"``; never floats.

The suffixes are Kubernetes' resource quantities (decimal k, M, G, T; binary Ki, Mi, Gi, Ti). The ledger keeps
quantities as whole millionths (micros), so that sums are exact integers in any SQL database.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from tollgate_core.errors import QuantityError

_SUFFIXES = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"(?P<number>[+-]?[0-9]{1,30}(?:\.[0-9]{1,18})?)(?P<suffix>k|M|G|T|Ki|Mi|Gi|Ti)?")
QUANTITY_PATTERN = r"^[+-]?[0-9]{1,30}(\.[0-9]{1,18})?(k|M|G|T|Ki|Mi|Gi|Ti)?$"
DURATION_PATTERN = r"^([0-9]+(ms|s|m|h))+$"
_DURATION = re.compile(r"([0-9]+)(ms|s|m|h)")
_DURATION_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}

#: Wide enough for any product of two quantities; a result that would lose digits raises.
EXACT = Context(prec=80)

MICROS = 10**6
#: A ledger row is a signed 64-bit integer of micros.
MAX_MICROS = 9 * 10**18


def parse_quantity(text: str) -> Decimal:
    """``"1.5M"`` → ``Decimal(1500000)``. Raises QuantityError for anything else than a decimal number with a suffix."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise QuantityError(f"{text!r} is not a quantity; write a decimal number such as 0.15, 1M or 10Mi")
    return EXACT.multiply(Decimal(match["number"]), Decimal(_SUFFIXES[match["suffix"] or ""]))


def parse_duration_ms(text: str) -> int:
    """``"1m30s"`` → 90000. Raises QuantityError. The form is Go's, as in Kubernetes manifests."""
    if re.fullmatch(DURATION_PATTERN, text) is None:
        raise QuantityError(f"{text!r} is not a duration; write for example 500ms, 30s, 5m or 1h30m")
    return sum(int(number) * _DURATION_MS[unit] for number, unit in _DURATION.findall(text))


def to_decimal(value: object) -> Decimal:
    """What an expression computed, as an exact number. Raises QuantityError for what is not a number ≥ 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise QuantityError(f"a quantity must be a number, not {type(value).__name__}")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation as error:
        raise QuantityError(f"{str(value)[:40]!r} is not a number") from error
    if not number.is_finite() or number < 0:
        raise QuantityError(f"a quantity must be finite and not negative, not {str(value)[:40]}")
    return number


def to_micros(quantity: Decimal) -> int:
    """Whole millionths, rounded half to even. Raises QuantityError beyond ±9·10¹² units: no ledger row holds more."""
    if quantity.adjusted() > 30:
        raise QuantityError(f"the quantity {quantity:.3E} is out of range (at most 9000000000000)")
    exact = EXACT.multiply(quantity, Decimal(MICROS))
    micros = int(exact.to_integral_value(rounding=ROUND_HALF_EVEN, context=EXACT))
    if abs(micros) > MAX_MICROS:
        raise QuantityError(f"the quantity {quantity} is out of range (at most 9000000000000)")
    return micros


def from_micros(micros: int) -> Decimal:
    """The exact quantity of a ledger row."""
    return EXACT.divide(Decimal(micros), Decimal(MICROS))


def format_decimal(number: Decimal) -> str:
    """Plain digits without an exponent or trailing zeros: what goes into JSON, SQL and tables."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
