"""What the simulator sends is what the SDK's classes hold."""

from dataclasses import fields
from typing import Any

import pytest
from paddle_billing.Entities.Address import Address
from paddle_billing.Entities.Adjustment import Adjustment
from paddle_billing.Entities.Customer import Customer
from paddle_billing.Entities.CustomerPortalSession import CustomerPortalSession
from paddle_billing.Entities.Events import EventTypeName
from paddle_billing.Entities.Notification import Notification
from paddle_billing.Entities.NotificationSetting import NotificationSetting
from paddle_billing.Entities.PaymentMethod import PaymentMethod
from paddle_billing.Entities.Price import Price
from paddle_billing.Entities.Product import Product
from paddle_billing.Entities.Shared import Action, CurrencyCode
from paddle_billing.Entities.Subscription import Subscription
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Resources.Adjustments.Operations import CreateAdjustment
from paddle_billing.Resources.CustomerPortalSessions.Operations import CreateCustomerPortalSession

from tests.unit.sandbox_paddle.builders import charge, statements, subscription
from tests.unit.sandbox_paddle.conftest import KEY, Simulated
from tests.unit.sandbox_paddle.test_webhooks import destination
from tollgate_cli.laptop import loopback
from tollgate_sandbox.paddle.money import ZERO_DECIMAL, smallest
from tollgate_sandbox.paddle.params import words

_INCLUDED = {
    "address", "adjustments", "adjustment_totals", "business", "customer", "discount", "available_payment_methods",
    "next_transaction", "recurring_transaction_details", "product", "prices",
}  # fmt: skip
"""Fields that come only when they are asked for, or are nothing that the simulator has."""


@pytest.fixture
def full(sim: Simulated, api: Any) -> Any:
    """The paths of one of each kind."""
    sim.control("webhooks", mode="manual")
    hook = destination(api, "http://127.0.0.1:9/", "customer.created")
    one = subscription(api, amount=1000)
    charge(api, one, 500)
    made = statements(api, one)["st_1"]
    api.adjustments.create(CreateAdjustment.full(Action("refund"), "all", made.id))
    api.customer_portal_sessions.create(one.customer_id, CreateCustomerPortalSession())
    owner = f"/customers/{one.customer_id}"
    return {
        Customer: owner,
        Address: f"{owner}/addresses/{one.address_id}",
        PaymentMethod: f"{owner}/payment-methods",
        Product: f"/products/{one.items[0].product.id}",
        Price: f"/prices/{one.items[0].price.id}",
        Transaction: f"/transactions/{made.id}",
        Subscription: f"/subscriptions/{one.id}",
        Adjustment: "/adjustments",
        NotificationSetting: f"/notification-settings/{hook.id}",
        Notification: "/notifications",
    }


def test_objects_have_exactly_the_fields_of_their_classes(sim: Simulated, full: Any) -> None:
    wrong = {}
    for shape, path in full.items():
        data = loopback.get(sim.url + path, headers={"authorization": f"Bearer {KEY}"}).json()["data"]
        found = data[0] if isinstance(data, list) else data
        names = {field.name for field in fields(shape)}
        wrong[shape.__name__] = (set(found) - names) | (names - set(found) - _INCLUDED)
    assert {name: names for name, names in wrong.items() if names} == {}


def test_the_state_holds_portal_sessions_and_all_ids_have_their_prefix(sim: Simulated, full: Any) -> None:
    objects = sim.see("state")["objects"]
    assert {kind for kind, things in objects.items() for one in things if not one["id"].startswith(f"{kind}_")} == set()
    assert set(objects["cpls"][0]) == {field.name for field in fields(CustomerPortalSession)}
    assert {event["event_type"] for event in objects["evt"]} <= set(words(EventTypeName))


def test_every_currency_of_the_sdk_has_a_smallest_amount() -> None:
    assert {word: smallest(word) for word in words(CurrencyCode) if smallest(word) <= 0} == {}
    assert set(words(CurrencyCode)) >= ZERO_DECIMAL
