"""What a response's end means: outcome, quality, and the usage that counts.

Rules, in the order in which they are tried:
1. an answer that is no success has no usage of its own to estimate; what the metric's ``when`` says decides;
2. usage that the provider reported in full is exact, however the response ended;
3. anything else is incomplete, and the API's ``onIncomplete`` policy says what it costs. A value that the provider
   reported is never replaced by an estimate, zero included.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_core.catalog import OnIncomplete
from tollgate_core.events import Outcome, Quality
from tollgate_core.formats import UsageFormat
from tollgate_core.metering.observation import Observation

#: Formats that report usage once, when it is final; the others report running values until a terminal event.
_REPORTED_ONCE = frozenset({"openai_completions", "openai_responses", "ollama", "deepseek", "mistral"})
#: Anthropic's message_start carries a placeholder for the output (a few tokens): more than that was surely produced.
_PLACEHOLDER_OUTPUT = {"anthropic_messages": "output_tokens"}


@dataclass(frozen=True)
class Verdict:
    """``usage`` is None where nothing counts; ``waived`` where the policy forgives it."""

    outcome: Outcome
    quality: Quality
    usage: Mapping[str, Any] | None
    reason: str = ""
    waived: bool = False


def judge(seen: Observation, fmt: UsageFormat | None, policy: OnIncomplete, input_estimate: int) -> Verdict:
    """The verdict on one response. ``input_estimate`` is the gate's estimate of the prompt, in tokens."""
    if seen.ending == "complete" and (seen.status < 200 or seen.status >= 300):
        return Verdict("error_response", "exact", seen.usage)
    outcome = _outcome(seen, fmt)
    if fmt is None:
        return _plain(seen, outcome, policy)
    if seen.usage is not None and not seen.invalid and _is_final(seen, fmt):
        return Verdict(outcome, "exact", seen.usage, seen.error)
    reason = _reason(seen, outcome)
    if policy == "waive":
        return Verdict(outcome, "partial", seen.usage, reason, waived=True)
    if policy == "lastSnapshot":
        return Verdict(outcome, "partial", seen.usage, reason)
    return _estimated(seen, fmt, outcome, reason, input_estimate)


def _plain(seen: Observation, outcome: Outcome, policy: OnIncomplete) -> Verdict:
    if outcome == "completed":
        return Verdict(outcome, "exact", None)
    return Verdict(outcome, "partial", None, _reason(seen, outcome), waived=policy == "waive")


def _outcome(seen: Observation, fmt: UsageFormat | None) -> Outcome:
    if seen.ending == "client":  # some SDKs close at the last event, before the end of the body has come
        return "completed" if seen.terminal and not seen.error else "client_aborted"
    if seen.ending == "unknown":
        return "unaccounted"
    broken_off = seen.ending == "upstream" or bool(seen.error)
    cut_short = fmt is not None and seen.streamed and not seen.terminal and not _is_final(seen, fmt)
    return "upstream_error" if broken_off or cut_short else "completed"


def _is_final(seen: Observation, fmt: UsageFormat) -> bool:
    if seen.usage is None:
        return False
    return fmt.name in _REPORTED_ONCE or seen.terminal or (seen.ending == "complete" and not seen.streamed)


def _reason(seen: Observation, outcome: Outcome) -> str:
    if seen.invalid or seen.unreadable or seen.error:
        return seen.invalid or seen.unreadable or seen.error
    if outcome == "completed":
        return "the upstream reported no usage"
    return "the response ended before its usage was reported" if seen.usage is None else "usage was a running value"


def _estimated(seen: Observation, fmt: UsageFormat, outcome: Outcome, reason: str, input_estimate: int) -> Verdict:
    reported = {key: value for key, value in (seen.usage or {}).items() if value is not None}
    guess = fmt.estimate(input_estimate, seen.events)
    placeholder = _PLACEHOLDER_OUTPUT.get(fmt.name)
    if placeholder and placeholder in reported and reported[placeholder] < guess[placeholder]:
        del reported[placeholder]
    missing = guess.keys() - reported.keys()
    if not missing:
        return Verdict(outcome, "partial", reported, reason)
    if reported:
        guess = {key: value for key, value in guess.items() if not key.lower().startswith("total")}
    return Verdict(outcome, "estimated", {**guess, **reported}, reason)
