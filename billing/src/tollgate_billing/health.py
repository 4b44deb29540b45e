"""What works and what does not, and how much was done: written by the loops, read by /readyz and /metrics."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError


def part_at_fault(error: Exception) -> str:
    """Which neighbour an exception speaks of; ``internal`` where it is ours."""
    if isinstance(error, SQLAlchemyError):
        return "sql"
    return "redis" if isinstance(error, RedisError | OSError) else "internal"


class Health:
    """Each part reports trouble in one sentence without secrets, and that it works again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trouble: dict[str, str] = {}
        self._others: set[str] = set()

    def trouble(self, part: str, sentence: str, *, of_others: bool = False) -> None:
        """Something does not work; ``of_others``: without it we serve as well as with it."""
        with self._lock:
            self._trouble[part] = sentence
            (self._others.add if of_others else self._others.discard)(part)

    def fine(self, part: str) -> None:
        """It works again."""
        with self._lock:
            self._trouble.pop(part, None)

    def is_ours(self, part: str) -> bool:
        """Whether trouble of this part is a reason to be sent no requests. A provider that is away is none: who asks
        what is wrong, and the webhooks of other providers, must find us."""
        with self._lock:
            return part not in self._others

    def troubles(self) -> Mapping[str, str]:
        """What is degraded now."""
        with self._lock:
            return dict(self._trouble)


@contextmanager
def surviving(health: Health, name: str, log: structlog.stdlib.BoundLogger) -> Generator[None]:
    """Around one round of a loop: what goes wrong is told, and the loop goes on."""
    try:
        yield
    except Exception as error:
        part = part_at_fault(error)
        health.trouble(name, f"{part}: {type(error).__name__}")
        log.warning(f"{name}: tried again soon", part=part, error=type(error).__name__, exc_info=part == "internal")


class Metrics:
    """Prometheus metrics of one process. No label names a customer, a subscription or a key."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.recorded = Counter(
            "tollgate_billing_events_recorded", "Usage events recorded", ["outcome", "quality"], registry=self.registry
        )
        self.duplicates = Counter(
            "tollgate_billing_events_duplicate", "Usage events delivered again", registry=self.registry
        )
        self.corrections = Counter(
            "tollgate_billing_events_corrected", "Usage events known better later", registry=self.registry
        )
        self.dead_letters = Counter(
            "tollgate_billing_dead_letters", "Usage events that the ledger refused", registry=self.registry
        )
        self.unmetered = Counter(
            "tollgate_billing_unmetered", "Metric quantities that could not be computed", registry=self.registry
        )
        self.lag = Gauge(
            "tollgate_billing_lag_seconds", "Age of the oldest event of the latest batch", registry=self.registry
        )
        self._lag_seconds = 0.0
        self.forged_events = Counter(
            "tollgate_billing_payment_events_refused",
            "Webhooks about payments that nobody signed",
            registry=self.registry,
        )
        self.drift = Gauge(
            "tollgate_billing_drift",
            "Differences between books that nobody has accepted",
            ["kind"],
            registry=self.registry,
        )
        self.payment_requests = Gauge(
            "tollgate_billing_payment_requests",
            "Requests about payments that are to be sent, or wait for a person",
            ["state"],
            registry=self.registry,
        )
        self.payment_events = Gauge(
            "tollgate_billing_payment_events",
            "Events about payments that nobody has looked at, or that wait for a person",
            ["state"],
            registry=self.registry,
        )
        self.hydrations = Counter(
            "tollgate_billing_hydrations", "Times that Redis was filled from SQL", ["cause"], registry=self.registry
        )

    def set_lag(self, seconds: float) -> None:
        """How far ingest is behind the stream."""
        self._lag_seconds = seconds
        self.lag.set(seconds)

    def lag_seconds(self) -> float:
        """The last one set."""
        return self._lag_seconds
