"""Lint: each rule finds what it is for, and says nothing of prices that are right."""

from typing import Any

import pytest
from msgspec.structs import replace

from tollgate_core.catalog import Catalog, Metric, MetricLimit, MetricUsage, Price, PriceTier, Product, RateLimit
from tollgate_core.pricing.lint import Finding, lint

NOW_MS = 1_800_000_000_000
MILLION = "1000000"


def price(name: str = "p", **fields: Any) -> Price:
    defaults: dict[str, Any] = {"version": "1", "product": "pro", "currency": "USD", "metric": "tokens"}
    return Price(**{"name": name, "model": "standard", "amount": "5", "per": MILLION, **defaults, **fields})


def fee(name: str = "fee", **fields: Any) -> Price:
    return price(name, **{"model": "flat", "amount": "49", "per": "1", "metric": "", **fields})


def metric(name: str = "tokens", unit: str = "token", **fields: Any) -> Metric:
    usage = (MetricUsage(endpoints=("api/chat",), quantity="1", when="true"),)
    return Metric(name=name, unit=unit, usage=usage, **fields)


def findings(*prices: Price, metrics: tuple[Metric, ...] = (metric(),), **product: Any) -> list[Finding]:
    offered = Product(name="pro", version="1", endpoints=("api/chat",), **product)
    return lint(Catalog(metrics=metrics, products=(offered,), prices=prices), NOW_MS)


def said(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.severity, f.rule, f.field) for f in found]


def tiered(model: str, *tiers: tuple[str, str], **fields: Any) -> Price:
    rows = tuple(PriceTier(up_to=up_to, amount=amount) for up_to, amount in tiers)
    return price(model=model, amount="0", tiers=rows, **{"per": "1", "metric": "calls", **fields})


CALLS = (metric("calls", "call"),)


def test_ordinary_prices_are_not_doubted() -> None:
    assert findings(price(), fee()) == []
    cascade = (("100", "1"), ("200", "0.9"), ("", "0.8"))
    assert findings(tiered("graduated", *cascade), metrics=CALLS) == []
    fallback = price("rest")
    assert findings(price(when='model == "gpt-5"', priority=1), price("q", when='model == "o1"'), fallback) == []
    together = (price(when="inputTokens <= 200000"), price("q", when="inputTokens > 200000"))
    assert findings(*together) == []


def test_tiers_that_never_charge() -> None:
    covered = tiered("graduated", ("100", "1"), ("", "0.5"), included="100")
    assert said(findings(covered, metrics=CALLS)) == [("warning", "unreachable-tier", "spec.tiers[0].upTo")]
    equal = tiered("graduated", ("100", "1"), ("", "1"))
    assert said(findings(equal, metrics=CALLS)) == [("info", "equal-tiers", "spec.tiers[1].amount")]
    limit = (MetricLimit(metric="calls", limit=100, interval="month"),)
    beyond = tiered("graduated", ("100", "1"), ("", "0.5"))
    assert said(findings(beyond, metrics=CALLS, limits=limit)) == [("warning", "unreachable-tier", "spec.tiers[1]")]
    daily = (MetricLimit(metric="calls", limit=100, interval="day"),)
    assert findings(beyond, metrics=CALLS, limits=daily) == []
    free = price(metric="calls", per="1", included="100")
    assert said(findings(free, metrics=CALLS, limits=limit)) == [("warning", "unreachable-price", "spec.included")]


@pytest.mark.parametrize("fields", [{"soft": True}, {"per_key": True}, {"least": 50, "most": 101}])
def test_a_limit_that_does_not_end_usage_makes_no_tier_unreachable(fields: dict[str, Any]) -> None:
    limits = (MetricLimit(metric="calls", limit=100, interval="month", **fields),)
    beyond = tiered("graduated", ("100", "1"), ("", "0.5"))
    assert findings(beyond, metrics=CALLS, limits=limits) == []
    assert findings(price(metric="calls", per="1", trial_units="101"), metrics=CALLS, limits=limits) == []
    hard = (MetricLimit(metric="calls", limit=100, interval="month"),)
    (found,) = findings(price(metric="calls", per="1", trial_units="101"), metrics=CALLS, limits=hard)
    assert found.rule == "trial-beyond-limit"
    assert found.message == "101 are more than the product's limit, 100 per period"


def test_a_volume_cliff_says_from_where_on_more_costs_less() -> None:
    (found,) = findings(tiered("volume", ("100", "0.5"), ("", "0.3")), metrics=CALLS)
    assert (found.severity, found.rule) == ("warning", "volume-cliff")
    assert found.message == "100 units cost 50 USD and 101 only 30.3: from 61 on, using more costs less"


def test_gaps() -> None:
    assert said(findings()) == [("error", "no-price", "spec.endpoints")]
    assert findings(unpriced="free") == []
    two = (metric(), metric("images", "image"))
    assert said(findings(price(), metrics=two)) == [("warning", "unpriced-metric", "spec.endpoints")]
    limit = (MetricLimit(metric="images", limit=9, interval="day"),)
    assert said(findings(price(), metrics=two, limits=limit)) == [("info", "unpriced-metric", "spec.endpoints")]
    stray = price("stray", metric="nothing")
    assert said(findings(price(), stray)) == [("warning", "uncounted-metric", "spec.metric")]


def test_prices_with_conditions_only_leave_a_model_unpriced() -> None:
    (found,) = findings(price(when='model == "gpt-5"'))
    assert (found.severity, found.rule) == ("warning", "no-fallback")
    assert "model 'another-model'" in found.message
    assert said(findings(price(when='model == "gpt-5"'), unpriced="reject"))[0][0] == "info"
    (unclear,) = findings(price(when="local.hour < 8"), price("q", when="local.hour >= 8"))
    assert unclear.rule == "no-fallback"
    assert "for example" not in unclear.message


@pytest.mark.parametrize(("when", "word"), [("true", "true"), ("1 > 2", "false")])
def test_a_constant_condition(when: str, word: str) -> None:
    (found,) = findings(price(when=when), price("rest"))
    assert (found.rule, found.field) == ("constant-condition", "spec.when")
    assert f"is {word} for every call" in found.message


def test_ties_are_found_where_a_call_shows_both() -> None:
    tie = (price("a", when='model.startsWith("gpt")'), price("b", when='model == "gpt-5"'), price("rest"))
    assert said(findings(*tie)) == [("warning", "priority-tie", "spec.priority")]
    assert findings(tie[0], price("b", when='model == "gpt-5"', priority=5), tie[2]) == []
    same = (price("a", when="streamed"), price("b", when="streamed "), price("rest"))
    assert said(findings(*same)) == [("warning", "shadowed", "spec.when")]


def test_slips_of_units() -> None:
    assert said(findings(price(per="1", amount="0.5"))) == [("error", "unit-slip", "spec.amount")]
    thousandfold = price(amount="3000", cost="3", cost_per=MILLION)
    assert said(findings(thousandfold)) == [("error", "unit-slip", "spec.per")]
    siblings = (price("a"), price("b", per="1000", when="streamed"), price("c", amount="2", when="!streamed"))
    assert said(findings(*siblings)) == [("warning", "unit-slip", "spec.per")]
    nano_and_pro = (price("a", amount="0.05"), price("b", amount="120", when='model == "pro"'))
    assert findings(*nano_and_pro) == []


def test_below_cost() -> None:
    assert said(findings(price(amount="2", cost="3", cost_per=MILLION))) == [("warning", "below-cost", "spec.amount")]
    tier = tiered("graduated", ("100", "1"), ("", "0.5"), cost="0.7")
    assert said(findings(tier, metrics=CALLS)) == [("warning", "below-cost", "spec.tiers[1].amount")]
    paid_flat = price(
        model="graduated",
        amount="0",
        per="1",
        metric="calls",
        cost="0.7",
        tiers=(PriceTier(up_to="100", amount="0", flat_amount="70"), PriceTier(amount="1")),
    )
    assert findings(paid_flat, metrics=CALLS) == []
    included = price(included="20000000", cost="3", cost_per=MILLION)
    assert said(findings(included, fee())) == [("warning", "below-cost", "spec.included")]
    assert said(findings(included)) == [("info", "below-cost", "spec.included")]
    assert findings(included, fee(amount="60")) == []


def test_currencies_lack_what_others_have() -> None:
    found = findings(price(), fee(), price("eur", currency="EUR"))
    assert said(found) == [("warning", "currency-gap", "spec.currency")]
    assert "a recurring fee is charged in USD, but not in EUR" in found[0].message
    two = (metric(), metric("images", "image"))
    images = price("images", metric="images", per="1")
    assert said(findings(price(), images, price("eur", currency="EUR"), metrics=two))[0][:2] == (
        "error",
        "currency-gap",
    )


def limited(limit: int, per_key: int, **fields: Any) -> tuple[MetricLimit, MetricLimit]:
    """As one limit of a manifest becomes two."""
    same: dict[str, Any] = {"metric": "tokens", "interval": "month", "soft": fields.pop("soft", False)}
    return MetricLimit(limit=limit, **same, **fields), MetricLimit(limit=per_key, per_key=True, **same)


def test_a_limit_of_each_key_that_no_key_can_reach() -> None:
    calls = (replace(limit, metric="calls") for limit in limited(5, 2))
    found, *none = findings(price(), limits=(*calls, *limited(100_000, 200_000)))
    assert (said([found]), none) == ([("warning", "unreachable-limit", "spec.limits[1].limitPerKey")], [])
    assert found.message == "200k of each key are more than 100k, at which all keys together end"
    for reachable in (
        limited(100, 100),
        limited(100, 200, least=50, most=200),  # a subscription's own limit may be as high
        limited(100, 200, soft=True),  # nothing ends at a soft one
    ):
        assert findings(price(), limits=reachable) == []
    (found,) = findings(price(), limits=limited(100, 201, least=50, most=200))
    assert "201 of each key are more than 200" in found.message


MINUTE, SECOND = 60_000, 1000


@pytest.mark.parametrize(
    ("of_key", "whole", "reachable"),
    [
        (("requests", 100, SECOND, 100), ("requests", 60, SECOND, 60), False),
        (("requests", 60, SECOND, 60), ("requests", 60, SECOND, 60), True),
        (("requests", 61, SECOND, 3600), ("requests", 3600, MINUTE, 3600), False),
        (("requests", 61, SECOND, 61), ("requests", 3600, MINUTE, 3600), True),  # it bounds what comes at once
        (("tokens", 100, SECOND, 100), ("requests", 60, SECOND, 60), True),
        (("concurrency", 6, 0, 0), ("concurrency", 5, 0, 0), False),
        (("concurrency", 5, 0, 0), ("concurrency", 5, 0, 0), True),
    ],
)
def test_a_rate_of_each_key_that_no_key_can_reach(of_key: Any, whole: Any, reachable: bool) -> None:
    def rate(name: str, terms: Any, **more: Any) -> RateLimit:
        kind, amount, window_ms, burst = terms
        return RateLimit(name=name, kind=kind, amount=amount, window_ms=window_ms, burst=burst, **more)

    both = (rate("all", whole), rate("each", of_key, per_key=True))
    expected = [] if reachable else [("warning", "unreachable-limit", "spec.rateLimits[1]")]
    assert said(findings(price(), rate_limits=both)) == expected
    elsewhere = (rate("all", whole, endpoints=("api/other",)), rate("each", of_key, per_key=True))
    assert findings(price(), rate_limits=elsewhere) == []


def test_limits_are_counted_as_the_manifest_has_them() -> None:
    calls = (replace(limit, metric="calls") for limit in limited(5, 2))
    limits = (*calls, *limited(100, 50))
    found = findings(price(), limits=limits, metrics=(metric(aggregation="max"),))
    assert said(found) == [("error", "limit-of-no-sum", "spec.limits[1].metric")]


def test_limits_trials_seats_and_dates() -> None:
    limit = (MetricLimit(metric="tokens", limit=100, interval="month"),)
    assert said(findings(price(), limits=limit, metrics=(metric(aggregation="max"),))) == [
        ("error", "limit-of-no-sum", "spec.limits[0].metric")
    ]
    trial = price(trial_units="101")
    assert said(findings(trial, limits=limit)) == [("warning", "trial-beyond-limit", "spec.trialUnits")]
    odd = (fee("a", max_seats=0, seats=0, min_seats=0), fee("b", seats=3, max_seats=2), fee("c", seats=0, min_seats=0))
    assert said(findings(price(), *odd)) == [
        ("error", "seats", "spec.seats.max"),
        ("error", "seats", "spec.seats.default"),
        ("info", "seats", "spec.seats.default"),
    ]
    assert said(findings(price(), fee(one_off=True, max_seats=5))) == [("warning", "seats", "spec.seats.max")]
    assert said(findings(price(effective_from="2099-01-01T00:00:00+00:00"))) == [
        ("warning", "effective-from", "spec.effectiveFrom")
    ]
    assert said(findings(price(effective_from="2020-01-01T00:00:00+00:00")))[0][0] == "info"
