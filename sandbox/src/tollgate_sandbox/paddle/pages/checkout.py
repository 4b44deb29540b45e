"""The hosted checkout page, which is also the account's default payment link."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.cards import explained
from tollgate_sandbox.paddle.checking_out import CARD_CHANGE, payable, submit
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.ids import TRANSACTION
from tollgate_sandbox.paddle.pages.common import bought_table, card_form, told, total
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.card_form import CardError, read_card
from tollgate_sandbox.payments.html import link, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem


async def checkout(world: World, request: Request) -> Response:
    """Show the form, or take a card; success leads to where the page was told to lead."""
    transaction = world.store.of_kind(TRANSACTION, request.query_params.get("_ptxn", ""))
    if transaction is None:
        return not_found("transaction")
    success = request.query_params.get("success_url", "")
    if not payable(transaction):
        return _closed(transaction, success)
    if request.method == "GET":
        return _show(transaction, request)
    return await _pay(world, request, transaction, success)


async def _pay(world: World, request: Request, transaction: Json, success: str) -> Response:
    form = await form_of(request)
    try:
        error = submit(world, transaction, read_card(form, world.now()), keep=form.get("save") == "yes")
    except (CardError, PaddleError) as refused:
        return _show(transaction, request, told(refused), form)
    finally:
        world.changed()
    if error == "action_required":
        world.hidden(transaction)["success_url"] = success
        return away(f"/authenticate/{transaction['id']}")
    if error is not None:
        return _show(transaction, request, explained(error), form)
    return after_success(transaction, success)


def after_success(transaction: Json, success: str) -> Response:
    """On to the seller's page, or a word of thanks."""
    return away(success) if success.startswith(("http://", "https://")) else _closed(transaction, "")


def _show(
    transaction: Json, request: Request, error: str | None = None, form: dict[str, str] | None = None
) -> Response:
    change = transaction["origin"] == CARD_CHANGE
    title = "Update your card" if change else "Checkout"
    box = tag("input", type="checkbox", name="save", value="yes")
    agree = tag("label", box, " Keep this card for later purchases", class_="check")
    recurs = any(item["price"]["billing_cycle"] for item in transaction["items"])
    note = tag("p", "Your card is kept for what the subscription costs later.", class_="note")
    label = "Save card" if change else f"Pay {total(transaction, 'balance')}"
    action = f"{request.url.path}?{request.url.query}"
    form_shown = card_form(
        action, label, email=transaction["customer_id"] is None, given=form, more=note if recurs else agree
    )
    return narrow(
        title,
        tag("h1", title),
        None if change else tag("p", total(transaction, "balance"), class_="total"),
        None if change else bought_table(transaction),
        tag("section", problem(error), form_shown),
        status=402 if error else 200,
    )


def _closed(transaction: Json, success: str) -> Response:
    done = transaction["status"] in {"paid", "completed"}
    text = "Thank you, this is paid." if done else f"Nothing to pay here: this is {transaction['status']}."
    back = tag("p", link("Back", success)) if done and success.startswith("http") else None
    return narrow("Checkout", tag("h1", "Checkout"), tag("p", text), back)
