"""Which price charges a call."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.billing.builders import make_event, make_price
from tollgate_core.catalog import Price
from tollgate_core.errors import ExpressionError
from tollgate_core.pricing.selection import choose, event_variables, in_order, may_apply, try_condition


def chosen(*prices: Price, zone: str = "UTC", quantity: str = "10", **event: Any) -> str | None:
    found = choose(in_order(prices), event_variables(make_event("e", **event), zone), Decimal(quantity))
    return found.name if found else None


DEFAULT = make_price(name="default")
LARGE = make_price(name="large", when='model.startsWith("gpt-5") && !model.contains("mini")')


@pytest.mark.parametrize(
    ("requested", "served", "expected"),
    [
        ("gpt-5", "gpt-5-2026-01-01", "large"),
        ("gpt-5", "", "large"),
        ("gpt-5-mini", "", "default"),
        ("gpt-5", "gpt-5-mini", "default"),
        ("", "", "default"),
    ],
)
def test_the_served_model_decides_and_the_requested_one_where_it_is_not_known(
    requested: str, served: str, expected: str
) -> None:
    assert chosen(DEFAULT, LARGE, requested_model=requested, served_model=served) == expected


def test_without_a_fallback_an_unknown_model_has_no_price() -> None:
    assert chosen(LARGE, requested_model="llama") is None


def test_priority_then_name_decide_among_conditions_that_hold() -> None:
    a, b = make_price(name="a", when="true"), make_price(name="b", when="streamed || !streamed")
    assert chosen(DEFAULT, b, a) == "a"
    assert chosen(DEFAULT, a, make_price(name="z", when="true", priority=5)) == "z"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("inputTokens > 200000", "special"),
        ("inputTokens > 300000", "default"),
        ('serviceTier == "batch"', "special"),
        ("dimensions.cache_read == 150000", "special"),
        ("dimensions.reasoning > 0", "default"),
        ("usage.completion_tokens > 5", "special"),
        ("usage.not_there > 5", "default"),
        ("quantity >= 10", "special"),
        ('api == "api" && endpoint == "api/chat"', "special"),
        ("time < timestamp('2097-01-31T02:00:00Z')", "special"),
        ("local.hour == 6 && local.weekday == 4", "special"),
    ],
)
def test_context_size_tier_cache_and_time_of_day(when: str, expected: str) -> None:
    special = make_price(name="special", when=when)
    usage = {"completion_tokens": 9, "service_tier": "batch"}
    dimensions = {"input": 100_000, "cache_read": 150_000, "output": 9}
    assert chosen(DEFAULT, special, zone="Asia/Kathmandu", usage=usage, dimensions=dimensions) == expected


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("model ==", "failed to parse"),
        ("modle == 'x'", "unknown variable 'modle'"),
        ("model", "must give a bool"),
        ("usage.items.exists(i, i > 1)", "takes no all"),
        ("request.json.x", "unknown variable 'request'"),
        ("usage()", "unknown function usage"),
    ],
)
def test_a_condition_that_cannot_work_is_refused(when: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match="(?i)" + reason.replace("(", r"\(")):
        try_condition(when)


@pytest.mark.parametrize(
    ("when", "model", "expected"),
    [
        ('requestedModel == "a"', "a", True),
        ('requestedModel == "a"', "b", False),
        ("inputTokens > 5", "b", True),
        ("", "b", True),
        ("streamed", "b", False),
    ],
)
def test_what_can_be_known_before_the_call(when: str, model: str, expected: bool) -> None:
    price = make_price(when=when)
    assert may_apply(price, "api/chat", "openai_completions", model, streamed=False) is expected
