"""Events and webhooks: signed, repeated, lost and out of order."""

from typing import Any

import pytest
from paddle_billing.Entities.Events import EventTypeName
from paddle_billing.Entities.NotificationSettings import NotificationSettingType
from paddle_billing.Notifications import Secret, Verifier
from paddle_billing.Resources.Events.Operations import ListEvents
from paddle_billing.Resources.NotificationSettings.Operations import (
    CreateNotificationSetting,
    UpdateNotificationSetting,
)
from paddle_billing.Resources.Shared.Operations import OrderBy, Pager

from tests.unit.sandbox_paddle.builders import customer, subscription
from tests.unit.sandbox_paddle.conftest import Simulated
from tests.unit.sandbox_paddle.receiver import Receiver


@pytest.fixture
def hook(sim: Simulated, api: Any, receiver: Receiver) -> Any:
    """A destination for customers, which gets what is delivered by hand."""
    sim.control("webhooks", mode="manual")
    made = destination(api, receiver.url, "customer.created", "customer.updated")
    receiver.secret = made.endpoint_secret_key
    return made


def destination(api: Any, url: str, *types: str) -> Any:
    wanted = [EventTypeName(name) for name in types]
    order = CreateNotificationSetting("test", url, wanted, NotificationSettingType("url"), True)
    return api.notification_settings.create(order)


def test_events_arrive_signed_with_the_object_as_it_was(
    sim: Simulated, api: Any, hook: Any, receiver: Receiver
) -> None:
    made = customer(api)
    api.customers.archive(made.id)
    said = sim.control("webhooks/deliver")
    assert [(one["type"], one["status"]) for one in said] == [("customer.created", 200), ("customer.updated", 200)]
    created, updated = receiver.events()
    assert (created["data"]["status"], updated["data"]["status"]) == ("active", "archived")
    assert created["occurred_at"] < updated["occurred_at"]
    assert [event.event_id for event in api.events.list()] == [created["event_id"], updated["event_id"]]
    receiver.secret = "pdl_ntfset_other"
    assert receiver.verified() == [False, False]


def test_after_a_rotation_both_secrets_sign(
    sim: Simulated, api: Any, hook: Any, receiver: Receiver, browser: Any
) -> None:
    browser.post(f"/dashboard/settings/{hook.id}/rotate")
    fresh = api.notification_settings.get(hook.id).endpoint_secret_key
    assert fresh != hook.endpoint_secret_key
    customer(api)
    sim.pass_days(1.1)
    customer(api, "bob@example.com")
    sim.control("webhooks/deliver")
    assert [header.count("h1=") for header, _ in receiver.got] == [2, 1]
    assert receiver.verified() == [True, False]
    receiver.secret = fresh
    assert receiver.verified() == [True, True]


def test_duplicates_losses_and_retries(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    sim.control("webhooks", duplicate=1)
    customer(api)
    sim.control("webhooks/deliver")
    assert len({event["event_id"] for event in receiver.events()}) == 1
    assert len(receiver.got) == 2
    sim.control("webhooks", duplicate=0, drop_next=1)
    receiver.refuse = 1
    customer(api, "bob@example.com")
    assert [one["error"] for one in sim.control("webhooks/deliver")] == ["dropped"]
    [_, waiting] = api.notifications.list()
    assert (waiting.status.value, waiting.times_attempted) == ("needs_retry", 1)
    assert [one["status"] for one in sim.control("webhooks/deliver")] == [500]
    assert [one["status"] for one in sim.control("webhooks/deliver")] == [200]
    delivered = api.notifications.get(waiting.id)
    assert (delivered.status.value, delivered.times_attempted) == ("delivered", 3)
    assert [log.response_code for log in api.notification_logs.list(waiting.id)] == [500, 200]


def test_sixty_attempts_in_three_days(sim: Simulated, api: Any, hook: Any) -> None:
    sim.control("webhooks", drop=1)
    customer(api)
    for _ in range(60):
        sim.control("webhooks/deliver")
        [tried] = sim.see("webhooks")["deliveries"]
        sim.control("clock", now=max(tried["next_at"], sim.see("clock")["now"]))
    assert (tried["state"], len(tried["attempts"])) == ("failed", 60)
    span = tried["attempts"][-1]["at"] - tried["attempts"][0]["at"]
    assert 2.9 < span / 86400 <= 3
    assert api.notifications.list().items[0].status == "failed"


def test_a_replay_is_a_notification_of_its_own(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    customer(api)
    sim.control("webhooks/deliver")
    [first] = api.notifications.list()
    again = api.notifications.replay(first.id)
    sim.control("webhooks/deliver")
    one, two = receiver.events()
    assert (one["event_id"], one["notification_id"], two["notification_id"]) == (two["event_id"], first.id, again)
    assert api.notifications.get(again).origin == "replay"


def test_in_auto_mode_events_come_by_themselves(sim: Simulated, api: Any, hook: Any, receiver: Receiver) -> None:
    sim.control("webhooks", mode="auto")
    customer(api)
    while not receiver.got:
        pass
    assert receiver.types() == ["customer.created"]


def test_destinations_are_changed_and_deleted(sim: Simulated, api: Any, hook: Any) -> None:
    api.notification_settings.update(hook.id, UpdateNotificationSetting(active=False))
    customer(api)
    assert sim.control("webhooks/deliver") == []
    wanted = [EventTypeName("transaction.paid")]
    api.notification_settings.update(hook.id, UpdateNotificationSetting(active=True, subscribed_events=wanted))
    [found] = api.notification_settings.list()
    assert [one.name.value for one in found.subscribed_events] == ["transaction.paid"]
    api.notification_settings.delete(hook.id)
    assert list(api.notification_settings.list()) == []


def test_the_sdk_reads_every_event_of_a_subscription(api: Any) -> None:
    subscription(api, amount=1000)
    events = list(api.events.list())
    assert {type(event.data).__name__ for event in events} >= {"Transaction", "SubscriptionCreated", "PaymentMethod"}
    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
    newest = api.events.list(ListEvents(Pager(order_by=OrderBy.id_descending(), per_page=1)))
    assert newest.items[0].event_id == events[-1].event_id
    known = {one.name.value for one in api.event_types.list()}
    assert {event.event_type.value for event in events} <= known


def test_the_sdk_has_no_replay_protection_in_test_mode(
    sim: Simulated, api: Any, hook: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason to refuse to start where TEST_MODE is set."""
    customer(api)
    sim.control("webhooks/deliver")
    [(header, body)] = receiver.got
    secret = Secret(receiver.secret)
    old = f"ts=1;h1={Verifier().paddle_signature.calculate_hmac(secret.secret_key, b'1:' + body).hexdigest()}"

    class Request:
        headers = {"Paddle-Signature": old}  # noqa: RUF012
        content = body

    verifier: Any = Verifier()
    assert not verifier.verify(Request(), secret)
    monkeypatch.setenv("TEST_MODE", "1")
    assert verifier.verify(Request(), secret)
    assert header != old
