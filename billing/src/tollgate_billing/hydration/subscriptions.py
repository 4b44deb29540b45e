"""Writing subscriptions and their keys to Redis."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from tollgate_billing.clock import Clock
from tollgate_billing.hydration.scripts import script
from tollgate_billing.ledger.api_keys import StoredKey, all_keys, list_keys
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.limits import OwnLimit, own_limits
from tollgate_billing.ledger.subscriptions import Subscription, list_subscriptions
from tollgate_billing.payments.access import Level
from tollgate_billing.payments.dunning import levels
from tollgate_billing.redis_link import Argument, Command, RedisLink
from tollgate_billing.wallets.standing import Standing, standing
from tollgate_core.catalog import Catalog
from tollgate_core.redis_contract import UNPAID, Keys

_CHUNK = 500
#: So many subscriptions are asked for one by one.
_FEW = 20
_NOTHING = Standing(-1.0, ())


class Image(NamedTuple):
    """What Redis must hold of one subscription."""

    subscription: Subscription
    keys: tuple[StoredKey, ...]
    wallet: Standing | None
    limits: tuple[OwnLimit, ...] = ()
    access: Level = "active"
    #: Requests a minute while it is throttled.
    throttle: int = 0


@dataclass
class Loaded:
    """Images, and why the credit of some is not known."""

    images: list[Image] = field(default_factory=list[Image])
    failed: dict[str, str] = field(default_factory=dict[str, str])


class SubscriptionPusher:
    """May be used by many threads: a script refuses to go back to an earlier revision."""

    def __init__(
        self, database: Database, link: RedisLink, clock: Clock, catalog: Callable[[], Catalog] = Catalog
    ) -> None:
        self._catalog = catalog
        self._database = database
        self._link = link
        self._clock = clock
        self._push = script("push")

    def load(self, names: Collection[str]) -> Loaded:
        """These subscriptions with their keys, as of one moment."""
        keys: defaultdict[str, list[StoredKey]] = defaultdict(list)
        loaded, wanted = Loaded(), set(names)
        with self._database.read() as connection:
            for key in all_keys(connection) if len(wanted) > _FEW else _keys_of(connection, wanted):
                keys[key.subscription].append(key)
            prices, now = stored_prices(connection), self._clock()
            rows = [row for row in list_subscriptions(connection) if row.name in wanted]
            limits, access = own_limits(connection, rows), levels(connection)
            dunning = {product.name: product.dunning for product in self._catalog().products}
            for row in rows:
                try:
                    wallet = standing(connection, row, prices, now)
                except (ArithmeticError, ValueError, KeyError) as error:
                    # Its keys and its state go out all the same; on credit that is not known nothing is sold.
                    loaded.failed[row.name], wallet = f"{type(error).__name__}: {error}", _NOTHING
                own = tuple(limits.get(row.name, ()))
                level, policy = access.get((row.name, row.customer), "active"), dunning.get(row.product)
                throttle = policy.requests_per_minute if policy and level == "throttled" else 0
                loaded.images.append(Image(row, tuple(keys[row.name]), wallet, own, level, throttle))
        return loaded

    def push_one(self, name: str) -> None:
        """Load and push one subscription. Raises RedisError."""
        self.push(self.load([name]).images)

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
            **({"wallet": asdict(image.wallet) | _overdraft(image)} if image.wallet else {}),
            **({"throttle": image.throttle} if image.throttle else {}),
            **({"limits": [_limit(own) for own in image.limits]} if image.limits else {}),
        }
        fields: list[Argument] = ["revision", row.revision, "state", gate_state(image), "record", orjson.dumps(record)]
        for key in image.keys:
            if key.is_valid(now):
                fields += [f"key:{key.hash}", key.expires_ms or 0]
        return ("EVAL", self._push, 1, Keys.subscription(row.name), row.revision, *fields)


def gate_state(image: Image) -> str:
    """What the gate goes by: an active subscription that is not paid for is refused too, also one that was cancelled
    for it and asked back since."""
    unpaid = image.access in {"suspended", "cancelled"} and image.subscription.state == "active"
    return UNPAID if unpaid else image.subscription.state


def _overdraft(image: Image) -> dict[str, str | float]:
    """What the gate needs to say what is available."""
    row = image.subscription
    return {"currency": row.currency, "overdraft": 0.0 if image.wallet is _NOTHING else float(row.overdraft)}


def _limit(own: OwnLimit) -> dict[str, str | float]:
    """The gate holds it against the product's bounds, which change with the catalog and not with the subscription."""
    return {"metric": own.metric, "scope": own.scope, "limit": float(own.units)}


def _keys_of(connection: Connection, names: Iterable[str]) -> list[StoredKey]:
    return [key for name in names for key in list_keys(connection, name)]
