"""One batch of messages: decode, post in one transaction, and know what to confirm."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from tollgate_billing.clock import Clock
from tollgate_billing.health import Metrics
from tollgate_billing.ingest.streams import Message
from tollgate_billing.ledger.database import DATABASE_AWAY, Database
from tollgate_billing.ledger.entries import entry_of
from tollgate_billing.ledger.letters import Letter
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.writer import Delivery, Posted, post
from tollgate_core.errors import EventError

_log = structlog.get_logger("ingest")


class _Envelope(msgspec.Struct):
    id: str


@dataclass
class Decoded:
    """``ids`` says for each message which event it was, as far as that could be read."""

    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    letters: list[Letter] = field(default_factory=list[Letter])
    ids: list[str | None] = field(default_factory=list[str | None])


def decode(messages: Sequence[Message]) -> Decoded:
    """A message that is no event becomes a letter; one that the stream dropped is only to be confirmed."""
    decoded = Decoded()
    for message in messages:
        if message.body is None:
            decoded.ids.append(None)
            continue
        try:
            entry = entry_of(message.body)
        except EventError as error:
            event_id = _id_of(message.body)
            decoded.letters.append(Letter(event_id, message.partition, message.body, str(error)))
            decoded.ids.append(event_id)
        else:
            decoded.deliveries.append(Delivery(entry, message.partition, message.body))
            decoded.ids.append(entry.id)
    return decoded


def _id_of(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Envelope).id
    except (msgspec.DecodeError, UnicodeError):
        return None


class Poster:
    """Writes batches; one that the database refuses as a whole is written event by event."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._book = PriceBook()

    def post(self, decoded: Decoded) -> list[Letter]:
        """Commits. Answers all letters that were stored. Raises what says that the database is away."""
        if not decoded.deliveries and not decoded.letters:
            return []
        try:
            return self._transaction(decoded.deliveries, decoded.letters).letters
        except DATABASE_AWAY:
            raise
        except Exception as error:
            _log.warning("batch refused; posting one by one", error=type(error).__name__)
        letters = self._transaction([], decoded.letters).letters
        for delivery in decoded.deliveries:
            letters += self._alone(delivery)
        return letters

    def _alone(self, delivery: Delivery) -> list[Letter]:
        for attempt in range(2):
            try:
                return self._transaction([delivery], []).letters
            except DATABASE_AWAY:
                raise
            except Exception as error:
                # Another consumer may have recorded the same id in between: then the second attempt finds it.
                if attempt == 1:
                    reason = f"the database refused it: {type(getattr(error, 'orig', error)).__name__}"
                    letter = Letter(delivery.entry.id, delivery.partition, delivery.body, reason)
                    return self._transaction([], [letter]).letters
        return []

    def _transaction(self, deliveries: Sequence[Delivery], letters: Sequence[Letter]) -> Posted:
        with self._database.write() as connection:
            posted = post(connection, deliveries, letters, self._clock(), self._book)
        self._count(deliveries, posted)
        return posted

    def _count(self, deliveries: Sequence[Delivery], posted: Posted) -> None:
        metrics = self._metrics
        kinds: dict[tuple[str, str], int] = {}
        for delivery, judgement in zip(deliveries, posted.judgements, strict=True):
            if judgement == "new":
                kind = (delivery.entry.outcome, delivery.entry.quality)
                kinds[kind] = kinds.get(kind, 0) + 1
                metrics.unmetered.inc(delivery.entry.unmetered)
        for kind, count in kinds.items():
            metrics.recorded.labels(*kind).inc(count)
        metrics.duplicates.inc(posted.count("duplicate"))
        metrics.corrections.inc(posted.count("correction"))
        metrics.dead_letters.inc(len(posted.letters))
