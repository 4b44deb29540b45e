"""The simulated account: its objects, events and webhooks."""

from copy import deepcopy
from hashlib import sha256
from hmac import new as new_hmac
from typing import Any

from paddle_billing.Entities.Events import EventTypeName

from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.paddle.errors import missing
from tollgate_sandbox.paddle.ids import EVENT, NOTIFICATION, SETTING, kind_of, new_id
from tollgate_sandbox.paddle.params import words
from tollgate_sandbox.paddle.settings import PaddleSettings
from tollgate_sandbox.paddle.times import text_of_micros
from tollgate_sandbox.payments.account import Account
from tollgate_sandbox.payments.deliveries import Target
from tollgate_sandbox.payments.policy import Schedule
from tollgate_sandbox.payments.rates import Rates
from tollgate_sandbox.payments.store import Objects

RETRIES = Schedule((180,) * 19 + (3067,) * 27 + (13292,) * 13)
"""Twenty attempts in the first hour, 47 in the first day, 60 in three days."""
RATE, WINDOW = 240, 60


class World(Account):
    """Everything that one simulated account is made of; operations change it, nothing else does."""

    brand = "Paddle"

    def __init__(self, settings: PaddleSettings) -> None:
        self.store = Objects(lambda thing: kind_of(thing["id"]))
        self.paddle = settings
        rates = Rates(RATE if settings.rate_limits else 0, window=WINDOW)
        super().__init__(settings, sign, rates, RETRIES)

    def time(self) -> str:
        """Now, as a text that is later than any before."""
        return text_of_micros(self.clock.stamp())

    def new(self, kind: str, fields: Json, *, hidden: Json | None = None) -> Json:
        """Make and keep an object."""
        thing = self.store.add({"id": new_id(kind, self.clock.stamp()), **fields})
        if hidden is not None:
            self.store.hidden[thing["id"]] = hidden
        return thing

    def made(self, kind: str, fields: Json, *, hidden: Json | None = None) -> Json:
        """Make an object that knows its times."""
        now = self.time()
        return self.new(kind, {**fields, "created_at": now, "updated_at": now}, hidden=hidden)

    def get(self, kind: str, id_: str) -> Json:
        """An object that is named; raises PaddleError."""
        found = self.store.of_kind(kind, id_)
        if found is None:
            raise missing(id_)
        return found

    def hidden(self, thing: Json) -> Json:
        """What no answer shows of an object."""
        return self.store.hidden.setdefault(thing["id"], {})

    def touched(self, thing: Json, type_: str | None = None) -> None:
        """It changed now; tell it by an event."""
        thing["updated_at"] = self.time()
        if type_ is not None:
            self.emit(type_, thing)

    def emit(self, type_: str, thing: Json) -> None:
        """Record an event and queue it for the destinations that want it."""
        now = self.time()
        data = deepcopy(thing)
        data.pop("management_urls", None)  # they let anybody in who has them, so no event carries them
        event = self.new(EVENT, {"event_type": type_, "occurred_at": now, "data": data})
        event["event_id"] = event["id"]
        self.store.drop_oldest(EVENT, self.settings.kept)
        for setting in self.store.all(SETTING, lambda one: bool(one["active"])):
            if any(wanted["name"] == type_ for wanted in setting["subscribed_events"]):
                self.notify(event, setting, "event")

    def notify(self, event: Json, setting: Json, origin: str) -> Json:
        """Queue an event for one destination."""
        fields: Json = {
            "type": event["event_type"],
            "occurred_at": event["occurred_at"],
            "origin": origin,
            "notification_setting_id": setting["id"],
            "event": event["id"],
        }
        made = self.new(NOTIFICATION, fields)
        body = dumps(payload(event, made["id"])).decode()
        target = Target(setting["id"], setting["destination"], self.secret_of(setting))
        [number] = self.deliveries.add(event["id"], event["event_type"], body, [target], self.now())
        self.hidden(made)["delivery"] = number
        self.store.drop_oldest(NOTIFICATION, self.settings.kept)
        return made

    def secret_of(self, setting: Json) -> str:
        """The secret, and for a day after it changed the one before."""
        hidden = self.hidden(setting)
        old: str = hidden.get("old_secret", "")
        return " ".join([setting["endpoint_secret_key"], *([old] if hidden.get("old_until", 0) > self.now() else [])])

    def dump(self) -> Json:
        """Everything that survives a restart."""
        return {**super().dump(), **self.store.dump()}

    def restore(self, state: Json) -> None:
        """Take up what was dumped."""
        super().restore(state)
        self.store.load(state)

    def reset(self) -> None:
        """As new; the clock goes on."""
        self.store.clear()
        super().reset()

    def start(self) -> None:
        """The destination named on the command line; a restart with another address moves it."""
        url, secret = self.settings.webhook_url, self.settings.webhook_secret
        if url is None:
            return
        known: list[Any] = self.store.all(SETTING, lambda one: "first" in self.hidden(one))
        if known:
            known[0] |= {"destination": url, "endpoint_secret_key": secret}
            return
        self.new(SETTING, setting_fields(url, "Named at start", words(EventTypeName), secret), hidden={"first": True})


def setting_fields(url: str, description: str, events: Any, secret: str | None) -> Json:
    """A destination for events of those types."""
    return {
        "description": description,
        "type": "url",
        "destination": url,
        "active": True,
        "api_version": 1,
        "include_sensitive_fields": False,
        "subscribed_events": [event_type(name) for name in events],
        "endpoint_secret_key": secret,
        "traffic_source": "all",
    }


def event_type(name: str) -> Json:
    """An event type as it is listed."""
    group, _, what = name.partition(".")
    description = f"Occurs when {group.replace('_', ' ')} is {what.replace('_', ' ')}."
    return {
        "name": name,
        "description": description,
        "group": group.replace("_", " ").capitalize(),
        "available_versions": [1],
    }


def payload(event: Json, notification: str | None = None) -> Json:
    """An event as it is sent and listed."""
    shown = {name: event[name] for name in ("event_id", "event_type", "occurred_at")}
    return shown | ({"notification_id": notification} if notification else {}) | {"data": event["data"]}


def sign(body: str, secret: str, timestamp: int) -> dict[str, str]:
    """The header by which a receiver knows that Paddle sent this; one hash for each secret that is in force."""
    signed = f"{timestamp}:{body}".encode()
    hashes = [f"h1={new_hmac(one.encode(), signed, sha256).hexdigest()}" for one in secret.split()]
    return {"paddle-signature": ";".join([f"ts={timestamp}", *hashes]), "user-agent": "Paddle (simulated)"}
