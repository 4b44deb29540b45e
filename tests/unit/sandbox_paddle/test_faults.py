"""What a network, an overloaded provider and wrong keys do."""

from typing import Any

import pytest
import requests
from paddle_billing.Exceptions.ApiError import ApiError

from tests.unit.sandbox_paddle.builders import charge, customer, refusal, statements, subscription
from tests.unit.sandbox_paddle.conftest import KEY, Simulated, run_paddle
from tollgate_cli.laptop import loopback


def test_a_charge_whose_answer_is_lost_is_found_again(sim: Simulated, api: Any) -> None:
    one = subscription(api)
    sim.control("faults", kind="answer_lost", method="POST", path="/subscriptions/*/charge")
    with pytest.raises(requests.ConnectionError):
        charge(api, one, 900, "st_9")
    assert statements(api, one)["st_9"].status == "completed"


def test_a_refused_connection_and_an_error_before_the_effect_have_none(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="refused", path="/customers")
    with pytest.raises(requests.ConnectionError):
        customer(api)
    sim.control("faults", kind="status", status=503, path="/customers")
    assert refusal(customer, api) == (503, "service_unavailable")
    assert list(api.customers.list()) == []


def test_an_error_after_the_effect(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="error_after", method="POST")
    assert refusal(customer, api) == (500, "internal_error")
    assert len(list(api.customers.list())) == 1


def test_too_many_requests_are_told_when_to_come_back(sim: Simulated, api: Any) -> None:
    sim.control("rates", account=2)
    for _ in range(2):
        api.customers.list()
    with pytest.raises(ApiError) as limited:
        api.customers.list()
    assert limited.value.error_code == "too_many_requests"
    assert limited.value.retry_after is not None
    assert 0 < limited.value.retry_after <= 60
    sim.control("clock", advance_seconds=60)
    api.customers.list()


def test_keys_of_another_environment_and_revoked_ones_are_refused(sim: Simulated, api: Any) -> None:
    for key, told in {
        "pdl_live_apikey_x": (403, "forbidden"),
        "pdl_sdbx_apikey_other": (403, "forbidden"),
        "nonsense": (401, "authentication_malformed"),
    }.items():
        assert refusal(sim.client(key).customers.list) == told
    assert loopback.get(f"{sim.url}/customers").json()["error"]["code"] == "authentication_missing"
    sim.control("keys", revoke=KEY)
    assert refusal(api.customers.list) == (403, "forbidden")
    sim.control("keys", restore=KEY)
    api.customers.list()


def test_everything_survives_a_restart(tmp_path: Any) -> None:
    state = str(tmp_path / "paddle.json")
    with run_paddle("--state", state) as sim:
        one = subscription(sim.client(), "4000002760003184", 1000)
        sim.pass_days(3)
    with run_paddle("--state", state) as again:
        api = again.client()
        found = api.subscriptions.get(one.id)
        assert found.next_billed_at == one.next_billed_at
        again.pass_days(29)
        assert api.subscriptions.get(one.id).status == "past_due"
