"""The gate's pure parts: keys, transformations, rejections, limits, denials, what goes up."""

import asyncio
import json
import os
from typing import Any

import pytest

from tollgate_core.admission import Admission
from tollgate_core.api_keys import make_api_key
from tollgate_core.catalog import (
    Api,
    Endpoint,
    Metric,
    MetricLimit,
    MetricUsage,
    Product,
    RateLimit,
    Rejection,
    Transformation,
)
from tollgate_core.metering import EndpointPlan
from tollgate_core.pricing import Calendar
from tollgate_core.redis_contract import partition_of
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.gate.admit import Verdict, denial_of
from tollgate_extproc.gate.credentials import ApiKey, find_api_key
from tollgate_extproc.gate.denial import Denial, immediate_response
from tollgate_extproc.gate.limits import Demands, Estimate, demands, estimate, estimated_quantities
from tollgate_extproc.gate.request import Request
from tollgate_extproc.gate.standings import Standing, limit_headers
from tollgate_extproc.gate.subscriptions import Subscription
from tollgate_extproc.gate.transform import Rejector, Transformer
from tollgate_extproc.gate.upstream import upstream_request
from tollgate_extproc.metrics import Metrics

KEY, OTHER = make_api_key(os.urandom(24)), make_api_key(os.urandom(24))


def request(
    headers: dict[str, str] | None = None, query: str = "", body: Any = None, path: str = "/openai/v1/chat"
) -> Request:
    found = Request("POST", path, query, {":method": "POST", **(headers or {})}, "192.0.2.1")
    if body is not None:
        found.receive_body(body if isinstance(body, bytes) else json.dumps(body).encode())
    return found


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {KEY}"}, ""),
        ({"authorization": f"bearer  {KEY}"}, ""),
        ({"authorization": KEY}, ""),
        ({"x-api-key": KEY}, ""),
        ({"api-key": KEY}, ""),
        ({"x-goog-api-key": KEY}, ""),
        ({}, f"alt=sse&key={KEY}"),
        ({"x-api-key": KEY, "authorization": f"Bearer {KEY}"}, ""),
    ],
    ids=["bearer", "other case", "bare", "x-api-key", "api-key", "x-goog-api-key", "query", "two alike"],
)
def test_a_key_is_found_wherever_an_sdk_puts_it(headers: dict[str, str], query: str) -> None:
    found = find_api_key(request(headers, query))
    assert isinstance(found, ApiKey)
    assert found.text == KEY
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"x-api-key": KEY, "authorization": f"Bearer {OTHER}"}, "ambiguous_api_key"),
        ({"x-api-key": KEY, "authorization": "Bearer nonsense"}, "ambiguous_api_key"),
        ({"authorization": "Bearer sk-123"}, "invalid_api_key"),
        ({"authorization": f"Bearer {KEY[:-1]}"}, "invalid_api_key"),
    ],
)
def test_other_credentials_are_refused(headers: dict[str, str], code: str) -> None:
    found = find_api_key(request(headers))
    assert isinstance(found, Denial)
    assert (found.status, found.code) == (401, code)


def step(target: Any, name: str, action: Any, kind: Any, text: str, *endpoints: str) -> Transformation:
    return Transformation(target=target, name=name, action=action, kind=kind, text=text, endpoints=endpoints)


async def transform(steps: list[Transformation], found: Request) -> bool:
    expressions = Expressions(Budget(), Metrics())
    try:
        return await Transformer(steps, "API openai", expressions).apply(found, "openai/chat")
    finally:
        await expressions.close()


def test_transformations_apply_in_order_and_see_earlier_ones() -> None:
    found = request({"x-a": "1"}, "q=1", {"stream": True, "model": "m"})
    steps = [
        step("header", "x-a", "add", "value", "2"),
        step("header", "x-b", "replace", "cel", 'request.headers["x-a"] + "!"'),
        step("query", "q", "remove", "none", ""),
        step("query", "r", "add", "jq", ".request.query | keys | length | tostring"),
        step("body", "", "replace", "jq", ".request.body | fromjson | .stream_options = {include_usage: true}"),
        step("header", "x-c", "replace", "value", "no", "other/endpoint"),
    ]
    assert asyncio.run(transform(steps, found))
    assert found.headers["x-a"] == "1,2"
    assert found.headers["x-b"] == "1,2!"
    assert found.query == {"r": "0"}
    assert found.json == {"stream": True, "model": "m", "stream_options": {"include_usage": True}}
    assert "x-c" not in found.headers


def test_expressions_see_no_credential() -> None:
    found = request({"authorization": f"Bearer {KEY}", "x-ok": "1"}, f"key={KEY}&a=1")
    assert KEY not in json.dumps(found.variables())


def test_the_first_rejection_rule_that_is_true_refuses() -> None:
    rules = [
        Rejection(when="request.json.missing.deep == 1", status=400, message="never"),
        Rejection(when='request.json.model == "old"', status=410, message="gone"),
    ]
    rejector = Rejector(rules, "API openai", Expressions(Budget(), Metrics()))
    denial = asyncio.run(rejector.reject(request(body={"model": "old"}), "openai/chat"))
    assert denial
    assert (denial.status, denial.message) == (410, "gone")
    assert asyncio.run(rejector.reject(request(body={"model": "new"}), "openai/chat")) is None


def plan(fmt: str | None = "openai_completions", **changes: Any) -> EndpointPlan:
    endpoint = Endpoint(id="openai/chat", method="POST", path="/v1/chat", pattern="/v1/chat", format=fmt)
    values: dict[str, Any] = {"force_usage": True, **changes}
    api = Api(
        name="openai",
        mode="stream",
        on_incomplete="estimate",
        max_request_bytes=1000,
        default_max_output_tokens=4096,
        endpoints=(endpoint,),
        **values,
    )
    usage = MetricUsage(
        endpoints=("openai/chat",), quantity="usage().total" if fmt else "1", when="response.statusCode == 200"
    )
    return EndpointPlan(api, endpoint, (Metric(name="tokens", unit="token", usage=(usage,)),))


def subscription(**changes: Any) -> Subscription:
    values: dict[str, Any] = {
        "name": "s",
        "partition": partition_of("s"),
        "revision": "1",
        "product": "p",
        "customer": "c",
        "calendar": Calendar(0),
        "key_hash": "ab" * 20,
    }
    return Subscription(**{**values, **changes})


def demanded(
    product: Product, plan: EndpointPlan, guess: Estimate, now_ms: int, of: Subscription | None = None
) -> Demands:
    async def work() -> dict[str, float]:
        return await estimated_quantities(plan, guess, {}, Expressions(Budget(), Metrics()))

    return demands(of or subscription(), product, plan, guess, asyncio.run(work()), now_ms)


def test_the_hold_is_the_metric_s_own_expression_over_the_estimate() -> None:
    body = {"messages": [{"role": "user", "content": "x" * 400}], "max_tokens": 50}
    guess = estimate(plan(), body, 450)
    assert guess.output == 50
    limit = MetricLimit(metric="tokens", limit=1000, interval="month")
    product = Product(name="p", version="v", endpoints=("openai/chat",), limits=(limit,))
    wanted = demanded(product, plan(), guess, 1_795_000_000_000)
    [found] = wanted.limits
    assert found.cost == guess.total
    [counter] = wanted.counters
    assert counter.period_start <= 1_795_000_000_000 < counter.period_end


@pytest.mark.parametrize(("hold", "cost"), [(10, 10), (0, 50), (99, 50)])
def test_a_hold_can_be_declared_and_never_exceeds_the_limit(hold: float, cost: float) -> None:
    limit = MetricLimit(metric="tokens", limit=50, interval="day", hold=hold)
    product = Product(name="p", version="v", endpoints=("openai/chat",), limits=(limit,))
    body = {"messages": [], "max_tokens": 500}
    [found] = demanded(product, plan(), estimate(plan(), body, 30), 1_000_000).limits
    assert found.cost == cost


def test_rate_limits_apply_to_their_endpoints() -> None:
    limits = (
        RateLimit(name="r", kind="requests", amount=60, window_ms=60_000, burst=10),
        RateLimit(name="elsewhere", kind="requests", amount=1, window_ms=1, burst=1, endpoints=("other/x",)),
        RateLimit(name="t", kind="tokens", amount=1000, window_ms=1000, burst=100),
        RateLimit(name="c", kind="concurrency", amount=3),
    )
    product = Product(name="p", version="v", endpoints=("openai/chat",), rate_limits=limits)
    found = demanded(product, plan(), estimate(plan(), {"messages": []}, 20), 1).limits
    assert [(limit.name, limit.cost) for limit in found] == [("r", 1), ("t", 100), ("c", 1)]
    headers = limit_headers(found, [Standing(9, 1000), Standing(0, 100), Standing(2, 1000)], subscription())
    assert headers["ratelimit-policy"] == '"r";q=10;w=10, "t";q=100;w=1, "c";q=3;qu="concurrent-requests"'
    assert headers["ratelimit"] == '"r";r=9;t=1, "t";r=0;t=1, "c";r=2;t=1'


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict("unknown_key"), 401),
        (Verdict("state", state="suspended"), 403),
        (Verdict("endpoint"), 403),
        (Verdict("limit", limit=1, retry=2500, limits=[{"remaining": 0, "reset": 1000}]), 429),
        (Verdict("cold"), 503),
    ],
)
def test_verdicts_have_their_status(verdict: Verdict, status: int) -> None:
    product = Product(
        name="p", version="v", endpoints=(), rate_limits=(RateLimit(name="c", kind="concurrency", amount=3),)
    )
    limits = demanded(product, plan(), estimate(plan(), {}, 2), 1).limits
    denial = denial_of(verdict, limits, subscription())
    assert denial.status == status
    if status == 429:
        response = immediate_response(denial, "openai_completions")
        headers = {h.header.key: h.header.raw_value.decode() for h in response.headers.set_headers}
        assert headers["retry-after"] == "3"
        assert headers["ratelimit"] == '"c";r=0;t=3'


@pytest.mark.parametrize(
    ("fmt", "path"),
    [
        ("openai_completions", ("error", "message")),
        ("anthropic_messages", ("error", "message")),
        ("gemini", ("error", "message")),
        ("ollama", ("error",)),
        (None, ("error", "message")),
    ],
)
def test_denials_have_the_shape_of_the_api(fmt: str | None, path: tuple[str, ...]) -> None:
    body: Any = json.loads(immediate_response(Denial(403, "no", "No, because."), fmt).body)
    for name in path:
        body = body[name]
    assert body == "No, because."


ADMISSION = Admission("id-1", 1, 3, "sub", "cust", "prod", "v1", "h", "openai/chat", "gpt", True, 10)


def test_the_upstream_gets_our_identity_and_no_credential_of_the_client() -> None:
    found = request(
        {"authorization": f"Bearer {KEY}", "x-billing-customer-id": "spoof", "x-keep": "1"}, f"key={KEY}&a=1", {}
    )
    up, _ = upstream_request(found, ADMISSION, plan(None), None, None)
    assert up.set_headers["x-billing-customer-id"] == "cust"
    assert up.set_headers["x-billing-subscription-id"] == "sub"
    assert up.set_headers["x-billing-request-id"] == "id-1"
    assert up.set_headers[":path"] == "/openai/v1/chat?a=1"
    assert "authorization" in up.remove_headers
    assert KEY not in json.dumps(dict(up.set_headers))


@pytest.mark.parametrize(
    ("body", "forced", "strip"),
    [
        ({"stream": True}, True, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, True, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, False, False),
    ],
)
def test_usage_is_forced_even_over_a_false_and_stripped_where_it_was_not_asked(
    body: dict[str, Any], forced: bool, strip: bool
) -> None:
    found = request(body=body)
    up, stripped = upstream_request(found, ADMISSION, plan(), body, dict(body))
    assert stripped == strip
    assert (up.body is not None) == forced
    if up.body:
        assert json.loads(up.body)["stream_options"]["include_usage"] is True


def test_usage_is_left_alone_where_the_api_says_so() -> None:
    body: dict[str, Any] = {"stream": True}
    up, strip = upstream_request(request(body=body), ADMISSION, plan(force_usage=False), body, dict(body))
    assert (up.body, strip) == (None, False)


def test_the_rest_of_a_query_stays_as_it_was_sent() -> None:
    found = request({}, f"ids=1&key={KEY}&ids=2&n=a%20b", {})
    up, _ = upstream_request(found, ADMISSION, plan(None), None, None)
    assert up.set_headers[":path"] == "/openai/v1/chat?ids=1&ids=2&n=a%20b"


def test_a_repeated_parameter_cannot_hide() -> None:
    assert request({}, "n=0&n=1000").query == {"n": "0,1000"}


def test_a_hold_covers_the_larger_bound_and_any_number_of_answers() -> None:
    body = {"messages": [], "max_completion_tokens": 1, "max_tokens": 100_000, "n": 10**9}
    assert estimate(plan(), body, 20).output >= 10**11
    limit = MetricLimit(metric="tokens", limit=5000, interval="month")
    product = Product(name="p", version="v", endpoints=("openai/chat",), limits=(limit,))
    [found] = demanded(product, plan(), estimate(plan(), body, 20), 1).limits
    assert found.cost == 5000
