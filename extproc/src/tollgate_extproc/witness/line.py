"""From one line of the access log to an observation. Pure."""

from typing import Any

import msgspec
import orjson

from tollgate_core.admission import DENIAL_DETAILS_PREFIX, Admission
from tollgate_core.formats import Reduction, UsageFormat
from tollgate_core.metering import EndpointPlan, Observation
from tollgate_core.metering.observation import Ending

#: Envoy's response flags (their short names): the client left, or the upstream broke off.
_CLIENT_FLAGS = frozenset({"DC", "DPE", "DR"})
_UPSTREAM_FLAGS = frozenset({"UC", "UT", "LR", "UR", "UF", "UO", "UPE", "SI", "UMSDR", "DT", "OM", "UDO", "NR", "UH"})

#: The status that proxies log for a client that left before there was an answer.
_CLIENT_CLOSED = 499
#: A denial whose script may have run all the same: only its answer was lost.
_UNAVAILABLE = DENIAL_DETAILS_PREFIX + "admission_unavailable"


class Line(msgspec.Struct, frozen=True):
    """The fields of the log's format; times in ms. ``usage`` is what Envoy captured of the response."""

    id: str | None = None
    start: Any = 0
    duration: int | None = 0
    code: int | None = 0
    details: str | None = ""
    flags: str | None = ""
    type: str | None = ""
    encoding: str | None = ""
    route: str | None = ""
    host: str | None = None
    admission: str | None = None
    usage: dict[str, Any] | None = None

    @property
    def may_be_orphaned(self) -> bool:
        """Whether the gate may have admitted it without Envoy hearing of it: no record, and no denial of ours."""
        reached_gate = bool(self.route) and not str(self.route).endswith("/")
        details = self.details or ""
        denied = details.startswith(DENIAL_DETAILS_PREFIX) and details != _UNAVAILABLE
        return not self.admission and reached_gate and not denied


_DECODER = msgspec.json.Decoder(Line)


def parse_line(text: bytes) -> tuple[Line, Admission | None]:
    """Without a record the request was not admitted. Raises msgspec.DecodeError for what is no line of ours."""
    line = _DECODER.decode(text)
    return line, Admission.decode(line.admission) if line.admission else None


def observe(text: bytes, line: Line, admission: Admission, plan: EndpointPlan | None) -> Observation:
    """What the line says of the response."""
    captured = line.usage or {}
    reduction = Reduction()
    if plan and plan.format:
        fold_captured(captured, plan.format, reduction)
    ending = _ending(line)
    return Observation(
        witness="access_log",
        ending=ending,
        ended_ms=int(line.start or 0) + (line.duration or 0),
        status=line.code or (0 if line.host else _CLIENT_CLOSED),
        usage=reduction.usage,
        model=str(captured.get("model") or reduction.model or ""),
        terminal=bool(captured.get("terminal")),
        error="error" if captured.get("error") else "",
        invalid=reduction.invalid or "",
        unreadable=_unreadable(line),
        events=int(captured.get("events") or 0),
        streamed=admission.streamed,
        response_headers=_headers(text, plan),
    )


def fold_captured(captured: dict[str, Any], fmt: UsageFormat, reduction: Reduction) -> None:
    """Captured values go through the same reducer as the meter's events."""
    for raw in (captured.get("first"), captured.get("last")):
        if raw:
            try:
                usage = orjson.loads(raw)
            except (orjson.JSONDecodeError, TypeError):
                reduction.invalid = reduction.invalid or "the captured usage is no JSON"
                continue
            fmt.observe(_event_around(usage, fmt), reduction)
    scalars: dict[str, Any] = {
        name: _number(captured[name]) for name in ("prompt_eval_count", "eval_count") if name in captured
    }
    if scalars:
        fmt.observe({"done": True, **scalars}, reduction)


def _event_around(usage: object, fmt: UsageFormat) -> dict[str, Any]:
    """An event that carries the captured object where the format's reducer looks for it."""
    match fmt.name:
        case "openai_responses":
            return {"type": "response.completed", "response": {"object": "response", "usage": usage}}
        case "anthropic_messages":
            return {"type": "message_delta", "usage": usage}
        case "gemini":
            return {"usageMetadata": usage}
        case _:
            return {"usage": usage}


def _number(text: object) -> object:
    try:
        return orjson.loads(text) if isinstance(text, str | bytes) else text
    except orjson.JSONDecodeError:
        return text


def _ending(line: Line) -> Ending:
    if not line.host:
        return "complete"  # no upstream was reached: whatever came of it, nothing was used
    flags = frozenset((line.flags or "").split(","))
    if flags & _CLIENT_FLAGS or (line.code or 0) == 0:
        return "client"
    if flags & _UPSTREAM_FLAGS and not _is_reply_of_envoy(line):
        return "upstream"
    return "complete"


def _is_reply_of_envoy(line: Line) -> bool:
    """Envoy answered in the upstream's place (503, 504): a complete response of an error."""
    return (line.code or 0) >= 400


def _unreadable(line: Line) -> str:
    encoding = line.encoding or ""
    return f"the body's encoding {encoding[:32]!r} cannot be read" if encoding not in {"", "identity"} else ""


def _headers(text: bytes, plan: EndpointPlan | None) -> dict[str, str]:
    if plan is None or not plan.response_headers:
        return {}
    fields = orjson.loads(text)
    return {n: str(fields[f"header:{n}"]) for n in plan.response_headers if fields.get(f"header:{n}") is not None}
