"""Requests that must not reach an upstream, and what their senders are told."""

import json
import os
from typing import Any

import httpx
import pytest

from tests.support.calls import CHAT, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tollgate_cli.laptop import loopback
from tollgate_core.api_keys import make_api_key


def error(response: httpx.Response) -> tuple[int, str]:
    """(status, code) in OpenAI's shape."""
    return response.status_code, response.json()["error"]["code"]


def post(gateway: Gateway, path: str = CHAT, **more: Any) -> httpx.Response:
    return loopback.post(gateway.url + path, timeout=30, **more)


@pytest.fixture(autouse=True)
def upstream_sees_nothing(gateway: Gateway) -> Any:
    before = len(gateway.journal())
    yield
    assert len(gateway.journal()) == before


def test_no_key(gateway: Gateway) -> None:
    response = post(gateway, json=chat_body())
    assert error(response) == (401, "missing_api_key")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_well_formed_key_that_nobody_issued(gateway: Gateway) -> None:
    key = make_api_key(os.urandom(24))
    assert error(post(gateway, headers={"authorization": f"Bearer {key}"}, json=chat_body()))[0] == 401


def test_two_keys_at_once(gateway: Gateway) -> None:
    both = {**headers(gateway, "acme-openai"), "x-api-key": gateway.key("acme-claude")}
    assert error(post(gateway, headers=both, json=chat_body())) == (401, "ambiguous_api_key")


def test_a_revoked_key_is_refused_at_once(gateway: Gateway) -> None:
    created = gateway.session.billing.post("/v1/subscriptions/acme-openai/keys", {"label": "short-lived"})
    auth = {"authorization": f"Bearer {created['key']}"}
    assert post(gateway, headers=auth, json={"model": "gpt-retired"}).status_code == 400
    url = f"{gateway.system.api_url}/v1/subscriptions/acme-openai/keys/{created['id']}"
    admin = {"authorization": f"Bearer {gateway.system.secrets.admin_token}"}
    assert loopback.delete(url, headers=admin).is_success
    assert error(post(gateway, headers=auth, json=chat_body())) == (401, "invalid_api_key")


def test_an_endpoint_that_the_product_does_not_include(gateway: Gateway) -> None:
    response = post(gateway, "/anthropic/v1/messages", headers=headers(gateway, "acme-openai"), json=chat_body())
    assert response.status_code == 403
    assert response.json()["error"]["type"] == "permission_error"


@pytest.mark.parametrize("path", ["/openai/v1/embeddings", "/openai/", "/nowhere", "/openai/v1/chat/completions/x"])
def test_a_path_outside_the_product(gateway: Gateway, path: str) -> None:
    assert error(post(gateway, path, headers=headers(gateway, "acme-openai"), json={}))[0] == 404
    assert error(post(gateway, path, json={}))[0] == 401


@pytest.mark.parametrize("path", ["/openai/v1/../../anthropic/v1/messages", "/openai//v1/chat/completions%2fx"])
def test_paths_that_try_to_escape(gateway: Gateway, path: str) -> None:
    assert post(gateway, path, headers=headers(gateway, "acme-openai"), json={}).status_code in {400, 403, 404}


def test_another_method(gateway: Gateway) -> None:
    response = loopback.get(gateway.url + CHAT, headers=headers(gateway, "acme-openai"))
    assert error(response) == (404, "unknown_endpoint")


@pytest.mark.parametrize("body", [b"{not json", b"[1]", b'"x"', b"", b"\xff\xfe"])
def test_a_body_that_is_no_json_object(gateway: Gateway, body: bytes) -> None:
    response = post(gateway, headers=headers(gateway, "acme-openai"), content=body)
    assert error(response) == (400, "invalid_json")


def test_a_body_over_the_limit_by_its_length(gateway: Gateway) -> None:
    response = post(gateway, headers=headers(gateway, "acme-openai"), content=b"x" * (10 * 2**20 + 1))
    assert error(response) == (413, "request_too_large")


def test_a_body_over_the_limit_in_chunks(gateway: Gateway) -> None:
    def chunks() -> Any:
        for _ in range(11):
            yield b"x" * 2**20

    try:
        response = post(gateway, headers=headers(gateway, "acme-openai"), content=chunks())
    except httpx.WriteError:
        return  # Envoy answered and closed while the client was still sending
    assert response.status_code == 413
    assert response.json()["error"]["message"]


def test_a_rejection_rule(gateway: Gateway) -> None:
    response = post(gateway, headers=headers(gateway, "acme-openai"), json=chat_body(model="gpt-retired"))
    assert error(response) == (400, "request_rejected")
    assert "use gpt-5-mini" in response.json()["error"]["message"]


def test_a_websocket_upgrade(gateway: Gateway) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x", "sec-websocket-version": "13"}
    response = loopback.get(gateway.url + CHAT, headers={**headers(gateway, "acme-openai"), **upgrade})
    assert response.status_code in {403, 404}


def test_denials_count_nothing(gateway: Gateway) -> None:
    assert gateway.holds() == 0
    assert not [e for e in gateway.events() if e["data"]["statusCode"] in {401, 403, 404, 413}]


class TestWhatTheUpstreamSees:
    @pytest.fixture(autouse=True)
    def upstream_sees_nothing(self) -> None:
        """Here it does."""

    def test_identity_is_ours_and_credentials_are_its_own(self, gateway: Gateway) -> None:
        spoofed = {
            "x-billing-customer-id": "somebody-else",
            "x-billing-subscription-id": "other",
            "x-billing-request-id": "1",
            "x-request-id": "mine",
            "x-forwarded-for": "203.0.113.9",
        }
        response = post(gateway, headers={**headers(gateway, "acme-openai"), **spoofed}, json=chat_body(False))
        assert response.status_code == 200
        entry = gateway.journal_entry(request_id(response))
        sent = dict(entry["headers"])
        assert sent["x-billing-customer-id"] == "acme"
        assert sent["x-billing-subscription-id"] == "acme-openai"
        assert sent["x-billing-request-id"] == request_id(response)
        assert sent["authorization"] == "Bearer sk-demo-upstream-openai"
        assert gateway.key("acme-openai") not in json.dumps(entry)
        assert not {"x-forwarded-for", "x-envoy-external-address", "x-envoy-original-path"} & sent.keys()

    def test_a_key_in_the_query_does_not_reach_the_upstream(self, gateway: Gateway) -> None:
        response = post(gateway, f"/compute/v1/compute/a?key={gateway.key('beta-compute')}&x=1", json={"units": 1})
        assert response.status_code == 200
        assert gateway.key("beta-compute") not in json.dumps(gateway.journal_entry(request_id(response)))

    def test_no_key_or_text_is_in_any_log_or_in_redis(self, gateway: Gateway) -> None:
        canary = "canary-in-the-prompt-7431"
        answer = "an answer that must not be logged 9182"
        body = chat_body(messages=[{"role": "user", "content": canary}])
        response = post(gateway, headers=headers(gateway, "acme-openai", {"text": answer}), json=body)
        assert "logged" in response.text
        gateway.event(request_id(response))
        secrets = [canary, "must not be logged", gateway.key("acme-openai"), "sk-demo-upstream-openai"]
        files = [gateway.system.state / "access.log", *(gateway.system.state / "logs").glob("*.log")]
        kept = "".join(f.read_text(errors="replace") for f in files)
        kept += repr([gateway.redis.dump(key) for key in gateway.redis.scan_iter()])
        kept += json.dumps(gateway.events())
        assert not [secret for secret in secrets if secret in kept]


@pytest.mark.parametrize("depth", [300, 1000])
def test_json_that_is_nested_too_deeply_troubles_nobody(gateway: Gateway, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = json.dumps({**chat_body(), "model": "deep-prompt-5531"})[:-1] + f', "x": {nested}}}'
    response = post(gateway, headers=headers(gateway, "acme-openai"), content=body.encode())
    assert error(response) == (400, "invalid_json")
    log = (gateway.system.state / "logs" / "extproc0.log").read_text()
    assert "deep-prompt-5531" not in log
    assert gateway.key("acme-openai") not in log


@pytest.mark.parametrize("stream", ["true", 1, [True]])
def test_a_stream_flag_that_upstreams_could_read_in_two_ways(gateway: Gateway, stream: object) -> None:
    response = post(gateway, headers=headers(gateway, "acme-openai"), json={**chat_body(), "stream": stream})
    assert error(response) == (400, "invalid_json")


def test_a_body_with_a_content_encoding(gateway: Gateway) -> None:
    auth = {**headers(gateway, "acme-openai"), "content-encoding": "gzip"}
    assert error(post(gateway, headers=auth, json=chat_body())) == (415, "unsupported_encoding")
