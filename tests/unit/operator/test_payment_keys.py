"""Keys of payment providers: which are handed to billing, and what is said of the others."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import Document, resource
from tests.unit.operator.cluster.objects import store_of, stored
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_core.manifests import ReferenceGrant
from tollgate_operator.cluster.admission import review
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.payment_files import write_key_files
from tollgate_operator.reconcile import UpstreamPolicy
from tollgate_operator.reconcile.index import Index
from tollgate_operator.reconcile.payment_keys import LARGEST_BYTES, KeyFiles, key_files, say_left_out

KEY, WEBHOOK, OLD = "sk_test_canary", "whsec_canary", "whsec_canary_old"


def secret(name: str = "stripe", **values: str) -> Document:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return stored({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})


def provider(name: str = "shop", *, previous: bool = False, **more: Any) -> Document:
    fields = {"secretKeyRef": "key", "webhookSecretKeyRef": "webhook"}
    fields |= {"previousWebhookSecretKeyRef": "old"} if previous else {}
    references = {field: {"name": "stripe", "key": key} for field, key in fields.items()}
    return stored(resource("PaymentProvider", name, stripe={**references, **more}))


def run(*documents: Document, last: State | None = None) -> State:
    return reconcile(store_of(*documents).loaded(), last, SETTINGS)


def handed(state: State) -> dict[str, Any]:
    return {name: json.loads(content) for name, content in state.payment_keys.files.items()}


def resolved(state: State, name: str = "shop") -> tuple[bool | None, str, str]:
    status = state.statuses["PaymentProvider", name]
    (found,) = [c for c in status.conditions if c.type == "ResolvedRefs"]
    return found.status, found.reason, found.message


def test_keys_are_handed_over_and_are_nowhere_else() -> None:
    state = run(provider(previous=True), secret(key=KEY, webhook=WEBHOOK, old=OLD))
    assert handed(state) == {"shop.json": {"secretKey": KEY, "webhookSecrets": [WEBHOOK, OLD]}}
    assert resolved(state) == (True, "ResolvedRefs", "")
    assert "canary" not in repr((state.statuses, state.payment_keys, state.catalog))
    assert b"canary" not in state.encoded


def test_a_key_of_another_namespace_needs_its_leave() -> None:
    shop = provider()
    shop["metadata"]["namespace"] = "team"
    for reference in shop["spec"]["stripe"].values():
        reference["namespace"] = "default"
    values = secret(key=KEY, webhook=WEBHOOK)
    state = run(shop, values)
    assert (handed(state), resolved(state, "team/shop")[:2]) == ({}, (False, "RefNotPermitted"))
    grant = stored({
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": ReferenceGrant.__name__,
        "metadata": {"name": "leave"},
        "spec": {
            "from": [{"group": "tollgate.dev", "kind": "PaymentProvider", "namespace": "team"}],
            "to": [{"group": "", "kind": "Secret"}],
        },
    })  # fmt: skip
    assert list(handed(run(shop, values, grant))) == ["team.shop.json"]


@pytest.mark.parametrize(
    ("values", "reason", "expected", "waits"),
    [
        ({"webhook": WEBHOOK}, "RefNotFound", "secretKeyRef: there is no Secret 'stripe' with key 'key'", True),
        ({"key": KEY}, "RefNotFound", "webhookSecretKeyRef: there is no Secret 'stripe' with key 'webhook'", True),
        ({"key": KEY, "webhook": WEBHOOK}, "RefNotFound", "previousWebhookSecretKeyRef: there is no Secret", False),
        (
            {"key": f"{KEY}\n", "webhook": WEBHOOK, "old": OLD},
            "InvalidSecret",
            "spec.stripe.secretKeyRef: the key 'key' of Secret 'stripe' ends with a line break",
            True,
        ),
        ({"key": KEY, "webhook": KEY, "old": OLD}, "InvalidSecret", "is a secret key of Stripe (sk_…)", True),
        ({"key": KEY, "webhook": WEBHOOK, "old": "canary"}, "InvalidSecret", "previousWebhookSecretKeyRef", False),
    ],
)
def test_what_is_missing_or_no_key_is_named(values: dict[str, str], reason: str, expected: str, waits: bool) -> None:
    """Without the webhook secret of before, payments go on."""
    state = run(provider(previous=True), secret(**values))
    status, said, message = resolved(state)
    assert (status, said) == (False, reason)
    assert expected in message
    assert "canary" not in message
    assert bool(handed(state)) is not waits
    assert [p.name for p in state.catalog.payment_providers] == ["shop"], "who collects stays who collects"


def test_keys_of_paddle_are_of_its_environment() -> None:
    references = {"secretKeyRef": {"name": "p", "key": "key"}, "webhookSecretKeyRef": {"name": "p", "key": "webhook"}}
    values = secret("p", key="pdl_sdbx_apikey_canary", webhook="pdl_ntfset_canary")
    mixed = run(stored(resource("PaymentProvider", "shop", paddle=references)), values)
    assert (handed(mixed), resolved(mixed)[1]) == ({}, "InvalidSecret")
    right = run(stored(resource("PaymentProvider", "shop", paddle={**references, "environment": "sandbox"})), values)
    assert list(handed(right)) == ["shop.json"]


def test_one_bad_provider_stops_no_other_and_one_that_goes_takes_its_keys_along() -> None:
    values = secret(key=KEY, webhook=WEBHOOK)
    bad = provider("bad")
    bad["spec"]["stripe"]["secretKeyRef"]["name"] = "nowhere"
    assert list(handed(run(provider(), bad, values))) == ["shop.json"]
    assert handed(run(bad, values)) == {}
    assert handed(run(stored(resource("PaymentProvider", "bank", manual={})), values)) == {}


def test_an_edit_that_leads_nowhere_leaves_the_keys_of_before() -> None:
    values = secret(key=KEY, webhook=WEBHOOK)
    before = run(provider(), values)
    edited = provider()
    edited["spec"]["stripe"]["secretKeyRef"]["name"] = "nowhere"
    state = run(edited, values, last=before)
    assert (handed(state), state.statuses["PaymentProvider", "shop"].serving) == (handed(before), "previous")


def test_more_keys_than_a_secret_holds_are_named() -> None:
    state = run(provider("a"), provider("b"), secret(key=KEY, webhook=WEBHOOK))
    size = len("a.json") + len(state.payment_keys.files["a.json"])
    files = key_files(Index(state.resources), size)
    assert (list(files.files), set(files.left_out)) == (["a.json"], {"b"})
    ((key, status),) = say_left_out(state.statuses, files)
    assert key == ("PaymentProvider", "b")
    assert [(c.type, c.status, c.reason) for c in status.conditions] == [
        ("Accepted", True, "Accepted"),
        ("ResolvedRefs", False, "TooManyKeys"),
    ]
    assert str(LARGEST_BYTES) in status.conditions[1].message
    assert list(say_left_out(state.statuses, KeyFiles())) == []


def test_the_webhook_judges_no_value_that_it_does_not_hold() -> None:
    """Of a Secret that nothing refers to yet only the names of its keys are known."""
    store = store_of()
    store.apply("ADDED", store.trim(secret(key=KEY, webhook=WEBHOOK)) | {"kind": "Secret", "apiVersion": "v1"})
    request = {"uid": "u", "operation": "CREATE", "object": provider()}
    assert review(request, store.known(), UpstreamPolicy()) == {"uid": "u", "allowed": True}


def test_files_are_private_whole_and_only_written_where_they_change(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    write_key_files(folder, {"a.json": "1", "b.json": "2"})
    modes = [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "a.json", folder / "b.json")]
    assert modes == ["0o700", "0o600", "0o600"]
    before = os.stat(folder / "a.json")
    write_key_files(folder, {"a.json": "1", "c.json": "3"})
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "c.json"]
    assert os.stat(folder / "a.json").st_ino == before.st_ino
