"""The consumer's side of the event streams: groups, reading, taking over, confirming."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from redis.exceptions import ResponseError

from tollgate_billing.ledger.letters import Letter
from tollgate_billing.redis_link import Command, RedisLink
from tollgate_core.redis_contract import PARTITIONS, Keys, script_source

GROUP = "billing"
CONFIRMATION_KEPT_MS = 24 * 3_600_000
_DEAD_LETTERS_KEPT = 100_000
Entries = Iterable[tuple[bytes, dict[bytes, bytes] | None]]


class Message(NamedTuple):
    """A stream entry; ``body`` is None where the stream dropped it but the group still has it on its list."""

    partition: int
    entry: bytes
    body: bytes | None

    @property
    def sent_ms(self) -> int:
        """When the entry was appended, by the server's clock."""
        return int(self.entry.split(b"-", 1)[0])


class Streams:
    """All partitions, for one consumer of the group."""

    def __init__(self, link: RedisLink, consumer: str) -> None:
        self._link = link
        self._consumer = consumer
        self._confirm = script_source("confirm")

    def read_new(self, count: int) -> list[Message]:
        """What nobody has read yet, at most ``count`` of each partition; does not wait."""
        return self._read(count, ">")

    def read_pending(self, count: int) -> list[Message]:
        """What this consumer read and did not confirm: from before a crash, or when the connection broke."""
        return self._read(count, "0")

    def take_over(self, idle_ms: int, count: int) -> list[Message]:
        """What other consumers read long ago and did not confirm."""
        commands: list[Command] = [
            ("XAUTOCLAIM", Keys.events(p), GROUP, self._consumer, idle_ms, "0-0", "COUNT", count)
            for p in range(PARTITIONS)
        ]
        messages: list[Message] = []
        for partition, answer in self._answers(commands):
            messages += _messages(partition, answer[1])
        return messages

    def _read(self, count: int, start: str) -> list[Message]:
        group = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, "STREAMS")
        commands: list[Command] = [(*group, Keys.events(p), start) for p in range(PARTITIONS)]
        messages: list[Message] = []
        for partition, answer in self._answers(commands):
            for _, entries in _streams_of(answer):
                messages += _messages(partition, entries)
        return messages

    def _answers(self, commands: Sequence[Command]) -> Iterable[tuple[int, Any]]:
        """Answers by partition. A partition without the group (Redis came back empty) gets it, and answers next time;
        any other failure is raised, and what was delivered meanwhile stays pending."""
        answers = list(enumerate(self._link.pipeline(commands)))
        cold = [partition for partition, answer in answers if _says(answer, "NOGROUP")]
        if cold:
            self._create_groups(cold)
        for partition, answer in answers:
            if partition in cold:
                continue
            if isinstance(answer, Exception):
                raise answer
            yield partition, answer

    def _create_groups(self, partitions: Iterable[int]) -> None:
        # From 0: what was appended before the group existed counts as well.
        commands: list[Command] = [("XGROUP", "CREATE", Keys.events(p), GROUP, "0", "MKSTREAM") for p in partitions]
        for answer in self._link.pipeline(commands):
            if isinstance(answer, Exception) and not _says(answer, "BUSYGROUP"):
                raise answer

    def confirm(self, messages: Sequence[tuple[Message, str | None]]) -> None:
        """Say that the ledger has committed these: (message, event id if it could be read)."""
        self._link.pipeline_or_raise([c for message, event in messages for c in self._confirmation(message, event)])

    def _confirmation(self, message: Message, event: str | None) -> list[Command]:
        events = Keys.events(message.partition)
        if event is None:
            return [("XACK", events, GROUP, message.entry), ("XDEL", events, message.entry)]
        settled = Keys.settled(message.partition, event)
        return [("EVAL", self._confirm, 2, settled, events, message.entry, GROUP, CONFIRMATION_KEPT_MS)]

    def publish_letters(self, letters: Iterable[Letter]) -> None:
        """Show dead letters on their stream too. SQL has them already: after a crash one may appear twice here."""
        self._link.pipeline_or_raise(
            [
                (
                    *("XADD", Keys.dead_letters(letter.partition), "MAXLEN", "~", _DEAD_LETTERS_KEPT, "*"),
                    *("event", letter.body, "reason", letter.reason, "id", letter.event_id or ""),
                )
                for letter in letters
            ]
        )

    def append(self, events: Iterable[tuple[int, bytes]]) -> None:
        """Put events, given as (partition, body), on their streams again."""
        self._link.pipeline_or_raise([("XADD", Keys.events(p), "*", "event", body) for p, body in events])


def _says(answer: Any, code: str) -> bool:
    return isinstance(answer, ResponseError) and (str(answer).startswith(code) or type(answer).__name__ == code)


def _streams_of(answer: Any) -> Iterable[tuple[bytes, Entries]]:
    """XREADGROUP answers a list of pairs in one version of the protocol and a map in the next."""
    return cast("dict[bytes, Entries]", answer).items() if isinstance(answer, dict) else answer or ()


def _messages(partition: int, entries: Entries) -> list[Message]:
    return [Message(partition, entry, fields.get(b"event") if fields else None) for entry, fields in entries]
