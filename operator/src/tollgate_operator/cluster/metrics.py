"""Prometheus metrics of the operator: no names of customers or resources in any label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """One registry for each process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.reconcile_seconds = Histogram(
            "tollgate_operator_reconcile_seconds", "Time of one reconcile", registry=self._registry
        )
        self.reconcile_failures = Counter(
            "tollgate_operator_reconcile_failures", "Reconciles that failed as a whole", registry=self._registry
        )
        self.publish_failures = Counter(
            "tollgate_operator_publish_failures", "Configurations that could not be published", registry=self._registry
        )
        self.status_writes = Counter("tollgate_operator_status_writes", "Statuses written", registry=self._registry)
        self.nacks = Counter("tollgate_operator_nacks", "Snapshots that an Envoy refused", registry=self._registry)
        self.leading = Gauge("tollgate_operator_leading", "1 on the replica that writes", registry=self._registry)
        self.envoys = Gauge("tollgate_operator_envoys", "Envoys connected to this replica", registry=self._registry)
        self._resources = Gauge(
            "tollgate_operator_resources",
            "Resources by kind and what serves",
            ["kind", "serving"],
            registry=self._registry,
        )

    def resources(self, counts: dict[tuple[str, str], int]) -> None:
        """By (kind, current | previous | none)."""
        self._resources.clear()
        for (kind, serving), count in counts.items():
            self._resources.labels(kind, serving).set(count)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)
