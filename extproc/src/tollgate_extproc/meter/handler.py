"""The meter's side of an ext_proc stream: response headers, body chunks, end. Nothing waits here, so nothing is async.

This is the hot path: what runs for a chunk is one parser call. Whatever way the stream ends, the response is settled:
with its end seen the meter's word is final, without it the access log has the last word and the meter's is kept.
"""

import msgspec
import structlog

from tollgate_core.admission import Admission
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.meter.watch import ResponseWatch
from tollgate_extproc.settlement.settler import Settler
from tollgate_extproc.wire.ext_proc_pb2 import ProcessingRequest

_log = structlog.get_logger("meter")


class ResponseReceiver:
    """One side stream of Envoy's: the messages of one response."""

    __slots__ = ("_meter", "_opened", "_watch")

    def __init__(self, meter: "Meter") -> None:
        self._meter = meter
        self._watch: ResponseWatch | None = None
        self._opened = False

    def message(self, payload: bytes) -> bool:
        """Whether the response is over: Envoy keeps the stream open until we say so."""
        try:
            return self._message(ProcessingRequest.FromString(payload))
        except Exception:
            # One response that cannot be read must not take the connection's others with it; the log settles it.
            _log.exception("a response was given up")
            return True

    def _message(self, message: ProcessingRequest) -> bool:
        if not self._opened:
            self._opened = True
            self._watch = self._meter.open(message)
            done = self._watch is None or message.response_headers.end_of_stream
        elif message.HasField("response_body"):
            body = message.response_body
            if self._watch is not None:
                self._watch.feed(body.body)
            done = body.end_of_stream
        else:
            done = message.HasField("response_trailers")
        if done and self._watch is not None:
            self._meter.finish(self._watch, complete=True)
        return done

    def lost(self) -> None:
        """The stream ended before the response did, as far as can be told from here."""
        if self._watch is not None:
            try:
                self._meter.finish(self._watch, complete=False)
            except Exception:
                _log.exception("a response was given up")


class Meter:
    """Watches every response that is sent to this worker."""

    def __init__(self, catalogs: CatalogCache, settler: Settler, clock: Clock) -> None:
        self._catalogs = catalogs
        self._settler = settler
        self._clock = clock

    def receiver(self) -> ResponseReceiver:
        """For a new side stream."""
        return ResponseReceiver(self)

    def open(self, first: ProcessingRequest) -> ResponseWatch | None:
        """Begin with the response's headers. None for the gate's own denial, which has no admission."""
        text = next((v.string_value for s in first.attributes.values() for v in s.fields.values()), "")
        if not text or not first.HasField("response_headers"):
            return None
        try:
            admission = Admission.decode(text)
        except msgspec.DecodeError as error:
            _log.error("an admission record cannot be read; the access log settles", error=str(error))
            return None
        plans = self._catalogs.plans(admission.catalog)
        if plans is None:
            return None  # admitted elsewhere, under a catalog that is not here yet; the access log settles
        headers: dict[str, str] = {}
        for header in first.response_headers.headers.headers:  # of repeated ones the first, as in the access log
            value = header.raw_value.decode("latin-1") if header.raw_value else header.value
            headers.setdefault(header.key, value)
        return ResponseWatch(admission, plans.endpoints.get(admission.endpoint), headers)

    def finish(self, watch: ResponseWatch, *, complete: bool) -> None:
        """Settle what was seen."""
        self._settler.settle(watch.admission, watch.finish(self._clock(), complete=complete), final=complete)
