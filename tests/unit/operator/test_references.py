"""Whom a reference may name, whose claim is older, and what a reference that fails takes down."""

import base64
from typing import Any

import pytest

from tests.support.manifests import Document, resource
from tests.unit.operator.cluster.objects import API_SPEC, api, price, product, store_of, stored, subscription
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.cluster.store import Store
from tollgate_operator.control_loop import State, reconcile

OLD, NEW = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


def run(store: Store, last: State | None = None) -> State:
    return reconcile(store.loaded(), last, SETTINGS)


def said(state: State, kind: str, name: str) -> tuple[str, str, str]:
    """(serving, reason of the first condition that does not hold, its message)"""
    status = state.statuses[kind, name]
    wrong = next((c for c in status.conditions if not c.status), None)
    return status.serving, wrong.reason if wrong else "", wrong.message if wrong else ""


# Whose claim is older


@pytest.mark.parametrize("older", ["aaa", "zzz"])
def test_of_two_apis_with_one_route_the_older_serves_whatever_their_names(older: str) -> None:
    ages = {name: OLD if name == older else NEW for name in ("aaa", "zzz")}
    state = run(store_of(*(api(name, prefix="/same", creationTimestamp=at) for name, at in ages.items())))
    younger = next(name for name in ages if name != older)
    assert said(state, "API", older) == ("current", "", "")
    assert said(state, "API", younger)[:2] == ("none", "Invalid")
    assert f"is already the endpoint {older}/e" in said(state, "API", younger)[2]


def test_the_older_one_keeps_its_route_also_where_the_younger_served_first() -> None:
    """As the Gateway API has it: of two claims the older object's wins, whenever it made it."""
    store = store_of(api("young", prefix="/same", creationTimestamp=NEW))
    first = run(store)
    store.apply("ADDED", api("old", 2, prefix="/same", creationTimestamp=OLD))
    second = run(store, first)
    assert said(second, "API", "old")[0] == "current"
    assert said(second, "API", "young")[0] == "none"


def test_an_edit_of_the_younger_one_onto_a_taken_route_keeps_what_it_had() -> None:
    store = store_of(api("old", creationTimestamp=OLD), api("young", 2, creationTimestamp=NEW))
    first = run(store)
    store.apply("MODIFIED", api("young", 3, prefix="/old", creationTimestamp=NEW, generation=2))
    second = run(store, first)
    assert said(second, "API", "young")[:2] == ("previous", "Invalid")
    assert second.catalog_hash == first.catalog_hash


@pytest.mark.parametrize("settled", ["aaa", "zzz"])
def test_without_ages_as_on_a_laptop_who_serves_already_wins(settled: str) -> None:
    def ageless(name: str, version: int) -> Document:
        return api(name, version, prefix="/same", creationTimestamp=None)

    store = store_of(ageless(settled, 1))
    first = run(store)
    other = "zzz" if settled == "aaa" else "aaa"
    store.apply("ADDED", ageless(other, 2))
    second = run(store, first)
    assert said(second, "API", settled) == ("current", "", "")
    assert said(second, "API", other)[0] == "none"


@pytest.mark.parametrize("older", ["aaa", "zzz"])
def test_of_two_prices_of_one_product_the_older_counts(older: str) -> None:
    metric_spec = {"unit": "call", "usage": [{"endpoints": [{"api": "a"}], "quantity": "1"}]}
    metric = stored(resource("BillableMetric", "calls", **metric_spec))
    prices = [
        price(name, creationTimestamp=OLD if name == older else NEW)
        | {"spec": {**price(name)["spec"], "model": "standard", "metric": "calls"}}
        for name in ("aaa", "zzz")
    ]
    state = run(store_of(api("a"), metric, product("pro"), *prices))
    younger = "zzz" if older == "aaa" else "aaa"
    assert said(state, "Price", older) == ("current", "", "")
    assert f"Price '{older}' already prices 'calls' of 'pro'" in said(state, "Price", younger)[2]
    (found,) = next(p for p in state.catalog.products if p.name == "pro").prices
    assert found.name == older


# ReferenceGrants


def grant(kind: str, to: str, group: str = "tollgate.dev", name: str | None = None, version: int = 50) -> Document:
    """In ``default``, for resources of ``kind`` in ``team``."""
    spec = {
        "from": [{"group": "tollgate.dev", "kind": kind, "namespace": "team"}],
        "to": [{"group": group, "kind": to, **({"name": name} if name else {})}],
    }
    metadata = {"name": f"grant-{version}"}
    version_of = "gateway.networking.k8s.io/v1beta1"
    return stored({"apiVersion": version_of, "kind": "ReferenceGrant", "metadata": metadata, "spec": spec}, version)


BORROWED = stored(resource("Product", "p", endpoints=[{"api": "a", "namespace": "default"}]), namespace="team")
STRANGER = subscription("s", namespace="team") | {
    "spec": {"product": "pro", "productNamespace": "default", "customer": {"id": "c"}}
}
SECRET = stored({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"k": "sk-1"}})


def api_with(name: str, namespace: str, version: int = 1, **spec: Any) -> Document:
    return stored(resource("API", name, **{**API_SPEC, "pathPrefix": f"/{name}", **spec}), version, namespace=namespace)


CREDENTIAL = {"header": "authorization", "secretKeyRef": {"name": "keys", "key": "k", "namespace": "default"}}
CASES = [
    (BORROWED, grant("Product", "API"), ("Product", "team/p"), "spec.endpoints[0].namespace"),
    (STRANGER, grant("Subscription", "Product"), ("Subscription", "team/s"), "spec.productNamespace"),
    (
        api_with("b", "team", credential=CREDENTIAL),
        grant("API", "Secret", group=""),
        ("API", "team/b"),
        "spec.credential.secretKeyRef.namespace",
    ),
]


@pytest.mark.parametrize(("document", "allowing", "key", "field"), CASES)
def test_a_reference_into_another_namespace_needs_a_grant_there(
    document: Document, allowing: Document, key: tuple[str, str], field: str
) -> None:
    store = store_of(api("a"), product("pro"), SECRET, document)
    without = run(store)
    _, reason, message = said(without, *key)
    assert reason == "RefNotPermitted"
    assert message.startswith(f"{field}: no ReferenceGrant in namespace 'default' allows this {key[0]}")
    store.apply("ADDED", allowing)
    allowed = run(store, without)
    assert said(allowed, *key) == ("current", "", "")
    gone = {**allowing, "metadata": {**allowing["metadata"], "resourceVersion": "60"}}
    store.apply("DELETED", gone)
    removed = run(store, allowed)
    assert said(removed, *key)[1] == "RefNotPermitted"
    assert removed.catalog_hash == without.catalog_hash  # what was granted serves no more
    assert removed.envoy == without.envoy


@pytest.mark.parametrize(
    "wrong",
    [
        grant("API", "API"),
        grant("Product", "Product"),
        grant("Product", "API", group=""),
        grant("Product", "API", name="other"),
        {**grant("Product", "API"), "metadata": {**grant("Product", "API")["metadata"], "namespace": "elsewhere"}},
    ],
)
def test_a_grant_allows_what_it_says_and_no_more(wrong: Document) -> None:
    assert said(run(store_of(api("a"), BORROWED, wrong)), "Product", "team/p")[1] == "RefNotPermitted"


def test_a_grant_by_name_allows_that_name() -> None:
    state = run(store_of(api("a"), BORROWED, grant("Product", "API", name="a")))
    assert said(state, "Product", "team/p") == ("current", "", "")


def test_a_refusal_does_not_tell_whether_the_other_thing_is_there() -> None:
    there, absent = (run(store_of(*more, BORROWED)) for more in ((api("a"),), ()))
    assert said(there, "Product", "team/p") == said(absent, "Product", "team/p")


# Services


def service(*ports: int, version: int = 1) -> Document:
    spec = {"ports": [{"port": port} for port in ports]}
    return stored({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "llm"}, "spec": spec}, version)


SERVED = api_with("a", "default", upstream={"serviceRef": {"name": "llm", "port": 8000}})


def test_a_service_that_is_there_is_called_by_its_cluster_name() -> None:
    state = run(store_of(SERVED, service(8000)))
    assert said(state, "API", "a") == ("current", "", "")
    assert any(b"llm.default.svc" in content for group in state.envoy.by_type.values() for content in group.values())


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ((), "spec.upstream.serviceRef.name: there is no Service 'llm'"),
        ((service(80, 443),), "spec.upstream.serviceRef.port: Service 'llm' has no port 8000; its ports: 80, 443"),
    ],
)
def test_a_service_that_is_away_is_said_and_takes_nothing_down(there: tuple[Document, ...], message: str) -> None:
    state = run(store_of(SERVED, api("b"), *there))
    assert said(state, "API", "a") == ("current", "RefNotFound", message)
    assert said(state, "API", "b") == ("current", "", "")


def test_a_service_that_comes_back_makes_it_right() -> None:
    store = store_of(SERVED)
    first = run(store)
    store.apply("ADDED", service(8000, version=5))
    second = run(store, first)
    assert said(second, "API", "a") == ("current", "", "")
    assert second.envoy == first.envoy


# Secrets


def test_a_secret_that_is_no_text_stops_no_other_api() -> None:
    """Any Secret of the cluster may hold bytes, and any API may name it."""
    data = {"k": base64.b64encode(b"\xff\xfe").decode()}
    binary = stored({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data})
    reference = {"name": "keys", "key": "k"}
    wanting = api_with("b", "default", credential={"header": "authorization", "secretKeyRef": reference})
    state = run(store_of(api("a"), wanting, binary))
    assert said(state, "API", "a") == ("current", "", "")
    assert said(state, "API", "b")[:2] == ("none", "RefNotFound")
    assert "the key 'k' of Secret 'keys' in this namespace is no text" in said(state, "API", "b")[2]
