"""Idempotency keys: the same answer for a day, and no second effect."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, draft
from tests.unit.sandbox_stripe.conftest import KEY, Simulated

DAY = 24 * 3600


def test_the_same_request_is_answered_the_same_without_a_second_effect(api: Any) -> None:
    first = api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
    again = api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
    assert again.id == first.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(api.customers.list().data) == 1


def test_other_parameters_or_another_path_under_one_key_are_refused(api: Any) -> None:
    made = api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        api.customers.create({"email": "b@example.com"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        api.customers.update(made.id, {"email": "a@example.com"}, {"idempotency_key": "k1"})


def test_keys_are_forgotten_after_a_day(sim: Simulated, api: Any) -> None:
    first = api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
    sim.control("clock", advance_seconds=DAY - 60)
    assert api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"}).id == first.id
    sim.control("clock", advance_seconds=120)
    assert api.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"}).id != first.id


def test_a_refused_request_is_not_kept_but_a_declined_card_is(api: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        api.customers.create({"colour": "red"}, {"idempotency_key": "k1"})
    assert api.customers.create({"name": "Ada"}, {"idempotency_key": "k1"}).name == "Ada"
    payment = {"amount": 500, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            api.payment_intents.create(payment, {"idempotency_key": "k2"})
    assert len(api.payment_intents.list().data) == 1


def test_a_second_request_while_the_first_is_at_work_conflicts(sim: Simulated, api: Any) -> None:
    sim.control("faults", kind="slow", ms=700, method="POST", path="/v1/customers")
    with ThreadPoolExecutor(1) as other:
        first = other.submit(sim.client().v1.customers.create, {"name": "Ada"}, {"idempotency_key": "k1"})
        while sim.see("faults"):
            pass
        with pytest.raises(stripe.APIError) as conflict:
            api.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
        made = first.result()
    error: Any = conflict.value
    assert (error.http_status, error.error.code) == (409, "idempotency_key_in_use")
    assert api.customers.create({"name": "Ada"}, {"idempotency_key": "k1"}).id == made.id


def test_the_sdk_repeats_a_lost_answer_under_its_own_key(sim: Simulated) -> None:
    client = stripe.StripeClient(KEY, base_addresses={"api": sim.url}, max_network_retries=2)
    owner = customer(client.v1, None)
    sim.control("faults", kind="answer_lost", path="/v1/invoices", method="POST")
    invoice = draft(client.v1, owner)
    assert [one.id for one in client.v1.invoices.list()] == [invoice.id]
