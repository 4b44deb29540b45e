"""Keys of a payment provider on a laptop: from a Secret in the folder of manifests to billing, without a restart."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.payments.account import SECRET_KEY, StripeAccount, stripe_account
from tests.support.command import run
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, resource
from tollgate_cli.laptop.system import wait_for


@pytest.fixture(scope="module")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeAccount]:
    with stripe_account(tmp_path_factory.mktemp("stripe")) as account:
        yield account


def documents(url: str, key: str) -> list[Document]:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stripe"}}
    references = {name: {"name": "stripe", "key": key} for name, key in _KEYS.items()}
    return [
        *example_documents("stream"),
        secret | {"stringData": {"key": key, "webhook": "whsec_canary"}},
        resource("PaymentProvider", "shop", stripe={**references, "apiUrl": url}),
    ]


_KEYS = {"secretKeyRef": "key", "webhookSecretKeyRef": "webhook"}


@pytest.fixture(scope="module")
def laptop(stripe: StripeAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("keys"), documents(stripe.url, SECRET_KEY)) as running:
        yield running


def folder(gateway: Gateway) -> Path:
    return gateway.session.system.state / "payment-keys"


def listed(gateway: Gateway, *options: str) -> tuple[int, str]:
    return run(gateway.session.system.state.path, "payments", "providers", *options, columns=200)


def reason(gateway: Gateway) -> str:
    (shop,) = json.loads(listed(gateway, "--json")[1])["providers"]
    return str(shop["reason"])


def resolved(gateway: Gateway) -> Any:
    (shop,) = [r for r in gateway.session.system.status()["resources"] if r["kind"] == "PaymentProvider"]
    return next(c for c in shop["conditions"] if c["type"] == "ResolvedRefs")


def test_a_key_of_the_folder_is_used_and_rotated(laptop: Gateway, stripe: StripeAccount) -> None:
    assert wait_for(lambda: reason(laptop) == "Synced", 20)
    code, shown = listed(laptop)
    assert (code, "acct_simulated" in shown, "test" in shown) == (0, True, True)
    (file,) = folder(laptop).iterdir()
    assert (file.name, oct(file.stat().st_mode & 0o777), oct(folder(laptop).stat().st_mode & 0o777)) == (
        "shop.json",
        "0o600",
        "0o700",
    )
    laptop.edit(documents(stripe.url, f"{SECRET_KEY}\n"))
    assert wait_for(lambda: resolved(laptop)["reason"] == "InvalidSecret", 20)
    assert "ends with a line break" in resolved(laptop)["message"]
    assert wait_for(lambda: reason(laptop) == "KeysMissing", 20)
    assert list(folder(laptop).iterdir()) == []
    assert listed(laptop)[0] == 1
    laptop.edit(documents(stripe.url, SECRET_KEY))
    assert wait_for(lambda: reason(laptop) == "Synced", 20)
    state = laptop.session.system.state.path
    holders = {p.relative_to(state).parts[0] for p in state.rglob("*") if p.is_file() and b"canary" in p.read_bytes()}
    assert holders == {"payment-keys"}
