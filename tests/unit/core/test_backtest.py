"""Backtests: exact sums without keeping events, and nothing dropped silently."""

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.support.usage import DAY_MS, MARCH_MS, made_up_event
from tollgate_core.backtest.call import Call
from tollgate_core.backtest.rating import Rater
from tollgate_core.backtest.recompute import Recomputer
from tollgate_core.backtest.report import compared, exceeded, side_of
from tollgate_core.backtest.sides import Known, Recorded, Side
from tollgate_core.catalog import Api, Catalog, Endpoint, Metric, MetricUsage, Price, PriceTier, Product, Subscription
from tollgate_core.errors import EventError
from tollgate_core.events import UsageEvent, rfc3339
from tollgate_core.pricing import Calendar, Pin, Span, cost, terms_of

WINDOW = Span(MARCH_MS, MARCH_MS + 31 * DAY_MS)
TIERS = (PriceTier(up_to="1000", amount="1", flat_amount="5"), PriceTier(amount="0.5"))


def price(name: str = "input", **fields: Any) -> Price:
    defaults: dict[str, Any] = {"version": "1", "product": "team", "currency": "USD", "metric": "input-tokens"}
    return Price(**{"name": name, "model": "standard", "amount": "2", "per": "1000", **defaults, **fields})


def catalog(*prices: Price, **fields: Any) -> Catalog:
    metrics = (Metric(name="input-tokens", unit="token", usage=()), Metric(name="output-tokens", unit="t", usage=()))
    products = (Product(name="team", version="1", endpoints=()),)
    return Catalog(**{"products": products, "metrics": metrics, **fields}, prices=prices)


def event(name: str, quantity: str, at_ms: int = MARCH_MS, **fields: Any) -> UsageEvent:
    made = structs.replace(made_up_event(0, 1), id=name, time=rfc3339(at_ms))
    subject = fields.pop("subject", made.subject)
    return structs.replace(
        made, subject=subject, data=structs.replace(made.data, quantities={"input-tokens": quantity}, **fields)
    )


def rate(side: Side | Recorded, *events: UsageEvent) -> Rater:
    rater = Rater(side)
    for made in events:
        rater.take(Call(made))
    return rater


def report(after: Catalog, before: Catalog | None, *events: UsageEvent) -> dict[str, Any]:
    baseline = side_of(rate(Side(before), *events), WINDOW) if before else None
    return compared(side_of(rate(Side(after), *events), WINDOW), baseline)


def total(found: dict[str, Any]) -> Any:
    return [(row["before"], row["after"], row["change"], row["percent"]) for row in found["totals"]]


def test_before_and_after() -> None:
    usage = [made_up_event(number, 50) for number in range(50)]
    found = report(catalog(price(amount="3")), catalog(price()), *usage)
    tokens = [Fraction(0), Fraction(0)]
    for number, made in enumerate(usage):
        tokens[number % 2] += int(made.data.quantities["input-tokens"])
    cents = [round(amount / 1000 * 2 * 100) for amount in tokens]
    assert total(found)[0][0] == f"{sum(cents) // 100}.{sum(cents) % 100:02d}"
    assert total(found)[0][3] == "50"
    assert {row["customer"] for row in found["customers"]} == {"acme", "beta-labs"}
    assert found["leftovers"]["after"] == [
        {"product": "team", "metric": "output-tokens", "reason": "the product has no price for it", "events": 50}
        | {"quantity": str(sum(int(made.data.quantities["output-tokens"]) for made in usage))}
    ]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_tiers_are_those_of_the_period_whatever_the_order(quantities: list[int], order: random.Random) -> None:
    tiered = price(model="graduated", amount="0", per="1", tiers=TIERS, included="10")
    events = [event(f"e{n}", str(q), MARCH_MS + n * DAY_MS) for n, q in enumerate(quantities)]
    order.shuffle(events)
    found = report(catalog(tiered), None, *events)
    exact = cost(terms_of(tiered), Fraction(sum(quantities)))
    assert [Fraction(row["after"]) for row in found["totals"]] == ([exact] if sum(quantities) else [])


@pytest.mark.parametrize(
    ("aggregation", "charged"),
    [("sum", 12), ("count", 4), ("max", 5), ("last", 2), ("unique", 3)],
)
def test_every_aggregation(aggregation: Any, charged: int) -> None:
    events = [event("d", "2", MARCH_MS + 9), event("a", "3"), event("b", "5"), event("c", "2")]
    found = report(catalog(price(per="1", amount="1", aggregation=aggregation)), None, *events)
    assert found["totals"][0]["after"] == f"{charged}.00"


def test_conditions_are_asked_for_each_event() -> None:
    prices = (
        price("night", per="1", amount="1", when="local.hour < 6", priority=2),
        price("large", per="1", amount="100", when='model.startsWith("large")', priority=1),
        price("rest", per="1", amount="10000", when='model == "small"'),
    )
    events = [
        event("a", "1", MARCH_MS),
        event("b", "1", MARCH_MS + DAY_MS // 2, served_model="large-9"),
        event("c", "1", MARCH_MS + DAY_MS // 2, served_model="large-9"),
        event("d", "1", MARCH_MS + DAY_MS // 2, served_model="small"),
        event("e", "7", MARCH_MS + DAY_MS // 2, served_model="other"),
    ]
    found = report(catalog(*prices), None, *events)
    assert found["totals"][0]["after"] == "10201.00"
    (left,) = found["leftovers"]["after"]
    assert (left["reason"], left["events"], left["quantity"]) == ("no price applies", 1, "7")


def test_what_is_unknown_is_listed() -> None:
    strange = event("b", "5", subject="new")
    strange = structs.replace(strange, data=structs.replace(strange.data, product="gone"))
    other = event("c", "1")
    other = structs.replace(other, data=structs.replace(other.data, quantities={"images": "3"}))
    found = report(catalog(price()), catalog(), event("a", "1000"), strange, other)
    assert [(x["product"], x["metric"], x["reason"]) for x in found["leftovers"]["after"]] == [
        ("gone", None, "unknown product"),
        ("team", "images", "unknown metric"),
    ]
    assert total(found) == [("0.00", "2.00", "2.00", None)]
    assert exceeded(found["totals"], Fraction(10**6)) == found["totals"]


def test_declared_subscriptions_pay_fees_and_have_their_own_periods() -> None:
    fee = price("fee", model="flat", amount="31", per="1", metric="", seats=2)
    setup = price("setup", model="flat", amount="500", per="1", metric="", one_off=True)
    declared = Subscription(name="acme", product="team", customer="acme", starts_at="2026-03-17T00:00:00+00:00")
    found = report(catalog(fee, setup, subscriptions=(declared,)), None)
    assert found["totals"][0]["after"] == "30.00"  # 15 of the 31 days from 17 March to 17 April, for two seats


def test_a_ledger_is_rated_by_what_was_pinned() -> None:
    middle = MARCH_MS + 10 * DAY_MS
    pins = (
        Pin(price(version="1", per="1", amount="1"), MARCH_MS, middle),
        Pin(price(version="2", per="1", amount="10"), middle),
    )
    calendar = Calendar(MARCH_MS)
    known = Known("acme", "acme", "team", "USD", calendar, MARCH_MS, None, pins)
    events = [event("a", "2"), event("b", "3", middle)]
    before = side_of(rate(Recorded({"acme": known}), *events), WINDOW)
    after = side_of(rate(Side(catalog(price(per="1", amount="5")), {"acme": known}), *events), WINDOW)
    assert total(compared(after, before)) == [("32.00", "25.00", "-7.00", "-21.88")]
    ended = replace(known, ended_ms=middle)
    assert total(compared(side_of(rate(Recorded({"acme": ended}), events[0]), WINDOW), None))[0][1] == "2.00"


def test_margins_are_of_prices_that_declare_a_cost() -> None:
    found = report(catalog(price(per="1", amount="5", cost="2")), catalog(price(per="1")), event("a", "10"))
    assert found["margins"] == [
        {
            "currency": "USD",
            "before": None,
            "after": {"revenue": "50.00", "cost": "20.00", "margin": "30.00", "percent": "60"},
        }
    ]


def test_recomputing_counts_what_it_keeps() -> None:
    endpoint = Endpoint(id="llm/chat", method="POST", path="/chat", pattern="/chat", format="openai_completions")
    api = Api(
        name="llm",
        mode="stream",
        on_incomplete="estimate",
        force_usage=False,
        max_request_bytes=1,
        default_max_output_tokens=1,
        endpoints=(endpoint,),
    )
    usage = MetricUsage(endpoints=("llm/chat",), quantity="usage().input * 2", when="response.statusCode < 300")
    header = MetricUsage(endpoints=("llm/chat",), quantity='double(response.headers["x-units"])', when="true")
    metrics = (
        Metric(name="input-tokens", unit="token", usage=(usage,)),
        Metric(name="output-tokens", unit="token", usage=(header,)),
    )
    recomputer = Recomputer(Catalog(apis=(api,), metrics=metrics))
    made = made_up_event(3, 10)
    again = recomputer.apply(made)
    assert int(again.data.quantities["input-tokens"]) == 2 * int(made.data.quantities["input-tokens"])
    assert again.data.quantities["output-tokens"] == made.data.quantities["output-tokens"]
    assert (recomputer.changed, recomputer.kept) == (1, 1)
    bare = structs.replace(made, data=structs.replace(made.data, usage=None))
    assert recomputer.apply(bare) is bare
    assert recomputer.kept == 3


@pytest.mark.parametrize("quantity", ["NaN", "x", "1e999", "", "-1", "9" * 25])
def test_quantities_that_are_no_numbers_are_refused(quantity: str) -> None:
    with pytest.raises(EventError, match="input-tokens"):
        Call(event("a", quantity))
