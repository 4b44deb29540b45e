"""A quote says what the statement of the same usage says."""

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_event, make_fee, make_price, record
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pins import end_pins
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.catalog import PriceTier
from tollgate_core.errors import QuoteError
from tollgate_core.pricing import Span
from tollgate_core.pricing.quote import Quote, QuoteRequest, _SaidUsage, quote, quote_document

TIERS = (PriceTier(up_to="100", amount="1", flat_amount="5"), PriceTier(amount="0.333"))
PRICES = (
    make_fee(seats=3, max_seats=9),
    make_fee(name="setup", one_off=True, amount="99.99"),
    make_price(model="graduated", amount="0", per="1", included="10", tiers=TIERS, trial_units="5"),
    make_price(name="large", per="7", included="0", amount="0.5", when='model == "large"'),
)


def ask(*prices: Any, **fields: Any) -> Quote:
    return quote(catalog_of(*(prices or PRICES)), QuoteRequest(**{"product": "pro", "start_ms": START, **fields}))


def shown(lines: Any) -> list[tuple[str, str, str, str | None]]:
    return sorted((line["price"], line["amount"], line["formula"], line["quantity"]) for line in lines)


def billed(statements: list[StoredStatement]) -> list[Any]:
    return [line for statement in statements for line in json.loads(statement.body)["lines"]]


@pytest.mark.parametrize("model", ["small", "large"])
def test_a_quote_is_the_statement_of_the_same_usage(database: Database, model: str) -> None:
    catalog = catalog_of(*PRICES)
    apply_catalog(database, catalog, START)
    for number, quantity in enumerate(("120.25", "30")):
        event = make_event(
            f"e{number}", at_ms=START + DAY * (number + 1), quantities={"tokens": quantity}, served_model=model
        )
        record(database, event, now_ms=START + 9 * DAY)
    with database.write() as connection:
        end_pins(connection, SUBSCRIPTION, MONTHS[0])
    lines = billed(close_until(database, catalog, MONTHS[0]))
    quoted = quote_document(ask(usage={"tokens": "150.25"}, model=model))
    assert shown(quoted["lines"]) == shown(lines)
    assert quoted["total"]["minor"] == sum(line["minor"] for line in lines)


def test_days_prorate_fees_and_seats_multiply_them() -> None:
    lines = quote_document(ask(make_fee(amount="28", seats=1, max_seats=9), days=7, seats={"fee": 2}))["lines"]
    assert [(line["amount"], line["formula"]) for line in lines] == [
        ("14.00", "28 USD x 14 seat-days / 28 days = 14.00 USD")
    ]


def test_what_no_price_charges_is_said() -> None:
    answer = quote_document(ask(PRICES[3], usage={"tokens": "5"}))
    assert (answer["lines"], answer["total"]["minor"]) == ([], 0)
    assert answer["unpriced"] == [{"metric": "tokens", "quantity": "5", "treatment": "hold"}]
    assert answer["notes"] == ["Prices of tokens have conditions, and no model was named."]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"product": "prp"}, "there is no product 'prp'; did you mean 'pro'?"),
        ({"currency": "EUR"}, "the product pro has no price in EUR; it has USD"),
        ({"usage": {"tokns": "1"}}, "there is no metric 'tokns'; did you mean 'tokens'?"),
        ({"usage": {"tokens": "many"}}, "usage of tokens: 'many' is not a quantity"),
        ({"usage": {"tokens": "-1"}}, "must not be negative"),
        ({"seats": {"fee": 10}}, "fee allows 1 to 9 seats, not 10"),
        ({"seats": {"token-price": 1}}, "there is no fee 'token-price' with seats"),
        ({"days": 0}, "days must be from 1 to 3660, not 0"),
    ],
)
def test_what_is_not_on_offer_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(QuoteError, match=message.replace("?", r"\?")):
        ask(**fields)


@given(
    st.fractions(0, 10**9, max_denominator=1000).filter(lambda q: 10**6 % q.denominator == 0),
    st.lists(st.integers(0, 1000), max_size=20, unique=True),
)
def test_usage_that_is_spread_adds_up(quantity: Fraction, cuts: list[int]) -> None:
    reader = _SaidUsage(Span(0, 1000), {"token-price": quantity})
    spans = [Span(a, b) for a, b in pairwise([-50, *sorted(cuts), 1200])]
    spread = reader.quantities(make_price(), spans)
    assert sum(spread) == quantity
    assert all(part >= 0 for part in spread)
    assert quantity.denominator != 1 or all(part.denominator == 1 for part in spread)


def test_a_largest_value_is_the_same_in_every_period() -> None:
    price = make_price(per="1", included="0", amount="1", aggregation="max", aggregation_interval="day")
    answer = quote(catalog_of(price), QuoteRequest("pro", START, usage={"tokens": "2"}))
    assert answer.total.minor == 2 * 28 * 100
