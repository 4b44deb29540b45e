"""Manifests: strict, and every refusal names the field and what is near."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.bad_manifests import BAD_MANIFESTS, Bad
from tests.support.manifests import example_documents, find, resource
from tollgate_core.errors import ManifestError
from tollgate_core.manifests import (
    APIStatus,
    ReferenceGrant,
    Secret,
    Service,
    ServiceRef,
    StatusCondition,
    Upstream,
    parse_manifest,
)
from tollgate_core.manifests.crds import custom_resource_definitions
from tollgate_core.manifests.reference import reference


def api(**changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "upstream": {"url": "https://api.example.com"},
        "endpoints": [{"name": "chat", "path": "/v1/chat", "format": "openai_completions"}],
    }
    return resource("API", "example", **{**spec, **changes})


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, schema) of everything within a schema, itself first; items of a list are at ``path[]``."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from fields(schema[name], f"{path}[]")


def problems(document: object) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(document)
    return [str(problem) for problem in caught.value.problems]


def test_all_examples_parse() -> None:
    for document in example_documents(payments=True):
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


FIELDS = [
    (f"{definition['spec']['names']['kind']}.{part}{path}", schema)
    for definition in custom_resource_definitions().values()
    for part in ("spec", "status")
    for path, schema in fields(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part])
]


def test_schemas_are_structural() -> None:
    for path, schema in FIELDS:
        assert "type" in schema, path
        assert not {"$ref", "anyOf", "allOf", "title", "additionalProperties"} & schema.keys() - {
            "additionalProperties" if path == "Portal.spec.cssVariables" else ""
        }, path


def test_every_field_is_described() -> None:
    for path, schema in FIELDS:
        if not path.endswith("[]") or schema["type"] == "object":
            assert schema.get("description", "").endswith("."), path


def test_everything_is_bounded_so_that_rules_stay_within_their_budget() -> None:
    for path, schema in FIELDS:
        if schema["type"] == "string" and "enum" not in schema and schema.get("format") != "date-time":
            assert schema.get("maxLength"), path
        if schema["type"] == "array":
            assert schema.get("maxItems"), path
            assert schema["x-kubernetes-list-type"] in {"atomic", "map", "set"}


def test_no_item_of_a_list_gets_a_default() -> None:
    for path, schema in FIELDS:
        assert "[]" not in path or "default" not in schema, path


def test_rules_say_what_is_wrong() -> None:
    for path, schema in FIELDS:
        for rule in schema.get("x-kubernetes-validations", []):
            assert rule["message"][0].islower(), path
            assert rule.get("fieldPath", ".")[1:] in {"", *schema.get("properties", {})}, path


def test_kinds_have_names_of_their_own() -> None:
    names = [d["spec"]["names"] for d in custom_resource_definitions().values()]
    assert len(names) == 7
    assert all(len(n["shortNames"]) == 1 and n["shortNames"][0].startswith("tg") for n in names)
    assert len({n["shortNames"][0] for n in names}) == 7


def test_the_reference_names_every_field() -> None:
    page = reference(custom_resource_definitions())
    for path, _ in FIELDS:
        assert path.endswith("[]") or path.count(".") == 1 or f"`{path.partition('.')[2]}`" in page


def test_an_upstream_is_a_url_or_a_service() -> None:
    assert Upstream(url="https://a.test/v1").address("shop") == "https://a.test/v1"
    service = ServiceRef(name="llm", port=8080)
    assert Upstream(service_ref=service).address("shop") == "http://llm.shop.svc.cluster.local:8080"
    other = ServiceRef(name="llm", namespace="models", port=8443, scheme="https", path="/api")
    assert Upstream(service_ref=other).address("shop") == "https://llm.models.svc.cluster.local:8443/api"


def test_kubernetes_own_objects_are_read_leniently() -> None:
    service = parse_manifest(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "llm", "namespace": "models", "managedFields": []},
            "spec": {"type": "ClusterIP", "ports": [{"name": "http", "port": 80, "targetPort": "web"}]},
        }
    )
    assert isinstance(service, Service)
    assert service.qualified_name == "models/llm"
    assert [(port.name, port.port, port.protocol) for port in service.spec.ports] == [("http", 80, "TCP")]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sh.helm.release.v1.a.v1"}, "type": "x"}
    assert parse_manifest(secret).metadata.name == "sh.helm.release.v1.a.v1"


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_grant_allows_what_it_names(version: str) -> None:
    grant = parse_manifest(
        {
            "apiVersion": f"gateway.networking.k8s.io/{version}",
            "kind": "ReferenceGrant",
            "metadata": {"name": "shops", "namespace": "models"},
            "spec": {
                "from": [{"group": "tollgate.dev", "kind": "API", "namespace": "shop"}],
                "to": [{"group": "", "kind": "Service"}, {"group": "", "kind": "Secret", "name": "keys"}],
            },
        }
    )
    assert isinstance(grant, ReferenceGrant)
    assert grant.allows("tollgate.dev", "API", "shop", "", "Service", "anything")
    assert grant.allows("tollgate.dev", "API", "shop", "", "Secret", "keys")
    assert not grant.allows("tollgate.dev", "API", "shop", "", "Secret", "others")
    assert not grant.allows("tollgate.dev", "API", "elsewhere", "", "Service", "anything")
    assert not grant.allows("tollgate.dev", "Product", "shop", "", "Service", "anything")


def test_a_grant_of_an_unknown_version_is_refused() -> None:
    [problem] = problems({"apiVersion": "v1", "kind": "ReferenceGrant", "metadata": {"name": "x"}})
    assert "needs 'gateway.networking.k8s.io/v1beta1' or 'gateway.networking.k8s.io/v1', not 'v1'" in problem


def test_what_the_api_server_adds_to_metadata_is_read() -> None:
    document = resource("Subscription", "x", product="p", customer={"id": "acme"})
    document["metadata"] |= {
        "creationTimestamp": "2026-11-01T10:00:00Z",
        "deletionTimestamp": "2026-11-01T11:00:00Z",
        "resourceVersion": "42",
        "finalizers": ["tollgate.dev/subscriptions"],
        "ownerReferences": [{"name": "ignored"}],
    }
    metadata = parse_manifest(document).metadata
    assert metadata.resource_version == "42"
    assert metadata.finalizers == ("tollgate.dev/subscriptions",)
    assert metadata.creation_timestamp is not None
    assert metadata.deletion_timestamp == datetime(2026, 11, 1, 11, tzinfo=UTC)


def test_a_status_is_written_as_kubernetes_wants_it() -> None:
    condition = StatusCondition(
        type="Accepted",
        status="True",
        reason="Accepted",
        message="",
        last_transition_time=datetime(2026, 11, 1, tzinfo=UTC),
        observed_generation=3,
    )
    status = APIStatus(observed_generation=3, conditions=[condition], endpoints=2)
    assert status.model_dump(mode="json", exclude_none=True) == {
        "observedGeneration": 3,
        "endpoints": 2,
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "",
                "lastTransitionTime": "2026-11-01T00:00:00Z",
                "observedGeneration": 3,
            }
        ],
    }


def test_an_example_is_found_by_name() -> None:
    assert find(example_documents("native"), "API", "openai")["spec"]["metering"] == {"mode": "native"}
