"""Results as a document, from which both outputs are made: the one way out, so a secret is redacted here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tollgate_cli.probe.cases import Case
from tollgate_cli.probe.runner import CaseResult
from tollgate_cli.probe.target import Target
from tollgate_cli.probe.verdict import LOSES_MONEY, CallResult

Json = dict[str, Any]
_HIDDEN = "[redacted]"


def report(results: Sequence[CaseResult], skipped: Mapping[str, str]) -> Json:
    """By endpoint and case, with counts of the verdicts."""
    endpoints: dict[str, Json] = {}
    for result in results:
        target = result.target
        found = endpoints.setdefault(target.name, _endpoint(target))
        found["cases"].append(_case(result))
    document: Json = {
        "endpoints": list(endpoints.values()),
        "skipped": dict(skipped),
        "calls": sum(bool(call.reading.observation) for result in results for call in result.verdict.calls),
        "verdicts": dict(Counter(result.verdict.word for result in results)),
    }
    secrets = {result.target.upstream.secret for result in results} - {""}
    return cast("Json", redact(document, secrets))


def _endpoint(target: Target) -> Json:
    return {
        "api": target.api.qualified_name,
        "endpoint": target.name,
        "format": target.plan.format.name if target.plan.format else None,
        "upstream": target.api.spec.upstream.address(target.api.metadata.namespace),
        "product": target.product.name or None,
        "mode": target.plan.api.mode,
        "on_incomplete": target.plan.api.on_incomplete,
        "force_usage": target.plan.api.force_usage,
        "cases": [],
    }


def _case(result: CaseResult) -> Json:
    verdict = result.verdict
    return {
        "case": result.case.name,
        "about": result.case.about,
        "verdict": verdict.word,
        "reason": verdict.reason,
        "advice": verdict.advice,
        "calls": [_call(call) for call in verdict.calls],
    }


def _call(call: CallResult) -> Json:
    reading, event = call.reading, call.event
    seen = reading.observation
    found: Json = {
        "sent": dict(call.sent),
        "status": seen.status if seen else None,
        "encoding": reading.encoding or None,
        "events": seen.events if seen else 0,
        "client_left": reading.left,
        "error": reading.error or None,
        "usage_seen": list(reading.usage_seen),
    }
    if event is not None:
        data = event.data
        found |= {
            "served_model": data.served_model,
            "outcome": data.outcome,
            "quality": data.quality,
            "usage": data.usage,
            "dimensions": data.dimensions,
            "quantities": data.quantities,
            "unmetered": data.unmetered,
            "not_counted": list(call.uncounted),
        }
    return found


def redact(value: Any, secrets: set[str]) -> Any:
    """An upstream may send back what it was sent."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, _HIDDEN)
        return value
    if isinstance(value, dict):
        return {redact(k, secrets): redact(v, secrets) for k, v in cast("Json", value).items()}
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in cast("Sequence[Any]", value)]
    return value


def exit_code(results: Sequence[CaseResult], *, strict: bool) -> int:
    """1: something that costs money would not be metered; 2: a question is open, or nothing was answered."""
    verdicts = [result.verdict for result in results]
    if any(v.word in LOSES_MONEY or (strict and v.estimated) for v in verdicts):
        return 1
    told = any(v.word in {"metered", "by_policy"} for v in verdicts)
    only_errors = all(result.case.unknown_model for result in results)
    return 2 if any(v.word == "unknown" for v in verdicts) or not (told or only_errors) else 0


def number_of_calls(plan: Sequence[tuple[Target, Case, bool]]) -> int:
    """That will be made."""
    return sum(case.calls for _, case, _ in plan)
