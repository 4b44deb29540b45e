"""Prometheus metrics of gate, meter and witness: no key and no customer in any label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tollgate_core.events import UsageEvent


class Metrics:
    """One registry for each process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._decisions = Counter(
            "tollgate_gate_decisions", "Requests by the gate's answer", ["code"], registry=self._registry
        )
        self._usage = Counter(
            "tollgate_usage_events",
            "Usage events by quality, outcome and witness",
            ["quality", "outcome", "witness"],
            registry=self._registry,
        )
        self._unmetered = Counter(
            "tollgate_unmetered",
            "Successful responses with a metric that could not be computed",
            registry=self._registry,
        )
        self._backlog = Gauge(
            "tollgate_settlement_backlog", "Events that the ledger has not confirmed", registry=self._registry
        )
        self._stopped = Counter(
            "tollgate_expressions_stopped",
            "Expressions without a value: time, memory, refused (stopped too often), busy (no worker free), ended",
            ["reason"],
            registry=self._registry,
        )
        self._took = Histogram(
            "tollgate_expression_seconds",
            "Time of expressions in workers, with their waiting",
            buckets=(0.0005, 0.002, 0.01, 0.05, 0.25, 1, 4),
            registry=self._registry,
        )

    def expression_stopped(self, reason: str) -> None:
        """An expression took too much, or did not get to run."""
        self._stopped.labels(reason).inc()

    def expression_took(self, seconds: float) -> None:
        """An evaluation in a worker, waiting included, however it ended."""
        self._took.observe(seconds)

    def decided(self, code: str) -> None:
        """The gate answered: ``admitted`` or a denial's code."""
        self._decisions.labels(code).inc()

    def settled(self, event: UsageEvent) -> None:
        """An event was written."""
        data = event.data
        self._usage.labels(data.quality, data.outcome, data.witness).inc()
        if data.unmetered and 200 <= data.status_code < 300:
            self._unmetered.inc()

    def backlog(self, events: int) -> None:
        """How many events are outstanding now."""
        self._backlog.set(events)

    def text(self) -> str:
        """As Prometheus reads it."""
        return generate_latest(self._registry).decode()
