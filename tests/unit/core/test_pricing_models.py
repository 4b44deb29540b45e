"""What quantities cost: the worked examples of the field, and what holds for every quantity."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate_core.catalog import Price, PriceTier
from tollgate_core.pricing import Terms, cost, marginal, parts, terms_of

TIERS = (
    PriceTier(up_to="10", amount="0.5", flat_amount="5"),
    PriceTier(up_to="40", amount="0.3"),
    PriceTier(amount="0.1"),
)
FONTS = (PriceTier(up_to="5", amount="7"), PriceTier(up_to="10", amount="6.5"), PriceTier(amount="6"))
VOLUME = (PriceTier(up_to="100", amount="0.5", flat_amount="5"), PriceTier(up_to="200", amount="0.3"))


def terms(model: str, **fields: Any) -> Terms:
    defaults: dict[str, Any] = {"name": "x", "version": "1", "product": "p", "currency": "USD", "metric": "m"}
    return terms_of(Price(**{**defaults, "model": model, **fields}))


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        (terms("graduated", tiers=TIERS), "50", "20"),
        (terms("graduated", tiers=TIERS), "64", "21.4"),
        (terms("volume", tiers=(*VOLUME, PriceTier(amount="1"))), "50", "30"),
        (terms("volume", tiers=(*VOLUME, PriceTier(amount="1"))), "140", "42"),
        (terms("package", amount="1", per="10"), "143", "15"),
        (terms("standard", amount="0.10", included="100"), "215", "11.5"),
        (terms("standard", amount="5", per="1000000", included="2000000"), "3500000", "7.5"),
        *((terms("volume", tiers=FONTS), q, a) for q, a in (("1", "7"), ("5", "35"), ("6", "39"), ("20", "120"))),
        (terms("volume", tiers=FONTS), "25", "150"),
        *((terms("graduated", tiers=FONTS), q, a) for q, a in (("5", "35"), ("6", "41.5"), ("20", "127.5"))),
        (terms("graduated", tiers=FONTS), "25", "157.5"),
        (terms("graduated", tiers=TIERS, included="4"), "12", "8.6"),
        (terms("graduated", tiers=TIERS, included="10"), "12", "0.6"),
        (terms("volume", tiers=FONTS, included="2"), "6", "26"),
        (terms("package", amount="2", per="10", included="5"), "5.000001", "2"),
        (terms("package", amount="2", per="10"), "-11", "-4"),
        (terms("standard", amount="1", included="100"), "-3", "-3"),
        (terms("graduated", tiers=TIERS), "-12", "-5.6"),
        (terms("volume", tiers=VOLUME), "-12", "-6"),
        (terms("volume", tiers=VOLUME), "0", "0"),
        (terms("graduated", tiers=TIERS), "0", "0"),
        (terms("graduated", tiers=TIERS), "10.000001", "10.0000003"),
    ],
)
def test_worked_examples(price: Terms, quantity: str, expected: str) -> None:
    assert cost(price, Fraction(quantity)) == Fraction(expected)


def test_a_tier_whose_units_are_all_included_charges_no_flat_amount() -> None:
    assert cost(terms("graduated", tiers=TIERS, included="10"), Fraction(10)) == 0


quantities = st.decimals(0, 10**9, places=6, allow_nan=False).map(Fraction)
amounts = st.decimals(0, 10**3, places=6, allow_nan=False).map(lambda d: format(d, "f"))


@st.composite
def prices(draw: st.DrawFn, models: tuple[str, ...] = ("standard", "package", "graduated", "volume")) -> Terms:
    model = draw(st.sampled_from(models))
    per, included = draw(st.sampled_from(["1", "3", "1000", "0.5"])), draw(st.integers(0, 50))
    if model in {"standard", "package"}:
        return terms(model, amount=draw(amounts), per=per, included=str(included))
    bounds = sorted(draw(st.sets(st.integers(51, 10**6), max_size=3)))
    tiers = [PriceTier(up_to=str(b), amount=draw(amounts), flat_amount=draw(amounts)) for b in bounds]
    tiers.append(PriceTier(amount=draw(amounts), flat_amount=draw(amounts)))
    return terms(model, per=per, included=str(included), tiers=tuple(tiers))


@given(prices(models=("standard", "package", "graduated")), quantities, quantities)
def test_more_usage_never_costs_less(price: Terms, a: Fraction, b: Fraction) -> None:
    assert cost(price, min(a, b)) <= cost(price, max(a, b))


@given(prices(), quantities, quantities, quantities)
def test_splitting_usage_changes_nothing(price: Terms, a: Fraction, b: Fraction, c: Fraction) -> None:
    whole = marginal(price, Fraction(0), a) + marginal(price, a, b) + marginal(price, a + b, c)
    assert whole == cost(price, a + b + c)


@given(prices(), quantities)
def test_every_unit_has_one_place(price: Terms, quantity: Fraction) -> None:
    charged = sum((part.units for part in parts(price, quantity)), Fraction(0))
    assert charged == max(Fraction(0), quantity - price.included)


@given(prices(), quantities)
def test_a_credit_is_what_the_usage_would_cost_without_included_units(price: Terms, quantity: Fraction) -> None:
    if price.model in {"standard", "package"} and not price.included:
        assert cost(price, -quantity) == -cost(price, quantity)
    assert cost(price, -quantity) <= 0


def test_numbers_beyond_any_float_are_exact() -> None:
    price = terms("standard", amount="0.000000000000000001", per="3")
    assert cost(price, Fraction(10**30 + 1)) == Fraction(10**30 + 1, 3 * 10**18)
