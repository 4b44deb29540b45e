"""Where providers tell what happened: over HTTP, with whatever the internet sends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from sqlalchemy import select

from tests.integration.payments.test_webhooks import signed
from tests.unit.billing.builders import NOW_MS
from tollgate_billing.http.app import build_app
from tollgate_billing.ledger.tables import inbox
from tollgate_billing.main import Billing
from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.registry import Registry
from tollgate_core.catalog import PaymentProvider
from tollgate_core.payment_keys import keys_file

URL = "/v1/webhooks/team/shop"
OLD, NEW = "whsec_canary_old", "whsec_canary_new"


def event(number: int) -> bytes:
    found = {"object": "invoice", "id": f"in_{number}"}
    made = {"id": f"evt_{number}", "type": "invoice.paid", "created": NOW_MS // 1000, "data": {"object": found}}
    return json.dumps(made).encode()


@pytest.fixture
def shop(billing: Billing, tmp_path: Path) -> Iterator[TestClient]:
    """A provider with keys, one without."""
    providers = tuple(PaymentProvider(name=name, kind="stripe") for name in ("team/shop", "team/without-keys"))
    billing.catalog.current = replace(billing.catalog.current, payment_providers=providers)
    keys = {"secretKey": "sk_test_canary", "webhookSecrets": [NEW, OLD]}
    (tmp_path / keys_file("team/shop")).write_text(json.dumps(keys))
    registry = Registry(lambda: billing.catalog.current, tmp_path)

    def ports() -> dict[str, ProviderPort]:
        return {one.provider.name: one.port for one in registry() if one.port}

    services = billing.services.__class__(**{**vars(billing.services), "providers": ports})
    with TestClient(build_app(services), raise_server_exceptions=False) as client:
        yield client


def stored(billing: Billing) -> list[tuple[str, str]]:
    with billing.database.read() as connection:
        return [(row.event_id, row.state) for row in connection.execute(select(inbox).order_by(inbox.c.event_id))]


def test_an_event_is_written_down_once_and_answered(shop: TestClient, billing: Billing) -> None:
    body = event(1)[:-1] + b', "livemode": false}'
    answers = [shop.post(URL, content=body, headers=signed(body, NOW_MS, secret)) for secret in (NEW, OLD)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    assert stored(billing) == [("evt_1", "pending")]


@pytest.mark.parametrize(
    ("url", "secret", "moment", "body", "status"),
    [
        (URL, "whsec_wrong", NOW_MS, event(2), 400),
        (URL, NEW, NOW_MS - 301_000, event(2), 400),
        (URL, NEW, NOW_MS, event(2)[:-9], 400),
        (URL, NEW, NOW_MS, event(2)[:-1] + b', "livemode": true}', 400),
        (URL, NEW, NOW_MS, b"x" * (1024 * 1024 + 1), 413),
        ("/v1/webhooks/team/without-keys", NEW, NOW_MS, event(2), 404),
        ("/v1/webhooks/nobody", NEW, NOW_MS, event(2), 404),
    ],
)
def test_what_nobody_signed_leaves_nothing(
    shop: TestClient, billing: Billing, url: str, secret: str, moment: int, body: bytes, status: int
) -> None:
    answer = shop.post(url, content=body, headers=signed(body, moment, secret))
    assert answer.status_code == status
    assert "canary" not in answer.text
    assert stored(billing) == []


def test_a_secret_is_rotated_without_a_restart(shop: TestClient, billing: Billing, tmp_path: Path) -> None:
    body = event(3)
    assert shop.post(URL, content=body, headers=signed(body, NOW_MS, OLD)).status_code == 200
    keys = {"secretKey": "sk_test_canary", "webhookSecrets": [NEW]}
    (tmp_path / keys_file("team/shop")).write_text(json.dumps(keys))
    body = event(4)
    assert shop.post(URL, content=body, headers=signed(body, NOW_MS, OLD)).status_code == 400
    assert shop.post(URL, content=body, headers=signed(body, NOW_MS, NEW)).status_code == 200
    assert stored(billing) == [("evt_3", "pending"), ("evt_4", "pending")]
