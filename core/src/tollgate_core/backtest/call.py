"""A usage event as rating sees it: read once, rated by both sides."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from tollgate_core.errors import EventError, QuantityError
from tollgate_core.events import UsageEvent
from tollgate_core.pricing.calendar import COUNTABLE, countable
from tollgate_core.pricing.selection import event_variables
from tollgate_core.quantity import MICROS, to_micros

#: What conditions may read and still be answered the same for all calls that agree in it.
STATIC = frozenset({"model", "requestedModel", "servedModel", "endpoint", "api", "format", "streamed", "serviceTier"})

#: As the ledger takes them.
_PLAIN_NUMBER = re.compile(r"\d{1,30}(\.\d{1,400})?")
#: Fewer digits are in range for certain.
_SHORT = 13


class Call:
    """``counted`` are (metric, micros). What only conditions need is worked out when one asks."""

    __slots__ = ("_variables", "at_ms", "counted", "event", "positions")

    def __init__(self, event: UsageEvent) -> None:
        self.event = event
        try:
            self.at_ms = _milliseconds(event.time)
        except ValueError as error:
            raise EventError(f"time: {error}") from error
        if not countable(self.at_ms):
            raise EventError(f"time: {COUNTABLE}")
        self.counted = tuple(_counted(event.data.quantities))
        #: Which of prices with the same conditions applies, in the same zone, to the same quantity.
        self.positions: dict[tuple[tuple[str, ...], str, int], int | None] = {}
        self._variables: tuple[str, Mapping[str, object]] | None = None

    def variables(self, zone: str) -> Mapping[str, object]:
        """As conditions see it."""
        if self._variables is None or self._variables[0] != zone:
            self._variables = zone, event_variables(self.event, zone)
        return self._variables[1]

    def static(self) -> tuple[object, ...]:
        """Calls with equal ones are equal to conditions that read ``STATIC`` alone."""
        data = self.event.data
        tier = data.usage.get("service_tier") if data.usage else None
        named = tier if isinstance(tier, str) else None
        return data.served_model, data.requested_model, data.endpoint, data.format, data.streamed, named


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return int(moment.timestamp() * 1000 + 0.0005)


def _counted(quantities: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for metric, text in quantities.items():
        if text.isdecimal() and len(text) < _SHORT:
            yield metric, int(text) * MICROS
            continue
        try:
            if not _PLAIN_NUMBER.fullmatch(text):
                raise QuantityError(f"{text[:40]!r} is not a plain number")
            yield metric, to_micros(Decimal(text))
        except QuantityError as error:
            raise EventError(f"quantity of {metric}: {error}") from error
