"""What a person does by hand in the dashboard."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.pages import away, form_of
from tollgate_sandbox.stripe.clientele import remove_customer
from tollgate_sandbox.stripe.collecting import collect, finalize_and_collect
from tollgate_sandbox.stripe.disputing import close_dispute, open_dispute
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.invoicing import mark_uncollectible, pay_out_of_band, void
from tollgate_sandbox.stripe.pages.dashboard import framed
from tollgate_sandbox.stripe.refunding import refund
from tollgate_sandbox.stripe.world import World

Form: TypeAlias = Mapping[str, str]
_KINDS = {
    "invoices": "invoice",
    "charges": "charge",
    "disputes": "dispute",
    "customers": "customer",
    "events": "event",
}


def _memo(world: World, invoice: Json, form: Form) -> None:
    before = {"description": invoice["description"]}
    invoice["description"] = form.get("memo") or None
    world.emit("invoice.updated", invoice, before)


def _charge_card(world: World, invoice: Json) -> None:
    error = collect(world, invoice)
    if error is not None:
        raise error


def _refund(world: World, charge: Json, form: Form) -> None:
    amount = form.get("amount", "")
    if not amount.isdigit():
        raise invalid("The amount is a whole number of minor units.", param="amount")
    refund(world, charge, int(amount), "requested_by_customer")


def _resend(world: World, event: Json) -> None:
    world.deliveries.again(event["id"])


_ACTIONS: dict[tuple[str, str], Callable[[World, Json, Form], object]] = {
    ("invoices", "finalize"): lambda world, invoice, _: finalize_and_collect(world, invoice),
    ("invoices", "charge"): lambda world, invoice, _: _charge_card(world, invoice),
    ("invoices", "paid"): lambda world, invoice, _: pay_out_of_band(world, invoice),
    ("invoices", "uncollectible"): lambda world, invoice, _: mark_uncollectible(world, invoice),
    ("invoices", "void"): lambda world, invoice, _: void(world, invoice),
    ("invoices", "memo"): _memo,
    ("charges", "refund"): _refund,
    ("charges", "dispute"): lambda world, charge, _: open_dispute(world, charge),
    ("disputes", "win"): lambda world, dispute, _: close_dispute(world, dispute, "won"),
    ("disputes", "lose"): lambda world, dispute, _: close_dispute(world, dispute, "lost"),
    ("customers", "delete"): lambda world, customer, _: remove_customer(world, customer),
    ("events", "resend"): lambda world, event, _: _resend(world, event),
}


async def act(world: World, request: Request) -> Response:
    """Do it and go back to where the button was."""
    kind, id_, action = (f"{request.path_params[name]}" for name in ("kind", "id", "action"))
    done = _ACTIONS.get((kind, action))
    try:
        if done is None:
            raise invalid(f"There is no action {action} for {kind}.")
        done(world, world.store.get(_KINDS[kind], id_, "id", 404), await form_of(request))
    except StripeError as error:
        return framed(world, "That did not work", error=error)
    finally:
        world.changed()
    return away(f"/dashboard/invoices/{id_}" if kind == "invoices" else "/dashboard")
