"""Usage events from a file of JSON lines, plain or gz, or page by page from a running billing. Nothing is kept."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_core.backtest.call import Call
from tollgate_core.backtest.sides import Known, price_of
from tollgate_core.errors import EventError
from tollgate_core.events import UsageEvent
from tollgate_core.pricing import Calendar, Pin

_PAGE = 1000
_SHOWN = 10
_OF_A_LIST = frozenset({b"", b"[", b"]"})
Change = Callable[[UsageEvent], UsageEvent]


@dataclass
class Unreadable:
    """Lines that are no usage events; the first ones are shown."""

    count: int = 0
    examples: list[str] = field(default_factory=list[str])

    def add(self, where: str, error: Exception) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{where}: {error}")


def calls_in_file(
    path: Path, unreadable: Unreadable, change: Change | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[Call]:
    """``progress`` gets how many bytes of the file were read, now and then. What ``tollgate usage --json`` prints is a
    list with one event per line: its brackets and commas are no events."""
    with path.open("rb") as raw:
        lines = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if _is_gzip(raw) else raw
        for number, line in enumerate(lines, 1):
            if not number % 10_000 and progress:
                progress(raw.tell())
            text = line.strip().removesuffix(b",")
            if text in _OF_A_LIST:
                continue
            try:
                event = UsageEvent.decode(text)
                yield Call(change(event) if change else event)
            except EventError as error:
                unreadable.add(f"line {number}", error)


def _is_gzip(raw: BinaryIO) -> bool:
    magic = raw.read(2)
    raw.seek(0)
    return magic == b"\x1f\x8b"


def calls_in_billing(billing: BillingClient, unreadable: Unreadable, change: Change | None = None) -> Iterator[Call]:
    """As the events stand after their corrections, in the order in which they were recorded."""
    after: str | None = None
    while True:
        page = billing.get("/v1/usage-events", order="oldest", limit=_PAGE, after=after)
        for document in page["events"]:
            try:
                event = UsageEvent.decode(json.dumps(document).encode())
                yield Call(change(event) if change else event)
            except EventError as error:
                unreadable.add(str(document.get("id")), error)
        after = page["next"]
        if not after:
            return


def known_in_billing(billing: BillingClient) -> dict[str, Known]:
    """Every subscription, with the price versions that it pinned."""
    found: dict[str, Known] = {}
    for row in billing.get("/v1/subscriptions")["subscriptions"]:
        name = row["name"]
        pinned: list[dict[str, Any]] = billing.get(f"/v1/subscriptions/{quote(name, safe='')}/prices")["prices"]
        found[name] = Known(
            name=name,
            customer=row["customer"],
            product=row["product"],
            currency=row["currency"],
            calendar=Calendar(_moment(row["anchor"]), row["time_zone"]),
            started_ms=_moment(row["started_at"]),
            ended_ms=_moment(row["ended_at"]) if row["ended_at"] else None,
            pins=tuple(_pin(pin) for pin in pinned),
        )
    return found


def _pin(pin: dict[str, Any]) -> Pin:
    until_ms = _moment(pin["until"]) if pin["until"] else None
    return Pin(price_of(pin["terms"]), _moment(pin["since"]), until_ms, pin["seats"])


def _moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
