"""Webhooks: signed, repeated, lost and out of order."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer
from tests.unit.sandbox_stripe.conftest import Simulated
from tests.unit.sandbox_stripe.receiver import Receiver


@pytest.fixture
def hook(sim: Simulated, api: Any, receiver: Receiver) -> Any:
    """An endpoint for customers, which gets what is delivered by hand."""
    sim.control("webhooks", mode="manual")
    endpoint = api.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.created", "customer.updated", "customer.deleted"]}
    )
    receiver.secret = endpoint.secret
    return endpoint


def test_events_arrive_signed_with_the_object_as_it_was(
    sim: Simulated, api: Any, hook: Any, receiver: Receiver
) -> None:
    made = api.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
    api.customers.update(made.id, {"name": "Grace"})
    assert receiver.got == []
    said = sim.control("webhooks/deliver")
    assert [(one["type"], one["status"]) for one in said] == [("customer.created", 200), ("customer.updated", 200)]
    created, updated = receiver.events()
    assert (created.data.object.name, updated.data.object.name) == ("Ada", "Grace")
    assert updated.data.previous_attributes.to_dict() == {"name": "Ada"}
    assert (created.api_version, created.livemode, created.request.idempotency_key) == (stripe.api_version, False, "k1")
    assert api.events.retrieve(created.id).data.object.name == "Ada"
    receiver.secret = "whsec_other"
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.events()


def test_the_secret_is_shown_once_and_a_disabled_endpoint_gets_nothing(sim: Simulated, api: Any, hook: Any) -> None:
    assert hook.secret.startswith("whsec_")
    assert getattr(api.webhook_endpoints.retrieve(hook.id), "secret", None) is None
    api.webhook_endpoints.update(hook.id, {"disabled": True})
    api.customers.create({})
    assert sim.control("webhooks/deliver") == []
    assert api.webhook_endpoints.list().data[0].status == "disabled"
    api.webhook_endpoints.delete(hook.id)
    assert api.webhook_endpoints.list().data == []


def test_in_auto_mode_events_come_by_themselves(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    sim.control("webhooks", mode="auto")
    customer(api, None)
    while not receiver.got:
        pass
    assert receiver.types() == ["customer.created"]


def test_duplicates(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    sim.control("webhooks", duplicate=2)
    api.customers.create({})
    sim.control("webhooks/deliver")
    assert len(receiver.got) == 3
    assert len({event.id for event in receiver.events()}) == 1


def test_order_is_shuffled_the_same_way_for_a_seed(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    orders = []
    for _ in range(2):
        sim.control("webhooks", reorder=True, seed=7)
        for number in range(8):
            api.customers.create({"name": str(number)})
        sim.control("webhooks/deliver")
        orders.append([event.data.object.name for event in receiver.events()])
        receiver.got.clear()
    assert orders[0] == orders[1] != [str(number) for number in range(8)]
    assert sorted(orders[0]) == [str(number) for number in range(8)]


def test_what_is_lost_or_refused_is_tried_again_with_growing_pauses(
    sim: Simulated, api: Any, hook: Any, receiver: Receiver
) -> None:
    sim.control("webhooks", drop_next=1)
    receiver.refuse = 1
    api.customers.create({})
    assert [one["error"] for one in sim.control("webhooks/deliver")] == ["dropped"]
    assert [one["status"] for one in sim.control("webhooks/deliver")] == [500]
    [waiting] = sim.see("webhooks")["deliveries"]
    first, second = waiting["attempts"]
    assert waiting["state"] == "pending"
    assert waiting["next_at"] - second["at"] > 60
    assert (first["status"], second["status"]) == (None, 500)
    assert len(api.events.list({"delivery_success": False}).data) == 1
    assert [one["status"] for one in sim.control("webhooks/deliver")] == [200]
    assert sim.control("webhooks/deliver") == []
    assert len(api.events.list({"delivery_success": False}).data) == 0


def test_all_are_lost_with_certainty(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    sim.control("webhooks", drop=1)
    api.customers.create({})
    sim.control("webhooks/deliver")
    assert receiver.got == []


def test_after_three_days_a_delivery_is_given_up(sim: Simulated, api: Any, hook: Any) -> None:
    sim.control("webhooks", drop=1)
    api.customers.create({})
    for _ in range(5):
        sim.control("webhooks/deliver")
        sim.pass_days(0.7)
    [given_up] = sim.see("webhooks")["deliveries"]
    assert given_up["state"] == "failed"
    assert sim.control("webhooks/deliver") == []


def test_a_receiver_that_is_away_is_reported(sim: Simulated, api: Any) -> None:
    sim.control("webhooks", mode="manual")
    api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    api.customers.create({})
    [said] = sim.control("webhooks/deliver")
    assert said["status"] is None
    assert "ConnectError" in said["error"]


def test_wildcards_are_no_event_types(api: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["invoice.*"]})
    assert refused.value.param == "enabled_events[0]"


def test_events_are_listed_by_type_and_time(sim: Simulated, api: Any) -> None:
    api.customers.create({})
    before = sim.see("clock")["now"]
    sim.pass_days(1)
    customer(api, "pm_card_visa")
    assert len(api.events.list({"type": "customer.*"}).data) == 3
    assert len(api.events.list({"types": ["payment_method.attached"]}).data) == 1
    assert len(api.events.list({"created": {"lte": before}}).data) == 1
    with pytest.raises(stripe.InvalidRequestError):
        api.events.list({"type": "a", "types": ["b"]})
