"""Soft limits, limits of each API key, and limits of subscriptions' own, through a real gateway; and what the response
headers say of them."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.integration.test_limits import CALLS, TOKENS, product, used
from tests.support.calls import CHAT, chat_body
from tests.support.gateway import Gateway
from tests.support.manifests import example_documents
from tollgate_cli.laptop.system import wait_for
from tollgate_core.redis_contract import Keys

BOUNDS = {"min": "2", "max": "40"}


@pytest.fixture(scope="module", params=["stream", pytest.param("native", marks=pytest.mark.slow)])
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    by_key = {"scope": "key"}
    documents = [
        *example_documents(request.param),
        CALLS,
        TOKENS,
        *product("soft", limits=[{"metric": "calls", "limit": "5", "enforcement": "soft", "hold": "9"}]),
        *product("keys", limits=[{"metric": "calls", "limit": "50", "limitPerKey": "20"}]),
        *product("key-rate", rateLimits=[{"name": "rpm", "requests": "4", "window": "1h", **by_key}]),
        *product("key-flight", rateLimits=[{"name": "parallel", "concurrency": 2, **by_key}]),
        *product("own", limits=[{"metric": "calls", "limit": "3", "adjustable": BOUNDS}]),
        *product("shown", limits=[{"metric": "all-tokens", "limit": "1000"}]),
    ]
    with Gateway(tmp_path_factory.mktemp("kinds"), documents) as running:
        yield running


async def at_once(gateway: Gateway, keys: list[str], script: str = "{}") -> dict[str, Counter[int]]:
    """One call of each of these keys; statuses by key."""
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=len(keys))) as client:

        async def one(key: str) -> tuple[str, int]:
            auth = {"authorization": f"Bearer {key}", "x-sandbox": script}
            return key, (await client.post(gateway.url + CHAT, headers=auth, json=chat_body())).status_code

        found: dict[str, Counter[int]] = {key: Counter() for key in keys}
        for key, status in await asyncio.gather(*(one(key) for key in keys)):
            found[key][status] += 1
        return found


def call(gateway: Gateway, subscription: str, **fields: Any) -> httpx.Response:
    auth = {"authorization": f"Bearer {gateway.key(subscription)}"}
    return httpx.post(gateway.url + CHAT, headers=auth, json=chat_body(**fields), timeout=30)


def quota(response: httpx.Response, name: str = "calls") -> dict[str, str]:
    """One item of x-tollgate-quota."""
    for item in response.headers["x-tollgate-quota"].split(", "):
        title, *pairs = item.split(";")
        if title == f'"{name}"':
            return dict(pair.split("=") for pair in pairs)
    raise AssertionError(response.headers["x-tollgate-quota"])


def settled(gateway: Gateway) -> bool:
    gateway.compare()
    return wait_for(lambda: gateway.holds() == 0, 15)


def held(gateway: Gateway, pattern: str) -> list[float]:
    return [float(gateway.redis.hget(key, "held") or 0) for key in gateway.redis.scan_iter(pattern)]


def test_a_soft_limit_refuses_none_of_200_and_counts_them_all(limited: Gateway) -> None:
    statuses = asyncio.run(at_once(limited, [limited.key("sub-soft")] * 200))
    assert statuses == {limited.key("sub-soft"): {200: 200}}
    assert settled(limited)
    assert used(limited, "sub-soft", "calls") == 200
    assert held(limited, "*counter:sub-soft:*") == [0]
    response = call(limited, "sub-soft")
    assert response.status_code == 200
    shown = quota(response)
    assert {name: shown[name] for name in ("type", "limit", "used", "remaining")} == {
        "type": "soft",
        "limit": "5",
        "used": "209",  # 200 counted, 9 held by this call
        "remaining": "0",
    }
    assert response.headers["ratelimit"].startswith('"calls";r=0;t=')


def test_200_at_once_of_two_keys_with_a_limit_each_and_one_together(limited: Gateway) -> None:
    first, second = limited.key("sub-keys"), limited.session.billing.create_key("sub-keys")
    statuses = asyncio.run(at_once(limited, [first, second] * 100))
    assert statuses == {first: {200: 20, 429: 80}, second: {200: 20, 429: 80}}
    assert settled(limited)
    assert used(limited, "sub-keys", "calls") == 40
    refused = call(limited, "sub-keys")
    assert refused.json()["error"]["message"].startswith("The limit of this API key of 20 for calls is used up")
    third = limited.session.billing.create_key("sub-keys")  # a rotated key is another key, of the same subscription
    assert asyncio.run(at_once(limited, [third] * 30)) == {third: {200: 10, 429: 20}}
    assert settled(limited)
    assert set(held(limited, "*counter:sub-keys:*")) == {0}
    for key in (first, second, third):
        assert not list(limited.redis.scan_iter(f"*{key}*"))


def test_a_key_is_told_of_its_own_limit(limited: Gateway) -> None:
    refused = call(limited, "sub-keys")
    assert refused.status_code == 429
    assert refused.json()["error"]["message"].startswith("The limit of 50 for calls is used up")
    assert quota(refused, "calls/key")["remaining"] == "0"
    assert quota(refused)["used"] == "50"
    policy = refused.headers["ratelimit-policy"]
    assert re.fullmatch(r'"calls";q=50;w=\d+, "calls/key";q=20;w=\d+;pk=:\w+=*:', policy), policy
    assert all(28 <= int(seconds) / 86_400 <= 31 for seconds in re.findall(r";w=(\d+)", policy))


def test_a_redis_that_lost_everything_knows_each_key_s_usage_again(limited: Gateway) -> None:
    assert settled(limited)

    def counters() -> dict[str, float]:
        found = limited.redis.scan_iter("*counter:sub-keys:*")
        return {key.decode(): float(limited.redis.hget(key, "used") or 0) for key in found}

    before = counters()
    assert sorted(before.values()) == [10, 20, 20, 50]
    limited.redis.flushall()
    assert wait_for(lambda: counters() == before, 30), counters()
    assert wait_for(lambda: call(limited, "sub-keys").status_code == 429, 15)


def test_each_key_has_its_own_bucket_and_its_own_calls_in_flight(limited: Gateway) -> None:
    for subscription, most, script in (("sub-key-rate", 4, "{}"), ("sub-key-flight", 2, '{"delay_ms": 40}')):
        keys = [limited.key(subscription), limited.session.billing.create_key(subscription)]
        statuses = asyncio.run(at_once(limited, keys * 8, script))
        assert statuses == {key: {200: most, 429: 8 - most} for key in keys}
    assert settled(limited)
    assert asyncio.run(at_once(limited, keys)) == {key: {200: 1} for key in keys}


def test_a_limit_of_its_own_applies_at_once_and_never_beyond_the_bounds(limited: Gateway) -> None:
    billing, path = limited.session.billing, "/v1/subscriptions/sub-own/limits/calls"
    assert quota(call(limited, "sub-own"))["limit"] == "3"
    billing.put(path, {"limit": "25"})
    assert wait_for(lambda: quota(call(limited, "sub-own"))["limit"] == "25", 10)
    key = limited.key("sub-own")
    statuses = asyncio.run(at_once(limited, [key] * 60))[key]
    assert settled(limited)
    assert used(limited, "sub-own", "calls") == 25
    assert statuses[429] > 0
    billing.delete(path)
    assert wait_for(lambda: quota(call(limited, "sub-own"))["limit"] == "3", 10)
    refused = call(limited, "sub-own")
    assert (refused.status_code, quota(refused)["used"], quota(refused)["remaining"]) == (429, "25", "0")


def test_the_header_shows_that_a_hold_was_released(limited: Gateway) -> None:
    first = quota(call(limited, "sub-shown", max_tokens=600), "all-tokens")
    assert settled(limited)
    second = quota(call(limited, "sub-shown", max_tokens=600), "all-tokens")
    taken = int(first["used"])
    assert taken > 600
    assert int(first["remaining"]) == 1000 - taken
    # The first call used 15 of the more than 600 tokens that it held.
    assert taken < int(second["used"]) < taken + 30
    assert first["type"] == "hard"
    assert 0 < int(second["reset"]) <= 31 * 86_400


def test_an_official_sdk_sees_the_headers(limited: Gateway) -> None:
    url = f"{limited.url}/openai/v1"
    with openai.OpenAI(base_url=url, api_key=limited.key("sub-soft"), max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-5", messages=[{"role": "user", "content": "Hello!"}]
        )
        assert raw.parse().choices
        assert raw.headers["x-tollgate-quota"].startswith('"calls";type=soft;limit=5;used=')
    with (
        openai.OpenAI(base_url=url, api_key=limited.key("sub-own"), max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello!"}])
    assert "remaining=0" in caught.value.response.headers["x-tollgate-quota"]


def test_no_key_of_redis_lies_in_another_partition(limited: Gateway) -> None:
    for key in limited.redis.scan_iter("*sub-keys*"):
        assert key.startswith(Keys.rate("sub-keys", "x").split("}")[0].encode() + b"}"), key
