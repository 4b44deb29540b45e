"""Manifests: strict, and every refusal names the field and what is near."""

from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"forceUsages": True}, "spec.forceUsages: unknown field 'forceUsages'; did you mean 'forceUsage'?"),
        ({"upstream": {"url": "ftp://x"}}, "spec.upstream.url: must be an http:// or https:// URL with a host"),
        ({"upstream": {"url": "https://user:pw@x"}}, "spec.upstream.url: must not hold a user or password"),
        ({"upstream": {}}, "spec.upstream: needs exactly one of url and serviceRef"),
        ({"maxRequestBytes": 5}, "spec.maxRequestBytes: input should be a valid string"),
        ({"maxRequestBytes": "0"}, "spec.maxRequestBytes: must be more than zero"),
        ({"endpoints": []}, "spec.endpoints: list should have at least 1 item"),
        ({"endpoints": [{"name": "a", "path": "/x"}] * 2}, "spec.endpoints: the name 'a' is used twice"),
        ({"endpoints": [{"name": "a", "path": "/{x}/{x}"}]}, "spec.endpoints[0].path: names a parameter twice"),
        ({"endpoints": [{"name": "a", "path": "/x", "format": "openai"}]}, "spec.endpoints[0].format: input should be"),
        ({"endpoints": [{"name": "a", "path": "/x", "formt": "gemini"}]}, "did you mean 'format'?"),
        ({"pathPrefix": "/a b"}, "spec.pathPrefix: string should match pattern"),
        (
            {"transformations": {"request": [{"target": "header", "name": "x", "value": "a", "jq": "."}]}},
            "spec.transformations.request[0]: needs exactly one of value, jq and cel",
        ),
        (
            {"transformations": {"request": [{"target": "body", "action": "add", "value": "a"}]}},
            "spec.transformations.request[0]: a body can only be replaced",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], expected: str) -> None:
    assert any(expected in problem for problem in problems(api(**changes)))


def test_all_problems_are_named_at_once() -> None:
    assert len(problems(api(forceUsage="yes", maxRequestBytes=1, colour="red"))) == 3


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "a manifest must be a mapping"),
        ({"kind": "Prodct", "apiVersion": "tollgate.dev/v1alpha1"}, "unknown kind 'Prodct'; did you mean 'Product'?"),
        ({"kind": "API", "apiVersion": "v1"}, "API needs 'tollgate.dev/v1alpha1', not 'v1'"),
        (resource("API", "Not_A_Name"), "metadata.name: string should match pattern"),
    ],
)
def test_what_is_no_manifest_is_refused(document: object, expected: str) -> None:
    assert any(expected in problem for problem in problems(document))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "flat"}, "a flat price has no metric"),
        ({"metric": None}, "a standard price needs a metric"),
        ({"per": "0"}, "must be more than zero"),
        ({"amount": "-1"}, "spec.amount: string should match pattern"),
        ({"amount": 0.15}, "spec.amount: input should be a valid string"),
        ({"currency": "usd"}, "spec.currency: string should match pattern"),
    ],
)
def test_prices(changes: dict[str, Any], expected: str) -> None:
    spec = {"product": "p", "metric": "m", "currency": "USD", "model": "standard", "amount": "1"}
    assert any(expected in problem for problem in problems(resource("Price", "x", **{**spec, **changes})))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"name": "a"}, "needs exactly one of requests, tokens and concurrency"),
        ({"name": "a", "requests": "5"}, "requests or tokens need a window"),
        ({"name": "a", "concurrency": 5, "window": "1m"}, "concurrency takes neither window nor burst"),
    ],
)
def test_rate_limits(limit: dict[str, Any], expected: str) -> None:
    document = resource("Product", "x", endpoints=[{"api": "a"}], rateLimits=[limit])
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
