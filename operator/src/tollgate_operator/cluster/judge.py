"""What each resource's status should say of the state that serves. Pure: no I/O; the time is given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tollgate_core.manifests import API, Product, Subscription
from tollgate_operator.cluster.accounts import Said
from tollgate_operator.cluster.clock import rfc3339
from tollgate_operator.cluster.kinds import OWN
from tollgate_operator.cluster.patience import Patience
from tollgate_operator.cluster.programming import Programming
from tollgate_operator.cluster.statuses import KEY_PENDING, PASSING, Verdict, verdict
from tollgate_operator.cluster.store import Observed, Store
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import Condition, ResourceKey, Status

#: How long a passing reason may last before it is worth a write.
PASSING_SECONDS = 5.0
#: Kinds that neither Envoy nor the gate reads.
_NOT_IN_DATA_PATH = frozenset({"PaymentProvider", "Portal"})
_NAMES_SHOWN = 5


class Keys(Protocol):
    """What is known of the keys of declared Subscriptions."""

    problems: dict[str, Condition]

    def key_id(self, observed: Observed) -> str:
        """Of the key that works; empty while there is none."""
        ...


class Accounts(Protocol):
    """What is known of the accounts of PaymentProviders."""

    def condition(self, observed: Observed, state: State) -> Condition | None:
        """None for what has no account."""
        ...

    def of(self, name: str, state: State) -> Said | None:
        """What is said of the spec that serves now."""
        ...


@dataclass(frozen=True)
class _Case:
    """All that a resource's status follows from."""

    observed: Observed
    status: Status
    programmed: Condition | None
    synced: Condition | None
    said: Said | None
    key_id: str
    users: tuple[str, ...]

    def is_like(self, other: "_Case | None") -> bool:
        """Whether nothing changed. Of thousands, an edit concerns one."""
        if other is None or self.observed is not other.observed:
            return False
        facts = (self.status, self.programmed, self.synced, self.said, self.key_id, self.users)
        return facts == (other.status, other.programmed, other.synced, other.said, other.key_id, other.users)

    @property
    def passes(self) -> bool:
        """Whether it says something that may be over within moments."""
        return any(found is not None and found.reason in PASSING for found in (self.programmed, self.synced))

    def conditions(self) -> list[Condition]:
        """All that are ours."""
        conditions = [*self.status.conditions, *(found for found in (self.programmed, self.synced) if found)]
        if self.observed.deleting and self.users:
            more = f" and {len(self.users) - _NAMES_SHOWN} more" if len(self.users) > _NAMES_SHOWN else ""
            shown = ", ".join(self.users[:_NAMES_SHOWN])
            message = f"used by the subscriptions {shown}{more}; it goes when they have gone"
            conditions.append(Condition("Deletable", False, "InUse", message))
        return conditions

    def details(self) -> dict[str, Any]:
        """The status's further fields."""
        manifest = self.observed.manifest
        details: dict[str, Any] = {"serving": self.status.serving}
        if isinstance(manifest, API):
            details["endpoints"] = len(manifest.spec.endpoints)
        if isinstance(manifest, Product):
            details["subscriptions"] = len(self.users)
        if self.said and self.said.account:
            details |= {"account": self.said.account, "mode": self.said.mode}
        if secret_name := _secret_name(self.observed):
            details |= {"secretName": secret_name, **({"keyId": self.key_id} if self.key_id else {})}
        return details


@dataclass
class Judge:
    """``waits``: whether something of the last round may be worth a write later although nothing changes."""

    programming: Programming
    keys: Keys
    accounts: Accounts
    waits: bool = False
    #: What was found to be said already.
    _said: dict[ResourceKey, _Case] = field(default_factory=dict[ResourceKey, _Case])
    _passing_since: dict[ResourceKey, datetime] = field(default_factory=dict[ResourceKey, datetime])
    _patience: Patience = field(default_factory=Patience)

    def verdicts(
        self, store: Store, state: State, used: Mapping[ResourceKey, list[str]], envoys: int, now: datetime
    ) -> list[tuple[Observed, Verdict]]:
        """Those that do not say yet what they should."""
        found: list[tuple[Observed, Verdict]] = []
        passing: dict[ResourceKey, datetime] = {}
        said: dict[ResourceKey, _Case] = {}
        moment, undone, seen = rfc3339(now), False, set[str]()
        for observed in self._judged(store, state):
            seen.add(observed.uid)
            case = _Case(
                observed,
                state.statuses[observed.key],
                self._programmed(observed, state, envoys),
                self.accounts.condition(observed, state),
                self.accounts.of(observed.key[1], state) if observed.key[0] == "PaymentProvider" else None,
                self._key_id(observed),
                tuple(used.get(observed.key, ())),
            )
            if case.passes:
                since = passing[observed.key] = self._passing_since.get(observed.key, now)
                if (now - since).total_seconds() < PASSING_SECONDS:
                    continue
            if not case.is_like(self._said.get(observed.key)):
                conditions, details = case.conditions(), case.details()
                written = verdict(observed, conditions, details, moment)
                if written and self._patience.allows(observed.uid, (observed.generation, conditions, details), now):
                    found.append((observed, written))
                    continue
                if written:
                    undone = True
                    continue
            said[observed.key] = case
        self._patience.forget_all_but(seen)
        self._passing_since, self._said, self.waits = passing, said, bool(passing) or undone
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

    def _programmed(self, observed: Observed, state: State, envoys: int) -> Condition | None:
        if observed.key[0] in _NOT_IN_DATA_PATH:
            return None
        programmed = self.programming.condition(observed.key, state, envoys)
        if programmed.status and _secret_name(observed) and not self.keys.key_id(observed):
            return self.keys.problems.get(observed.uid, KEY_PENDING)
        return programmed

    def _key_id(self, observed: Observed) -> str:
        return self.keys.key_id(observed) if _secret_name(observed) else ""


def _secret_name(observed: Observed) -> str | None:
    return observed.manifest.spec.secret_name if isinstance(observed.manifest, Subscription) else None
