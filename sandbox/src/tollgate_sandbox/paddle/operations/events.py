"""Events, the notifications that tell them, and where those go."""

from secrets import token_urlsafe

from paddle_billing.Entities.Events import EventTypeName
from paddle_billing.Resources.Events.Operations import ListEvents
from paddle_billing.Resources.NotificationLogs.Operations import ListNotificationLogs
from paddle_billing.Resources.Notifications.Operations import ListNotifications
from paddle_billing.Resources.NotificationSettings.Operations import (
    CreateNotificationSetting,
    ListNotificationSettings,
    UpdateNotificationSetting,
)
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.calls import Answer, Call, Operation, assign
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.ids import EVENT, NOTIFICATION, SETTING
from tollgate_sandbox.paddle.listing import Filter
from tollgate_sandbox.paddle.notifying import logs_of, replay, show_notification
from tollgate_sandbox.paddle.params import words
from tollgate_sandbox.paddle.times import normal
from tollgate_sandbox.paddle.world import event_type, payload, setting_fields

_PERIOD: dict[str, Filter] = {
    "from": lambda one, wanted: bool(one["occurred_at"] >= normal(wanted[0])),
    "to": lambda one, wanted: bool(one["occurred_at"] <= normal(wanted[0])),
}
_SPECIAL: dict[str, Filter] = {
    "search": lambda one, wanted: wanted[0] in {one["id"], one["payload"]["event_id"], one["type"]},
    "filter": lambda one, wanted: wanted[0] == one["payload"]["data"].get("id"),
    "from": lambda one, wanted: bool(one["occurred_at"] >= wanted[0]),
    "to": lambda one, wanted: bool(one["occurred_at"] <= wanted[0]),
}
_MOST_SETTINGS = 10


def _events(call: Call) -> Answer:
    return call.listed(call.store.all(EVENT), payload, special=_PERIOD)


def _types(_call: Call) -> Answer:
    return Answer([event_type(name) for name in words(EventTypeName)])


def _notifications(call: Call) -> Answer:
    shown = [show_notification(call.world, one) for one in call.store.all(NOTIFICATION)]
    return call.listed(shown, special=_SPECIAL)


def _logs(call: Call) -> Answer:
    return call.listed(logs_of(call.world, call.named(NOTIFICATION)))


def _replay(call: Call) -> Answer:
    return Answer({"notification_id": replay(call.world, call.named(NOTIFICATION))["id"]}, 202)


def _settings(call: Call) -> Answer:
    return call.listed(call.store.all(SETTING))


def _create(call: Call) -> Answer:
    params = call.params
    if len(call.store.all(SETTING, lambda one: bool(one["active"]))) >= _MOST_SETTINGS:
        raise bad_request(("active", f"there can be {_MOST_SETTINGS} active destinations"))
    if params["type"] == "url" and not str(params["destination"]).startswith(("http://", "https://")):
        raise bad_request(("destination", "must be a URL"))
    secret = f"pdl_ntfset_{token_urlsafe(24).replace('=', '')}"
    made = call.world.new(
        SETTING, setting_fields(params["destination"], params["description"], params["subscribed_events"], secret)
    )
    assign(made, params, ("type", "api_version", "include_sensitive_fields", "traffic_source"))
    return Answer(made, 201)


def _update(call: Call) -> Json:
    setting = call.named(SETTING)
    assign(
        setting,
        call.params,
        ("description", "destination", "active", "api_version", "include_sensitive_fields", "traffic_source"),
    )
    if "subscribed_events" in call.params:
        setting["subscribed_events"] = [event_type(name) for name in call.params["subscribed_events"]]
    return setting


def _delete(call: Call) -> Response:
    call.store.remove(call.named(SETTING))
    return Response(status_code=204)


OPERATIONS = (
    Operation("GET", "/events", _events, query=ListEvents),
    Operation("GET", "/event-types", _types),
    Operation("GET", "/notifications", _notifications, query=ListNotifications),
    Operation("GET", "/notifications/{id}", lambda call: show_notification(call.world, call.named(NOTIFICATION))),
    Operation("GET", "/notifications/{id}/logs", _logs, query=ListNotificationLogs),
    Operation("POST", "/notifications/{id}/replay", _replay),
    Operation("GET", "/notification-settings", _settings, query=ListNotificationSettings),
    Operation("POST", "/notification-settings", _create, CreateNotificationSetting),
    Operation("GET", "/notification-settings/{id}", lambda call: call.named(SETTING)),
    Operation("PATCH", "/notification-settings/{id}", _update, UpdateNotificationSetting),
    Operation("DELETE", "/notification-settings/{id}", _delete),
)
