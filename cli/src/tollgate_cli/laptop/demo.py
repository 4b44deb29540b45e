"""The demo: real requests through the gateway, in every format the manifests offer, streamed and not.

Only endpoints whose upstream is the simulated one are called: nobody's real upstream gets demo traffic.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import httpx

from tollgate_core.catalog import Catalog, Endpoint
from tollgate_core.manifests.api import PATH_PARAMETER

_QUESTION = "Explain in one paragraph how a toll gate counts what passes"
_PARAMETERS = {"model": "gemini-2.5-pro", "version": "v1beta", "job": "demo"}


@dataclass(frozen=True)
class DemoCall:
    """One request of the demo."""

    subscription: str
    key: str
    endpoint: Endpoint
    streamed: bool
    reasoning: int = 0


def plan_calls(catalog: Catalog, keys: dict[str, str], simulated: set[str], count: int) -> list[DemoCall]:
    """``count`` calls over all subscriptions and their endpoints; ``simulated`` names APIs whose upstream is ours."""
    products = {product.name: product for product in catalog.products}
    endpoints = {endpoint.id: endpoint for api in catalog.apis for endpoint in api.endpoints if api.name in simulated}
    kinds = [
        DemoCall(subscription.name, keys[subscription.name], endpoints[name], streamed)
        for subscription in catalog.subscriptions
        if subscription.name in keys and subscription.product in products and not subscription.suspended
        for name in products[subscription.product].endpoints
        if name in endpoints
        for streamed in _variants(endpoints[name])
    ]
    return list(islice(cycle(kinds), count)) if kinds else []


def _variants(endpoint: Endpoint) -> Iterator[bool]:
    if endpoint.format == "gemini":
        yield "stream" in endpoint.path
    elif endpoint.format is None:
        yield False
    else:
        yield from (True, False)


def request_of(call: DemoCall, question: str = _QUESTION) -> tuple[str, str, dict[str, Any] | None]:
    """(method, path and query, JSON body)."""
    endpoint = call.endpoint
    path = PATH_PARAMETER.sub(lambda match: _PARAMETERS.get(match[1], "demo"), endpoint.path)
    messages = [{"role": "user", "content": question}]
    match endpoint.format:
        case None:
            return endpoint.method, path, {"units": 2} if endpoint.method != "GET" else None
        case "gemini":
            contents = [{"role": "user", "parts": [{"text": question}]}]
            return endpoint.method, path + ("?alt=sse" if call.streamed else ""), {"contents": contents}
        case "openai_responses":
            body: dict[str, Any] = {"model": "gpt-5-mini", "input": question}
        case "anthropic_messages":
            body = {"model": "claude-example", "max_tokens": 2048, "messages": messages}
        case "ollama" if "generate" in path:
            body = {"model": "llama3.3", "prompt": question}
        case "ollama":
            body = {"model": "llama3.3", "messages": messages}
        case "mistral":
            body = {"model": "mistral-large-latest", "messages": messages}
        case "deepseek":
            body = {"model": "deepseek-chat", "messages": messages}
        case _:
            body = {"model": "gpt-5-mini", "messages": messages}
    return endpoint.method, path, {**body, "stream": call.streamed}


async def send(gateway_url: str, calls: list[DemoCall], advance: Callable[[], None]) -> list[str]:
    """Send all, eight at a time; texts of what failed."""
    failures: list[str] = []
    queue = iter(calls)
    async with httpx.AsyncClient(base_url=gateway_url, timeout=60) as client:

        async def worker() -> None:
            for number, call in queue_items:
                failure = await _send_one(client, call, number)
                if failure:
                    failures.append(failure)
                advance()

        queue_items = enumerate(queue)
        await asyncio.gather(*(worker() for _ in range(8)))
    return failures


async def _send_one(client: httpx.AsyncClient, call: DemoCall, number: int) -> str | None:
    method, path, body = request_of(call)
    visible = 300 + number % 7 * 100
    within = 0 if call.endpoint.format == "gemini" else call.reasoning  # Gemini counts it beside the output
    script = {"tokens": visible + within, "delay_ms": 1, "reasoning": call.reasoning}
    headers = {"authorization": f"Bearer {call.key}", "x-sandbox": json.dumps(script)}
    if call.endpoint.format is None:
        del headers["x-sandbox"]
    try:
        async with client.stream(method, path, json=body, headers=headers) as response:
            text = await response.aread()
    except httpx.HTTPError as error:
        return f"{call.endpoint.id}: {error!r}"
    return f"{call.endpoint.id}: {response.status_code} {text[:200].decode()}" if response.is_error else None
