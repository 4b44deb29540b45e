"""Manifests: strict, and every refusal names the field and what is near."""

from typing import Any

import pytest

from tests.support.bad_manifests import BAD_MANIFESTS, Bad
from tests.support.manifests import example_documents, find, resource
from tollgate_core.errors import ManifestError
from tollgate_core.manifests import Secret, parse_manifest
from tollgate_core.manifests.crds import custom_resource_definitions


def api(**changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "upstream": {"url": "https://api.example.com"},
        "endpoints": [{"name": "chat", "path": "/v1/chat", "format": "openai_completions"}],
    }
    return resource("API", "example", **{**spec, **changes})


def problems(document: object) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(document)
    return [str(problem) for problem in caught.value.problems]


def test_all_examples_parse() -> None:
    for document in example_documents():
        parse_manifest(document)


@pytest.mark.parametrize("bad", BAD_MANIFESTS, ids=str)
def test_what_is_wrong_is_named(bad: Bad) -> None:
    found = problems(bad.document)
    assert any(problem.startswith(bad.field) and bad.python in problem for problem in found), found


def test_all_problems_are_named_at_once() -> None:
    assert len(problems(api(forceUsage="yes", maxRequestBytes=1, colour="red"))) == 3


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "a manifest must be a mapping"),
        ({"kind": "Prodct", "apiVersion": "tollgate.dev/v1alpha1"}, "unknown kind 'Prodct'; did you mean 'Product'?"),
        ({"kind": "API", "apiVersion": "v1"}, "API needs 'tollgate.dev/v1alpha1', not 'v1'"),
    ],
)
def test_what_is_no_manifest_is_refused(document: object, expected: str) -> None:
    assert any(expected in problem for problem in problems(document))


def test_a_secret_never_shows() -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hush-hush"}}
    secret = parse_manifest(document)
    assert isinstance(secret, Secret)
    assert secret.value("k") == "hush-hush"
    assert "hush" not in repr(secret)
    document["stringData"] = {"k": {"hush-hush": 1}}
    assert not any("hush" in problem for problem in problems(document))


def test_bad_base64_is_named_without_its_value() -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "hush-hush!"}}
    [problem] = problems(document)
    assert "data['k'] is not base64; use stringData" in problem
    assert "hush" not in problem


def test_crds_are_structural_and_describe_every_field_of_a_spec() -> None:
    def walk(schema: dict[str, Any], path: str) -> None:
        assert "$ref" not in schema
        assert "anyOf" not in schema
        assert "type" in schema, path
        for name, inner in schema.get("properties", {}).items():
            assert inner.get("description"), f"{path}.{name}"
            walk(inner, f"{path}.{name}")
        if "items" in schema:
            walk(schema["items"], f"{path}[]")

    for definition in custom_resource_definitions().values():
        [version] = definition["spec"]["versions"]
        walk(version["schema"]["openAPIV3Schema"]["properties"]["spec"], definition["metadata"]["name"])


def test_an_example_is_found_by_name() -> None:
    assert find(example_documents("native"), "API", "openai")["spec"]["metering"] == {"mode": "native"}
