"""The meter's side of an ext_proc stream: response headers, body chunks, end.

This is the hot path: what runs for a chunk is one parser call. Whatever way the stream ends, the response is settled:
with its end seen the meter's word is final, without it the access log has the last word and the meter's is kept.
"""

from tollgate_core.admission import Admission
from tollgate_core.formats import BodyParser, Reduction, body_parser
from tollgate_core.metering import EndpointPlan, Observation
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.settlement.settler import Settler
from tollgate_extproc.stream import Stream
from tollgate_extproc.wire.ext_proc_pb2 import ProcessingRequest

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


class Meter:
    """Watches every response that is sent to this worker."""

    def __init__(self, catalogs: CatalogCache, settler: Settler, clock: Clock) -> None:
        self._catalogs = catalogs
        self._settler = settler
        self._clock = clock

    async def handle(self, first: ProcessingRequest, stream: Stream) -> None:
        """Follow one response to its end. Returns at the end of stream, or Envoy would keep the stream open."""
        watch = self._open(first)
        if watch is None:
            return
        complete = first.response_headers.end_of_stream
        try:
            while not complete:
                message = await stream.read()
                if message is None:
                    break
                if message.HasField("response_body"):
                    body = message.response_body
                    watch.feed(body.body)
                    complete = body.end_of_stream
                elif message.HasField("response_trailers"):
                    complete = True
        finally:
            # Also when the stream is cancelled: what was seen must not be lost.
            self._settler.settle(watch.admission, watch.finish(self._clock(), complete=complete), final=complete)

    def _open(self, first: ProcessingRequest) -> ResponseWatch | None:
        text = next((v.string_value for s in first.attributes.values() for v in s.fields.values()), "")
        if not text or not first.HasField("response_headers"):
            return None  # the gate's own denial
        admission = Admission.decode(text)
        plans = self._catalogs.plans(admission.catalog)
        headers = {h.key: h.raw_value.decode("latin-1") or h.value for h in first.response_headers.headers.headers}
        return ResponseWatch(admission, plans.endpoints.get(admission.endpoint) if plans else None, headers)
