"""Credit notes: less to pay on an open invoice; money or credit back on a paid one."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe import balances
from tollgate_sandbox.stripe.calls import assign, decimal_text
from tollgate_sandbox.stripe.charging import cancel_intent
from tollgate_sandbox.stripe.currencies import rounded
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.invoicing import intent_of, mark_paid
from tollgate_sandbox.stripe.refunding import refund
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.world import World


@dataclass(slots=True)
class _Sums:
    subtotal: int
    tax: int
    lines: list[Json]


def credit(world: World, invoice: Json, params: Json) -> Json:
    """Issue a credit note; raises StripeError where the parts do not add up or exceed the invoice."""
    if invoice["status"] not in {"open", "paid", "uncollectible"}:
        raise invalid("Credit notes can only be issued for finalized invoices.", param="invoice")
    sums = _sums(world, invoice, params)
    total = sums.subtotal + sums.tax
    issued = sum(
        note["total"]
        for note in world.store.all(
            "credit_note", lambda one: one["invoice"] == invoice["id"] and one["status"] == "issued"
        )
    )
    if total < 1 or issued + total > invoice["total"]:
        left = invoice["total"] - issued
        raise invalid(
            f"The credit note's total must be between 1 and {left}, what is left of the invoice.", param="amount"
        )
    post = _split(params, invoice, total)
    note = world.new("credit_note", "cn", _fields(invoice, sums, total, post, params))
    note["pdf"] = f"{world.base_url}/i/{invoice['id']}/pdf"
    assign(note, params, ("memo", "metadata", "reason", "effective_at"))
    hidden = world.store.hidden[invoice["id"]]
    hidden["credit_notes"] = hidden.get("credit_notes", 0) + 1
    note["number"] = f"{invoice['number']}-CN-{hidden['credit_notes']:02d}"
    _apply(world, invoice, note, params)
    world.emit("credit_note.created", note)
    return note


def _sums(world: World, invoice: Json, params: Json) -> _Sums:
    given: list[Json] = params.get("lines") or []
    if bool(given) == ("amount" in params) and not _parts(params):
        raise invalid("One of amount or lines is needed.", code="parameter_missing", param="amount")
    if given:
        lines = [_line(world, invoice, line) for line in given]
        tax = sum(one["amount"] for line in lines for one in line["taxes"])
        return _Sums(sum(line["amount"] for line in lines), tax, lines)
    total: int = params["amount"] if "amount" in params else _parts(params)
    taxes = sum(one["amount"] for one in invoice["total_taxes"] if one["tax_behavior"] == "exclusive")
    share = Decimal(taxes) / invoice["total"] if invoice["total"] else Decimal(0)
    tax = rounded(total * share, invoice["currency"])
    return _Sums(total - tax, tax, [_custom(total - tax, "Credit", 1)])


def _parts(params: Json) -> int:
    return sum(params.get(name, 0) for name in ("credit_amount", "refund_amount", "out_of_band_amount"))


def _line(world: World, invoice: Json, given: Json) -> Json:
    if given["type"] == "custom_line_item":
        unit = Decimal(given["unit_amount_decimal"] if "unit_amount_decimal" in given else given.get("unit_amount", 0))
        quantity: int = given.get("quantity") or 1
        made = _custom(rounded(unit * quantity, invoice["currency"]), given.get("description"), quantity)
        return made | {"unit_amount_decimal": decimal_text(unit)}
    if "invoice_line_item" not in given:
        raise invalid("Missing required param: lines[invoice_line_item].", code="parameter_missing", param="lines")
    line = world.store.get("line_item", given["invoice_line_item"], "lines[invoice_line_item]")
    amount: int = given["amount"] if "amount" in given else line["amount"]
    taxes: list[Json] = []
    for tax in line["taxes"]:
        share = Decimal(tax["amount"]) / line["amount"] if line["amount"] else Decimal(0)
        taxes.append({**tax, "amount": rounded(amount * share, invoice["currency"]), "taxable_amount": amount})
    made = _custom(amount, given.get("description", line["description"]), given.get("quantity"))
    return made | {"invoice_line_item": line["id"], "taxes": taxes, "type": "invoice_line_item"}


def _custom(amount: int, description: str | None, quantity: int | None) -> Json:
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }


def _split(params: Json, invoice: Json, total: int) -> int:
    """How much of it concerns money already paid."""
    post: int = max(0, total - invoice["amount_remaining"])
    if post != _parts(params):
        message = f"credit_amount, refund_amount and out_of_band_amount must sum to the post payment amount ({post})."
        raise invalid(message, param="amount")
    return post


def _fields(invoice: Json, sums: _Sums, total: int, post: int, params: Json) -> Json:
    template: list[Json] = [tax for tax in invoice["total_taxes"] if tax["tax_behavior"] == "exclusive"]
    return {
        "amount": total,
        "amount_shipping": 0,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice": invoice["id"],
        "lines": {"object": "list", "data": sums.lines, "has_more": False, "url": ""},
        "out_of_band_amount": params.get("out_of_band_amount"),
        "post_payment_amount": post,
        "pre_payment_amount": total - post,
        "pretax_credit_amounts": [],
        "refunds": [],
        "status": "issued",
        "subtotal": sums.subtotal,
        "subtotal_excluding_tax": sums.subtotal,
        "total": total,
        "total_excluding_tax": sums.subtotal,
        "total_taxes": [{**template[0], "amount": sums.tax, "taxable_amount": sums.subtotal}]
        if template and sums.tax
        else [],
        "type": "post_payment" if post == total else "pre_payment" if not post else "mixed",
    }


def _apply(world: World, invoice: Json, note: Json, params: Json) -> None:
    note["lines"]["url"] = f"/v1/credit_notes/{note['id']}/lines"
    invoice["post_payment_credit_notes_amount"] += note["post_payment_amount"]
    if params.get("refund_amount"):
        intent = intent_of(world, invoice)
        charge: Any = world.store.find(intent["latest_charge"]) if intent else None
        if charge is None:
            raise invalid("There is no charge to refund.", param="refund_amount")
        made = refund(world, charge, params["refund_amount"])
        note["refunds"] = [
            {"amount_refunded": made["amount"], "payment_record_refund": None, "refund": made["id"], "type": "refund"}
        ]
    customer = world.store.find(invoice["customer"])
    if params.get("credit_amount") and customer is not None:
        booked = balances.book(
            world, customer, -params["credit_amount"], invoice["currency"], "credit_note", invoice["id"]
        )
        note["customer_balance_transaction"] = booked["id"]
    _reduce(world, invoice, note["pre_payment_amount"])


def _reduce(world: World, invoice: Json, amount: int) -> None:
    """Less is due; nothing left means paid."""
    if not amount:
        return
    invoice["pre_payment_credit_notes_amount"] += amount
    invoice["amount_due"] -= amount
    invoice["amount_remaining"] -= amount
    intent = intent_of(world, invoice)
    if invoice["amount_remaining"] <= 0:
        if intent is not None:
            cancel_intent(world, intent, "automatic")
        mark_paid(world, invoice, 0)
    else:
        if intent is not None:
            intent["amount"] = invoice["amount_remaining"]
        for payment in world.store.of_invoice("invoice_payment", invoice["id"]):
            payment["amount_requested"] = invoice["amount_remaining"]
        world.emit("invoice.updated", invoice)
