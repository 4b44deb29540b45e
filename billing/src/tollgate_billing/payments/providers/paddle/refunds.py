"""Giving back at Paddle: an adjustment, whose reason names it, because it has no custom data."""

from collections.abc import Iterator

from paddle_billing import Client
from paddle_billing.Entities.Adjustment import Adjustment
from paddle_billing.Entities.Shared import Action, AdjustmentTaxMode, AdjustmentType
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Resources.Adjustments.Operations import CreateAdjustment, CreateAdjustmentItem

from tollgate_billing.payments.port import RefundOrder, RefusedError

_NOT_DONE = frozenset({"rejected", "reversed"})


def has_refund(made: list[Adjustment], order: RefundOrder) -> bool:
    """It was asked for before, whether it was approved yet or not."""
    return any(one.reason.endswith(_name(order)) for one in made)


def write_refund(client: Client, transaction: Transaction, made: list[Adjustment], order: RefundOrder) -> None:
    """Of its items in their order, as much as is left of each, with tax. Raises RefusedError."""
    items, missing = list[CreateAdjustmentItem](), order.minor
    for item, left in _left(transaction, made):
        part = min(left, missing)
        if part > 0:
            items.append(CreateAdjustmentItem(item, AdjustmentType.Partial, f"{part}"))
            missing -= part
    if missing:
        raise RefusedError(f"of {transaction.id} only {order.minor - missing} can be given back at Paddle")
    wanted = CreateAdjustment.partial(
        Action.Refund, items, f"{order.reason} {_name(order)}", transaction.id, AdjustmentTaxMode.Internal
    )
    client.adjustments.create(wanted)


def _left(transaction: Transaction, made: list[Adjustment]) -> Iterator[tuple[str, int]]:
    for line in transaction.details.lineItems:
        given = sum(
            int(item.totals.total)
            for one in made
            for item in one.items
            if item.item_id == line.id and one.action == Action.Refund and one.status.value not in _NOT_DONE
        )
        yield line.id, int(line.totals.total) - given


def _name(order: RefundOrder) -> str:
    return f"(refund {order.id})"
