"""The page of the cardholder's bank."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import button, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem
from tollgate_sandbox.stripe.authenticating import agree, disagree, session_of
from tollgate_sandbox.stripe.pages.checkout import success_url
from tollgate_sandbox.stripe.pages.common import money
from tollgate_sandbox.stripe.world import World


async def authenticate(world: World, request: Request) -> Response:
    """Ask the owner; afterwards back to where the payment began."""
    intent = world.store.find(f"{request.path_params['intent']}")
    if intent is None or intent["object"] not in {"payment_intent", "setup_intent"}:
        return not_found("payment")
    if request.method == "GET":
        return _show(intent)
    session = session_of(world, intent)
    answer = (await form_of(request)).get("answer")
    error = agree(world, intent) if answer == "agree" else None
    if answer != "agree":
        disagree(world, intent)
    world.changed()
    if error is not None:
        return narrow("Authentication", tag("h1", "Authentication"), problem(error), status=402)
    back = _back(world, intent, session)
    return away(back) if back else narrow("Authentication", tag("h1", "Done"), tag("p", f"Now {intent['status']}."))


def _back(world: World, intent: Json, session: Json | None) -> str | None:
    if session is not None:
        return success_url(session) if session["status"] == "complete" else f"/c/pay/{session['id']}"
    hidden = world.store.hidden[intent["id"]]
    if hidden.get("return_url"):
        return str(hidden["return_url"])
    return f"/i/{hidden['invoice']}" if hidden.get("invoice") else None


def _show(intent: Json) -> Response:
    if intent["status"] != "requires_action":
        return narrow("Authentication", tag("h1", "Nothing to authenticate"), tag("p", f"This is {intent['status']}."))
    action = f"/authenticate/{intent['id']}"
    asked = f"to pay {money(intent, 'amount')}" if "amount" in intent else "to save your card"
    return narrow(
        "Authentication",
        tag("h1", "Your bank asks"),
        tag("section", tag("p", f"Do you want {asked}?"),
            button("Complete authentication", action, answer="agree"),
            button("Fail authentication", action, kind="danger", answer="disagree")),
    )  # fmt: skip
