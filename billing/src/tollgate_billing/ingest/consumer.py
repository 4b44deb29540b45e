"""The ingest loop: read, commit, confirm; for ever, whatever happens to Redis and SQL meanwhile."""

import threading
from collections.abc import Sequence

import structlog

from tollgate_billing.checkpoints import Checkpoint
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, Metrics, part_at_fault
from tollgate_billing.ingest.batch import Poster, decode
from tollgate_billing.ingest.streams import Message, Streams

_log = structlog.get_logger("ingest")

BATCH = 1000
TAKE_OVER_IDLE_MS = 30_000
_TAKE_OVER_EVERY_MS = 10_000
_IDLE_SECONDS = 0.02
_BACK_OFF_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)


class Consumer:
    """``step`` does one round and can be driven by a test; ``run`` repeats it until told to stop."""

    def __init__(
        self,
        streams: Streams,
        poster: Poster,
        clock: Clock,
        health: Health,
        metrics: Metrics,
        checkpoint: Checkpoint,
    ) -> None:
        self._streams = streams
        self._poster = poster
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._checkpoint = checkpoint
        self._last_take_over = 0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. After any failure own pending entries come first."""
        failures = 0
        while not stop.is_set():
            try:
                self.recover()
                while not stop.is_set():
                    busy = self.step()
                    failures = 0
                    if not busy:
                        stop.wait(_IDLE_SECONDS)
            except Exception as error:
                part = part_at_fault(error)
                self._health.trouble("ingest", f"{part}: {type(error).__name__}")
                _log.warning("ingest waits", part=part, error=type(error).__name__, exc_info=part == "internal")
                stop.wait(_BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)])
                failures += 1

    def recover(self) -> None:
        """Finish what this consumer had read before, then what others left behind."""
        while pending := self._streams.read_pending(BATCH):
            self._handle(pending)
        self._take_over()

    def step(self) -> bool:
        """One round. False where there was nothing to do."""
        if self._clock() - self._last_take_over >= _TAKE_OVER_EVERY_MS:
            self._take_over()
        messages = self._streams.read_new(BATCH)
        self._handle(messages)
        self._health.fine("ingest")
        if not messages:
            self._metrics.set_lag(0)
        return bool(messages)

    def _take_over(self) -> None:
        self._last_take_over = self._clock()
        while claimed := self._streams.take_over(TAKE_OVER_IDLE_MS, BATCH):
            self._handle(claimed)

    def _handle(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), BATCH):
            self._batch(messages[start : start + BATCH])

    def _batch(self, messages: Sequence[Message]) -> None:
        oldest = min(message.sent_ms for message in messages)
        self._metrics.set_lag(max(0, self._clock() - oldest) / 1000)
        self._checkpoint("after_read")
        decoded = decode(messages)
        letters = self._poster.post(decoded)
        self._checkpoint("after_commit")
        self._streams.publish_letters(letters)
        done = list(zip(messages, decoded.ids, strict=True))
        half = (len(done) + 1) // 2
        self._streams.confirm(done[:half])
        self._checkpoint("mid_confirm")
        self._streams.confirm(done[half:])
