"""How an amount comes about, as a person reads it."""

from datetime import UTC, datetime

import pytest

from tollgate_core.catalog import Catalog, Metric, Price, PriceTier, Product
from tollgate_core.pricing.quote import QuoteRequest, quote, quote_document

MARCH = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
TIERS = (PriceTier(up_to="1000", amount="0.5"), PriceTier(amount="0.25", flat_amount="5"))
TOKENS = Metric(name="tokens", unit="token", usage=())


def formula(model: str, **fields: object) -> str:
    metric = "" if model == "flat" else "tokens"
    base = {"name": "p", "version": "v1", "product": "pro", "currency": "USD", "model": model, "metric": metric}
    price = Price(**{**base, **fields})  # type: ignore[arg-type]
    catalog = Catalog(metrics=(TOKENS,), products=(Product(name="pro", version="1", endpoints=()),), prices=(price,))
    usage = {} if model == "flat" else {"tokens": "1500"}
    seats = {"p": 3} if price.max_seats > 1 else {}
    days = 10 if model == "flat" else None
    (line,) = quote_document(quote(catalog, QuoteRequest("pro", MARCH, usage=usage, seats=seats, days=days)))["lines"]
    return str(line["formula"])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "graduated",
            "tier 1: 900 x 0.5 USD + tier 2: 500 x 0.25 USD + tier 2: 5 USD flat (the first 100 included) = 580.00 USD",
        ),
        ("volume", "tier 2: 1400 x 0.25 USD + tier 2: 5 USD flat (the first 100 included) = 355.00 USD"),
    ],
)
def test_included_units_of_tiers_are_named(model: str, expected: str) -> None:
    assert formula(model, tiers=TIERS, included="100") == expected


def test_units_that_are_all_included_are_not_a_trial() -> None:
    tiers = (PriceTier(up_to="3000", amount="0.5"), PriceTier(amount="0.25"))
    assert formula("graduated", tiers=tiers, included="2000") == "1500 included = 0.00 USD"
    both = formula("graduated", tiers=tiers, included="2000", trial_units="500")
    assert both == "500 in trial, 1000 included = 0.00 USD"
    assert formula("graduated", tiers=tiers, trial_units="2000") == "1500 in trial = 0.00 USD"


def test_one_package_is_one() -> None:
    assert formula("package", amount="7", per="1000", included="1000") == (
        "1 package of 1000 x 7 USD (1500 - 1000 included) = 7.00 USD"
    )


def test_seats_for_a_part_of_a_period_are_seat_days() -> None:
    assert formula("flat", amount="31", max_seats=5) == "31 USD x 30 seat-days / 31 days = 30.00 USD"
    assert formula("flat", amount="31") == "31 USD x 10 days / 31 days = 10.00 USD"
