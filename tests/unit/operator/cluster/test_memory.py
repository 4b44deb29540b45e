"""What is remembered across restarts: last good versions of what is wrong now, and never a Secret."""

import json

import pytest

from tests.support.manifests import resource
from tests.unit.operator.cluster.objects import api, product, store_of, stored, subscription
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_core.manifests import parse_manifest
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.cluster.memory import worth_remembering
from tollgate_operator.control_loop import reconcile
from tollgate_operator.reconcile import ResourceKey

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "sk-secret"}}
BROKEN = stored(resource("Product", "p", endpoint=[]), 9)


def test_nothing_is_remembered_where_all_is_right() -> None:
    state = reconcile(store_of(api("a"), product("p")).loaded(), None, SETTINGS)
    assert worth_remembering(state) == {}


@pytest.mark.parametrize("namespace", ["default", "team"])
def test_the_last_good_version_serves_again_after_a_restart(namespace: str) -> None:
    store = store_of(api("a", namespace=namespace), product("p", namespace=namespace))
    good = reconcile(store.loaded(), None, SETTINGS)
    store.apply("MODIFIED", {**BROKEN, "metadata": {**BROKEN["metadata"], "namespace": namespace}})
    kept = worth_remembering(reconcile(store.loaded(), good, SETTINGS))
    ((name, text),) = kept.items()
    assert name == ("Product.p" if namespace == "default" else "Product.team.p")
    manifest = parse_manifest(json.loads(text))
    remembered: dict[ResourceKey, Manifest] = {(manifest.kind, manifest.qualified_name): manifest}
    state = reconcile(store.loaded(), None, SETTINGS, remembered)
    assert state.statuses[manifest.kind, manifest.qualified_name].serving == "previous"
    assert state.catalog_hash == good.catalog_hash
    assert worth_remembering(state) == kept


def test_names_fit_a_config_map() -> None:
    long = "n" * 63
    store = store_of(product(long, namespace="s" * 63))
    good = reconcile(store.loaded(), None, SETTINGS)
    store.apply("MODIFIED", {**BROKEN, "metadata": {**BROKEN["metadata"], "name": long, "namespace": "s" * 63}})
    (name,) = worth_remembering(reconcile(store.loaded(), good, SETTINGS))
    assert len(name) <= 253
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")


def test_no_secret_is_remembered() -> None:
    spec = {"secretKeyRef": {"name": "s", "key": "k"}}
    wanting = api("a") | {"spec": {**api("a")["spec"], "credential": {**spec, "header": "authorization"}}}
    store = store_of(stored(SECRET), wanting, product("p"), subscription("x", to="p"))
    good = reconcile(store.loaded(), None, SETTINGS)
    store.apply("MODIFIED", stored({**SECRET, "stringData": {"k": 5}}, 8))
    store.apply("MODIFIED", {**wanting, "metadata": {**wanting["metadata"], "resourceVersion": "9"}, "spec": {}})
    state = reconcile(store.loaded(), good, SETTINGS)
    assert state.statuses["Secret", "s"].serving == "previous"
    kept = worth_remembering(state)
    assert set(kept) == {"API.a"}
    assert "sk-secret" not in str(kept)
