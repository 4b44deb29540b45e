"""Subscriptions: how they begin, renew, fall behind and end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from paddle_billing.Entities.DateTime import DateTime
from paddle_billing.Entities.Shared import CollectionMode, CustomData, Duration, Interval, PriceTrialPeriod
from paddle_billing.Entities.Subscriptions import (
    SubscriptionEffectiveFrom,
    SubscriptionProrationBillingMode,
    SubscriptionResumeEffectiveFrom,
    SubscriptionStatus,
)
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Subscriptions.Operations import (
    CancelSubscription,
    ListSubscriptions,
    PauseSubscription,
    PreviewUpdateSubscription,
    ResumeSubscription,
    SubscriptionIncludes,
    UpdateSubscription,
)
from paddle_billing.Resources.Subscriptions.Operations.Update import SubscriptionUpdateItem, UpdateBillingDetails
from paddle_billing.Resources.Transactions.Operations import ListTransactions

from tests.unit.sandbox_paddle.builders import (
    CARD,
    charge,
    customer,
    event_types,
    pay,
    price,
    refusal,
    statements,
    subscription,
    transaction,
)
from tests.unit.sandbox_paddle.conftest import Simulated, run_paddle

LATER_DECLINED = "4000002760003184"
NOW, NEXT = (SubscriptionEffectiveFrom(word) for word in ("immediately", "next_billing_period"))


def of(api: Any, one: Any) -> list[Any]:
    return list(api.transactions.list(ListTransactions(subscription_ids=[one.id])))


def test_completing_a_checkout_starts_it_with_the_card_saved(api: Any) -> None:
    one = subscription(api, custom_data=CustomData({"subscription": "s1"}))
    assert (one.status.value, one.custom_data.data) == ("active", {"subscription": "s1"})
    [method] = api.payment_methods.list(one.customer_id)
    assert (method.card.last4, method.origin.value) == ("4242", "subscription")
    [first] = of(api, one)
    assert (first.payments[0].payment_method_id, first.origin.value) == (method.id, "api")
    types = event_types(api)
    assert types[types.index("payment_method.saved") :] == [
        "payment_method.saved", "transaction.paid", "subscription.created", "subscription.activated",
        "transaction.completed",
    ]  # fmt: skip
    assert [found.id for found in api.subscriptions.list(ListSubscriptions(customer_ids=[one.customer_id]))] == [one.id]


def test_it_renews_with_what_waited(sim: Simulated, api: Any) -> None:
    one = subscription(api, amount=1000)
    charge(api, one, 500, "st_1", at="next_billing_period")
    coming = api.subscriptions.get(one.id, [SubscriptionIncludes("next_transaction")]).next_transaction
    assert coming.details.totals.subtotal == "1500"
    sim.pass_days(32)
    renewed = statements(api, one)["st_1"]
    assert (renewed.origin.value, renewed.status.value, renewed.details.totals.total) == (
        "subscription_recurring", "completed", "1785",
    )  # fmt: skip
    assert renewed.billing_period.starts_at == one.next_billed_at
    sim.pass_days(31)
    assert [made.details.totals.subtotal for made in of(api, one)] == ["1000", "1500", "1000"]


def test_usage_is_charged_at_once_and_found_again_by_its_statement(api: Any) -> None:
    one = subscription(api)
    answer = charge(api, one, 1234, "st_7")
    assert (answer.id, answer.status.value) == (one.id, "active")
    made = statements(api, one)["st_7"]
    assert (made.origin.value, made.status.value, made.details.totals.subtotal) == (
        "subscription_charge", "completed", "1234",
    )  # fmt: skip
    charge(api, one, 1234, "st_7")
    assert len(of(api, one)) == 3, "there is no idempotency"


def test_a_declined_charge_is_prevented(api: Any) -> None:
    one = subscription(api, LATER_DECLINED)
    with pytest.raises(ApiError) as refused:
        charge(api, one, 1234)
    assert refused.value.error_code == "subscription_payment_declined"
    made = statements(api, one)["st_1"]
    assert (made.status.value, made.payments[0].error_code.value) == ("canceled", "declined")
    assert api.subscriptions.get(one.id).status == "active"


def test_a_declined_charge_that_applies_is_owed_until_a_new_card_pays_it(sim: Simulated, api: Any) -> None:
    one = subscription(api, LATER_DECLINED)
    assert charge(api, one, 1234, failure="apply_change").status == "past_due"
    made = statements(api, one)["st_1"]
    assert made.status == "past_due"
    sim.pass_days(1.1)
    assert len(api.transactions.get(made.id).payments) == 2
    change = api.subscriptions.get_payment_method_change_transaction(one.id)
    assert change.id == made.id
    pay(change)
    paid = api.transactions.get(made.id)
    assert (paid.status.value, [one.status.value for one in paid.payments]) == (
        "completed", ["captured", "error", "error"],
    )  # fmt: skip
    assert api.subscriptions.get(one.id).status == "active"
    charge(api, one, 900, "st_2")
    assert statements(api, one)["st_2"].status == "completed"


def test_dunning_ends_with_a_pause(sim: Simulated, api: Any) -> None:
    one = subscription(api, LATER_DECLINED)
    charge(api, one, 1234, failure="apply_change")
    sim.pass_days(31)
    made = statements(api, one)["st_1"]
    assert (len(made.payments), made.status.value, api.subscriptions.get(one.id).status.value) == (
        8, "past_due", "paused",
    )  # fmt: skip
    assert event_types(api).count("transaction.payment_failed") == 8


def test_dunning_may_cancel() -> None:
    with run_paddle("--after-retries", "cancel") as sim:
        api: Any = sim.client("pdl_sdbx_apikey_any")
        one = subscription(api, LATER_DECLINED, 1000)
        sim.pass_days(32)
        assert api.subscriptions.get(one.id).status == "past_due"
        sim.pass_days(31)
        assert api.subscriptions.get(one.id).status == "canceled"
        assert event_types(api)[-1] == "transaction.canceled"


def test_charges_are_limited_by_hour_day_and_size(sim: Simulated, api: Any) -> None:
    one = subscription(api)

    for _ in range(20):
        charge(api, one, 100)
    assert refusal(charge, api, one, 100) == (429, "subscription_immediate_charge_hour_limit_exceeded")
    charge(api, one, 100, at="next_billing_period")
    for _ in range(4):
        sim.control("clock", advance_seconds=3601)
        for _ in range(20):
            charge(api, one, 100)
    sim.control("clock", advance_seconds=3601)
    assert refusal(charge, api, one, 100) == (429, "subscription_immediate_charge_24_hour_limit_exceeded")
    sim.pass_days(1)
    with pytest.raises(ApiError) as small:
        charge(api, one, 10)
    assert small.value.error_code == "subscription_update_transaction_balance_less_than_charge_limit"


def test_nothing_is_charged_shortly_before_a_renewal(sim: Simulated, api: Any) -> None:
    one = subscription(api)
    sim.control("clock", now=int(one.next_billed_at.timestamp()) - 1000)
    assert refusal(charge, api, one, 100) == (409, "subscription_locked_renewal")
    sim.control("clock", advance_seconds=1100)
    charge(api, one, 100)


def test_it_is_canceled_at_the_end_of_the_period_or_at_once(sim: Simulated, api: Any) -> None:
    one = subscription(api)
    later = api.subscriptions.cancel(one.id, CancelSubscription())
    assert (later.scheduled_change.action.value, later.status.value) == ("cancel", "active")
    api.subscriptions.update(one.id, UpdateSubscription(scheduled_change=None))
    assert api.subscriptions.get(one.id).scheduled_change is None
    api.subscriptions.cancel(one.id, CancelSubscription(NEXT))
    sim.pass_days(32)
    assert api.subscriptions.get(one.id).status == "canceled"
    assert len(of(api, one)) == 1
    with pytest.raises(ApiError) as refused:
        charge(api, one, 100)
    assert refused.value.error_code == "subscription_is_canceled_action_invalid"
    assert list(api.subscriptions.list(ListSubscriptions(statuses=[SubscriptionStatus("active")]))) == []


def test_a_pause_ends_when_it_is_told_to(sim: Simulated, api: Any) -> None:
    one = subscription(api, amount=1000)
    back = DateTime.from_datetime(datetime.fromtimestamp(sim.see("clock")["now"], UTC) + timedelta(days=40))
    assert api.subscriptions.pause(one.id, PauseSubscription(NOW, back)).status == "paused"
    sim.pass_days(39)
    assert len(of(api, one)) == 1
    sim.pass_days(2)
    assert (api.subscriptions.get(one.id).status.value, len(of(api, one))) == ("active", 2)
    api.subscriptions.pause(one.id, PauseSubscription(NOW))
    assert (
        api.subscriptions.resume(one.id, ResumeSubscription(SubscriptionResumeEffectiveFrom("immediately"))).status
        == "active"
    )
    assert [word for word in event_types(api) if word.startswith("subscription.") and "updated" not in word][2:] == [
        "subscription.paused", "subscription.resumed", "subscription.paused", "subscription.resumed",
    ]  # fmt: skip


def test_items_are_changed_with_proration(sim: Simulated, api: Any) -> None:
    one = subscription(api, amount=1000)
    more = UpdateSubscription(
        items=[SubscriptionUpdateItem(one.items[0].price.id, 3)],
        proration_billing_mode=SubscriptionProrationBillingMode("full_immediately"),
    )
    preview = api.subscriptions.preview_update(one.id, PreviewUpdateSubscription(**vars(more)))
    assert preview.update_summary.result.amount == "2000"
    assert api.subscriptions.get(one.id).items[0].quantity == 1
    changed = api.subscriptions.update(one.id, more)
    assert (changed.items[0].quantity, [made.origin.value for made in of(api, one)][1:]) == (3, ["subscription_update"])
    less = SubscriptionProrationBillingMode("prorated_immediately")
    items: list[Any] = [SubscriptionUpdateItem(one.items[0].price.id, 1)]
    api.subscriptions.update(one.id, UpdateSubscription(items=items, proration_billing_mode=less))
    [credit] = api.customers.credit_balances(one.customer_id)
    assert 1990 <= int(credit.balance.available) <= 2000
    charge(api, one, 2500)
    made = statements(api, one)["st_1"]
    assert int(made.details.totals.credit) == int(credit.balance.available)
    assert made.payments[0].amount == made.details.totals.grand_total


def test_credit_of_a_prevented_charge_is_given_back(api: Any) -> None:
    one = subscription(api, LATER_DECLINED, 1000)
    ids = [one.items[0].price.id, price(api, 100).id]
    less = UpdateSubscription(
        items=[SubscriptionUpdateItem(ids[1], 1)],
        proration_billing_mode=SubscriptionProrationBillingMode("prorated_immediately"),
    )
    api.subscriptions.update(one.id, less)
    [before] = api.customers.credit_balances(one.customer_id)
    assert refusal(charge, api, one, 5000) == (400, "subscription_payment_declined")
    assert api.customers.credit_balances(one.customer_id).items == [before]


def test_calling_off_a_debt_frees_the_subscription(api: Any, browser: httpx.Client) -> None:
    one = subscription(api, LATER_DECLINED)
    charge(api, one, 1234, failure="apply_change")
    browser.post(f"/dashboard/transactions/{statements(api, one)['st_1'].id}/cancel")
    assert api.subscriptions.get(one.id).status == "active"


def test_a_trial_is_billed_when_it_ends(sim: Simulated, api: Any) -> None:
    trial = PriceTrialPeriod(Interval("day"), 7)
    made = transaction(api, price(api, 1000, trial_period=trial), customer_id=customer(api).id)
    assert made.details.totals.total == "0"
    pay(made)
    one = api.subscriptions.get(api.transactions.get(made.id).subscription_id)
    assert (one.status.value, one.items[0].status.value) == ("trialing", "trialing")
    sim.pass_days(8)
    assert api.subscriptions.get(one.id).status == "active"
    assert [found.details.totals.subtotal for found in of(api, one)] == ["0", "1000"]


def test_without_a_card_payments_fail(api: Any) -> None:
    one = subscription(api)
    [method] = api.payment_methods.list(one.customer_id)
    api.payment_methods.delete(one.customer_id, method.id)
    with pytest.raises(ApiError) as refused:
        charge(api, one, 100)
    assert refused.value.error_code == "subscription_payment_declined"
    change = api.subscriptions.get_payment_method_change_transaction(one.id)
    assert (change.origin.value, change.details.totals.total) == ("subscription_payment_method_change", "0")
    assert "Save card" in httpx.get(change.checkout.url).text
    pay(change, CARD["number"])
    charge(api, one, 100)


def test_a_period_is_moved_and_what_was_billed_keeps_its_own(sim: Simulated, api: Any) -> None:
    one = subscription(api, amount=1000)
    sooner = DateTime.from_datetime(datetime.fromtimestamp(sim.see("clock")["now"], UTC) + timedelta(days=5))
    nothing = SubscriptionProrationBillingMode("do_not_bill")
    moved = api.subscriptions.update(one.id, UpdateSubscription(next_billed_at=sooner, proration_billing_mode=nothing))
    assert moved.current_billing_period.ends_at == moved.next_billed_at < one.next_billed_at
    assert of(api, one)[0].billing_period.ends_at == one.next_billed_at
    sim.pass_days(6)
    assert len(of(api, one)) == 2


def test_manual_collection_needs_its_details(sim: Simulated, api: Any) -> None:
    one = subscription(api, amount=1000)
    manual = UpdateSubscription(collection_mode=CollectionMode("manual"))
    assert refusal(api.subscriptions.update, one.id, manual) == (400, "bad_request")
    terms = UpdateBillingDetails(Duration(Interval("day"), 14), True)
    api.subscriptions.update(one.id, UpdateSubscription(collection_mode=manual.collection_mode, billing_details=terms))
    sim.pass_days(32)
    billed = of(api, one)[1]
    assert (billed.status.value, billed.payments) == ("billed", [])
    pay(billed)
    assert api.transactions.get(billed.id).status == "completed"
