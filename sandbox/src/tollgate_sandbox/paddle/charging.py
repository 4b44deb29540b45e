"""One-off charges on a subscription: how usage is billed to a card that its owner saved."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.catalog import currency_of, resolve
from tollgate_sandbox.paddle.details import preview
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.renewing import collect, new_transaction, owe
from tollgate_sandbox.paddle.subscribing import updated
from tollgate_sandbox.paddle.times import seconds_of
from tollgate_sandbox.paddle.transacting import cancel, check_smallest
from tollgate_sandbox.paddle.world import World

HOUR, DAY = 3600, 24 * 3600
PER_HOUR, PER_DAY = 20, 100
LOCKED_SECONDS = 30 * 60
_TOO_LITTLE = "subscription_update_transaction_balance_less_than_charge_limit"


def charge(world: World, subscription: Json, items: list[Json], effective_from: str, on_failure: str) -> None:
    """Bill once, now or with the next period; there is no idempotency, so twice is charged twice."""
    check_unlocked(world, subscription)
    check_charges(world, subscription, immediate=effective_from == "immediately")
    resolved = charge_items(world, subscription, items)
    if effective_from == "next_billing_period":
        world.hidden(subscription)["pending"] += resolved
        updated(world, subscription)
        return
    total = int(preview(world, resolved, subscription["currency_code"])["totals"]["total"])
    check_smallest(total, subscription["currency_code"], _TOO_LITTLE)
    world.hidden(subscription)["charges"].append(world.now())
    bill_now(world, subscription, "subscription_charge", resolved, on_failure)


def bill_now(world: World, subscription: Json, origin: str, items: list[Json], on_failure: str) -> None:
    """A transaction that the card has to pay at once; raises PaddleError when it does not and that is to prevent."""
    made = new_transaction(world, subscription, origin, items, subscription["current_billing_period"])
    error = collect(world, subscription, made)
    if error is None:
        updated(world, subscription)
    elif on_failure == "apply_change":
        owe(world, subscription, made)
    else:
        cancel(world, made)
        raise refused("subscription_payment_declined", "unable to charge the subscription: the payment was declined")


def charge_items(world: World, subscription: Json, items: list[Json]) -> list[Json]:
    """The items of a charge; they happen once."""
    resolved = resolve(world, items)
    wrong = [at for at, item in enumerate(resolved) if item["price"]["billing_cycle"]]
    if wrong:
        raise bad_request(*((f"items.{at}.price", "must not recur") for at in wrong))
    currency_of(resolved, subscription["currency_code"])
    return resolved


def check_unlocked(world: World, subscription: Json) -> None:
    """Raise PaddleError while a renewal is near, or when it is over."""
    if subscription["status"] == "canceled":
        raise refused("subscription_is_canceled_action_invalid", "subscription is canceled")
    if subscription["next_billed_at"] is None:
        return
    left = seconds_of(subscription["next_billed_at"]) - world.now()
    if 0 <= left < LOCKED_SECONDS:
        raise refused("subscription_locked_renewal", "unable to update subscription 30m0s before renewal", 409)


def check_charges(world: World, subscription: Json, *, immediate: bool) -> None:
    """Raise PaddleError where a charge is not possible, or no more of them now."""
    if subscription["status"] == "paused":
        raise refused("subscription_is_inactive_action_invalid", "subscription is paused")
    if not immediate:
        return
    charges: list[int] = world.hidden(subscription)["charges"]
    charges[:] = [at for at in charges if at > world.now() - DAY]
    if sum(at > world.now() - HOUR for at in charges) >= PER_HOUR:
        raise _too_many("subscription_immediate_charge_hour_limit_exceeded", PER_HOUR, "hour")
    if len(charges) >= PER_DAY:
        raise _too_many("subscription_immediate_charge_24_hour_limit_exceeded", PER_DAY, "24 hours")


def _too_many(code: str, most: int, span: str) -> Exception:
    return refused(code, f"a subscription takes {most} immediate charges in an {span}".replace("an 24", "24"), 429)
