"""One response as its bytes pass, whatever brings them: from its headers to an observation."""

from typing import Any

from tollgate_core.admission import Admission
from tollgate_core.formats import BodyParser, Reduction, body_parser
from tollgate_core.metering import EndpointPlan, Observation

_MAX_KEPT_BODY = 1 << 20


class ResponseWatch:
    """The running state of one response."""

    __slots__ = ("_body", "_kept", "_parser", "_plan", "_reduction", "admission", "observation")

    def __init__(self, admission: Admission, plan: EndpointPlan | None, headers: dict[str, str]) -> None:
        self.admission = admission
        self._plan = plan
        self._reduction = Reduction()
        self._parser: BodyParser | None = None
        self._body: list[bytes] | None = [] if plan and plan.needs_response_body else None
        self._kept = 0
        self.observation = Observation(
            witness="meter",
            ending="unknown",
            ended_ms=0,
            status=int(headers.get(":status", "0")),
            response_headers={n: headers[n] for n in plan.response_headers if n in headers} if plan else {},
            streamed=admission.streamed,
        )
        encoding = headers.get("content-encoding", "identity")
        if encoding not in {"", "identity"}:
            self.observation.unreadable = f"the body's encoding {encoding[:32]!r} cannot be read"
        elif plan and plan.format and 200 <= self.observation.status < 300:
            self._parser = body_parser(headers.get("content-type", ""), plan.format, self._reduction)

    @property
    def events(self) -> int:
        """Data events so far."""
        return self._reduction.events

    @property
    def usage(self) -> dict[str, Any] | None:
        """What was reported so far: numbers and words, never text of an answer."""
        return self._reduction.usage

    def feed(self, chunk: bytes) -> None:
        """One chunk of the body."""
        if self._parser is not None:
            self._parser.feed(chunk)
        if self._body is not None:
            self._kept += len(chunk)
            if self._kept <= _MAX_KEPT_BODY:
                self._body.append(chunk)
            else:
                self._body = None

    def finish(self, now_ms: int, *, complete: bool) -> Observation:
        """What was seen. Without the end it counts as broken off by the client until the access log knows better."""
        if self._parser is not None and complete:
            self._parser.close()
        seen, reduction = self.observation, self._reduction
        seen.ending = "complete" if complete else "client"
        seen.ended_ms = now_ms
        seen.usage = reduction.usage
        seen.model = reduction.model or ""
        seen.terminal = reduction.terminal
        seen.error = reduction.error or ""
        seen.invalid = reduction.invalid or ""
        seen.events = reduction.events
        if reduction.oversize and not seen.unreadable:
            seen.unreadable = "an event or document was too large to read"
        seen.body = b"".join(self._body) if self._body is not None else None
        return seen
