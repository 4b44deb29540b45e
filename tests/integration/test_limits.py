"""Limits at admission: never one unit more than the hold policy allows, and every hold released."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.calls import CHAT, chat_body, headers
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for


def product(name: str, **spec: Any) -> list[Document]:
    return [
        resource("Product", name, endpoints=[{"api": "openai"}], **spec),
        resource("Subscription", f"sub-{name}", product=name, customer={"id": "acme"}),
    ]


CALLS = resource("BillableMetric", "calls", usage=[{"endpoints": [{"api": "openai"}], "quantity": "1"}])
TOKENS = resource(
    "BillableMetric", "all-tokens", usage=[{"endpoints": [{"api": "openai"}], "quantity": "usage().total"}]
)


@pytest.fixture(scope="module", params=["stream", pytest.param("native", marks=pytest.mark.slow)])
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    documents = [
        *example_documents(request.param),
        CALLS,
        TOKENS,
        *product("fifty-calls", limits=[{"metric": "calls", "limit": "50"}]),
        *product("few-tokens", limits=[{"metric": "all-tokens", "limit": "1000"}]),
        *product("declared-hold", limits=[{"metric": "all-tokens", "limit": "1000", "hold": "20"}]),
        *product("five-a-minute", rateLimits=[{"name": "rpm", "requests": "5", "window": "1m"}]),
        *product("three-at-once", rateLimits=[{"name": "parallel", "concurrency": 3}]),
        *product("slow-tokens", rateLimits=[{"name": "tpm", "tokens": "600", "window": "1h"}]),
    ]
    with Gateway(tmp_path_factory.mktemp("limited"), documents) as running:
        yield running


async def call_at_once(gateway: Gateway, subscription: str, count: int, script: Any = None, **fields: Any) -> list[int]:
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def one() -> int:
            auth = headers(gateway, subscription, script)
            return (await client.post(gateway.url + CHAT, headers=auth, json=chat_body(**fields))).status_code

        return await asyncio.gather(*(one() for _ in range(count)))


def used(gateway: Gateway, subscription: str, metric: str) -> float:
    events = gateway.events(subscription)
    return sum(float(event["data"].get("quantities", {}).get(metric, 0)) for event in events)


def test_200_at_once_against_a_limit_of_50(limited: Gateway) -> None:
    statuses = Counter(asyncio.run(call_at_once(limited, "sub-fifty-calls", 200)))
    assert statuses == {200: 50, 429: 150}
    limited.compare()
    assert used(limited, "sub-fifty-calls", "calls") == 50
    assert wait_for(lambda: limited.holds() == 0, 15)


def test_tokens_are_held_by_estimate_and_settled_by_what_was_used(limited: Gateway) -> None:
    """Each call holds its prompt and max_tokens (about 100), and uses 13: more get in once the first are settled."""
    first = Counter(
        asyncio.run(call_at_once(limited, "sub-few-tokens", 40, {"tokens": 10, "delay_ms": 50}, max_tokens=90))
    )
    assert 1 <= first[200] <= 1000 // 90
    limited.compare()
    assert wait_for(lambda: limited.holds() == 0, 15)
    second = Counter(asyncio.run(call_at_once(limited, "sub-few-tokens", 5, {"tokens": 10}, max_tokens=90)))
    assert second[200] >= 1
    limited.compare()
    assert used(limited, "sub-few-tokens", "all-tokens") <= 1000


def test_a_request_larger_than_the_limit_waits_for_an_empty_one(limited: Gateway) -> None:
    [status] = asyncio.run(call_at_once(limited, "sub-few-tokens", 1, {"tokens": 10}, max_tokens=100_000))
    assert status == 429


def test_a_declared_hold_replaces_the_estimate(limited: Gateway) -> None:
    statuses = Counter(asyncio.run(call_at_once(limited, "sub-declared-hold", 60, {"tokens": 17, "delay_ms": 20})))
    assert statuses[200] >= 50
    limited.compare()
    # Each admitted call used exactly the 20 tokens that it held.
    assert used(limited, "sub-declared-hold", "all-tokens") <= 1000


def test_requests_per_window(limited: Gateway) -> None:
    statuses = Counter(asyncio.run(call_at_once(limited, "sub-five-a-minute", 12)))
    assert statuses == {200: 5, 429: 7}
    response = loopback.post(limited.url + CHAT, headers=headers(limited, "sub-five-a-minute"), json=chat_body())
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 13
    assert response.headers["ratelimit"].startswith('"rpm";r=0;t=')
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


def test_calls_in_flight(limited: Gateway) -> None:
    statuses = Counter(asyncio.run(call_at_once(limited, "sub-three-at-once", 12, {"tokens": 20, "delay_ms": 40})))
    assert statuses == {200: 3, 429: 9}
    limited.compare()
    assert wait_for(lambda: limited.holds() == 0, 15)
    assert asyncio.run(call_at_once(limited, "sub-three-at-once", 3)) == [200, 200, 200]


def test_tokens_per_window_take_what_was_used(limited: Gateway) -> None:
    """The estimate of 403 tokens is taken at first; 13 used ones stay taken, so the next one fits too."""
    for _ in range(4):
        assert asyncio.run(call_at_once(limited, "sub-slow-tokens", 1, {"tokens": 10}, max_tokens=400)) == [200]
        limited.compare()
        assert wait_for(lambda: limited.holds() == 0, 15)
    assert asyncio.run(call_at_once(limited, "sub-slow-tokens", 1, {"tokens": 10}, max_tokens=590)) == [429]


def test_a_refusal_takes_nothing_from_any_limit(limited: Gateway) -> None:
    before = limited.redis.hgetall(next(k for k in limited.redis.scan_iter("*rate:sub-five-a-minute:rpm")))
    assert asyncio.run(call_at_once(limited, "sub-five-a-minute", 3)) == [429, 429, 429]
    after = limited.redis.hgetall(next(k for k in limited.redis.scan_iter("*rate:sub-five-a-minute:rpm")))
    assert before == after
