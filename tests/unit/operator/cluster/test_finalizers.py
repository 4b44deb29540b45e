"""A Product, and its Prices, stay while somebody uses them; nobody else can hold them."""

from tests.support.manifests import Document
from tests.unit.operator.cluster.objects import api, price, product, store_of, stored, subscription
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.cluster.finalizers import FINALIZER, users, wanted_finalizers
from tollgate_operator.cluster.store import Store
from tollgate_operator.control_loop import State, reconcile

NOW = "2026-11-22T09:00:00Z"
BASE = (api("a"), product("pro"), price("fee"), product("free"))
Changes = dict[tuple[str, str], tuple[str, ...]]


def wanted(store: Store, last: State | None = None) -> Changes:
    state = reconcile(store.loaded(), last, SETTINGS)
    return wanted_finalizers(store, users(state.resources, store))


def changes(*documents: Document) -> Changes:
    return wanted(store_of(*BASE, *documents))


def test_what_is_used_gets_a_finalizer_and_keeps_those_of_others() -> None:
    assert changes(subscription("s")) == {("Product", "pro"): (FINALIZER,), ("Price", "fee"): (FINALIZER,)}
    assert changes(subscription("s"), product("pro", 2, finalizers=["x"]))["Product", "pro"] == ("x", FINALIZER)


def test_what_has_it_already_is_left_alone() -> None:
    held = (product("pro", 2, finalizers=["x", FINALIZER]), price("fee", 2, finalizers=[FINALIZER]))
    assert changes(subscription("s"), *held) == {}


def test_the_last_subscription_frees_it() -> None:
    held = (product("pro", 2, finalizers=["x", FINALIZER], deletionTimestamp=NOW),)
    assert changes(*held) == {("Product", "pro"): ("x",)}
    going = subscription("s", deletionTimestamp=NOW, finalizers=["theirs"])
    assert changes(*held, going) == {("Product", "pro"): ("x",)}


def test_what_is_being_deleted_gets_no_finalizer_any_more() -> None:
    """The API server would refuse it."""
    going = product("pro", 2, finalizers=["x"], deletionTimestamp=NOW)
    assert ("Product", "pro") not in changes(subscription("s"), going)


def test_without_a_grant_nobody_holds_another_namespace_s_product() -> None:
    spec = {"product": "pro", "productNamespace": "default", "customer": {"id": "c"}}
    stranger = subscription("s", namespace="elsewhere") | {"spec": spec}
    assert changes(stranger) == {}
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "g"},
        "spec": {
            "from": [{"group": "tollgate.dev", "kind": "Subscription", "namespace": "elsewhere"}],
            "to": [{"group": "tollgate.dev", "kind": "Product"}],
        },
    }
    assert set(changes(stranger, stored(grant))) == {("Product", "pro"), ("Price", "fee")}


def test_a_subscription_whose_edit_is_wrong_uses_what_it_still_serves() -> None:
    store = store_of(*BASE, subscription("s"))
    first = reconcile(store.loaded(), None, SETTINGS)
    store.apply("MODIFIED", subscription("s", 2, to="nothing"))
    assert set(wanted(store, first)) == {("Product", "pro"), ("Price", "fee")}
