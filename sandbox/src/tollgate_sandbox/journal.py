"""The provider's own truth: what was received, what was produced and whether all of it was handed over."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from tollgate_sandbox.jsons import Json, flatten

BODY_KEPT = 64 * 1024
ID_HEADERS = ("x-billing-request-id", "x-billing-subscription-id", "x-billing-customer-id", "x-request-id")
Sums = dict[str, int | float]


@dataclass(slots=True)
class Entry:
    """One request as the provider saw it."""

    number: int
    path: str
    method: str
    headers: list[tuple[str, str]]
    body: str
    ids: dict[str, str]
    format: str = ""
    model: str | None = None
    streamed: bool = False
    usage: Json | None = None
    """The usage intended in full, even where the script garbles or withholds it."""
    status: int | None = None
    events: int = 0
    bytes: int = 0
    complete: bool = False
    """The whole intended response was handed to the transport while the client was still there."""
    finished: bool = False
    """Nothing more will happen in this exchange."""


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    complete: int = 0
    usage: Sums = field(default_factory=dict[str, int | float])

    def add(self, entry: Entry) -> None:
        self.requests += 1
        if entry.complete:
            self.complete += 1
            for name, value in flatten(entry.usage or {}).items():
                self.usage[name] = self.usage.get(name, 0) + value


class Journal:
    """A bounded list of entries, and totals that outlive the entries dropped from it."""

    def __init__(self, size: int = 100_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._sums: dict[tuple[str, str], _Sum] = {}
        self._next = 1

    def open(self, path: str, method: str, headers: Iterable[tuple[str, str]], body: bytes) -> Entry:
        """Record a request as soon as it is read, so that one that hangs is seen too."""
        kept = list(headers)
        ids = {name: value for name, value in kept if name in ID_HEADERS}
        entry = Entry(self._next, path, method, kept, body[:BODY_KEPT].decode(errors="replace"), ids)
        self._next += 1
        self._entries.append(entry)
        return entry

    def close(self, entry: Entry) -> None:
        """Record that the exchange is over; only then does it count in the totals."""
        entry.finished = True
        key = (entry.ids.get("x-billing-subscription-id", ""), entry.format)
        self._sums.setdefault(key, _Sum()).add(entry)

    def since(self, number: int = 0) -> list[dict[str, Any]]:
        """The entries after that sequence number, oldest first."""
        return [asdict(entry) for entry in self._entries if entry.number > number]

    def totals(self) -> Json:
        """Sums of each usage field over complete responses, per format and per subscription and format."""
        formats: dict[str, _Sum] = {}
        subscriptions: dict[str, dict[str, Json]] = {}
        for (subscription, name), part in self._sums.items():
            _merge(formats.setdefault(name, _Sum()), part)
            subscriptions.setdefault(subscription, {})[name] = asdict(part)
        return {"formats": {name: asdict(part) for name, part in formats.items()}, "subscriptions": subscriptions}

    def clear(self) -> None:
        """Forget entries and totals; sequence numbers go on, so that no number means two requests."""
        self._entries.clear()
        self._sums.clear()


def _merge(into: _Sum, part: _Sum) -> None:
    into.requests += part.requests
    into.complete += part.complete
    for name, value in part.usage.items():
        into.usage[name] = into.usage.get(name, 0) + value
