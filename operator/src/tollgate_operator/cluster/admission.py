"""The answer to an AdmissionReview: what a CRD's schema cannot know. Pure.

A mistake in the object itself is refused; a reference to what is not there yet is only a warning, so that manifests
can be applied in any order.
"""

from collections.abc import Mapping
from typing import Any

from tollgate_core.errors import ManifestError, TollgateError
from tollgate_core.manifests import API, BillableMetric, Price, Product
from tollgate_core.manifests.parse import Manifest, parse_manifest
from tollgate_core.pricing.lint import ABSENCES, lint
from tollgate_operator.reconcile import ResourceKey, UpstreamPolicy, build_catalog
from tollgate_operator.reconcile.checks import check_one
from tollgate_operator.reconcile.index import Index

_MOST_WARNINGS = 10
_LONGEST = 4000
#: A product with more prices than this is linted by ``tollgate lint`` alone: the API server waits for the answer.
_MOST_PRICES = 100
#: What the API server shows of one warning.
_LONGEST_WARNING = 256


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
    # What a Secret holds is not judged: of those that nothing refers to yet, only the names of the keys are here.
    unresolved = [str(finding.problem) for finding in findings if finding.reference and not finding.invalid]
    return answer | ({"warnings": unresolved[:_MOST_WARNINGS]} if unresolved else {})


def _denied(message: str) -> dict[str, Any]:
    status = {"code": 422, "reason": "Invalid", "message": message[:_LONGEST]}
    return {"allowed": False, "status": status}


def advice(request: Mapping[str, Any], resources: Mapping[ResourceKey, Manifest], now_ms: int) -> list[str]:
    """What lint finds doubtful in a Price or Product that was allowed. What is merely absent may be in the same file,
    and is left to ``tollgate lint``."""
    candidate: dict[str, Any] = request.get("object") or {}
    if request.get("operation") not in {"CREATE", "UPDATE"} or candidate.get("kind") not in {"Price", "Product"}:
        return []
    before: dict[str, Any] = request.get("oldObject") or {}
    if before.get("spec") == candidate.get("spec"):
        return []
    try:
        manifest = parse_manifest({name: value for name, value in candidate.items() if name != "status"})
        return _doubts(manifest, _concerned(manifest, resources), now_ms)
    except (TollgateError, ValueError, ArithmeticError, KeyError):
        return []  # advice never stands in the way


def _doubts(manifest: Manifest, among: Mapping[ResourceKey, Manifest], now_ms: int) -> list[str]:
    if sum(kind == "Price" for kind, _ in among) > _MOST_PRICES:
        return []
    name = f"{manifest.kind}/{manifest.qualified_name}"
    found = lint(build_catalog(Index(among)), now_ms)
    mine = [f for f in found if f.resource == name and f.rule not in ABSENCES and f.severity != "info"]
    return [str(finding)[:_LONGEST_WARNING] for finding in mine[:_MOST_WARNINGS]]


def _concerned(manifest: Manifest, resources: Mapping[ResourceKey, Manifest]) -> dict[ResourceKey, Manifest]:
    """The candidate's product, its prices, and what they refer to."""
    namespace = manifest.metadata.namespace
    product = manifest.spec.product if isinstance(manifest, Price) else manifest.metadata.name
    found: dict[ResourceKey, Manifest] = {}
    for key, other in resources.items():
        here = other.metadata.namespace == namespace
        sibling = isinstance(other, Price) and other.spec.product == product
        named = isinstance(other, Product) and other.metadata.name == product
        if isinstance(other, API | BillableMetric) or (here and (sibling or named)):
            found[key] = other
    return found | {(manifest.kind, manifest.qualified_name): manifest}
