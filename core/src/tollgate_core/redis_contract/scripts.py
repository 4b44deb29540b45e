"""The scripts' arguments, encoded once for everybody."""

from importlib.resources import files
from typing import Literal

import msgspec

from tollgate_core.redis_contract.keys import Keys

Name = Literal["admit", "settle", "confirm"]


def script_source(name: Name) -> str:
    """The Lua text of a script, to be registered by the component that calls it."""
    return (files("tollgate_core.redis_contract") / "lua" / f"{name}.lua").read_text()


class Limit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One limit of an admission. ``limit`` units in all, ``cost`` of them held or taken by this request; ``rate`` is
    the refill in units per ms (kind rate); ``ends`` the period's end in ms and ``seconds`` its length (kind counter); a
    ``soft`` one refuses nothing; ``per_key``: it is the API key's alone."""

    kind: Literal["counter", "rate", "concurrency"]
    name: str
    key: str
    limit: float
    cost: float
    rate: float = 0
    ends: int = 0
    metric: str = ""
    tokens: bool = False
    soft: bool = False
    per_key: bool = False
    seconds: int = 0


class AdmitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of admit.lua."""

    now_ms: int
    deadline_ms: int
    request: str
    partition: int
    subscription: str
    key_hash: str
    revision: str
    granted: bool
    admission: str
    limits: tuple[Limit, ...]

    def keys(self) -> list[str]:
        """KEYS, all in the partition of the subscription."""
        return [
            Keys.ready(self.partition),
            Keys.subscription(self.subscription),
            Keys.hold(self.partition, self.request),
            Keys.holds(self.partition),
            *(limit.key for limit in self.limits),
        ]

    def args(self) -> list[str | int | bytes]:
        """ARGV."""
        return [
            self.now_ms,
            self.deadline_ms,
            self.request,
            f"key:{self.key_hash}",
            self.revision,
            int(self.granted),
            self.admission,
            msgspec.json.encode(self.limits),
        ]


class CounterUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a request used of a limited metric; ``expires`` in ms."""

    key: str
    metric: str
    quantity: float
    expires: int


class SettleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of settle.lua."""

    request: str
    partition: int
    event: bytes
    final: bool
    admission: str
    deadline_ms: int = 0
    joined: bool = False
    counters: tuple[CounterUse, ...] = ()
    tokens: int = 0
    #: Nothing is settled: what a request holds that was settled before is let go.
    release_only: bool = False

    def keys(self) -> list[str]:
        """KEYS, all in the partition of the subscription."""
        return [
            Keys.hold(self.partition, self.request),
            Keys.holds(self.partition),
            Keys.settled(self.partition, self.request),
            Keys.events(self.partition),
        ]

    def args(self) -> list[str | int | bytes]:
        """ARGV."""
        return [
            self.request,
            self.event,
            "release" if self.release_only else int(self.final),
            self.deadline_ms,
            int(self.joined),
            msgspec.json.encode(self.counters),
            self.tokens,
            self.admission,
        ]
