"""Which resources serve: every one that is right in the context of the others, else its last good version, else none.

A resource whose *new* version is wrong keeps its last good one. A Product or BillableMetric whose reference vanished
(the API was deleted) keeps serving what is left, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tollgate_core.errors import Problem
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.reconcile.checks import Finding, check_all
from tollgate_operator.reconcile.payment_keys import INVALID
from tollgate_operator.reconcile.status import Condition, Serving, Status
from tollgate_operator.reconcile.upstreams import UpstreamPolicy

ResourceKey = tuple[str, str]
"""(kind, qualified name)"""
#: Of nearly all resources, nearly always.
_RIGHT = Status((Condition("Accepted", True, "Accepted"), Condition("ResolvedRefs", True, "ResolvedRefs")), "current")


@dataclass(frozen=True)
class Effective:
    """What serves, and each desired resource's status."""

    resources: Mapping[ResourceKey, Manifest]
    statuses: Mapping[ResourceKey, Status]


def resolve(
    desired: Mapping[ResourceKey, Manifest],
    last_good: Mapping[ResourceKey, Manifest],
    broken: Mapping[ResourceKey, list[Problem]],
    policy: UpstreamPolicy,
) -> Effective:
    """``broken`` are resources that could not even be parsed: their last good version serves on."""
    effective = dict(desired) | {key: last_good[key] for key in broken if key in last_good}
    findings: dict[ResourceKey, list[Finding]] = {}
    while True:
        unusable = (desired.keys() | broken.keys()) - effective.keys()
        round_findings = check_all(effective, last_good, policy, unusable)
        fatal = {key: found for key, found in round_findings.items() if any(f.fatal for f in found)}
        replaced = {
            key: found
            for key, found in round_findings.items()
            if key not in findings and key in last_good and last_good[key] != effective[key]
        }
        if not fatal and not replaced:
            break
        for key in replaced or fatal:
            findings.setdefault(key, round_findings[key])
            if key in replaced:
                effective[key] = last_good[key]
            else:
                del effective[key]
    for key, found in round_findings.items():
        findings.setdefault(key, found)
    keys = desired.keys() | broken.keys()
    return Effective(effective, {key: _status(key, desired, effective, findings, broken) for key in sorted(keys)})


def _reason(found: list[Finding]) -> str:
    if any(not finding.permitted for finding in found):
        return "RefNotPermitted"
    if any(finding.reference and not (finding.invalid or finding.unusable) for finding in found):
        return "RefNotFound"
    if any(finding.unusable for finding in found):
        return "RefInvalid"
    return INVALID if any(finding.invalid for finding in found) else "ResolvedRefs"


def _status(
    key: ResourceKey,
    desired: Mapping[ResourceKey, Manifest],
    effective: Mapping[ResourceKey, Manifest],
    findings: Mapping[ResourceKey, list[Finding]],
    broken: Mapping[ResourceKey, list[Problem]],
) -> Status:
    serving: Serving = (
        "none" if key not in effective else "current" if effective[key] is desired.get(key) else "previous"
    )
    if serving == "current" and key not in findings and key not in broken:
        return _RIGHT
    if key in broken:
        return Status((Condition("Accepted", False, "Invalid", "; ".join(map(str, broken[key]))),), serving)
    found = findings.get(key, [])
    wrong = [f.problem for f in found if not f.reference]
    unresolved = [f.problem for f in found if f.reference]
    return Status(
        (
            Condition("Accepted", not wrong, "Invalid" if wrong else "Accepted", "; ".join(map(str, wrong))),
            Condition(
                "ResolvedRefs",
                not unresolved,
                _reason(found),
                "; ".join(map(str, unresolved)),
            ),
        ),
        serving,
    )
