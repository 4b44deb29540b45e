"""Amounts: the reference's worked examples, and what holds for every quantity."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.billing.builders import make_fee, make_price
from tollgate_billing.rating import LinePeriod, Metered, running_invoice
from tollgate_billing.rating.standard import rate_standard
from tollgate_core.catalog import Price
from tollgate_core.money import to_money

PERIOD = LinePeriod(0, 1000)


def metered(quantity: str, price: Price | None, **fields: object) -> Metered:
    values: dict[str, object] = {
        "metric": price.metric if price else "tokens",
        "period": PERIOD,
        "first_ms": 1,
        "quantities": {"exact": Decimal(quantity)},
        "events": {"exact": 1},
        "price": price,
        "name": price.name if price else "",
        "version": price.version if price else "",
    }
    return Metered(**{**values, **fields})  # type: ignore[arg-type]


def test_overage_of_calls() -> None:
    price = make_price(metric="calls", amount="0.10", per="1", included="100")
    invoice = running_invoice([], [metered("215", price)])
    (line,) = invoice.lines
    assert str(line.amount) == "11.50 USD"
    assert (line.included, line.billable) == (Decimal(100), Decimal(115))
    assert line.formula == "(215 - 100 included) x 0.10 USD = 11.50 USD"


def test_fee_with_included_tokens_then_a_price_per_million() -> None:
    invoice = running_invoice([(make_fee(), PERIOD)], [metered("3500000", make_price())])
    assert [str(line.amount) for line in invoice.lines] == ["49.00 USD", "7.50 USD"]
    assert [str(total) for total in invoice.totals] == ["56.50 USD"]
    assert invoice.lines[1].formula == "(3500000 - 2000000 included) / 1000000 x 5 USD = 7.50 USD"


@pytest.mark.parametrize(
    ("amount", "per", "quantity", "currency", "expected"),
    [
        ("0.005", "1", "1", "USD", "0.01 USD"),
        ("0.004999999999999999", "1", "1", "USD", "0.00 USD"),
        ("0.5", "1", "1", "JPY", "1 JPY"),
        ("0.0005", "1", "1", "KWD", "0.001 KWD"),
        ("1", "3", "1", "USD", "0.33 USD"),
        ("0.00000015", "1", "1000000", "USD", "0.15 USD"),
    ],
)
def test_one_rounding_half_up_to_the_minor_unit(
    amount: str, per: str, quantity: str, currency: str, expected: str
) -> None:
    price = make_price(amount=amount, per=per, included="0", currency=currency)
    (line,) = running_invoice([], [metered(quantity, price)]).lines
    assert str(line.amount) == expected
    assert line.formula.endswith(expected)


def test_a_rounded_formula_shows_the_exact_value_too() -> None:
    price = make_price(amount="1", per="3", included="0")
    (line,) = running_invoice([], [metered("1", price)]).lines
    assert line.formula == "1 / 3 x 1 USD = 0.333333333333 ≈ 0.33 USD"


def test_versions_of_one_price_share_the_allowance() -> None:
    early, late = make_price(version="v1", included="100", per="1"), make_price(version="v2", included="150", per="1")
    lines = running_invoice([], [metered("60", late, first_ms=2), metered("80", early, first_ms=1)]).lines
    assert [(line.version, line.included, line.billable) for line in lines] == [
        ("v1", Decimal(80), Decimal(0)),
        ("v2", Decimal(60), Decimal(0)),
    ]
    lines = running_invoice([], [metered("100", late, first_ms=2), metered("120", early, first_ms=1)]).lines
    assert [line.billable for line in lines] == [Decimal(20), Decimal(50)]


def test_unpriced_usage_is_shown_without_an_amount() -> None:
    lines = running_invoice([], [metered("5", None), metered("6", None, name="gone", version="v9")]).lines
    assert [line.amount for line in lines] == [None, None]
    assert [line.note for line in lines] == ["no price", "price version gone:v9 is not known"]


def test_currencies_are_summed_apart_and_qualities_shown() -> None:
    euro = make_price(name="euro", currency="EUR", metric="calls", per="1", included="0", amount="2")
    usage = metered("3", euro, quantities={"exact": Decimal(2), "estimated": Decimal(1)}, events={"exact": 2})
    invoice = running_invoice([(make_fee(), PERIOD)], [usage])
    assert [str(total) for total in invoice.totals] == ["6.00 EUR", "49.00 USD"]
    assert invoice.lines[1].quantities == (("estimated", Decimal(1)), ("exact", Decimal(2)))


quantities = st.decimals(0, 10**12, places=6, allow_nan=False)
amounts = st.decimals(0, 10**6, places=9, allow_nan=False).map(lambda d: format(d, "f"))
pers = st.sampled_from(["1", "3", "1000", "1000000", "0.5"])


@given(quantities, quantities, amounts, pers, quantities)
def test_more_usage_never_costs_less(a: Decimal, b: Decimal, amount: str, per: str, included: Decimal) -> None:
    price = make_price(amount=amount, per=per, included=format(included, "f"))
    less, more = sorted((a, b))
    assert rate_standard(price, less).exact <= rate_standard(price, more).exact


@given(quantities, amounts, pers)
def test_included_units_are_free_to_the_last_one(included: Decimal, amount: str, per: str) -> None:
    price = make_price(amount=amount, per=per, included=format(included, "f"))
    assert rate_standard(price, included).exact == 0
    one_more = rate_standard(price, included + Decimal("0.000001"))
    assert one_more.exact == Fraction(1, 10**6) * Fraction(amount) / Fraction(per)


@given(quantities, quantities, amounts, pers, quantities)
def test_splitting_usage_over_versions_changes_nothing(
    a: Decimal, b: Decimal, amount: str, per: str, included: Decimal
) -> None:
    price = make_price(amount=amount, per=per, included=format(included, "f"))
    first = rate_standard(price, a)
    second = rate_standard(price, b, first.free)
    assert first.exact + second.exact == rate_standard(price, a + b).exact


@given(quantities, amounts, pers)
def test_a_line_is_the_exact_amount_rounded_once(quantity: Decimal, amount: str, per: str) -> None:
    price = make_price(amount=amount, per=per, included="0")
    exact = Fraction(quantity) * Fraction(amount) / Fraction(per)
    (line,) = running_invoice([], [metered(format(quantity, "f"), price)]).lines
    assert line.amount == to_money(exact, "USD")
