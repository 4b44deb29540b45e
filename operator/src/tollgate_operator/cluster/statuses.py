"""The status that a resource should have. Pure: equal in, nothing out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_operator.cluster.store import Observed
from tollgate_operator.reconcile import Condition

OURS = ("Accepted", "ResolvedRefs", "Programmed", "Synced", "Deletable")
#: Reasons that may pass by themselves within moments: not worth a write unless they last.
PASSING = frozenset({"Pending", "NoGateway", "KeyPending", "BillingUnavailable"})
KEY_PENDING = Condition("Programmed", False, "KeyPending", "waiting for billing to know its key")
_LONGEST_MESSAGE = 32_000


@dataclass(frozen=True)
class Verdict:
    """A status to write, and the conditions in it whose status or reason changed."""

    body: dict[str, Any]
    transitions: tuple[Condition, ...]


def verdict(
    observed: Observed, conditions: Iterable[Condition], details: Mapping[str, Any], now: str
) -> Verdict | None:
    """None where the object says it already. ``details`` are further fields of the status, ``now`` is RFC 3339.

    Conditions of others are kept as they are; a condition of ours that no longer applies goes.
    """
    before = {c.get("type"): c for c in _conditions(observed.status)}
    written: list[dict[str, Any]] = []
    transitions: list[Condition] = []
    for condition in conditions:
        entry = _entry(condition, before.get(condition.type), observed.generation, now)
        written.append(entry)
        old = before.get(condition.type, {})
        if (old.get("status"), old.get("reason")) != (entry["status"], entry["reason"]):
            transitions.append(condition)
    written += [entry for name, entry in before.items() if name not in OURS]
    body: dict[str, Any] = {"observedGeneration": observed.generation, "conditions": written, **details}
    absent = {name: None for name in observed.status if name not in body}
    if not absent and observed.status == body:
        return None
    return Verdict(body | absent, tuple(transitions))


def is_said(observed: Observed, condition: str) -> bool:
    """Whether the object's status says that a condition holds for what its spec is now."""
    return any(
        c.get("type") == condition and c.get("status") == "True" and c.get("observedGeneration") == observed.generation
        for c in _conditions(observed.status)
    )


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = status.get("conditions")
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []  # pyright: ignore


def _entry(condition: Condition, old: Mapping[str, Any] | None, generation: int, now: str) -> dict[str, Any]:
    status = "Unknown" if condition.status is None else str(condition.status)
    kept = old is not None and old.get("status") == status and old.get("lastTransitionTime")
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": condition.message[:_LONGEST_MESSAGE],
        "observedGeneration": generation,
        "lastTransitionTime": kept or now,
    }
