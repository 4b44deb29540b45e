"""From what test calls showed to a word: would this be metered, and what is to be done where not? Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tollgate_cli.probe.call import Reading
from tollgate_cli.probe.cases import Case
from tollgate_cli.probe.target import Target
from tollgate_core.events import Usage, UsageEvent
from tollgate_extproc.gate.denial import Denial

Word = Literal["metered", "by_policy", "not_metered", "counted_wrongly", "nothing_counted", "unknown"]
LOSES_MONEY: frozenset[Word] = frozenset({"not_metered", "counted_wrongly"})
_ESTIMATE = "estimate"


@dataclass(frozen=True)
class CallResult:
    """One call: what was sent, what came back, and what would be written of it."""

    sent: Mapping[str, Any]
    reading: Reading = field(default_factory=Reading)
    event: UsageEvent | None = None
    denial: Denial | None = None
    uncounted: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """``advice`` is what to do next, where something is."""

    word: Word
    reason: str = ""
    advice: str = ""
    calls: Sequence[CallResult] = field(default=())

    @property
    def estimated(self) -> bool:
        """Whether a complete answer is metered by a guess."""
        data = [call.event.data for call in self.calls if call.event]
        return self.word == "by_policy" and any(d.outcome == "completed" and d.quality != "exact" for d in data)


def judge_case(case: Case, target: Target, calls: Sequence[CallResult], ignored: frozenset[str]) -> Verdict:
    """The gravest of its calls' verdicts; ``ignored`` are dimensions that need not be billed."""
    order: tuple[Word, ...] = ("not_metered", "counted_wrongly", "unknown", "by_policy", "metered", "nothing_counted")
    found = [_judge(case, target, call, ignored) for call in calls]
    worst = min(found, key=lambda verdict: order.index(verdict.word))
    if case.caching and worst.word == "metered":
        worst = _caching(calls)
    return Verdict(worst.word, worst.reason, worst.advice, calls)


def _caching(calls: Sequence[CallResult]) -> Verdict:
    read = [call.event.data.dimensions.get("cache_read", 0) if call.event else 0 for call in calls]
    if read[-1]:
        return Verdict("metered", f"{read[-1]:,} tokens of the second call were read from the cache, and counted so")
    return Verdict(
        "metered",
        "no cached tokens were reported for the second call: all are counted as input",
        "If this provider caches prompts, its server does not say so: your customers pay full price for them.",
    )


def _judge(case: Case, target: Target, call: CallResult, ignored: frozenset[str]) -> Verdict:
    if call.denial is not None:
        reason = f"the gate refuses it: {call.denial.status} {call.denial.code}: {call.denial.message}"
        return Verdict("nothing_counted", reason)
    if call.event is None:
        return Verdict("unknown", call.reading.failure, "See that the upstream can be reached from here.")
    data = call.event.data
    if data.outcome == "error_response":
        return _refused(case, call, data)
    return _unmetered(target, data) or _answered(case, target, call, data, ignored)


def _unmetered(target: Target, data: Usage) -> Verdict | None:
    if not target.plan.metrics:
        selector = f"endpoints: [{{api: {target.api.metadata.name}}}]"
        return Verdict("not_metered", "no BillableMetric counts this endpoint", f"Let one name it: {selector}")
    if data.unmetered:
        why = "; ".join(f"{metric}: {reason}" for metric, reason in data.unmetered.items())
        return Verdict("not_metered", f"a quantity cannot be computed: {why}", "Mend the metric's quantity or when.")
    return None


def _refused(case: Case, call: CallResult, data: Usage) -> Verdict:
    word = f" ({call.reading.error})" if call.reading.error else ""
    answered = f"answered {data.status_code}{word}"
    counted = [metric for metric, quantity in data.quantities.items() if quantity != "0"]
    if counted:
        advice = "Let the metric's `when` ask for a successful response.statusCode."
        return Verdict("counted_wrongly", f"{answered}, and {', '.join(counted)} would count it", advice)
    if case.unknown_model:
        return Verdict("nothing_counted", f"{answered}, and nothing would be counted")
    if data.status_code in {401, 403}:
        advice = "See that spec.credential names the right header, prefix and Secret."
        return Verdict("unknown", f"the upstream refuses the credential: {answered}", advice)
    if data.status_code in {408, 429} or data.status_code >= 500:
        return Verdict("unknown", f"the upstream {answered}", "Try again later.")
    if not case.essential:
        return Verdict("nothing_counted", f"the upstream refuses such calls: {answered}, and nothing would be counted")
    if call.sent.get("usage_forced"):
        advice = "If it does not know stream_options, set spec.forceUsage: false. Else see --model and --with."
    else:
        advice = "See that --model names one of its models; --with changes what is sent."
    return Verdict("unknown", f"the upstream {answered}", advice)


def _answered(case: Case, target: Target, call: CallResult, data: Usage, ignored: frozenset[str]) -> Verdict:
    if data.quality != "exact":
        return _incomplete(target, call, data)
    used = any(data.dimensions.values())
    if not data.quantities:
        reason = f"no metric's `when` holds for an answer with status {data.status_code}"
        return Verdict("not_metered", reason, "Let the metric's `when` hold for it.")
    if used and target.plan.usage_functions and not any(q != "0" for q in data.quantities.values()):
        reason = "usage was reported, and every metric counts 0"
        return Verdict("not_metered", reason, "Let a metric's quantity read the dimensions that are shown.")
    missing = [name for name in call.uncounted if name not in ignored]
    if missing:
        shown = ", ".join(f"{name} ({data.dimensions.get(name, 0):,})" for name in missing)
        advice = f"Add usage().{missing[0]} to a metric's quantity; if it is to be free: --ignore {','.join(missing)}"
        return Verdict("not_metered", f"no metric counts {shown}", advice)
    encoding = call.reading.encoding
    if encoding:
        return Verdict("metered", f"the answer was compressed ({encoding}), and could be read")
    return Verdict("metered", "compression was asked for, and the answer was not compressed" if case.gzip else "")


def _incomplete(target: Target, call: CallResult, data: Usage) -> Verdict:
    policy = target.plan.api.on_incomplete
    if data.outcome != "completed":
        how = "the client left" if call.reading.left else "the upstream broke off" if not data.reason else data.reason
        return Verdict("by_policy", f"{how}; onIncomplete: {policy}, {_costs(data)}")
    if not target.plan.usage_functions and data.quantities:
        return Verdict("metered", "calls cost the same whatever they use")
    reason = f"{data.reason}; onIncomplete: {policy}, {_costs(data)}"
    if policy == _ESTIMATE:
        return Verdict("by_policy", reason, _mend(target, call))
    return Verdict("not_metered", reason, _mend(target, call))


def _costs(data: Usage) -> str:
    if not any(quantity != "0" for quantity in data.quantities.values()):
        return "so nothing is counted"
    if data.quality == "estimated":
        return "so the parts that were not reported are estimated"
    return "so the last reported usage is counted"


def _mend(target: Target, call: CallResult) -> str:
    fmt = target.plan.format
    unforced = fmt is not None and call.sent["streamed"] and not fmt.client_asked_usage({"stream": True})
    if unforced and not target.plan.api.force_usage and not call.sent["usage_asked"]:
        return "Set spec.forceUsage: true: the gate then asks for usage in every stream."
    if target.plan.api.on_incomplete == _ESTIMATE:
        return "Let the upstream's server report usage; until then such calls are billed by an estimate."
    return "Let the upstream's server report usage, or set spec.metering.onIncomplete: estimate."
