"""One tenant's endless expressions in a running system: told to that tenant's callers, unnoticed by all others."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.calls import chat, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, find, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for

CANARY = "canary in a prompt 5561"
NUMBERS = f"[{','.join('1' * 900)}]"
#: Nested as deep as is allowed, and far too much all the same.
SLOW_QUANTITY = f"{NUMBERS}.map(a, {NUMBERS}.map(b, a + b)).size()"
SAME_ROLES = "request.json.messages.all(a, request.json.messages.all(b, a.role == b.role))"


def documents() -> list[Document]:
    found = example_documents("stream")
    find(found, "API", "ollama")["spec"]["transformations"] = {
        "request": [
            {"target": "body", "jq": "def f: f; f", "endpoints": ["generate"]},
            {"target": "header", "name": "x-n", "jq": "[.request.body | fromjson | .messages[]] | length | tostring"},
        ]
    }
    find(found, "API", "ollama")["spec"]["rejectionRules"] = [
        {"when": SAME_ROLES, "status": 400, "message": "all alike", "endpoints": ["chat"]}
    ]
    slow = {"endpoints": [{"api": "mistral"}], "quantity": SLOW_QUANTITY}
    return [*found, resource("BillableMetric", "slow", usage=[slow])]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("budget"), documents()) as running:
        yield running


def post(gateway: Gateway, path: str, **body: Any) -> httpx.Response:
    """As SDKs do: a 503, for a process that is just beginning anew, is tried again."""
    auth = headers(gateway, "acme-open-models")
    answers: list[httpx.Response] = []

    def answered() -> bool:
        url, content = gateway.url + path, chat_body(False, **body)
        answers.append(loopback.post(url, headers=auth, json=content, timeout=60))
        return answers[-1].status_code != 503

    assert wait_for(answered, 30)
    return answers[-1]


def everything_written(gateway: Gateway) -> str:
    state = gateway.system.state
    files = [state / "access.log", *(state / "logs").glob("*.log")]
    return "".join(f.read_text(errors="replace") for f in files) + json.dumps(gateway.events())


def test_an_endless_program_is_told_by_its_field_while_another_tenant_is_served(gateway: Gateway) -> None:
    ended = threading.Event()
    answers: list[httpx.Response] = []

    def endless() -> None:
        try:
            answers.extend(post(gateway, "/ollama/api/generate", prompt=CANARY) for _ in range(6))
        finally:
            ended.set()

    slow = threading.Thread(target=endless)
    slow.start()
    served = 0
    while not ended.is_set():
        assert chat(gateway, stream=False).status_code == 200
        served += 1
    slow.join()
    assert served > len(answers)  # many calls went by; one process that stalls lets none by
    assert {answer.status_code for answer in answers} == {500}
    assert "spec.transformations.request[0].jq of API ollama" in answers[0].json()["error"]
    assert "rests" in answers[-1].json()["error"]
    assert CANARY not in everything_written(gateway) + answers[0].text
    gateway.assert_exact()


def test_a_rule_passes_small_bodies_and_cannot_be_got_past_with_a_large_one(gateway: Gateway) -> None:
    messages = [{"role": "user", "content": CANARY}, {"role": "assistant", "content": "x"}]
    assert post(gateway, "/ollama/api/chat", messages=messages).status_code == 200
    assert post(gateway, "/ollama/api/chat", messages=messages[:1]).status_code == 400
    answer = post(gateway, "/ollama/api/chat", messages=messages[:1] * 5000)
    assert answer.status_code == 500
    assert "spec.rejectionRules[0].when of API ollama" in answer.json()["error"]
    assert post(gateway, "/ollama/api/chat", messages=messages).status_code == 200
    assert CANARY not in everything_written(gateway)


def test_a_quantity_that_takes_too_long_is_named_in_the_event_and_others_are_exact(gateway: Gateway) -> None:
    answer = post(gateway, "/mistral/v1/chat/completions")
    assert answer.status_code == 200
    data = gateway.event(request_id(answer), 40)["data"]
    assert "took longer than its budget" in data["unmetered"]["slow"]
    assert "slow" not in data["quantities"]
    assert float(data["quantities"]["open-model-tokens"]) == answer.json()["usage"]["total_tokens"]
    assert wait_for(lambda: gateway.holds() == 0, 20)
