"""Keys of payment providers on a real API server: from a Secret to billing, and back as the condition Synced."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.integration.payments.account import StripeAccount, stripe_account
from tests.integration.payments.test_webhooks import signed
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.release import Release
from tests.support.manifests import Document, resource
from tollgate_cli.laptop.system import wait_for

KEY, NEXT_KEY, LIVE_KEY = "sk_test_canary", "sk_test_canary_next", "sk_live_canary"
WEBHOOK, NEXT_WEBHOOK = "whsec_canary", "whsec_canary_next"
CANARY = "canary"
PAGE = Path(__file__).parents[2] / "docs" / "payments.md"


@pytest.fixture(scope="module")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeAccount]:
    with stripe_account(tmp_path_factory.mktemp("stripe"), "--key", NEXT_KEY) as account:
        yield account


def secret(name: str, **values: str) -> Document:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def provider(url: str, name: str = "shop", **more: Any) -> Document:
    references = {
        "secretKeyRef": {"name": f"{name}-stripe", "key": "key"},
        "webhookSecretKeyRef": {"name": f"{name}-stripe", "key": "webhook"},
    }
    return resource("PaymentProvider", name, stripe={**references, "apiUrl": url, **more})


@pytest.fixture(scope="module")
def release(
    api_server: ApiServer, stripe: StripeAccount, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Release]:
    team, namespace = api_server.namespace("team"), api_server.namespace("tollgate")
    with Release(api_server, tmp_path_factory.mktemp("release"), namespace, watch=(team,)) as running:
        running.apply([secret("shop-stripe", key=KEY, webhook=WEBHOOK), provider(stripe.url)])
        yield running


def handed_over(release: Release) -> dict[str, Any]:
    """What the release's Secret holds."""
    names = release.server.kubectl("get", "secrets", "-n", release.namespace, "-o", "name").split()
    if f"secret/{release.name}-payment-keys" not in names:
        return {}
    return {name: json.loads(value) for name, value in release.secret(f"{release.name}-payment-keys").items()}


def becomes(release: Release, expected: tuple[str, str], name: str = "shop", condition: str = "Synced") -> str:
    """The condition's message, once it is so."""
    seconds = 60
    found = wait_for(lambda: release.condition(f"paymentprovider/{name}", condition)[:2] == expected, seconds)
    assert found, f"{release.condition(f'paymentprovider/{name}', condition)}\n{release.logs()}"
    return release.condition(f"paymentprovider/{name}", condition)[2]


def mounted(release: Release, expected: dict[str, Any]) -> None:
    """The release's Secret becomes so, and the kubelet brings it to billing."""
    assert wait_for(lambda: handed_over(release) == expected, 30), f"{handed_over(release)}\n{release.logs()}"
    release.remount("billing", "payment-keys")


def file_of(release: Release, name: str = "shop") -> str:
    return f"{release.team}.{name}.json"


def keys(key: str = KEY, *webhooks: str) -> dict[str, Any]:
    return {"secretKey": key, "webhookSecrets": list(webhooks or (WEBHOOK,))}


def webhook(release: Release, stripe_secret: str, number: int) -> int:
    body = json.dumps({
        "id": f"evt_{number}", "type": "invoice.paid", "created": 1, "livemode": False,
        "data": {"object": {"object": "invoice", "id": "in_1"}},
    }).encode()  # fmt: skip
    with release.billing() as billing:
        headers = signed(body, int(time.time() * 1000), stripe_secret)
        return billing.post(f"/v1/webhooks/{release.team}/shop", content=body, headers=headers).status_code


def test_a_key_comes_from_a_secret_to_billing_and_is_said_to_work(release: Release) -> None:
    mounted(release, {file_of(release): keys()})
    assert becomes(release, ("True", "Synced")) == "Simulated account (acct_simulated) in test mode"
    shown = release.server.kubectl("get", "paymentproviders", "-n", release.team)
    documented = PAGE.read_text().partition("$ kubectl get paymentproviders\n")[2].partition("```")[0]
    assert [line.split()[:-1] for line in shown.splitlines()] == [line.split()[:-1] for line in documented.splitlines()]
    found = release.server.kubectl.get("secret", f"{release.name}-payment-keys", "-n", release.namespace)
    assert [owner["kind"] for owner in found["metadata"]["ownerReferences"]] == ["Deployment", "Deployment"]
    version = release.server.kubectl.get("paymentprovider/shop", "-n", release.team)["metadata"]["resourceVersion"]
    assert not wait_for(
        lambda: (
            release.server.kubectl.get("paymentprovider/shop", "-n", release.team)["metadata"]["resourceVersion"]
            != version
        ),
        5,
    ), "a status that says what is true is not written again"


def test_a_webhook_secret_is_rotated_in_two_steps(release: Release, stripe: StripeAccount) -> None:
    assert [webhook(release, WEBHOOK, 1), webhook(release, NEXT_WEBHOOK, 2)] == [200, 400]
    both = secret("shop-stripe", key=NEXT_KEY, webhook=NEXT_WEBHOOK, previous=WEBHOOK)
    previous = {"name": "shop-stripe", "key": "previous"}
    release.apply([both, provider(stripe.url, previousWebhookSecretKeyRef=previous)])
    mounted(release, {file_of(release): keys(NEXT_KEY, NEXT_WEBHOOK, WEBHOOK)})
    assert wait_for(lambda: [webhook(release, s, 3) for s in (WEBHOOK, NEXT_WEBHOOK)] == [200, 200], 20)
    becomes(release, ("True", "Synced"))
    release.apply([secret("shop-stripe", key=NEXT_KEY, webhook=NEXT_WEBHOOK), provider(stripe.url)])
    mounted(release, {file_of(release): keys(NEXT_KEY, NEXT_WEBHOOK)})
    assert wait_for(lambda: webhook(release, WEBHOOK, 4) == 400, 20)
    assert webhook(release, NEXT_WEBHOOK, 5) == 200
    becomes(release, ("True", "Synced"))


@pytest.mark.slow
def test_a_key_that_is_revoked_is_said(release: Release, stripe: StripeAccount) -> None:
    stripe.control.post("/sandbox/keys", json={"revoke": NEXT_KEY}).raise_for_status()
    release.apply([secret("shop-stripe", key=NEXT_KEY, webhook=WEBHOOK)])  # new keys are checked at once
    mounted(release, {file_of(release): keys(NEXT_KEY)})
    assert "does not accept the API key" in becomes(release, ("False", "Unauthorized"))
    stripe.control.post("/sandbox/keys", json={"restore": NEXT_KEY}).raise_for_status()
    becomes(release, ("True", "Synced"))


def test_what_is_missing_or_no_key_is_named_and_stops_nobody_else(
    release: Release, stripe: StripeAccount, tmp_path: Path
) -> None:
    release.apply([secret("shop-stripe", key=NEXT_KEY, webhook=WEBHOOK), provider(stripe.url)])
    mounted(release, {file_of(release): keys(NEXT_KEY)})
    (tmp_path / "key").write_text(f"{KEY}\n")  # as an editor leaves it
    create = ("create", "secret", "generic", "broken-stripe", "-n", release.team)
    release.server.kubectl(*create, f"--from-file=key={tmp_path / 'key'}", f"--from-literal=webhook={WEBHOOK}")
    release.apply([provider(stripe.url, "broken"), provider(stripe.url, "missing")])
    message = becomes(release, ("False", "InvalidSecret"), "broken", "ResolvedRefs")
    assert "spec.stripe.secretKeyRef: the key 'key' of Secret 'broken-stripe' ends with a line break" in message
    message = becomes(release, ("False", "RefNotFound"), "missing", "ResolvedRefs")
    assert "spec.stripe.secretKeyRef: there is no Secret 'missing-stripe' with key 'key'" in message
    assert becomes(release, ("False", "KeysMissing"), "missing") == "see ResolvedRefs"
    assert handed_over(release) == {file_of(release): keys(NEXT_KEY)}
    release.server.kubectl("delete", "secret", "broken-stripe", "-n", release.team)
    release.server.kubectl(*create, f"--from-literal=key={KEY}", f"--from-literal=webhook={WEBHOOK}")
    mounted(release, {file_of(release): keys(NEXT_KEY), file_of(release, "broken"): keys()})
    becomes(release, ("True", "ResolvedRefs"), "broken", "ResolvedRefs")
    becomes(release, ("True", "Synced"), "broken")
    release.server.kubectl("delete", "-n", release.team, "paymentprovider/broken", "paymentprovider/missing")
    mounted(release, {file_of(release): keys(NEXT_KEY)})


def test_test_and_live_are_not_mixed(release: Release) -> None:
    release.apply([secret("shop-stripe", key=LIVE_KEY, webhook=WEBHOOK)])
    mounted(release, {file_of(release): keys(LIVE_KEY)})
    message = becomes(release, ("False", "AccountChanged"))
    assert message == (
        f"PaymentProvider {release.team}/shop was account acct_simulated in test mode and its key is now of live mode: "
        "make another PaymentProvider"
    )
    with release.billing() as billing:
        ready = billing.get("/readyz")
    assert ready.json()["degraded"][f"payment account {release.team}/shop"] == message
    assert webhook(release, WEBHOOK, 6) == 404
    release.apply([secret("shop-stripe", key=KEY, webhook=WEBHOOK)])
    mounted(release, {file_of(release): keys()})
    becomes(release, ("True", "Synced"))


@pytest.mark.slow
def test_billing_that_is_away_is_said_to_be(release: Release) -> None:
    release.processes.end(release.process("billing"))
    assert becomes(release, ("Unknown", "BillingUnavailable")) == "billing does not answer the operator"
    release.start("billing")
    becomes(release, ("True", "Synced"))


def test_no_key_is_anywhere_else(release: Release) -> None:
    """After all of the above: of the whole cluster only the Secrets hold one, and of the disk only what is mounted."""
    kubectl = release.server.kubectl
    for kinds in ("tollgate", "events", "configmaps"):
        for namespace in (release.team, release.namespace):
            assert CANARY not in kubectl("get", kinds, "-n", namespace, "-o", "yaml"), kinds
    logs = sorted((release.directory / "logs").glob("*.log"))
    assert {"billing-0.log", "operator-0.log"} <= {path.name for path in logs}
    assert [path.name for path in logs if CANARY in path.read_text()] == []
    password = release.secret(f"{release.name}-keys")["redis-password"].decode()
    assert CANARY not in _everything(f"redis://:{password}@127.0.0.1:{release.port(6379)}/0")
    with release.billing() as billing:
        for path in ("/v1/payment-providers", "/readyz", "/metrics", "/v1/outbox"):
            assert CANARY not in billing.get(path).text
    holders = [path for path in release.directory.rglob("*") if path.is_file() and _holds(path)]
    assert holders
    assert {path.relative_to(release.directory).parts[1] for path in holders} == {"payment-keys"}


def _everything(url: str) -> str:
    """All that Redis holds; what DUMP gives may be compressed."""
    redis: Any = Redis.from_url(url)
    read = {b"hash": redis.hgetall, b"string": redis.get, b"stream": redis.xrange}
    with redis:
        found = {key: read.get(redis.type(key), redis.dump)(key) for key in redis.keys("*")}
    assert any(b"shop" in repr(value).encode() for value in found.values()), "the catalog is among it"
    return repr(found)


def _holds(path: Path) -> bool:
    content = path.read_bytes()
    return CANARY.encode() in content or base64.b64encode(CANARY.encode()) in content
