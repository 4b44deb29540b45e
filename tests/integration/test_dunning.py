"""An overdue invoice at a real gateway: few calls, then none; paid, all of them again."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.calls import CHAT, chat_body, headers
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for

SUBSCRIPTION = "sub-late"
#: Before the closing delay of the laptop's billing: the fee of its first month is due at once.
BEGAN = (datetime.now(UTC) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")


def documents(mode: str, **dunning: int) -> list[Document]:
    return [
        *example_documents(mode),
        resource("PaymentProvider", "bank", manual={"daysUntilDue": 0}),
        resource("Product", "late", endpoints=[{"api": "openai"}], paymentProvider="bank", dunning=dunning),
        resource("Price", "late-fee", product="late", currency="USD", model="flat", amount="49"),
        resource("Subscription", SUBSCRIPTION, product="late", customer={"id": "acme"}, startsAt=BEGAN),
    ]


@pytest.fixture(scope="module", params=["stream", "native"])
def late(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("late")
    with Gateway(folder, documents(request.param, graceDays=0, throttleDays=1, requestsPerMinute=2)) as running:
        yield running


def call(gateway: Gateway) -> httpx.Response:
    auth = headers(gateway, SUBSCRIPTION, None)
    return loopback.post(gateway.url + CHAT, headers=auth, json=chat_body(), timeout=30)


def error_of(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code != 200 else ""


def test_unpaid_is_throttled_then_refused_and_paid_is_restored(late: Gateway) -> None:
    billing = late.session.billing
    assert wait_for(lambda: error_of(call(late)) == (429, "payment_overdue"), 30)
    assert "overdue" in call(late).json()["error"]["message"]
    assert int(call(late).headers["retry-after"]) <= 30

    late.edit(documents(late.mode, graceDays=0, throttleDays=0, requestsPerMinute=2))
    assert wait_for(lambda: error_of(call(late)) == (402, "payment_required"), 30)
    assert "Pay it to go on" in call(late).json()["error"]["message"]

    (statement,) = billing.get(f"/v1/subscriptions/{SUBSCRIPTION}/statements")["statements"]
    billing.post(f"/v1/statements/{statement['id']}/payments", {"id": "transfer"})
    paid = time.monotonic()
    assert wait_for(lambda: call(late).status_code == 200, 10)
    sys.stdout.write(f"restored after {time.monotonic() - paid:.2f} s\n")  # at most 1 where nothing else runs
    kinds = [one["kind"] for one in billing.get("/v1/notifications", subscription=SUBSCRIPTION)["notifications"]]
    assert kinds == ["access.throttled", "access.suspended", "access.restored"]
