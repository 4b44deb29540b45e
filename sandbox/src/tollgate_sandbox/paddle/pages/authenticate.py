"""The page of the cardholder's bank."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.paddle.cards import explained
from tollgate_sandbox.paddle.checking_out import answer_bank
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.ids import TRANSACTION
from tollgate_sandbox.paddle.pages.checkout import after_success
from tollgate_sandbox.paddle.pages.common import told, total
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.html import button, link, tag
from tollgate_sandbox.payments.pages import form_of, narrow, not_found, problem


async def authenticate(world: World, request: Request) -> Response:
    """Ask the owner; afterwards back to where the payment began."""
    transaction = world.store.of_kind(TRANSACTION, f"{request.path_params['transaction']}")
    if transaction is None:
        return not_found("payment")
    action = f"/authenticate/{transaction['id']}"
    if request.method == "GET":
        asked = tag("p", f"Do you want to pay {total(transaction, 'balance')}?")
        yes = button("Complete authentication", action, answer="agree")
        no = button("Fail authentication", action, kind="danger", answer="disagree")
        return narrow("Authentication", tag("h1", "Your bank asks"), tag("section", asked, yes, no))
    agreed = (await form_of(request)).get("answer") == "agree"
    try:
        error = answer_bank(world, transaction, agreed=agreed)
    except PaddleError as refused:
        return narrow("Authentication", problem(told(refused)), status=400)
    finally:
        world.changed()
    if error is None:
        return after_success(transaction, world.hidden(transaction).get("success_url", ""))
    back = tag("p", link("Try again", transaction["checkout"]["url"]))
    return narrow("Authentication", tag("h1", "Authentication"), problem(explained(error)), back, status=402)
