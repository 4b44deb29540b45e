"""Writing subscriptions and their keys to Redis."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from tollgate_billing.clock import Clock
from tollgate_billing.hydration.scripts import script
from tollgate_billing.ledger.api_keys import StoredKey, all_keys, list_keys
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription, list_subscriptions
from tollgate_billing.redis_link import Argument, Command, RedisLink
from tollgate_billing.wallets.standing import Standing, standing
from tollgate_core.redis_contract import Keys

_CHUNK = 500


class Image(NamedTuple):
    """What Redis must hold of one subscription."""

    subscription: Subscription
    keys: tuple[StoredKey, ...]
    wallet: Standing | None


class SubscriptionPusher:
    """May be used by many threads: a script refuses to go back to an earlier revision."""

    def __init__(self, database: Database, link: RedisLink, clock: Clock) -> None:
        self._database = database
        self._link = link
        self._clock = clock
        self._push = script("push")

    def load_all(self) -> list[Image]:
        """Every subscription with its keys, as of one moment."""
        keys: defaultdict[str, list[StoredKey]] = defaultdict(list)
        with self._database.read() as connection:
            for key in all_keys(connection):
                keys[key.subscription].append(key)
            now = self._clock()
            return [
                Image(row, tuple(keys[row.name]), standing(connection, row, now))
                for row in list_subscriptions(connection)
            ]

    def push_one(self, name: str) -> None:
        """Load and push one subscription. Raises RedisError."""
        with self._database.read() as connection:
            row = find_subscription(connection, name)
            if row is None:
                return
            image = Image(row, tuple(list_keys(connection, name)), standing(connection, row, self._clock()))
        self.push([image])

    def push(self, images: Sequence[Image]) -> None:
        """Pointers to keys come first and go last: the subscription's hash decides. Raises RedisError."""
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            self._link.pipeline_or_raise(list(self._pointers(chunk)))
            self._link.pipeline_or_raise([self._hash(image) for image in chunk])
            self._link.pipeline_or_raise(list(self._gone(chunk)))

    def _pointers(self, images: Iterable[Image]) -> Iterable[Command]:
        now = self._clock()
        for image in images:
            for key in image.keys:
                if key.is_valid(now):
                    yield ("SET", Keys.api_key(key.hash), image.subscription.name)

    def _gone(self, images: Iterable[Image]) -> Iterable[Command]:
        now = self._clock()
        for image in images:
            for key in image.keys:
                if not key.is_valid(now):
                    yield ("DEL", Keys.api_key(key.hash))

    def _hash(self, image: Image) -> Command:
        row, now = image.subscription, self._clock()
        record = {
            "subscription": row.name,
            "product": row.product,
            "customer": row.customer,
            "anchor_ms": row.anchor_ms,
            "time_zone": row.time_zone,
            **({"wallet": dataclasses.asdict(image.wallet)} if image.wallet else {}),
        }
        fields: list[Argument] = ["revision", row.revision, "state", row.state, "record", orjson.dumps(record)]
        for key in image.keys:
            if key.is_valid(now):
                fields += [f"key:{key.hash}", key.expires_ms or 0]
        return ("EVAL", self._push, 1, Keys.subscription(row.name), row.revision, *fields)
