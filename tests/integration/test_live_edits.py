"""Editing manifests while the system runs: effective without a dropped stream, or reported and without effect."""

import copy
from collections.abc import Iterator

import pytest

from tests.support.calls import chat, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, find
from tests.support.streams import OpenStream
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("edited"), example_documents()) as running:
        yield running


@pytest.fixture
def documents(edited: Gateway) -> Iterator[list[Document]]:
    before = edited.system.status()["catalog"]
    yield copy.deepcopy(example_documents())
    edited.edit(example_documents())

    def is_as_before() -> bool:
        status = edited.system.status()
        if status.get("catalog") != before or status["files"]:
            return False
        return all(
            c["status"] == "True" for r in status["resources"] for c in r["conditions"] if c["type"] == "Accepted"
        )

    assert wait_for(is_as_before, 10)


def conditions(gateway: Gateway, kind: str, name: str) -> dict[str, tuple[str, str]]:
    for found in gateway.system.status()["resources"]:
        if (found["kind"], found["name"]) == (kind, name):
            return {c["type"]: (c["status"], c["message"]) for c in found["conditions"]}
    return {}


def test_an_edit_takes_effect_without_dropping_a_stream(edited: Gateway, documents: list[Document]) -> None:
    with OpenStream(edited, tokens=40) as stream:
        find(documents, "API", "openai")["spec"]["rejectionRules"][0]["message"] = "Now with another message."
        find(documents, "API", "openai")["spec"]["upstream"]["timeout"] = "200s"
        embeddings = {"name": "embeddings", "path": "/v1/embeddings", "format": "openai_completions"}
        find(documents, "API", "openai")["spec"]["endpoints"].append(embeddings)
        edited.edit(documents)

        def takes_effect() -> bool:
            response = chat(edited, model="gpt-retired")
            return "Now with another message." in response.text

        assert wait_for(takes_effect, 15)
        assert wait_for(lambda: bool(edited.system.status()["programmed"]), 10)
    assert "data: [DONE]" in stream.lines
    assert sum(line.startswith("data: {") for line in stream.lines) >= 40
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
        response = loopback.post(edited.url + "/ollama/api/chat", json=chat_body(), headers=auth, timeout=30)
        return response.status_code == 503 and bool(response.json()["error"]["message"])

    assert wait_for(unreachable, 15)
    assert chat(edited).status_code == 200
