"""The answer to an AdmissionReview: what a CRD's schema cannot know. Pure.

A mistake in the object itself is refused; a reference to what is not there yet is only a warning, so that manifests
can be applied in any order.
"""

from collections.abc import Mapping
from typing import Any

from tollgate_core.errors import ManifestError
from tollgate_core.manifests.parse import Manifest, parse_manifest
from tollgate_operator.reconcile import ResourceKey, UpstreamPolicy
from tollgate_operator.reconcile.checks import check_one

_MOST_WARNINGS = 10
_LONGEST = 4000


def review(
    request: Mapping[str, Any], resources: Mapping[ResourceKey, Manifest], policy: UpstreamPolicy
) -> dict[str, Any]:
    """The ``response`` of an AdmissionReview. ``resources`` are all that are there."""
    answer: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    candidate: dict[str, Any] | None = request.get("object")
    if request.get("operation") not in {"CREATE", "UPDATE"} or candidate is None:
        return answer
    if "deletionTimestamp" in candidate.get("metadata", {}):
        return answer  # nothing but its finalizers can change
    before: dict[str, Any] = request.get("oldObject") or {}
    if before and before.get("spec") == candidate.get("spec"):
        return answer  # what was there stays; a stricter rule must not freeze labels and finalizers
    try:
        manifest = parse_manifest({name: value for name, value in candidate.items() if name != "status"})
    except ManifestError as error:
        return answer | _denied("; ".join(map(str, error.problems)))
    findings = check_one(manifest, resources, policy)
    wrong = [str(finding.problem) for finding in findings if not finding.reference]
    if wrong:
        return answer | _denied("; ".join(wrong))
    unresolved = [str(finding.problem) for finding in findings if finding.reference]
    return answer | ({"warnings": unresolved[:_MOST_WARNINGS]} if unresolved else {})


def _denied(message: str) -> dict[str, Any]:
    status = {"code": 422, "reason": "Invalid", "message": message[:_LONGEST]}
    return {"allowed": False, "status": status}
