"""Money: exact rational arithmetic inside, one rounding to the currency's minor unit at the end.

Minor units are ISO 4217's. Amounts in manifests may have more digits than the minor unit ("0.00000015"); only a line
of an invoice is rounded, half up, as Stripe does.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

#: ISO 4217 currencies by the decimals of their minor unit. Codes without one (metals, units of account) are left out.
_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
        "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
        "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD "
        "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
        "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_EXPONENTS: Final = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
CURRENCIES: Final = frozenset(_EXPONENTS)


def minor_unit_exponent(currency: str) -> int:
    """How many decimals the currency's minor unit has: USD 2, JPY 0, KWD 3. Raises KeyError for what is no currency."""
    return _EXPONENTS[currency]


@dataclass(frozen=True)
class Money:
    """A whole number of minor units of one currency."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.minor + other.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def amount(self) -> str:
        """Major units with all decimals of the currency: ``"56.50"``."""
        exponent = minor_unit_exponent(self.currency)
        sign, digits = "-" if self.minor < 0 else "", str(abs(self.minor)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


def round_half_up(exact: Fraction) -> int:
    """The nearest integer; halves go away from zero."""
    doubled = abs(exact) * 2
    rounded = (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)
    return rounded if exact >= 0 else -rounded


def to_money(amount: Fraction, currency: str) -> Money:
    """The one rounding: exact major units to whole minor units."""
    return Money(round_half_up(amount * 10 ** minor_unit_exponent(currency)), currency)


def exact(number: Decimal) -> Fraction:
    """A decimal as a fraction; nothing is lost."""
    return Fraction(number)
