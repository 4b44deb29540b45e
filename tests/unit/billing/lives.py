"""What a subscription in a random life can have: two products to switch between, and prices with several versions."""

from collections.abc import Mapping
from typing import Any

from tests.unit.billing.builders import make_price
from tollgate_core.catalog import Catalog, Metric, Price, PriceTier, Product

NAME = "team/acme"
HOUR = 3_600_000
DAY = 24 * HOUR
#: 2026-01-30T23:45:00Z: the 31st in most zones that tests use.
START = 1_769_816_700_000
METRICS = (
    Metric(name="tokens", unit="token", usage=()),
    Metric(name="peak", unit="token", usage=(), aggregation="max"),
)
PRICES: dict[str, dict[str, Any]] = {
    "basic-fee": {"model": "flat", "metric": "", "amount": "31", "max_seats": 9},
    "basic-setup": {"model": "flat", "metric": "", "amount": "25.55", "one_off": True},
    "basic-tokens": {"model": "graduated", "included": "5"},
    "basic-peak": {
        "metric": "peak",
        "aggregation": "max",
        "amount": "0.333",
        "per": "7",
        "aggregation_interval": "day",
    },
    "team-fee": {
        "model": "flat",
        "metric": "",
        "amount": "10.01",
        "interval": "week",
        "interval_count": 2,
        "in_arrears": True,
    },
    "team-tokens": {"model": "package", "amount": "0.125", "per": "10", "trial_units": "120", "interval_count": 2},
    "team-peak": {
        "model": "volume",
        "metric": "peak",
        "aggregation": "max",
        "interval": "year",
        "aggregation_interval": "month",
    },
}


def catalog_of(editions: Mapping[str, int], currency: str, zone: str, trial_days: int, overdraft: str = "") -> Catalog:
    """``editions``: which version of each price is current; 1 where not named. ``overdraft``: prepaid."""
    same: dict[str, Any] = {"time_zone": zone, "trial_days": trial_days, "overdraft": overdraft}
    products = tuple(
        Product(name=name, version="1", endpoints=(), switches=(other,), **same)
        for name, other in (("basic", "team"), ("team", "basic"))
    )
    prices = tuple(_price(name, editions.get(name, 1), currency) for name in PRICES)
    return Catalog(metrics=METRICS, products=products, prices=prices)


def _price(name: str, edition: int, currency: str) -> Price:
    """A later edition costs more."""
    tiers = (
        PriceTier(up_to="10", amount=str(edition), flat_amount="0.5"),
        PriceTier(up_to="1000", amount=f"0.{edition}3"),
        PriceTier(amount="0.0001"),
    )
    fields = {"amount": "1", "per": "1", "included": "0", "interval": "month", **PRICES[name]}
    if fields.get("model") in {"graduated", "volume"}:
        fields["tiers"] = tiers
    elif edition > 1:
        fields["amount"] = f"{edition}{fields['amount']}"
    return make_price(name=name, version=f"v{edition}", product=name.partition("-")[0], currency=currency, **fields)
