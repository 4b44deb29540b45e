"""Refunds, credits and chargebacks: all are adjustments of a transaction."""

from decimal import Decimal

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.details import recompute
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import ADJUSTED_LINE, ADJUSTMENT, new_id
from tollgate_sandbox.paddle.totals import Sum, added, sum_of, taxed
from tollgate_sandbox.paddle.transacting import OWED
from tollgate_sandbox.paddle.world import World


def adjust(
    world: World, transaction: Json, action: str, reason: str, items: list[Json] | None, *, tax_outside: bool = False
) -> Json:
    """All that is left, or some of some lines; raises PaddleError."""
    _check_status(transaction, action)
    parts = _parts(world, transaction, items, tax_outside=tax_outside)
    total = added(part for _, part in parts.values())
    if total.total == 0:
        raise refused("adjustment_amount_cannot_be_zero", "there is nothing left to adjust")
    status = "pending_approval" if action == "refund" and world.paddle.adjustments == "pending" else "approved"
    fields: Json = {
        "action": action,
        "type": "full" if items is None else "partial",
        "transaction_id": transaction["id"],
        "subscription_id": transaction["subscription_id"],
        "customer_id": transaction["customer_id"],
        "reason": reason,
        "credit_applied_to_balance": False if action == "credit" else None,
        "currency_code": transaction["currency_code"],
        "status": status,
        "items": [_item(world, id_, type_, part) for id_, (type_, part) in parts.items()],
        **_totals(transaction, total),
    }
    made = world.made(ADJUSTMENT, fields, hidden={"parts": [_flat(id_, part) for id_, (_, part) in parts.items()]})
    _count(world, transaction, made, 1)
    world.emit("adjustment.created", made)
    return made


def _flat(id_: str, part: Sum) -> list[str | int]:
    return [id_, part.subtotal, part.tax]


def _check_status(transaction: Json, action: str) -> None:
    allowed = OWED if action == "credit" else {"paid", "completed"}
    if transaction["status"] not in allowed or (action == "credit" and transaction["collection_mode"] != "manual"):
        code = f"adjustment_transaction_invalid_status_for_{action.partition('_')[0]}"
        raise refused(code, f"{action} is not possible: transaction is {transaction['status']}")


def _parts(
    world: World, transaction: Json, items: list[Json] | None, *, tax_outside: bool
) -> dict[str, tuple[str, Sum]]:
    lines = {line["id"]: line for line in transaction["details"]["line_items"]}
    left = {id_: sum_of(line["totals"]) - adjusted(world, transaction, id_) for id_, line in lines.items()}
    if items is None:
        return {id_: ("full", rest) for id_, rest in left.items() if rest.total}
    parts: dict[str, tuple[str, Sum]] = {}
    for at, item in enumerate(items):
        id_: str = item["item_id"]
        if id_ not in lines or id_ in parts:
            raise refused("adjustment_transaction_item_invalid", f"{id_} is no item of {transaction['id']}")
        parts[id_] = (item["type"], _part(item, left[id_], Decimal(lines[id_]["tax_rate"]), at, outside=tax_outside))
        if parts[id_][1].total > left[id_].total:
            raise refused("adjustment_amount_above_remaining_allowed", f"{left[id_].total} of {id_} is left")
    return parts


def _part(item: Json, left: Sum, rate: Decimal, at: int, *, outside: bool) -> Sum:
    if item["type"] == "full":
        return left
    if item["type"] == "tax":
        return Sum(0, left.tax)
    amount = item.get("amount")
    if item["type"] != "partial" or not str(amount).isdigit():
        raise bad_request((f"items.{at}.amount", "must be a whole number of minor units as a string"))
    whole = taxed(int(str(amount)), rate, included=not outside)
    return left if whole.total == left.total else whole


def adjusted(world: World, transaction: Json, line: str) -> Sum:
    """What was taken back of a line."""
    taken: dict[str, list[int]] = world.hidden(transaction).get("adjusted", {})
    return Sum(*taken.get(line, (0, 0)))


def _count(world: World, transaction: Json, adjustment: Json, sign: int) -> None:
    """Add it to what was taken back, or take it out again."""
    hidden = world.hidden(transaction)
    taken: dict[str, list[int]] = hidden.setdefault("adjusted", {})
    for id_, subtotal, tax in world.hidden(adjustment)["parts"]:
        before = taken.get(id_, [0, 0])
        taken[id_] = [before[0] + sign * subtotal, before[1] + sign * tax]
    hidden["adjusted_sum"] = [sum(one[0] for one in taken.values()), sum(one[1] for one in taken.values())]
    if adjustment["action"] == "credit":
        hidden["credited"] = hidden.get("credited", 0) + sign * int(adjustment["totals"]["total"])
    recompute(world, transaction)
    world.touched(transaction, "transaction.updated")


def _item(world: World, line: str, type_: str, part: Sum) -> Json:
    return {
        "id": new_id(ADJUSTED_LINE, world.clock.stamp()),
        "item_id": line,
        "type": type_,
        "amount": str(part.total),
        "proration": None,
        "totals": part.shown(discount=False),
    }


def _totals(transaction: Json, total: Sum) -> Json:
    currency, shown = transaction["currency_code"], total.shown(discount=False)
    rate = transaction["details"]["tax_rates_used"][0]["tax_rate"]
    fees = {"fee": "0", "retained_fee": "0", "earnings": str(total.subtotal), "currency_code": currency}
    return {
        "totals": {**shown, **fees},
        "payout_totals": {**shown, **fees, "chargeback_fee": {"amount": "0", "original": None}},
        "tax_rates_used": [{"tax_rate": rate, "totals": {**shown, **fees}}],
    }


def approve(world: World, adjustment: Json) -> None:
    """Paddle lets a refund through."""
    _decide(world, adjustment, "approved")


def reject(world: World, adjustment: Json) -> None:
    """Paddle refuses a refund: nothing was taken back."""
    _decide(world, adjustment, "rejected")
    _count(world, world.get("txn", adjustment["transaction_id"]), adjustment, -1)


def _decide(world: World, adjustment: Json, status: str) -> None:
    if adjustment["status"] != "pending_approval":
        raise refused("adjustment_invalid_status", f"adjustment is {adjustment['status']}")
    adjustment["status"] = status
    world.touched(adjustment, "adjustment.updated")


def charge_back(world: World, transaction: Json) -> Json:
    """The cardholder's bank takes back all that is left."""
    return adjust(world, transaction, "chargeback", "Chargeback by the cardholder's bank", None)


def reverse(world: World, adjustment: Json) -> Json:
    """The bank gives a chargeback back: an adjustment of its own, and the first one is marked."""
    if adjustment["action"] != "chargeback" or adjustment["status"] != "approved":
        raise refused("adjustment_invalid_status", "only a chargeback in force can be reversed")
    transaction = world.get("txn", adjustment["transaction_id"])
    same = ("subscription_id", "customer_id", "currency_code", "items", "totals", "payout_totals", "tax_rates_used")
    fields: Json = {name: adjustment[name] for name in ("transaction_id", "type", *same)}
    made = world.made(
        ADJUSTMENT,
        {
            "action": "chargeback_reverse",
            "reason": "Chargeback reversed",
            "credit_applied_to_balance": None,
            "status": "approved",
            **fields,
        },
        hidden={"parts": []},
    )
    adjustment["status"] = "reversed"
    _count(world, transaction, adjustment, -1)
    world.touched(adjustment, "adjustment.updated")
    world.emit("adjustment.created", made)
    return made
