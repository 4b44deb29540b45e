"""Prepaid products with clampOutput: a call that credit pays for in part gets a shorter answer, in every format, and
however many come at once never more is spent than there is."""

import asyncio
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.support.calls import CHAT, chat_body, headers
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, resource
from tollgate_cli.laptop.system import wait_for
from tollgate_core.redis_contract import Keys

APIS = ("openai", "anthropic", "gemini", "ollama", "mistral", "deepseek")
ENDPOINTS = [{"api": name} for name in APIS]
OUTPUT = "usage().output + usage().reasoning"
HI = [{"role": "user", "content": "Hi"}]


def metric(name: str, quantity: str) -> Document:
    return resource("BillableMetric", name, usage=[{"endpoints": ENDPOINTS, "quantity": quantity}])


def prepaid(name: str, metrics: dict[str, str], **wallet: Any) -> list[Document]:
    prices = [
        resource("Price", f"{name}-{m}", product=name, metric=m, currency="USD", model="standard", amount=amount)
        for m, amount in metrics.items()
    ]
    return [
        resource("Product", name, endpoints=ENDPOINTS, wallet={"clampOutput": True, **wallet}),
        *prices,
        *(resource("Subscription", f"sub-{name}{i}", product=name, customer={"id": "acme"}) for i in ("", "-2")),
    ]


@pytest.fixture(scope="module", params=["stream", pytest.param("native", marks=pytest.mark.slow)])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    documents = [
        *example_documents(request.param),
        metric("out", OUTPUT),
        metric("in", "usage().input"),
        metric("by-header", 'double(response.headers["x-units"])'),
        *prepaid("cents", {"out": "0.01"}),
        *prepaid("both", {"in": "0.01", "out": "0.01"}, overdraft="0.50"),
        *prepaid("unknown", {"out": "0.01", "by-header": "0.01"}),
    ]
    with Gateway(tmp_path_factory.mktemp("clamped"), documents) as running:
        yield running


def available(gateway: Gateway, name: str) -> Decimal:
    """By the gate's own count, without the overdraft."""
    wallet = json.loads(gateway.redis.hget(Keys.subscription(name), "record") or b"{}")["wallet"]
    counter = gateway.redis.hmget(Keys.wallet(name), ["used", "held"])
    taken = sum(float(part or 0) for part in counter)
    return Decimal(str(round(wallet["limit"] - wallet["overdraft"] - taken, 9)))


def set_credit(gateway: Gateway, name: str, amount: str) -> None:
    """Give so much that ``amount`` is available, once billing and gate agree on what there is."""
    gateway.compare()
    assert wait_for(lambda: gateway.holds() == 0, 15)

    def wallet() -> Any:
        return gateway.session.billing.get(f"/v1/subscriptions/{name}/wallet")

    assert wait_for(lambda: Decimal(wallet()["available"]) == available(gateway, name), 20)
    missing = Decimal(amount) - available(gateway, name)
    if missing == 0:
        return
    grant = {"id": f"{name}-{len(wallet()['grants'])}", "amount": str(missing), "source": "topUp"}
    gateway.session.billing.post(f"/v1/subscriptions/{name}/grants", grant)
    assert wait_for(lambda: available(gateway, name) == Decimal(amount), 10), available(gateway, name)


def post(gateway: Gateway, name: str, path: str, body: Any, tokens: int = 5000) -> httpx.Response:
    auth = headers(gateway, name, {"tokens": tokens})
    return httpx.post(gateway.url + path, headers=auth, json=body, timeout=30)


def sent(gateway: Gateway) -> Any:
    return json.loads(gateway.journal()[-1]["body"])


@pytest.mark.parametrize(
    ("path", "body", "bound"),
    [
        (CHAT, {"model": "gpt-5", "messages": HI}, lambda b: b["max_completion_tokens"]),
        (CHAT, {"model": "gpt-5", "messages": HI, "max_tokens": 900, "stream": True}, lambda b: b["max_tokens"]),
        ("/openai/v1/responses", {"model": "gpt-5", "input": "Hi"}, lambda b: b["max_output_tokens"]),
        (
            "/anthropic/v1/messages",
            {"model": "claude", "messages": HI, "max_tokens": 900},
            lambda b: b["max_tokens"],
        ),
        (
            "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
            lambda b: b["generationConfig"]["maxOutputTokens"],
        ),
        ("/ollama/api/chat", {"model": "llama3.3", "messages": HI}, lambda b: b["options"]["num_predict"]),
        ("/mistral/v1/chat/completions", {"model": "mistral-large", "messages": HI}, lambda b: b["max_tokens"]),
        ("/deepseek/chat/completions", {"model": "deepseek-chat", "messages": HI}, lambda b: b["max_tokens"]),
    ],
)
def test_every_format_is_clamped_to_what_the_credit_pays_for(
    gateway: Gateway, path: str, body: dict[str, Any], bound: Callable[[Any], int]
) -> None:
    set_credit(gateway, "sub-cents", "0.42")
    answer = post(gateway, "sub-cents", path, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-tollgate-output-clamped"] == "42"
    assert answer.headers["x-tollgate-credit"] == "0.00 USD"
    upstream = sent(gateway)
    assert bound(upstream) == 42
    assert {name: upstream[name] for name in ("model", "messages", "contents", "input") if name in upstream} == {
        name: body[name] for name in ("model", "messages", "contents", "input") if name in body
    }
    event = gateway.event(answer.headers["x-billing-request-id"])
    assert event["data"]["quantities"]["out"] == "42"
    refused = post(gateway, "sub-cents", path, body)
    assert refused.status_code == 402, refused.text
    assert refused.headers["x-tollgate-credit"] == "0.00 USD"
    assert "x-tollgate-output-clamped" not in refused.headers


def test_a_call_that_credit_pays_for_is_left_alone(gateway: Gateway) -> None:
    set_credit(gateway, "sub-cents", "0.50")
    answer = post(gateway, "sub-cents", CHAT, {"model": "gpt-5", "messages": HI, "max_tokens": 50})
    assert answer.status_code == 200
    assert "x-tollgate-output-clamped" not in answer.headers
    assert sent(gateway)["max_tokens"] == 50
    assert answer.headers["x-tollgate-credit"] == "0.00 USD"


def test_less_than_the_provider_s_minimum_is_refused(gateway: Gateway) -> None:
    set_credit(gateway, "sub-cents", "0.15")
    answer = post(gateway, "sub-cents", "/openai/v1/responses", {"model": "gpt-5", "input": "Hi"})
    assert answer.status_code == 402
    answer = post(gateway, "sub-cents", CHAT, {"model": "gpt-5", "messages": HI, "n": 4})
    assert answer.headers["x-tollgate-output-clamped"] == "12"
    assert sent(gateway)["max_completion_tokens"] == 3


def test_the_prompt_is_paid_first_and_the_overdraft_counts(gateway: Gateway) -> None:
    """0.30 and an overdraft of 0.50: 80 tokens, prompt and answer together."""
    set_credit(gateway, "sub-both", "0.30")
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "word " * 40}]}
    answer = post(gateway, "sub-both", CHAT, body)
    assert answer.status_code == 200, answer.text
    clamped = int(answer.headers["x-tollgate-output-clamped"])
    assert 10 <= clamped <= 30  # about 65 of the 80 are the prompt's
    assert answer.headers["x-tollgate-credit"] == "-0.50 USD"
    assert gateway.event(answer.headers["x-billing-request-id"])["data"]["quantities"]["out"] == str(clamped)


def test_a_quantity_that_nobody_can_estimate_is_not_clamped(gateway: Gateway) -> None:
    set_credit(gateway, "sub-unknown", "0.42")
    assert post(gateway, "sub-unknown", CHAT, {"model": "gpt-5", "messages": HI}).status_code == 402


def test_200_at_once_never_get_the_same_credit(gateway: Gateway) -> None:
    """5.00 pays for three answers of 150 tokens, and for one of 50."""
    name = "sub-cents-2"
    set_credit(gateway, name, "5.00")

    async def all_of_them() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=200)) as client:
            auth = headers(gateway, name, {"tokens": 5000})
            body = chat_body(max_tokens=150)
            return await asyncio.gather(*(client.post(gateway.url + CHAT, headers=auth, json=body) for _ in range(200)))

    answers = asyncio.run(all_of_them())
    served = [answer for answer in answers if answer.status_code == 200]
    clamped = [answer.headers.get("x-tollgate-output-clamped", "") for answer in served]
    assert sorted(clamped) == ["", "", "", "50"]
    assert {answer.status_code for answer in answers if answer not in served} == {402}
    gateway.compare()
    assert wait_for(lambda: gateway.holds() == 0, 15)
    quantities = [event["data"]["quantities"]["out"] for event in gateway.events(name)]
    assert sorted(map(int, quantities)) == [50, 150, 150, 150]
    assert wait_for(lambda: available(gateway, name) == 0, 15)
    assert float(gateway.redis.hget(Keys.wallet(name), "held") or 0) == 0


def test_many_at_once_with_answers_of_every_length(gateway: Gateway) -> None:
    """Answers end before their bound, holds come back, and later calls get them: the sum stays within the credit."""
    name = "sub-cents-2"
    set_credit(gateway, name, "3.00")

    async def all_of_them() -> list[int]:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=100)) as client:

            async def one(number: int) -> int:
                auth = headers(gateway, name, {"tokens": 1 + number % 37})
                body = chat_body(max_tokens=20 + number % 90)
                return (await client.post(gateway.url + CHAT, headers=auth, json=body)).status_code

            return await asyncio.gather(*(one(number) for number in range(200)))

    before = sum(int(event["data"]["quantities"]["out"]) for event in gateway.events(name))
    statuses = asyncio.run(all_of_them())
    assert set(statuses) <= {200, 402}
    gateway.compare()
    assert wait_for(lambda: gateway.holds() == 0, 15)
    after = sum(int(event["data"]["quantities"]["out"]) for event in gateway.events(name))
    assert 0 < after - before <= 300
    assert wait_for(lambda: available(gateway, name) == Decimal(300 - (after - before)) / 100, 15)


def test_official_sdks_take_a_clamped_answer(gateway: Gateway) -> None:
    set_credit(gateway, "sub-cents", "0.30")
    key = gateway.key("sub-cents")
    long = '[[sandbox {"tokens": 500}]] Hello!'
    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=key, max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-5", messages=[{"role": "user", "content": long}]
        )
        answer = raw.parse()
    assert raw.headers["x-tollgate-output-clamped"] == "30"
    assert answer.usage
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (30, "length")

    set_credit(gateway, "sub-cents", "0.20")
    with anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", api_key=key, max_retries=0) as other:
        with other.messages.stream(model="m", max_tokens=900, messages=[{"role": "user", "content": long}]) as stream:
            final = stream.get_final_message()
        assert stream.response.headers["x-tollgate-output-clamped"] == "20"
        assert (final.usage.output_tokens, final.stop_reason) == (20, "max_tokens")
        assert wait_for(lambda: available(gateway, "sub-cents") == 0, 15)
        with pytest.raises(anthropic.APIStatusError, match="Top it up") as refused:
            other.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.status_code == 402
