"""What is wrong with prices, products and subscriptions beside their schema, with the field at fault."""

from typing import Any

import pytest

from tests.support.manifests import Document, resource
from tollgate_core.manifests.parse import Manifest, parse_manifest
from tollgate_operator.reconcile import ResourceKey, UpstreamPolicy
from tollgate_operator.reconcile.checks import check_one

TIER = {"amount": "1"}


def findings(candidate: Document, *others: Document) -> list[str]:
    resources: dict[ResourceKey, Manifest] = {(m.kind, m.qualified_name): m for m in map(parse_manifest, others)}
    return [
        str(f.problem) for f in check_one(parse_manifest(candidate), resources, UpstreamPolicy()) if not f.reference
    ]


def price(name: str = "x", **spec: Any) -> Document:
    base: dict[str, Any] = {"product": "p", "metric": "m", "currency": "USD", "model": "standard", "amount": "1"}
    return resource("Price", name, **{k: v for k, v in {**base, **spec}.items() if v is not None})


def tiered(*bounds: str, model: str = "graduated", **spec: Any) -> Document:
    return price(model=model, amount=None, tiers=[*({"upTo": b, **TIER} for b in bounds), TIER], **spec)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (tiered("10", "10"), "spec.tiers[1].upTo: must be more than 10"),
        (tiered("1k", "500"), "spec.tiers[1].upTo: must be more than 1k"),
        (tiered("10", "20", included="10"), "spec.included: must be less than the first tier's upTo, 10"),
        (tiered("10", model="volume", included="11"), "spec.included: must be less than the first tier's upTo, 10"),
        (price(aggregationPeriod={"interval": "week"}), "spec.aggregationPeriod: month is not made of whole periods"),
        (price(aggregationPeriod={"interval": "month", "intervalCount": 2}), "spec.aggregationPeriod: month is not"),
        (price(when="model =="), "spec.when: "),
        (price(when="'x'"), "spec.when: must give a bool, not str"),
    ],
)
def test_a_price_that_cannot_be_meant(document: Document, expected: str) -> None:
    (found,) = findings(document)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "document",
    [
        tiered("10", "1k", included="9"),
        price(aggregationPeriod={"interval": "day"}),
        price(aggregationPeriod={"interval": "month"}, billingPeriod={"interval": "year"}),
        price(when='model == "a" && local.hour < 6'),
    ],
)
def test_a_price_that_is_right(document: Document) -> None:
    assert findings(document) == []


PRODUCT = resource("Product", "p", endpoints=[{"api": "a"}])


def test_two_prices_of_a_metric_need_conditions_or_currencies_to_tell_them_apart() -> None:
    old = price("old")
    old["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    young = price("young")
    young["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    assert "already prices 'm' of 'p' in USD; give one of them a condition" in findings(young, old, PRODUCT)[0]
    for different in ({"when": "streamed"}, {"currency": "EUR"}, {"metric": "n"}):
        assert findings({**young, "spec": {**young["spec"], **different}}, old, PRODUCT) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"timeZone": "Mars/Olympus"}, "spec.timeZone: there is no time zone 'Mars/Olympus'"),
        ({"trialDays": 32}, "spec.trialDays: 32 days are longer than the longest billing period, month"),
    ],
)
def test_a_product_that_cannot_be_meant(spec: dict[str, Any], expected: str) -> None:
    assert findings({**PRODUCT, "spec": {**PRODUCT["spec"], **spec}}, price())[0].startswith(expected)


def test_a_limit_needs_a_metric_whose_calls_add_up() -> None:
    usage = [{"endpoints": [{"api": "a"}]}]
    product = {**PRODUCT, "spec": {**PRODUCT["spec"], "limits": [{"metric": "m", "limit": "5"}]}}
    peak = resource("BillableMetric", "m", aggregation="max", usage=usage)
    assert "whose calls add up (sum or count), not max" in findings(product, peak)[0]
    assert findings(product, resource("BillableMetric", "m", aggregation="count", usage=usage)) == []


def test_a_prepaid_product_needs_metrics_whose_calls_add_up() -> None:
    usage = [{"endpoints": [{"api": "a"}]}]
    product = {**PRODUCT, "spec": {**PRODUCT["spec"], "wallet": {}}}
    users = resource("BillableMetric", "m", aggregation="unique", usage=usage)
    assert "'p' is prepaid, and credit can only be held for calls that add up" in findings(price(), product, users)[0]
    assert findings(price(), product, resource("BillableMetric", "m", usage=usage)) == []


def test_a_price_is_effective_within_the_calendar() -> None:
    beyond = price(effectiveFrom="9999-12-31T23:59:59Z")
    assert findings(beyond, PRODUCT) == ["spec.effectiveFrom: must be between the years 1970 and 9000"]


def test_a_subscription_has_one_currency() -> None:
    subscription = resource("Subscription", "s", product="p", customer={"id": "c"})
    prices = (price("a"), price("b", currency="EUR"))
    assert findings(subscription, PRODUCT, *prices) == ["spec.currency: is needed: the product has prices in EUR, USD"]
    chosen = {**subscription, "spec": {**subscription["spec"], "currency": "EUR"}}
    assert findings(chosen, PRODUCT, *prices) == []
    assert "has no price in EUR" in findings(chosen, PRODUCT, prices[0])[0]
