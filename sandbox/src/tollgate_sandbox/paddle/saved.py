"""Cards that were saved: which subscription uses which, and what happens when one goes."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import SUBSCRIPTION
from tollgate_sandbox.paddle.world import World


def forget(world: World, method: Json) -> None:
    """Delete a card; subscriptions that used it have none then, and their payments fail."""
    for subscription in world.store.all(SUBSCRIPTION):
        used: Json | None = world.hidden(subscription)["method"]
        if used is not None and used["payment_method_id"] == method["id"]:
            world.hidden(subscription)["method"] = None
    world.store.remove(method)
    world.store.hidden.pop(method["id"], None)
    world.emit("payment_method.deleted", method)
