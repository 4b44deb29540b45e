"""Currencies: minor units, smallest charges and the amounts that no card network can carry."""

from decimal import ROUND_HALF_UP, Decimal

from tollgate_sandbox.payments.money import written as with_digits
from tollgate_sandbox.stripe.errors import invalid

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
WHOLE_ONLY = frozenset({"isk", "ugx"})
"""Written with two decimals, which must be zero."""
_TWO_DECIMAL = frozenset(
    [
        "usd",
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "yer",
        "zar",
        "zmw",
    ]
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | WHOLE_ONLY | _TWO_DECIMAL
_SMALLEST = {
    "aed": 200, "bgn": 100, "czk": 1500, "dkk": 250, "gbp": 30, "hkd": 400, "huf": 17500, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "pln": 200, "ron": 200, "sek": 300, "thb": 1000,
}  # fmt: skip
LARGEST = 99_999_999


def known(currency: str, param: str = "currency") -> str:
    """The code in lower case; raises StripeError for one that nobody can charge."""
    code = currency.lower()
    if code not in SUPPORTED:
        raise invalid(f"Invalid currency: {code}. Stripe does not support it.", param=param)
    return code


def smallest(currency: str) -> int:
    """The least that can be charged, in minor units."""
    return _SMALLEST.get(currency, 500 if currency in THREE_DECIMAL else 50)


def step(currency: str) -> int:
    """What every amount must be a multiple of."""
    if currency in WHOLE_ONLY:
        return 100
    return 10 if currency in THREE_DECIMAL else 1


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Raise StripeError for an amount that the currency cannot have."""
    unit = step(currency)
    if amount % unit:
        raise invalid(
            f"Invalid {currency.upper()} amount: {amount}. Amounts in {currency.upper()} must be a multiple of {unit}.",
            param=param,
        )


def check_charge(amount: int, currency: str) -> None:
    """Raise StripeError for an amount that cannot be charged."""
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    check_amount(amount, currency)
    if amount < smallest(currency):
        message = f"Amount must be at least {written(smallest(currency), currency)}"
        raise invalid(message, code="amount_too_small", param="amount")
    if amount > LARGEST:
        message = f"Amount must be no more than {written(LARGEST, currency)}"
        raise invalid(message, code="amount_too_large", param="amount")


def rounded(amount: Decimal, currency: str) -> int:
    """To the nearest amount the currency can have, halves away from zero."""
    unit = step(currency)
    return int((amount / unit).quantize(Decimal(1), ROUND_HALF_UP)) * unit


def written(amount: int, currency: str) -> str:
    """For people: 1,234.50 EUR."""
    digits = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    return with_digits(amount, currency, digits)
