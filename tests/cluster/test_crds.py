"""The CRDs on a real API server: what is accepted, refused, defaulted, merged, explained and upgraded."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from tests.support.bad_manifests import BAD_MANIFESTS, Bad
from tests.support.kubernetes import ApiServer, KubectlError
from tests.support.kubernetes.resources import Resources
from tests.support.manifests import EXAMPLES, Document, example_documents, resource
from tollgate_core.manifests import KINDS, parse_manifest
from tollgate_core.manifests.crds import CUSTOM_KINDS, custom_resource_definitions

CRDS = EXAMPLES.parent / "crds"
OURS = {kind.name for kind in CUSTOM_KINDS}
STRIPE = {"secretKeyRef": {"name": "s", "key": "k"}, "webhookSecretKeyRef": {"name": "s", "key": "w"}}
WITHOUT_EXAMPLE = [
    resource("PaymentProvider", "stripe", stripe=STRIPE),
    resource("PaymentProvider", "paddle", paddle={**STRIPE, "environment": "sandbox"}),
    resource("PaymentProvider", "manual", manual={"daysUntilDue": 30}),
    resource(
        "Portal",
        "portal",
        displayName="Acme",
        cssVariables={"--radius": "4px"},
        legalLinks=[{"title": "Imprint", "url": "https://acme.test/imprint"}],
    ),
    resource(
        "API",
        "in-cluster",
        upstream={"serviceRef": {"name": "ollama", "namespace": "models", "port": 11434}},
        endpoints=[{"name": "chat", "path": "/{a}/{b}:generate", "format": "ollama"}],
        transformations={"request": [{"target": "header", "name": "x", "action": "remove"}]},
    ),
]


def defaulted(value: Any) -> Any:
    """What is stored of a model: with defaults, but for those of items in lists."""
    if isinstance(value, BaseModel):
        fields = {f.alias or name: getattr(value, name) for name, f in type(value).model_fields.items()}
        return {name: defaulted(field) for name, field in fields.items() if field is not None}
    if isinstance(value, list):
        return [i.model_dump(mode="json", exclude_unset=True) if isinstance(i, BaseModel) else i for i in value]
    return value


def good_documents() -> list[Document]:
    return [d for d in example_documents() if d["kind"] in OURS] + WITHOUT_EXAMPLE


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    api_server.add_kinds("-f", str(CRDS))
    return api_server


@pytest.fixture
def namespace(server: ApiServer) -> str:
    return server.namespace("crds")


@pytest.fixture
def resources(server: ApiServer, namespace: str) -> Iterator[Resources]:
    with Resources(server, namespace) as running:
        yield running


@pytest.fixture(scope="module")
def trial(server: ApiServer) -> Iterator[Resources]:
    """For manifests that are only tried (dry run)."""
    with Resources(server, server.namespace("trial")) as running:
        yield running


def test_no_field_is_dropped_or_doubted(server: ApiServer) -> None:
    for kind in CUSTOM_KINDS:
        definition = server.kubectl.get("crd", f"{kind.plural}.tollgate.dev")
        conditions = {c["type"]: c["status"] for c in definition["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}
        assert definition["status"]["storedVersions"] == ["v1alpha1"]


def test_the_examples_are_applied_as_they_are(server: ApiServer, namespace: str) -> None:
    server.kubectl("apply", "-n", namespace, "-f", str(EXAMPLES))
    names = server.kubectl("get", "tollgate", "-n", namespace, "-o", "name").split()
    assert len(names) == sum(d["kind"] in OURS for d in example_documents(payments=True))
    # a second time nothing changes
    again = server.kubectl("apply", "-n", namespace, "-f", str(EXAMPLES)).splitlines()
    assert [line for line in again if not line.endswith("unchanged") and not line.startswith("secret/")] == []


@pytest.mark.parametrize("bad", BAD_MANIFESTS, ids=str)
def test_what_is_wrong_is_refused_and_named(trial: Resources, bad: Bad) -> None:
    message = trial.refusal(bad.document)
    assert (bad.server or bad.python) in message
    assert bad.field in message


def test_kubectl_says_what_is_wrong(server: ApiServer, namespace: str) -> None:
    document = resource("Price", "x", product="p", metric="m", currency="USD", model="flat", amount="1")
    with pytest.raises(KubectlError, match="a flat price has no metric; use model standard to charge units"):
        server.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(document))


@pytest.mark.parametrize("document", good_documents(), ids=lambda d: f"{d['kind']}-{d['metadata']['name']}")
def test_what_comes_back_with_defaults_means_the_same(resources: Resources, document: Document) -> None:
    assert resources.create(document).is_success
    stored = resources.get(document["kind"], document["metadata"]["name"])
    sent, back = parse_manifest(document), parse_manifest(stored)
    assert back.spec == sent.spec  # type: ignore[union-attr]
    # defaults are in the store, so that kubectl shows what applies, but not in lists
    assert stored["spec"] == defaulted(sent.spec)  # type: ignore[union-attr]
    metadata = back.metadata
    assert (metadata.generation, metadata.deletion_timestamp, metadata.finalizers) == (1, None, ())
    assert metadata.resource_version
    assert metadata.creation_timestamp


def test_lists_with_keys_are_merged_item_by_item(resources: Resources) -> None:
    def api(*endpoints: dict[str, str], **more: Any) -> Document:
        return resource("API", "shared", endpoints=list(endpoints), **more)

    chat, models = {"name": "chat", "path": "/v1/chat"}, {"name": "models", "path": "/v1/models", "method": "GET"}
    resources.apply(api(chat, upstream={"url": "https://a.test"}), "platform")
    merged = resources.apply(api(models), "team")
    assert [e["name"] for e in merged["spec"]["endpoints"]] == ["chat", "models"]
    left = resources.apply(api({**chat, "path": "/v2/chat"}, upstream={"url": "https://a.test"}), "platform")
    assert {e["name"]: e["path"] for e in left["spec"]["endpoints"]} == {"chat": "/v2/chat", "models": "/v1/models"}


def test_limits_are_merged_by_name_and_by_metric(resources: Resources) -> None:
    def product(**spec: Any) -> Document:
        return resource("Product", "shared", **spec)

    resources.apply(
        product(endpoints=[{"api": "a"}], rateLimits=[{"name": "one", "concurrency": 1}]),
        "platform",
    )
    resources.apply(
        product(rateLimits=[{"name": "two", "concurrency": 2}], limits=[{"metric": "m", "limit": "1"}]), "a"
    )
    merged = resources.apply(product(limits=[{"metric": "n", "limit": "2"}]), "b")
    assert [limit["name"] for limit in merged["spec"]["rateLimits"]] == ["one", "two"]
    assert [limit["metric"] for limit in merged["spec"]["limits"]] == ["m", "n"]


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        (
            resource("Price", "x", product="p", metric="m", currency="USD", model="standard", amount="1"),
            {"currency": "EUR"},
            "spec.currency: Invalid value",
        ),
        (
            resource("Price", "x", product="p", metric="m", currency="USD", model="standard", amount="1"),
            {"product": "q"},
            "spec.product: Invalid value",
        ),
        (
            resource("Subscription", "x", product="p", customer={"id": "acme"}),
            {"customer": {"id": "other"}},
            "spec.customer.id: Invalid value",
        ),
        (
            resource("Subscription", "x", product="p", customer={"id": "acme"}, startsAt="2026-11-01T00:00:00Z"),
            {"startsAt": "2026-11-02T00:00:00Z"},
            "spec.startsAt: Invalid value",
        ),
        (
            resource("Subscription", "x", product="p", customer={"id": "acme"}),
            {"startsAt": "2026-11-02T00:00:00Z"},
            "spec.startsAt: Invalid value",
        ),
        (
            resource("PaymentProvider", "x", stripe=STRIPE),
            {"stripe": None, "paddle": STRIPE},
            "cannot change between stripe, paddle and manual",
        ),
    ],
)
def test_what_was_billed_by_cannot_be_changed(
    resources: Resources, document: Document, patch: dict[str, Any], expected: str
) -> None:
    assert resources.create(document).is_success
    answer = resources.merge(document["kind"], "x", {"spec": patch})
    assert answer.status_code == 422
    assert expected in answer.json()["message"]
    assert "cannot" in answer.json()["message"]


def test_what_may_change_changes(resources: Resources) -> None:
    resources.create(resource("Subscription", "x", product="p", customer={"id": "acme"})).raise_for_status()
    patch = {"product": "q", "suspended": True, "customer": {"displayName": "Acme"}, "secretName": "acme.key"}
    assert resources.merge("Subscription", "x", {"spec": patch}).is_success
    assert resources.get("Subscription", "x")["metadata"]["generation"] == 2


class TestStatus:
    """Only its shape is the API server's business; the operator mends what people write into it."""

    CONDITION: ClassVar = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-11-01T00:00:00Z",
        "observedGeneration": 1,
    }

    @pytest.fixture
    def stored(self, resources: Resources) -> Resources:
        document = resource("Product", "x", endpoints=[{"api": "a"}])
        resources.create({**document, "status": {"subscriptions": 5}}).raise_for_status()
        return resources

    def test_is_not_taken_with_the_resource(self, stored: Resources) -> None:
        assert "status" not in stored.get("Product", "x")
        stored.merge("Product", "x", {"status": {"subscriptions": 7}}).raise_for_status()
        assert "status" not in stored.get("Product", "x")

    def test_is_written_by_its_own_door_and_is_no_new_generation(self, stored: Resources) -> None:
        status = {"observedGeneration": 1, "conditions": [self.CONDITION], "subscriptions": 2, "serving": "current"}
        stored.merge("Product", "x", {"status": status, "spec": {"maxKeys": 99}}, "status").raise_for_status()
        document = stored.get("Product", "x")
        assert document["status"] == status
        assert document["spec"]["maxKeys"] == 10
        assert document["metadata"]["generation"] == 1

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ({"conditions": [{**CONDITION, "status": "Maybe"}]}, "Unsupported value"),
            ({"conditions": [{**CONDITION, "reason": ""}]}, "status.conditions[0].reason"),
            ({"conditions": [CONDITION, CONDITION]}, "Duplicate value"),
            ({"conditions": [{"type": "Accepted"}]}, "Required value"),
            ({"subscriptions": -1}, "status.subscriptions"),
            ({"colour": "red"}, "unknown field"),
        ],
    )
    def test_of_a_wrong_shape_is_refused(self, stored: Resources, status: Any, expected: str) -> None:
        answer = stored.merge("Product", "x", {"status": status}, "status")
        assert answer.is_client_error
        assert expected in answer.json()["message"]


OLDER = "older.tollgate.dev"


def wrong() -> Document:
    """Accepted by the older CRD, refused today."""
    return resource("API", "wrong", upstream={}, endpoints=[{"name": "a", "path": "/{x"}])


def install(server: ApiServer, *, lax: bool) -> None:
    """The CRDs in a group of their own; ``lax`` as an older version might have been."""
    definitions: list[Document] = []
    for definition in custom_resource_definitions().values():
        names, [version] = definition["spec"]["names"], definition["spec"]["versions"]
        if lax:
            anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything}}}
        names["shortNames"], names["categories"] = [], []
        definition["metadata"]["name"] = f"{names['plural']}.{OLDER}"
        definition["spec"]["group"] = OLDER
        definitions.append(definition)
    server.add_kinds("-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": definitions}))


@pytest.fixture(scope="module")
def upgraded(api_server: ApiServer) -> Iterator[Resources]:
    """Objects stored under an older, laxer CRD, that was upgraded then."""
    with Resources(api_server, api_server.namespace("upgrade"), OLDER) as resources:
        install(api_server, lax=True)
        for document in [*good_documents(), wrong()]:
            assert resources.create(document).is_success
        install(api_server, lax=False)
        yield resources
    # Or "kubectl get product" of the tests after these might mean them.
    api_server.remove_kinds(OLDER, *(d["spec"]["names"]["plural"] for d in custom_resource_definitions().values()))


class TestUpgrade:
    """What an upgrade of the CRDs does to objects that are stored already."""

    def test_finds_every_object_with_todays_defaults(self, upgraded: Resources) -> None:
        for document in good_documents():
            stored = upgraded.get(document["kind"], document["metadata"]["name"])
            stored["apiVersion"] = document["apiVersion"]
            assert parse_manifest(stored).spec == parse_manifest(document).spec  # type: ignore[union-attr]

    def test_leaves_an_object_readable_that_would_be_refused_today(self, upgraded: Resources) -> None:
        assert upgraded.get("API", "wrong")["spec"]["endpoints"][0]["path"] == "/{x"
        assert "has a brace that is no {parameter}" in upgraded.refusal({**wrong(), "metadata": {"name": "new"}})

    def test_lets_its_status_and_what_is_not_wrong_be_written(self, upgraded: Resources) -> None:
        assert upgraded.merge("API", "wrong", {"status": {"endpoints": 0}}, "status").is_success
        assert upgraded.merge("API", "wrong", {"metadata": {"finalizers": ["tollgate.dev/x"]}}).is_success
        assert upgraded.merge("API", "wrong", {"metadata": {"finalizers": []}}).is_success

    def test_accepts_the_repair(self, upgraded: Resources) -> None:
        repair = {"upstream": {"url": "https://a.test"}, "endpoints": [{"name": "a", "path": "/x"}]}
        assert upgraded.merge("API", "wrong", {"spec": repair}).is_success


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("api.spec.endpoints", "A method and path that customers may be granted"),
        ("api.spec.upstream.serviceRef.port", "Port of the Service"),
        ("product.spec.rateLimits.tokens", "Tokens (input and output) per window"),
        ("price.spec.currency", "ISO 4217 code. Cannot be changed"),
        ("subscription.spec.secretName", "gets the API key"),
        ("billablemetric.spec.usage.quantity", "CEL over usage()"),
        ("paymentprovider.spec.paddle", "An account at Paddle Billing"),
        ("portal.spec.oidc", "OpenID Connect"),
        ("product.status.conditions", "Programmed: Envoy has confirmed it"),
    ],
)
def test_kubectl_explains(server: ApiServer, path: str, text: str) -> None:
    explained = " ".join(server.kubectl("explain", f"{path}").split())
    assert text in explained


def test_kubectl_shows_what_matters(server: ApiServer, namespace: str) -> None:
    server.kubectl("apply", "-n", namespace, "-f", str(EXAMPLES))
    shown = [" ".join(line.split()) for line in server.kubectl("get", "tgprice", "-n", namespace).splitlines()]
    assert shown[0] == "NAME PRODUCT METRIC AMOUNT CURRENCY PER ACCEPTED PROGRAMMED AGE"
    assert any(line.startswith("openai-payg-input openai-payg input-tokens 0.50 USD 1M") for line in shown)
    assert "SECRET" in server.kubectl("get", "tgsub", "-n", namespace, "-o", "wide")


def test_every_kind_of_ours_has_a_crd() -> None:
    assert set(KINDS) - {"Secret", "Service", "ReferenceGrant"} == OURS
