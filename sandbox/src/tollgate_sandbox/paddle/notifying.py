"""Notifications as they are listed: an event on its way to one destination."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import refused
from tollgate_sandbox.paddle.ids import EVENT, LOG, SETTING
from tollgate_sandbox.paddle.times import text_of
from tollgate_sandbox.paddle.world import World, payload
from tollgate_sandbox.payments.deliveries import Delivery

_STATES = {"delivered": "delivered", "failed": "failed"}


def show_notification(world: World, notification: Json) -> Json:
    """With what has become of it; what is too old to be remembered counts as delivered."""
    event = world.store.of_kind(EVENT, notification["event"]) or {}
    delivery = _delivery(world, notification)
    attempts = delivery.attempts if delivery else []
    state = delivery.state if delivery else "delivered"
    waiting = "needs_retry" if attempts else "not_attempted"
    done = [one["at"] for one in attempts if one["status"] and 200 <= one["status"] < 300]
    return {
        **{name: value for name, value in notification.items() if name != "event"},
        "status": _STATES.get(state, waiting),
        "payload": payload(event, notification["id"]) if event else {},
        "delivered_at": text_of(done[0]) if done else None,
        "replayed_at": world.hidden(notification).get("replayed_at"),
        "last_attempt_at": text_of(attempts[-1]["at"]) if attempts else None,
        "retry_at": text_of(delivery.next_at) if delivery and attempts and state == "pending" else None,
        "times_attempted": len(attempts),
    }


def logs_of(world: World, notification: Json) -> list[Json]:
    """Its attempts that somebody answered."""
    delivery = _delivery(world, notification)
    tail = notification["id"].partition("_")[2]
    return [
        {
            "id": f"{LOG}_{tail}{at:03}",
            "response_code": one["status"],
            "response_content_type": None,
            "response_body": one["error"] or "",
            "attempted_at": text_of(one["at"]),
        }
        for at, one in enumerate(delivery.attempts if delivery else [])
        if one["status"] is not None
    ]


def replay(world: World, notification: Json) -> Json:
    """Tell it again, as a new notification of the same event."""
    event = world.store.of_kind(EVENT, notification["event"])
    setting = world.store.of_kind(SETTING, notification["notification_setting_id"])
    if event is None or setting is None:
        raise refused("notification_replay_not_possible", "its event or destination is gone")
    world.hidden(notification)["replayed_at"] = world.time()
    return world.notify(event, setting, "replay")


def _delivery(world: World, notification: Json) -> Delivery | None:
    return world.deliveries.find(world.hidden(notification).get("delivery", -1))
