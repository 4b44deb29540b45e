"""From an API key to its subscription. A cache of pointers only: the admission script checks each of them again."""

from collections import OrderedDict
from dataclasses import dataclass

import msgspec
from redis.asyncio import Redis

from tollgate_core.pricing import Calendar
from tollgate_core.redis_contract import Keys, key_fingerprint, key_hash, partition_of, raw, text

_CACHED = 20_000


class Rate(msgspec.Struct, frozen=True):
    """What a unit of a metric costs at most, in major units, where the condition ``when`` holds (empty: always)."""

    metric: str
    when: str
    rate: float


class Wallet(msgspec.Struct, frozen=True):
    """Of a prepaid subscription: all that its usage may ever cost, in major units."""

    limit: float
    rates: tuple[Rate, ...] = ()
    currency: str = ""
    overdraft: float = 0


class OwnLimit(msgspec.Struct, frozen=True):
    """A subscription's own limit of a metric; the product's bounds are still to be applied."""

    metric: str
    scope: str
    limit: float


class _Record(msgspec.Struct, frozen=True):
    product: str
    customer: str
    anchor_ms: int
    time_zone: str = "UTC"
    wallet: "Wallet | None" = None
    limits: tuple[OwnLimit, ...] = ()
    throttle: int = 0


@dataclass(frozen=True)
class Subscription:
    """A subscription as of ``revision``; the script refuses an outdated one, and the gate looks again."""

    name: str
    partition: int
    revision: str
    product: str
    customer: str
    calendar: Calendar
    key_hash: str
    wallet: Wallet | None = None
    own_limits: tuple[OwnLimit, ...] = ()
    #: Requests a minute, because an invoice is overdue; 0: as the product says.
    throttle: int = 0

    def own_limit(self, metric: str, scope: str) -> float | None:
        """None where the product's limit applies."""
        return next((own.limit for own in self.own_limits if (own.metric, own.scope) == (metric, scope)), None)

    @property
    def api_key(self) -> str:
        """What tells this key from the subscription's others."""
        return key_fingerprint(self.key_hash)

    @property
    def terms(self) -> tuple[str, Calendar, tuple[Rate, ...] | None]:
        """What an admission was worked out from: where it changed meanwhile, it must be worked out anew."""
        return self.product, self.calendar, self.wallet.rates if self.wallet else None


class Subscriptions:
    """Looks keys up in Redis and remembers where they led."""

    def __init__(self, redis: "Redis", pepper: bytes) -> None:
        self._redis = redis
        self._pepper = pepper
        self._cache: OrderedDict[str, Subscription] = OrderedDict()

    async def find(self, api_key: str) -> Subscription | None:
        """The subscription a key points to. Raises RedisError."""
        hashed = key_hash(self._pepper, api_key)
        cached = self._cache.get(hashed)
        if cached is not None:
            self._cache.move_to_end(hashed)
            return cached
        return await self.look_up(hashed)

    async def look_up(self, hashed: str) -> Subscription | None:
        """Past the cache. Raises RedisError."""
        self._cache.pop(hashed, None)
        pointer = await self._redis.get(Keys.api_key(hashed))
        if pointer is None:
            return None
        name = text(pointer)
        revision, record = await self._redis.hmget(Keys.subscription(name), ["revision", "record"])
        if revision is None or record is None:
            return None
        found = msgspec.json.decode(raw(record), type=_Record)
        calendar = Calendar(found.anchor_ms, found.time_zone)
        subscription = Subscription(
            name=name,
            partition=partition_of(name),
            revision=text(revision),
            product=found.product,
            customer=found.customer,
            calendar=calendar,
            key_hash=hashed,
            wallet=found.wallet,
            own_limits=found.limits,
            throttle=found.throttle,
        )
        self._cache[hashed] = subscription
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return subscription

    def forget(self, hashed: str) -> None:
        """A pointer that the script refused."""
        self._cache.pop(hashed, None)

    async def is_ready(self, partition: int) -> bool:
        """Whether billing has filled a partition. Raises RedisError."""
        return bool(await self._redis.exists(Keys.ready(partition)))
