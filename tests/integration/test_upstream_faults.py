"""Upstreams that misbehave: what complete responses cost is exact, what broke off is labelled."""

import json
from typing import Any

import httpx
import pytest

from tests.support.calls import CHAT, chat, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tollgate_cli.laptop import loopback

SAME = {"tokens": 30}
HARMLESS = [
    {"drip_bytes": 7},
    {"drip_bytes": 1, "tokens": 5},
    {"split": [40, 41, 300, 305]},
    {"crlf": True},
    {"comments": True},
    {"multi_line_data": True},
    {"malformed_after": 3},
    {"big_event_bytes": 2 * 1024 * 1024},
    {"gzip": True},
    {"text": 'see "usage": {"prompt_tokens": 999999, "completion_tokens": 999999} and data: [DONE] there'},
    {"text": '```json\n{"choices": [], "usage": {"prompt_tokens": 999999}}\n```\n\ndata: {"choices":[],"usage":{}}'},
    {"tool": True, "tool_args": {"usage": {"prompt_tokens": 999999}, "choices": []}},
    {"cached": 2, "reasoning": 5},
]


@pytest.mark.parametrize("script", HARMLESS, ids=lambda s: json.dumps(s)[:40])
@pytest.mark.parametrize("stream", [True, False])
def test_what_does_not_change_the_usage_does_not_change_the_bill(
    gateway: Gateway, script: dict[str, Any], stream: bool
) -> None:
    response = chat(gateway, {**SAME, **script} if "text" not in script else script, stream=stream)
    assert response.status_code == 200
    event = gateway.event(request_id(response))
    truth = gateway.journal_entry(request_id(response))["usage"]
    assert event["data"]["quality"] == "exact"
    assert event["data"]["usage"]["prompt_tokens"] == truth["prompt_tokens"]
    assert event["data"]["usage"]["completion_tokens"] == truth["completion_tokens"]
    gateway.assert_exact()


ANTHROPIC_AND_OTHERS = [
    ("/anthropic/v1/messages", "acme-claude", {"max_tokens": 500}, "input_tokens"),
    ("/ollama/api/chat", "acme-open-models", {}, "prompt_eval_count"),
    ("/openai/v1/responses", "acme-openai", {"input": "count me in"}, "input_tokens"),
]


@pytest.mark.parametrize(("path", "subscription", "more", "field"), ANTHROPIC_AND_OTHERS)
@pytest.mark.parametrize(
    "script",
    [
        {"tool": True, "tool_args": {"usage": {"input_tokens": 999999}, "eval_count": 999999}},
        {"text": 'event: error "usage": {"input_tokens": 999999, "eval_count": 999999} done'},
        {"drip_bytes": 3},
        {"gzip": True},
    ],
    ids=lambda s: json.dumps(s)[:30],
)
@pytest.mark.parametrize("stream", [True, False])
def test_other_formats_count_only_what_the_provider_reports(
    gateway: Gateway, path: str, subscription: str, more: Any, field: str, script: Any, stream: bool
) -> None:
    body = {**chat_body(stream), **more, "tools": [{"type": "function", "function": {"name": "f"}, "name": "f"}]}
    if "input" in more:
        del body["messages"]
    response = loopback.post(gateway.url + path, headers=headers(gateway, subscription, script), json=body, timeout=60)
    assert response.status_code == 200, response.text
    event = gateway.event(request_id(response))
    assert event["data"]["usage"][field] == gateway.journal_entry(request_id(response))["usage"][field]
    gateway.assert_exact()


@pytest.mark.parametrize("status", [429, 500])
def test_an_error_of_the_upstream_costs_nothing_and_reaches_the_client(gateway: Gateway, status: int) -> None:
    response = chat(gateway, {"fail_status": status})
    assert response.status_code == status
    data = gateway.event(request_id(response))["data"]
    assert (data["outcome"], data["quality"], data.get("quantities", {})) == ("error_response", "exact", {})


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"usage": "missing"}, "no usage"),
        ({"usage": "null"}, "no usage"),
        ({"usage": "negative"}, "negative"),
        ({"usage": "string"}, "not a"),
        ({"usage": "huge"}, "larger"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_usage_that_cannot_be_trusted_is_estimated_and_says_why(
    gateway: Gateway, script: dict[str, Any], reason: str, stream: bool
) -> None:
    response = chat(gateway, {**SAME, **script}, stream=stream)
    data = gateway.event(request_id(response))["data"]
    assert (data["quality"], data["outcome"]) == ("estimated", "completed")
    assert data["usage"]["prompt_tokens"] > 0
    assert all(float(value) < 10_000 for value in data["quantities"].values())


@pytest.mark.parametrize("script", [{"reset_after": 5}, {"half_event": True}, {"error_event_after": 4}])
def test_a_stream_that_the_upstream_breaks_off_is_labelled(gateway: Gateway, script: dict[str, Any]) -> None:
    body, auth = chat_body(), headers(gateway, "acme-openai", {**SAME, **script})
    request = ""
    try:
        with loopback.stream("POST", gateway.url + CHAT, json=body, headers=auth, timeout=30) as response:
            request = request_id(response)
            response.read()
    except httpx.RemoteProtocolError:
        assert "reset_after" in script
    data = gateway.event(request)["data"]
    assert data["outcome"] == "upstream_error"
    assert data["quality"] in {"partial", "estimated"}


def test_an_upstream_that_is_not_there_is_told_so(gateway: Gateway) -> None:
    response = chat(gateway, {"reset_after": 0}, stream=False)
    assert response.status_code in {502, 503}
    assert response.json()["error"]["message"]
    data = gateway.event(request_id(response))["data"]
    assert (data["outcome"], data.get("quantities", {})) == ("error_response", {})


@pytest.mark.parametrize("events", [0, 1, 2, 5, 9])
def test_a_client_that_leaves_at_any_chunk_is_labelled(gateway: Gateway, events: int) -> None:
    name = f"gone-{events}-{gateway.system.gateway_port}"
    script = {**SAME, "hold": name, "delay_ms": 5}
    auth = headers(gateway, "acme-openai", script)
    with loopback.stream("POST", gateway.url + CHAT, json=chat_body(), headers=auth, timeout=30) as response:
        request = request_id(response)
        seen = 0
        for text in response.iter_lines() if events else ():
            seen += text.startswith("data:")
            if seen >= events:
                break
    data = gateway.event(request)["data"]
    assert data["outcome"] == "client_aborted"
    assert data["quality"] in {"partial", "estimated", "exact"}
    loopback.post(f"{gateway.system.sandbox_url}/sandbox/release/{name}")


def test_a_plain_api_is_billed_by_its_response_header(gateway: Gateway) -> None:
    response = loopback.post(
        f"{gateway.url}/compute/v1/compute/job-1", headers=headers(gateway, "beta-compute"), json={"units": 3}
    )
    assert gateway.event(request_id(response))["data"]["quantities"] == {"cpu-seconds": "0.75"}


def test_nothing_is_held_after_all_this(gateway: Gateway) -> None:
    gateway.compare()
    assert gateway.holds() == 0
