"""The transaction of nothing by which a customer gives a subscription another card."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.checking_out import CARD_CHANGE
from tollgate_sandbox.paddle.errors import refused
from tollgate_sandbox.paddle.subscribing import owed
from tollgate_sandbox.paddle.transacting import Beginning, begin
from tollgate_sandbox.paddle.world import World


def card_change(world: World, subscription: Json) -> Json:
    """The oldest debt, so that a new card pays it; without debts a transaction of nothing."""
    if subscription["status"] == "canceled":
        raise refused("subscription_is_canceled_action_invalid", "subscription is canceled")
    debts = owed(world, subscription)
    if debts:
        return debts[0]
    given = Beginning(
        [_free(item) for item in subscription["items"]],
        subscription["currency_code"],
        CARD_CHANGE,
        subscription["customer_id"],
        subscription["address_id"],
        subscription["business_id"],
        subscription["id"],
        custom_data=subscription["custom_data"],
    )
    return begin(world, given)


def _free(item: Json) -> Json:
    price: Json = {**item["price"], "unit_price": {**item["price"]["unit_price"], "amount": "0"}}
    return {"price_id": price["id"], "price": price, "quantity": item["quantity"], "proration": None}
