"""Editing manifests while the system runs: effective without a dropped stream, or reported and without effect."""

import copy
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.support.calls import CHAT, chat, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, find
from tollgate_cli.laptop.system import wait_for


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("edited"), example_documents()) as running:
        yield running


@pytest.fixture
def documents(edited: Gateway) -> Iterator[list[Document]]:
    yield copy.deepcopy(example_documents())
    before = edited.system.status()["catalog"]
    edited.edit(example_documents())
    wait_for(lambda: edited.system.status().get("catalog") != before, 5)


def conditions(gateway: Gateway, kind: str, name: str) -> dict[str, tuple[str, str]]:
    for found in gateway.system.status()["resources"]:
        if (found["kind"], found["name"]) == (kind, name):
            return {c["type"]: (c["status"], c["message"]) for c in found["conditions"]}
    return {}


def test_an_edit_takes_effect_without_dropping_a_stream(edited: Gateway, documents: list[Document]) -> None:
    lines: list[str] = []
    started = threading.Event()

    def stream() -> None:
        auth = headers(edited, "acme-openai", {"tokens": 40, "delay_ms": 100})
        with httpx.stream("POST", edited.url + CHAT, json=chat_body(), headers=auth, timeout=60) as response:
            for line in response.iter_lines():
                lines.append(line)
                started.set()

    client = threading.Thread(target=stream)
    client.start()
    assert started.wait(20)
    find(documents, "API", "openai")["spec"]["rejectionRules"][0]["message"] = "Now with another message."
    find(documents, "API", "openai")["spec"]["upstream"]["timeout"] = "200s"
    find(documents, "API", "openai")["spec"]["endpoints"].append(
        {"name": "embeddings", "path": "/v1/chat/../embeddings".replace("/chat/..", ""), "format": "openai_completions"}
    )
    edited.edit(documents)

    def takes_effect() -> bool:
        response = chat(edited, model="gpt-retired")
        return "Now with another message." in response.text

    assert wait_for(takes_effect, 15)
    assert wait_for(lambda: bool(edited.system.status()["programmed"]), 10)
    client.join(30)
    assert "data: [DONE]" in lines
    assert sum(line.startswith("data: {") for line in lines) >= 40
    edited.assert_exact()


def test_a_broken_edit_is_reported_by_name_and_changes_nothing(edited: Gateway, documents: list[Document]) -> None:
    before = edited.system.status()["catalog"]
    find(documents, "API", "openai")["spec"]["endpoints"][0]["formt"] = "openai_completions"
    edited.edit(documents)
    assert wait_for(lambda: conditions(edited, "API", "openai").get("Accepted", ("", ""))[0] == "False", 10)
    assert "did you mean 'format'?" in conditions(edited, "API", "openai")["Accepted"][1]
    assert edited.system.status()["catalog"] == before
    assert chat(edited).status_code == 200


def test_a_file_that_is_no_yaml_is_reported_and_changes_nothing(edited: Gateway, documents: list[Document]) -> None:
    (edited.manifests / "all.yaml").write_text("kind: [")
    assert wait_for(lambda: bool(edited.system.status()["files"]), 10)
    assert chat(edited).status_code == 200


def test_a_rotated_upstream_credential_is_used_at_once(edited: Gateway, documents: list[Document]) -> None:
    find(documents, "Secret", "upstream-keys")["stringData"]["openai"] = "sk-rotated"
    edited.edit(documents)

    def rotated() -> bool:
        response = chat(edited, stream=False)
        sent = dict(edited.journal_entry(request_id(response))["headers"])
        return bool(sent["authorization"] == "Bearer sk-rotated")

    assert wait_for(rotated, 15)


def test_an_upstream_that_cannot_be_reached_is_told_to_the_client(edited: Gateway, documents: list[Document]) -> None:
    find(documents, "API", "ollama")["spec"]["upstream"]["url"] = "http://127.0.0.1:1"
    edited.edit(documents)

    def unreachable() -> bool:
        auth = headers(edited, "acme-open-models")
        response = httpx.post(edited.url + "/ollama/api/chat", json=chat_body(), headers=auth, timeout=30)
        return response.status_code == 503 and bool(response.json()["error"]["message"])

    assert wait_for(unreachable, 15)
    assert chat(edited).status_code == 200
