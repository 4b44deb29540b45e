"""What a network and an overloaded provider do."""

from typing import Any

import httpx
import pytest
import stripe

from tests.unit.sandbox_stripe.conftest import KEY, Simulated
from tollgate_cli.laptop import loopback


def test_a_lost_answer_has_its_effect(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="answer_lost", method="POST", path="/v1/customers")
    with pytest.raises(stripe.APIConnectionError):
        api.customers.create({"name": "Ada"})
    assert [one.name for one in api.customers.list()] == ["Ada"]


def test_a_refused_connection_has_none(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="refused", path="/v1/cust*", times=2)
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            api.customers.create({"name": "Ada"})
    assert api.customers.list().data == []


def test_error_statuses_before_the_effect(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="status", status=429, retry_after=7, method="POST")
    with pytest.raises(stripe.RateLimitError) as limited:
        api.customers.create({})
    assert limited.value.headers is not None
    assert limited.value.headers["Retry-After"] == "7"
    for status in (500, 503):
        sim.control("faults", kind="status", status=status, method="POST")
        with pytest.raises(stripe.APIError) as broken:
            api.customers.create({})
        assert broken.value.http_status == status
    assert api.customers.list().data == []


def test_an_error_after_the_effect_is_kept_under_its_key(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="error_after", method="POST", path="/v1/customers")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as broken:
            api.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
        assert broken.value.http_status == 500
    assert len(api.customers.list().data) == 1


def test_a_fault_waits_for_its_turn_and_can_be_called_off(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="status", status=503, path="/v1/customers", skip=1)
    api.customers.list()
    with pytest.raises(stripe.APIError):
        api.customers.list()
    api.customers.list()
    sim.control("faults", kind="status", times=100)
    assert sim.see("faults")[0]["times"] == 100
    loopback.delete(f"{sim.url}/sandbox/faults").raise_for_status()
    api.customers.list()


def test_slowness_runs_into_the_timeout_of_the_client(sim: Simulated) -> None:
    sim.control("faults", kind="slow", ms=500, path="/v1/customers")
    headers = {"authorization": f"Bearer {KEY}"}
    with pytest.raises(httpx.ReadTimeout):
        loopback.get(f"{sim.url}/v1/customers", headers=headers, timeout=0.2)


def test_rate_limits_per_endpoint(sim: Simulated, api: Any) -> None:
    sim.control("rates", endpoint=3)
    statuses = []
    for _ in range(9):
        try:
            api.customers.list()
            statuses.append(200)
        except stripe.RateLimitError as limited:
            statuses.append(limited.http_status or 0)
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    sim.control("rates", endpoint=0)
    api.customers.list()


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("faults", {"kind": "explosion"}, "kind must be one of"),
        ("faults", {"kind": "slow", "milliseconds": 5}, "unknown field milliseconds"),
        ("faults", {"kind": "status", "times": 0}, "at least 1"),
        ("webhooks", {"mode": "sometimes"}, "mode must be one of"),
        ("webhooks", {"drop": 2}, "probability"),
        ("webhooks", {"reorder": 1}, "true or false"),
        ("clock", {"now": 5}, "only moves forward"),
        ("clock", {"advance_seconds": -5}, "at least 0"),
    ],
)
def test_unclear_orders_are_explained(sim: Simulated, path: str, body: dict[str, Any], message: str) -> None:
    answer = loopback.post(f"{sim.url}/sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert loopback.post(f"{sim.url}/sandbox/{path}", content=b"{").status_code == 400


def test_searches_may_be_late_and_lists_are_not(sim: Simulated, api: Any) -> None:
    sim.control("lag", seconds=60)
    api.customers.create({"name": "Ada"})
    assert (api.customers.search({"query": "name:'Ada'"}).data, len(api.customers.list().data)) == ([], 1)
    sim.control("clock", advance_seconds=61)
    assert len(api.customers.search({"query": "name:'Ada'"}).data) == 1
