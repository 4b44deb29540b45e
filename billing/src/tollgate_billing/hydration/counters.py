"""Restoring the counters of metric limits from the ledger. The package's docstring says how exact that is."""

import math
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import structlog
from redis.exceptions import ResponseError
from sqlalchemy import Connection

from tollgate_billing.clock import Clock
from tollgate_billing.hydration.scripts import script
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.events import recent_ids
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription, list_subscriptions
from tollgate_billing.ledger.totals import key_sums, metric_sums
from tollgate_billing.redis_link import Argument, Command, RedisLink
from tollgate_billing.statements.drafting import Terms, terms_now, unbilled_usage
from tollgate_billing.wallets.standing import billed_usage
from tollgate_core.catalog import Catalog, MetricLimit
from tollgate_core.money import minor_unit_exponent
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar
from tollgate_core.quantity import format_decimal, from_micros
from tollgate_core.redis_contract import PARTITIONS, WALLET_ENDS_MS, Keys, partition_of, text

_KEPT_AFTER_PERIOD_MS = 7 * 86_400_000
_CONFIRMATION_KEPT_MS = 24 * 3_600_000
_MARKED_MS = 15 * 60_000
_MARKED_AT_MOST = 200_000
_CHUNK = 1000
_UNKNOWN = "1e300"
_log = structlog.get_logger("hydration")

Mode = Literal["exact", "raise"]


class CounterValue(NamedTuple):
    """What the ledger knows of one counter."""

    key: str
    used: str
    expires_ms: int


class CounterRestorer:
    """One partition at a time."""

    def __init__(self, database: Database, link: RedisLink, clock: Clock) -> None:
        self._database = database
        self._link = link
        self._clock = clock
        self._script = script("counters")

    def mark_confirmed(self) -> None:
        """Say again what the ledger has recorded lately, so that it is not settled a second time."""
        with self._database.read() as connection:
            recent = recent_ids(connection, self._clock() - _MARKED_MS, _MARKED_AT_MOST)
        for start in range(0, len(recent), _CHUNK):
            commands: list[Command] = [
                ("SET", Keys.settled(partition, event), "confirmed", "PX", _CONFIRMATION_KEPT_MS)
                for event, partition in recent[start : start + _CHUNK]
            ]
            self._link.pipeline_or_raise(commands)

    def restore(self, catalog: Catalog, partition: int, mode: Mode) -> bool:
        """False where events of the partition were on their way (mode exact): ask again. Raises RedisError."""
        last = self._last_id(partition, mode)
        if last is None:
            return False
        values = list(self._values(catalog, partition))
        keys: list[Argument] = [Keys.events(partition), *(value.key for value in values)]
        arguments: list[Argument] = [mode, last]
        for value in values:
            arguments += [value.used, value.expires_ms]
        return bool(self._link.call("EVAL", self._script, len(keys), *keys, *arguments))

    def restore_wallets(self, catalog: Catalog, names: Iterable[str]) -> set[str]:
        """Say what usage of prepaid subscriptions has cost. Answers those that must be asked for again, because events
        of their partition were on their way. Raises RedisError."""
        later: set[str] = set()
        with self._database.read() as connection:
            terms = terms_now(connection, catalog)
        for name in names:
            partition = partition_of(name)
            last = self._last_id(partition, "exact")
            if last is None:
                later.add(name)
                continue
            with self._database.read() as connection:
                row = find_subscription(connection, name)
                value = self._wallet(connection, terms, row) if row else None
            if value is not None:
                arguments: list[Argument] = ["exact", last, value.used, value.expires_ms]
                if not self._link.call("EVAL", self._script, 2, Keys.events(partition), value.key, *arguments):
                    later.add(name)
        return later

    def wallet_differences(self, catalog: Catalog) -> list[tuple[str, str, str]]:
        """(subscription, spent as the gate counts it, as the ledger does) of prepaid ones whose usage is all recorded;
        after the counter was set anew where they differed. Raises RedisError."""
        with self._database.read() as connection:
            names = [row.name for row in list_subscriptions(connection) if row.overdraft and row.currency]
        wrong = [name for name in names if self._wallet_difference(catalog, name)]
        self.restore_wallets(catalog, wrong)
        found = ((name, self._wallet_difference(catalog, name)) for name in wrong)
        return [(name, *difference) for name, difference in found if difference]

    def _wallet_difference(self, catalog: Catalog, name: str) -> tuple[str, str] | None:
        """None too where events are on their way: neither is known then."""
        if self._last_id(partition_of(name), "exact") is None:
            return None
        with self._database.read() as connection:
            row = find_subscription(connection, name)
            value = self._wallet(connection, terms_now(connection, catalog), row) if row else None
        counted = self._link.call("GET", Keys.wallet(name)) if value else None
        if value is None or counted is None or math.isclose(float(text(counted)), float(value.used), abs_tol=1e-6):
            return None  # what is not there is filled before it is used
        return text(counted), value.used

    def _wallet(self, connection: Connection, terms: Terms, row: Subscription) -> CounterValue | None:
        if not row.overdraft or not row.currency:
            return None
        try:
            pending = unbilled_usage(connection, terms, row, self._clock())
        except (ArithmeticError, ValueError, KeyError):
            # What it owes is not known: nothing is sold to it, and everybody else goes on.
            _log.exception("credit cannot be worked out", subscription=row.name)
            return CounterValue(Keys.wallet(row.name), _UNKNOWN, WALLET_ENDS_MS)
        used = Fraction(billed_usage(connection, row) + pending, 10 ** minor_unit_exponent(row.currency))
        return CounterValue(Keys.wallet(row.name), f"{float(used):.17g}", WALLET_ENDS_MS)

    def _last_id(self, partition: int, mode: Mode) -> str | None:
        """None (mode exact) where an event is on its way: the ledger's sum may be read before it is in it."""
        try:
            info = stream_info(self._link.call("XINFO", "STREAM", Keys.events(partition)))
        except ResponseError as error:
            if "no such key" in str(error).lower():
                return "0-0"
            raise
        return None if mode == "exact" and info["length"] else text(info["last-generated-id"])

    def _values(self, catalog: Catalog, partition: int) -> Iterable[CounterValue]:
        limits = {product.name: product.limits for product in catalog.products}
        with self._database.read() as connection:
            terms = terms_now(connection, catalog)
            for row in list_subscriptions(connection):
                if partition_of(row.name) == partition:
                    yield from self._of_subscription(connection, terms, row, limits.get(row.product, ()))

    def _of_subscription(
        self, connection: Connection, terms: Terms, row: Subscription, limits: Iterable[MetricLimit]
    ) -> Iterable[CounterValue]:
        by_period: defaultdict[tuple[int, int], list[MetricLimit]] = defaultdict(list)
        for limit in limits:
            recurrence = Recurrence(limit.interval, limit.interval_count)
            period = Calendar(row.anchor_ms, row.time_zone).at(recurrence, self._clock())
            by_period[period.start_ms, period.end_ms].append(limit)
        wallet = self._wallet(connection, terms, row)
        if wallet is not None:
            yield wallet
        for (start, end), of_period in by_period.items():
            expires = end + _KEPT_AFTER_PERIOD_MS
            for name, micros in _counters(connection, row.name, start, end, of_period):
                yield CounterValue(name, format_decimal(from_micros(micros)), expires)


def _counters(
    connection: Connection, subscription: str, start_ms: int, end_ms: int, limits: Iterable[MetricLimit]
) -> Iterable[tuple[str, int]]:
    """Micros by name of the counter. A key that has used nothing has none."""
    shared, by_key = ({limit.metric for limit in limits if limit.per_key is own} for own in (False, True))
    if shared:
        sums = metric_sums(connection, subscription, start_ms, end_ms)
        for metric in sorted(shared):
            yield Keys.counter(subscription, metric, start_ms), sums.get(metric, 0)
    if by_key:
        for (api_key, metric), micros in key_sums(connection, subscription, start_ms, end_ms).items():
            if metric in by_key:
                yield Keys.counter(subscription, metric, start_ms, api_key), micros


def all_partitions() -> set[int]:
    """Every partition's number."""
    return set(range(PARTITIONS))


def stream_info(info: Any) -> dict[str, Any]:
    """XINFO STREAM's answer, which is a list in one version of the protocol and a map in the next."""
    pairs: Any = info.items() if hasattr(info, "items") else zip(info[::2], info[1::2], strict=True)
    return {text(name): value for name, value in pairs}
