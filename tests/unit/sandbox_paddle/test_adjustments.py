"""Refunds, credits and chargebacks."""

from typing import Any

import httpx
import pytest
from paddle_billing.Entities.Shared import Action, AdjustmentStatus, AdjustmentType, TransactionStatus
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Adjustments.Operations import CreateAdjustment, ListAdjustments
from paddle_billing.Resources.Adjustments.Operations.Create.AdjustmentItem import AdjustmentItem
from paddle_billing.Resources.Transactions.Operations import TransactionIncludes, UpdateTransaction

from tests.unit.sandbox_paddle.builders import (
    charge,
    customer,
    event_types,
    pay,
    price,
    statements,
    subscription,
    transaction,
)
from tests.unit.sandbox_paddle.conftest import run_paddle
from tests.unit.sandbox_paddle.test_transactions import MANUAL, TERMS, known

REFUND, CREDIT = Action("refund"), Action("credit")


def part(of: Any, amount: int, action: Action = REFUND) -> CreateAdjustment:
    item = AdjustmentItem(of.details.lineItems[0].id, AdjustmentType("partial"), str(amount))
    return CreateAdjustment.partial(action, [item], "asked for", of.id)


def paid(api: Any, amount: int = 1000) -> Any:
    made = transaction(api, price(api, amount, cycle=None), customer_id=customer(api).id)
    pay(made)
    return api.transactions.get(made.id)


def test_a_part_is_refunded_and_then_the_rest(api: Any) -> None:
    made = paid(api)
    first = api.adjustments.create(part(made, 119))
    assert (first.status.value, first.totals.subtotal, first.totals.tax) == ("approved", "100", "19")
    with pytest.raises(ApiError) as refused:
        api.adjustments.create(part(made, 1072))
    assert refused.value.error_code == "adjustment_amount_above_remaining_allowed"
    rest = api.adjustments.create(CreateAdjustment.full(REFUND, "all of it", made.id))
    assert (rest.totals.total, rest.type.value) == ("1071", "full")
    include = [TransactionIncludes("adjustment"), TransactionIncludes("adjustments_totals")]
    after = api.transactions.get(made.id, include)
    assert (after.details.adjusted_totals.total, after.details.totals.total) == ("0", "1190")
    assert (after.adjustment_totals.breakdown.refund, len(after.adjustments)) == ("1190", 2)
    with pytest.raises(ApiError) as nothing:
        api.adjustments.create(CreateAdjustment.full(REFUND, "again", made.id))
    assert nothing.value.error_code == "adjustment_amount_cannot_be_zero"
    assert httpx.get(api.adjustments.get_credit_note(first.id).url).content.startswith(b"%PDF-1.4")


def test_what_a_subscription_was_charged_is_refunded(api: Any) -> None:
    one = subscription(api)
    charge(api, one, 5000)
    made = api.adjustments.create(part(statements(api, one)["st_1"], 1190))
    found = api.adjustments.list(ListAdjustments(subscription_ids=[one.id], action=REFUND))
    assert [each.id for each in found] == [made.id]
    assert event_types(api)[-2:] == ["transaction.updated", "adjustment.created"]


def test_only_what_is_owed_can_be_credited(api: Any) -> None:
    made = transaction(api, price(api, 1000, cycle=None), collection_mode=MANUAL, billing_details=TERMS, **known(api))
    with pytest.raises(ApiError) as refused:
        api.adjustments.create(part(made, 119, CREDIT))
    assert refused.value.error_code == "adjustment_transaction_invalid_status_for_credit"
    api.transactions.update(made.id, UpdateTransaction(status=TransactionStatus("billed")))
    api.adjustments.create(part(made, 119, CREDIT))
    assert api.transactions.get(made.id).details.totals.balance == "1071"
    with pytest.raises(ApiError) as early:
        api.adjustments.create(part(made, 119))
    assert early.value.error_code == "adjustment_transaction_invalid_status_for_refund"


def test_refunds_may_wait_for_approval() -> None:
    with run_paddle("--adjustments", "pending") as sim:
        api: Any = sim.client("pdl_sdbx_apikey_any")
        made = paid(api)
        first, second = (api.adjustments.create(part(made, 100)) for _ in range(2))
        assert first.status == "pending_approval"
        httpx.post(f"{sim.url}/dashboard/adjustments/{second.id}/reject")
        assert api.transactions.get(made.id).details.adjusted_totals.total == "900"
        sim.control("clock", advance_seconds=700)
        [approved] = api.adjustments.list(ListAdjustments(statuses=[AdjustmentStatus("approved")]))
        assert approved.id == first.id


def test_a_chargeback_is_made_and_reversed_by_buttons(api: Any, browser: httpx.Client) -> None:
    made = paid(api)
    browser.post(f"/dashboard/transactions/{made.id}/chargeback")
    [taken] = api.adjustments.list()
    assert (taken.action.value, taken.totals.total, taken.status.value) == ("chargeback", "1190", "approved")
    assert api.transactions.get(made.id).details.adjusted_totals.total == "0"
    browser.post(f"/dashboard/adjustments/{taken.id}/reverse")
    both = list(api.adjustments.list())
    assert [(each.action.value, each.status.value) for each in both] == [
        ("chargeback", "reversed"), ("chargeback_reverse", "approved"),
    ]  # fmt: skip
    assert api.transactions.get(made.id).details.adjusted_totals.total == "1190"


def test_banks_make_chargebacks_not_sellers(api: Any) -> None:
    with pytest.raises(ApiError) as refused:
        api.adjustments.create(CreateAdjustment.full(Action("chargeback"), "x", paid(api).id))
    assert refused.value.field_errors[0].field == "action"
