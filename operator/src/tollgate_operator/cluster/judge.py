"""What each resource's status should say of the state that serves. Pure: no I/O; the time is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tollgate_core.manifests import API, Product, Subscription
from tollgate_operator.cluster.clock import rfc3339
from tollgate_operator.cluster.kinds import OWN
from tollgate_operator.cluster.programming import Programming
from tollgate_operator.cluster.statuses import KEY_PENDING, PASSING, Verdict, verdict
from tollgate_operator.cluster.store import Observed, Store
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import Condition, ResourceKey

#: How long a passing reason may last before it is worth a write.
PASSING_SECONDS = 5.0
#: Kinds that neither Envoy nor the gate reads.
_NOT_IN_DATA_PATH = frozenset({"PaymentProvider", "Portal"})
_NAMES_SHOWN = 5
_Case = tuple[Observed, list[Condition], dict[str, Any]]


class Keys(Protocol):
    """What is known of the keys of declared Subscriptions."""

    problems: dict[str, Condition]

    def key_id(self, observed: Observed) -> str:
        """Of the key that works; empty while there is none."""
        ...


@dataclass
class Judge:
    """``waits``: whether something of the last round may be worth a write later although nothing changes."""

    programming: Programming
    keys: Keys
    waits: bool = False
    #: What was found to be said already: of thousands, an edit concerns one.
    _said: dict[ResourceKey, _Case] = field(default_factory=dict[ResourceKey, _Case])
    _passing_since: dict[ResourceKey, datetime] = field(default_factory=dict[ResourceKey, datetime])

    def verdicts(
        self, store: Store, state: State, used: Mapping[ResourceKey, list[str]], envoys: int, now: datetime
    ) -> list[tuple[Observed, Verdict]]:
        """Those that do not say yet what they should."""
        found: list[tuple[Observed, Verdict]] = []
        passing: dict[ResourceKey, datetime] = {}
        said: dict[ResourceKey, _Case] = {}
        moment = rfc3339(now)
        for observed in self._judged(store, state):
            conditions = self._conditions(observed, state, used, envoys)
            if any(c.reason in PASSING for c in conditions):
                since = passing[observed.key] = self._passing_since.get(observed.key, now)
                if (now - since).total_seconds() < PASSING_SECONDS:
                    continue
            case = (observed, conditions, self._details(observed, state, used))
            before = self._said.get(observed.key)
            if before is None or before[0] is not observed or before[1:] != case[1:]:
                written = verdict(*case, moment)
                if written:
                    found.append((observed, written))
                    continue
            said[observed.key] = case
        self._passing_since, self._said, self.waits = passing, said, bool(passing)
        return found

    def _judged(self, store: Store, state: State) -> Iterator[Observed]:
        """All of ours that are as they were when ``state`` was made; of others the next state knows more."""
        for kind in OWN:
            for observed in store.of_kind(kind.kind):
                if observed.key not in state.statuses:
                    continue
                known = state.desired.get(observed.key) is observed.manifest
                if known or self.programming.is_refused(observed.key, observed.manifest):
                    yield observed

    def _conditions(
        self, observed: Observed, state: State, used: Mapping[ResourceKey, list[str]], envoys: int
    ) -> list[Condition]:
        conditions = list(state.statuses[observed.key].conditions)
        if observed.key[0] in _NOT_IN_DATA_PATH:
            return conditions
        programmed = self.programming.condition(observed.key, state, envoys)
        wants_key = isinstance(observed.manifest, Subscription) and observed.manifest.spec.secret_name
        if programmed.status and wants_key and not self.keys.key_id(observed):
            programmed = self.keys.problems.get(observed.uid, KEY_PENDING)
        conditions.append(programmed)
        if observed.deleting and used.get(observed.key):
            names = used[observed.key]
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            shown = ", ".join(names[:_NAMES_SHOWN])
            message = f"used by the subscriptions {shown}{more}; it goes when they have gone"
            conditions.append(Condition("Deletable", False, "InUse", message))
        return conditions

    def _details(self, observed: Observed, state: State, used: Mapping[ResourceKey, list[str]]) -> dict[str, Any]:
        manifest = observed.manifest
        details: dict[str, Any] = {"serving": state.statuses[observed.key].serving}
        if isinstance(manifest, API):
            details["endpoints"] = len(manifest.spec.endpoints)
        if isinstance(manifest, Product):
            details["subscriptions"] = len(used.get(observed.key, []))
        if isinstance(manifest, Subscription) and manifest.spec.secret_name:
            key_id = self.keys.key_id(observed)
            details |= {"secretName": manifest.spec.secret_name, **({"keyId": key_id} if key_id else {})}
        return details
