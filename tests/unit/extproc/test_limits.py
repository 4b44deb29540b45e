"""Kinds of limits, what clients are told of them, and how a shorter answer is found: the pure parts."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.extproc.test_gate import demanded, plan, subscription
from tollgate_core.admission import Admission, CounterReference
from tollgate_core.catalog import MetricLimit, Product, RateLimit, effective_limit
from tollgate_core.metering import Observation, usage_event
from tollgate_core.metering.record import settle_request
from tollgate_core.redis_contract import WALLET_METRIC, Keys, Limit
from tollgate_extproc.gate.clamping import affordable
from tollgate_extproc.gate.limits import Demands, Estimate
from tollgate_extproc.gate.standings import Standing, limit_headers
from tollgate_extproc.gate.subscriptions import OwnLimit, Subscription, Wallet

NOW = 1_795_000_000_000
UNITS = st.integers(1, 10**9).map(float)


def of(*limits: MetricLimit, rates: tuple[RateLimit, ...] = (), who: Subscription | None = None) -> Demands:
    product = Product(name="p", version="v", endpoints=("openai/chat",), limits=limits, rate_limits=rates)
    return demanded(product, plan(), Estimate(100, 900), NOW, who)


def limited(**fields: Any) -> MetricLimit:
    return MetricLimit(**{"metric": "tokens", "limit": 500, "interval": "month", **fields})


@given(UNITS, st.tuples(UNITS, UNITS).map(sorted), st.none() | UNITS)
def test_an_own_limit_is_never_outside_of_the_bounds(units: float, bounds: list[float], own: float | None) -> None:
    found = effective_limit(limited(limit=units, least=bounds[0], most=bounds[1]), own)
    if own is None:
        assert found == units
    else:
        assert bounds[0] <= found <= bounds[1]
        assert found == own or not bounds[0] <= own <= bounds[1]
    assert effective_limit(limited(limit=units), own) == units


def test_an_own_limit_takes_the_place_of_its_scope_s_limit() -> None:
    who = subscription(own_limits=(OwnLimit("tokens", "subscription", 700), OwnLimit("tokens", "key", 40)))
    limits = (limited(least=1, most=600), limited(limit=50, per_key=True, least=1, most=60), limited(metric="other"))
    assert [(limit.name, limit.limit, limit.cost) for limit in of(*limits, who=who).limits] == [
        ("tokens", 600, 600),
        ("tokens/key", 40, 40),
    ]


def test_a_soft_limit_holds_all_that_the_call_may_use() -> None:
    [found] = of(limited(soft=True)).limits
    assert (found.soft, found.limit, found.cost) == (True, 500, 1000)


def test_limits_of_a_key_have_keys_of_their_own_in_the_same_slot() -> None:
    rates = tuple(
        RateLimit(name=kind, kind=kind, amount=5, window_ms=1000, burst=5, per_key=True)
        for kind in ("requests", "concurrency")
    )
    mine, other = (subscription(key_hash=sign * 40) for sign in "ab")
    for limit, same, elsewhere in zip(
        of(limited(per_key=True), rates=rates, who=mine).limits,
        of(limited(per_key=True), rates=rates, who=mine).limits,
        of(limited(per_key=True), rates=rates, who=other).limits,
        strict=True,
    ):
        assert limit.key == same.key != elsewhere.key
        assert "a" * 16 in limit.key
        assert "a" * 17 not in limit.key
        assert re.findall(r"\{p\d\}", limit.key) == re.findall(r"\{p\d\}", elsewhere.key)


def test_the_settlement_counts_towards_the_key_that_called() -> None:
    counters = (CounterReference("tokens", 5, 9), CounterReference("tokens", 5, 9, per_key=True))
    admission = Admission(
        "id", 6, 3, "s", "c", "p", "v", "h", "openai/chat", "m", False, 10, counters=counters, api_key="abc"
    )
    assert Admission.decode(admission.encode()) == admission
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    seen = Observation(witness="meter", ending="complete", ended_ms=7, status=200, usage=usage, terminal=True)
    event = usage_event(admission, plan(), seen)
    assert event.data.api_key == "abc"
    uses = settle_request(admission, event, final=True).counters
    assert [(use.key, use.quantity) for use in uses] == [
        (Keys.counter("s", "tokens", 5), 7),
        (Keys.counter("s", "tokens", 5, "abc"), 7),
    ]


def test_an_admission_record_of_an_earlier_version_is_read() -> None:
    text = '["id",6,3,"s","c","p","v","h","e","m",false,10,[],[["tokens",5,9,{}]],{}]'
    found = Admission.decode(text)
    assert (found.api_key, found.counters[0].per_key) == ("", False)


def test_headers_of_every_kind_of_limit() -> None:
    rates = (RateLimit(name="c", kind="concurrency", amount=3, per_key=True),)
    who = subscription(wallet=Wallet(limit=10, currency="USD", overdraft=2.5))
    limits = of(limited(), limited(soft=True, per_key=True, limit=0.5), rates=rates, who=who).limits
    credit = Limit(kind="counter", name="credit", key="k", limit=10, cost=1, metric=WALLET_METRIC)
    left = [Standing(1, 1000), Standing(123.4567, 2500), Standing(-7, 2500), Standing(1.239, 1)]
    headers = limit_headers((*limits, credit), left, who)
    assert headers == {
        "ratelimit-policy": '"c";q=3;qu="concurrent-requests";pk=:YWJhYmFiYWJhYmFiYWJhYg==:, '
        '"tokens";q=500;w=2592000, "tokens/key";q=0;w=2592000;pk=:YWJhYmFiYWJhYmFiYWJhYg==:',
        "ratelimit": '"c";r=1;t=1;pk=:YWJhYmFiYWJhYmFiYWJhYg==:, "tokens";r=123;t=3, '
        '"tokens/key";r=0;t=3;pk=:YWJhYmFiYWJhYmFiYWJhYg==:',
        "x-tollgate-quota": '"tokens";type=hard;limit=500;used=376.543;remaining=123.457;reset=3, '
        '"tokens/key";type=soft;limit=0.5;used=7.5;remaining=0;reset=3',
        "x-tollgate-credit": "-1.27 USD",
    }
    assert limit_headers((), (), who) == {}


@pytest.mark.parametrize(
    ("currency", "left", "shown"),
    [("JPY", 12.9, "12 JPY"), ("KWD", 0.3, "0.300 KWD"), ("USD", 0.1 + 0.2, "0.30 USD"), ("USD", -1e-17, "0.00 USD")],
)
def test_credit_is_told_in_the_currency_s_own_units(currency: str, left: float, shown: str) -> None:
    who = subscription(wallet=Wallet(limit=100, currency=currency))
    credit = Limit(kind="counter", name="credit", key="k", limit=100, cost=1, metric=WALLET_METRIC)
    assert limit_headers((credit,), (Standing(left, 1),), who) == {"x-tollgate-credit": shown}


def find(costs: dict[int, float], least: int, most: int, credit: float) -> tuple[int | None, int]:
    asked = 0

    async def cost(tokens: int) -> float | None:
        nonlocal asked
        asked += 1
        return costs[tokens]

    return asyncio.run(affordable(cost, least, most, credit)), asked


@given(st.lists(st.integers(0, 50), min_size=3, max_size=300), st.integers(-10, 4000), st.integers(1, 20))
def test_the_longest_answer_is_found_whatever_the_cost(steps: list[int], credit: int, least: int) -> None:
    total, costs = 0.0, dict[int, float]()
    for number, step in enumerate(steps):
        total += step
        costs[least + number] = total
    most = least + len(steps) - 1
    found, asked = find(costs, least, most, credit)
    paid = [tokens for tokens, cost in costs.items() if cost <= credit and tokens < most]
    assert found == (paid[-1] if paid else None)
    assert asked <= 2 + 2 * len(steps).bit_length() + 2


@given(st.floats(1e-9, 10), st.floats(0, 100), st.integers(2, 200_000), st.floats(0, 1))
def test_a_straight_line_takes_a_few_questions(per_token: float, prompt: float, most: int, share: float) -> None:
    asked = 0

    async def cost(tokens: int) -> float | None:
        nonlocal asked
        asked += 1
        return prompt + per_token * tokens

    credit = prompt + per_token * most * share * 0.999
    found = asyncio.run(affordable(cost, 1, most, credit))
    if found is None:
        assert prompt + per_token > credit
    else:
        assert prompt + per_token * found <= credit
        assert found + 1 == most or prompt + per_token * (found + 1) > credit
    assert asked <= 12


def test_what_cannot_be_known_is_not_shortened() -> None:
    async def cost(tokens: int) -> float | None:
        return None if tokens > 5 else 1.0

    assert asyncio.run(affordable(cost, 1, 10, 100)) is None
