"""Prepaid products through a real gateway: calls that the credit does not pay for get 402, and Redis and SQL agree."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from tests.integration.test_limits import call_at_once
from tests.support.calls import CHAT, chat_body, headers
from tests.support.gateway import Gateway
from tests.support.manifests import example_documents, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for
from tollgate_core.redis_contract import Keys

SUBSCRIPTION = "sub-prepaid"
PATH = f"/v1/subscriptions/{SUBSCRIPTION}"
METRIC = resource("BillableMetric", "prepaid-calls", usage=[{"endpoints": [{"api": "openai"}], "quantity": "1"}])
SMALL = 'requestedModel == "gpt-5-mini"'


def price(name: str, amount: str, **spec: Any) -> Any:
    base = {"product": "prepaid", "metric": "prepaid-calls", "currency": "USD", "model": "standard"}
    return resource("Price", name, amount=amount, **base, **spec)


@pytest.fixture(scope="module", params=["stream", pytest.param("native", marks=pytest.mark.slow)])
def prepaid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    documents = [
        *example_documents(request.param),
        METRIC,
        resource("Product", "prepaid", endpoints=[{"api": "openai"}], wallet={}),
        price("prepaid-large", "1.00"),
        price("prepaid-small", "0.25", when=SMALL),
        resource("Subscription", SUBSCRIPTION, product="prepaid", customer={"id": "acme"}),
    ]
    with Gateway(tmp_path_factory.mktemp("prepaid"), documents) as running:
        yield running


def call(gateway: Gateway, **fields: Any) -> httpx.Response:
    auth = headers(gateway, SUBSCRIPTION, None)
    return loopback.post(gateway.url + CHAT, headers=auth, json=chat_body(**fields), timeout=30)


def give(gateway: Gateway, name: str, amount: str) -> None:
    gateway.session.billing.post(f"{PATH}/grants", {"id": name, "amount": amount, "source": "topUp"})


def wallet(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.session.billing.get(f"{PATH}/wallet")
    return found


def used(gateway: Gateway) -> float:
    return float(gateway.redis.hget(Keys.wallet(SUBSCRIPTION), "used") or 0)


def test_a_life_of_prepaid_credit(prepaid: Gateway) -> None:
    refused = call(prepaid)
    assert refused.status_code == 402, refused.text
    assert "retry-after" not in refused.headers
    assert refused.json()["error"]["code"] == "insufficient_credit"
    assert "Top it up" in refused.json()["error"]["message"]

    give(prepaid, "first", "10")
    assert wait_for(lambda: call(prepaid, model="gpt-5-mini").status_code == 200, 10)
    statuses = Counter(asyncio.run(call_at_once(prepaid, SUBSCRIPTION, 40, model="gpt-5")))
    assert statuses == {200: 9, 402: 31}  # 10.00 - 0.25: nine calls at 1.00, however many come at once
    prepaid.compare()
    assert wait_for(lambda: prepaid.holds() == 0, 15)

    # Three quarters are left: they pay for the small model, and not for the large one.
    assert call(prepaid, model="gpt-5").status_code == 402
    for _ in range(3):
        assert call(prepaid, model="gpt-5-mini").status_code == 200
    assert call(prepaid, model="gpt-5-mini").status_code == 402
    assert wait_for(lambda: Decimal(wallet(prepaid)["available"]) == 0, 15)
    assert wait_for(lambda: used(prepaid) == 10.0, 15)
    assert (wallet(prepaid)["settled"], wallet(prepaid)["pending"]) == ("10.00", "10.00")

    give(prepaid, "second", "1")
    assert wait_for(lambda: call(prepaid, model="gpt-5-mini").status_code == 200, 10)


def test_credit_that_is_taken_back_is_refused_to_an_official_sdk(prepaid: Gateway) -> None:
    prepaid.session.billing.delete(f"{PATH}/grants/second")
    assert wait_for(lambda: call(prepaid, model="gpt-5-mini").status_code == 402, 10)
    client = OpenAI(base_url=f"{prepaid.url}/openai/v1", api_key=prepaid.session.keys[SUBSCRIPTION])
    with pytest.raises(APIStatusError, match="Top it up") as refused:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello!"}])
    assert refused.value.status_code == 402


def agree(gateway: Gateway) -> bool:
    """Redis says what the ledger says: nothing was closed yet, so that all usage is pending."""
    return gateway.holds() == 0 and used(gateway) == float(wallet(gateway)["pending"])


def test_a_redis_that_lost_everything_knows_the_credit_again(prepaid: Gateway) -> None:
    assert wait_for(lambda: agree(prepaid), 30)
    before = used(prepaid)
    assert before > 0
    prepaid.redis.flushall()
    assert wait_for(lambda: used(prepaid) == before, 30)
    assert wait_for(lambda: call(prepaid).status_code == 402, 10)
