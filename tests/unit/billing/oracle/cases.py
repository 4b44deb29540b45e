"""Random lives of subscriptions, each from its own seed: what is unusual is frequent here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

from tests.unit.billing.oracle.prices import random_price
from tests.unit.billing.oracle.scenario import Closing, Event, Interval, Pin, Recurrence, Scenario, Terms
from tests.unit.billing.oracle.steps import boundary

DAY = 86_400_000
_DAYS: dict[Interval, int] = {"day": 1, "week": 7, "month": 31, "year": 366}
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
#: Local times at which clocks change in one of the zones, ends of months, and a leap day.
_ANCHORS = (
    "2024-01-31T00:00:00.000",
    "2024-02-29T12:00:00.000",
    "2024-03-30T02:30:00.000",
    "2024-03-31T02:30:00.000",
    "2024-10-27T02:30:00.000",
    "2024-03-10T02:30:00.000",
    "2024-11-03T01:30:00.000",
    "2024-04-07T01:45:00.000",
    "2024-10-06T02:15:00.000",
    "2023-12-31T23:59:59.999",
    "2024-08-31T02:30:00.000",
    "2024-06-15T09:41:27.183",
)
_DECIMALS = (0, 2, 2, 3)
_QUANTITIES = ("1", "3", "10", "0.5", "100.000001", "7", "250", "99.999999", "1000000000000", "123456.789", "0")


@dataclass(frozen=True)
class _Recorded:
    """An event, when it was recorded, and what it was corrected to later."""

    event: Event
    recorded: int
    corrected: int | None
    correction: Fraction


@dataclass(frozen=True)
class _Frame:
    """What all prices of a case have in common."""

    zone: str
    anchor: int
    start: int
    end: int


def random_scenario(seed: int) -> Scenario:
    """The same for the same seed."""
    random = Random(seed)
    prices = [random_price(random, f"p{number}", f"m{number}") for number in range(random.choice((1, 1, 2, 3)))]
    frame = _frame(random, [version for versions in prices for version in versions])
    pins = [pin for versions in prices for pin in _pins(random, frame, versions)]
    metered = [version for versions in prices for version in versions if version.metric]
    events = (
        [_event(random, frame, number, pins, metered) for number in range(random.randint(0, 14))] if metered else []
    )
    return Scenario(
        zone=frame.zone,
        start=frame.start,
        anchor=frame.anchor,
        decimals=random.choice(_DECIMALS),
        terms=tuple(version for versions in prices for version in versions),
        closings=tuple(_closings(random, frame, prices, pins, events)),
    )


def _frame(random: Random, versions: Sequence[Terms]) -> _Frame:
    zone = random.choice(_ZONES)
    local = datetime.fromisoformat(random.choice(_ANCHORS)).replace(tzinfo=ZoneInfo(zone), fold=random.randint(0, 1))
    anchor = (local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    trial = random.choice((0, 0, 0, 14 * DAY, random.randint(1, 40 * DAY)))
    longest = max(_days(terms.billing) for terms in versions)
    shortest = min(_days(terms.aggregation_period) for terms in versions)
    days = min(random.choice((1, 2, 3, 3)) * longest, 1_100, 70 * shortest)
    return _Frame(zone, anchor, anchor - trial, anchor + days * DAY)


def _days(recurrence: Recurrence) -> int:
    return _DAYS[recurrence.interval] * recurrence.count


def _moment(random: Random, frame: _Frame, recurrence: Recurrence, start: int) -> int:
    """Of the life of the subscription: often a boundary of a period, or a millisecond beside it."""
    if random.random() < 0.4:
        k = random.randint(0, max(1, (frame.end - frame.anchor) // (_days(recurrence) * DAY)))
        return max(start, boundary(frame.anchor, frame.zone, recurrence, k) + random.choice((-1, 0, 0, 1)))
    return random.randint(start, max(start, frame.end))


def _pins(random: Random, frame: _Frame, versions: Sequence[Terms]) -> list[Pin]:
    since = frame.start if random.random() < 0.8 else _moment(random, frame, versions[0].billing, frame.start)
    changes = sorted(
        {_moment(random, frame, versions[0].billing, since) for _ in range(random.choice((0, 0, 1, 2, 4)))}
    )
    pins: list[Pin] = []
    held, seats = versions[0], random.randint(1, 4)
    for change in [*(change for change in changes if change > since), None]:
        if random.random() > 0.12 or not pins:  # else nothing is pinned for a while
            pins.append(Pin(held.price, held.version, since, change, seats))
        held, seats = random.choice(versions), random.randint(1, 4)
        since = change if change is not None else since
    if random.random() < 0.2:
        last = pins.pop()
        until = last.until if last.until is not None else _moment(random, frame, versions[0].billing, last.since + 1)
        pins.append(replace(last, until=until))
    return pins


def _event(random: Random, frame: _Frame, number: int, pins: Sequence[Pin], metered: Sequence[Terms]) -> _Recorded:
    """Within a pin of its price; where the random moment is in none, it is where one begins."""
    terms = random.choice(metered)
    own = [pin for pin in pins if pin.price == terms.price]
    time = _moment(random, frame, random.choice((terms.billing, terms.aggregation_period)), frame.start)
    if not any(pin.holds(time) for pin in own):
        time = random.choice(own).since
    quantity = Fraction(random.choice(_QUANTITIES)) * (-1 if random.random() < 0.2 else 1)
    recorded = time + (0 if random.random() < 0.7 else random.randint(0, 60 * DAY))
    corrected = recorded + random.randint(0, 60 * DAY) if random.random() < 0.15 else None
    event = Event(f"e{random.randint(0, 99):02}{number}", time, terms.price, quantity)
    return _Recorded(event, recorded, corrected, Fraction(random.choice(_QUANTITIES)))


def _closings(
    random: Random, frame: _Frame, prices: Sequence[Sequence[Terms]], pins: Sequence[Pin], events: Sequence[_Recorded]
) -> list[Closing]:
    recurrences = [version.billing for versions in prices for version in versions]
    moments = {_moment(random, frame, random.choice(recurrences), frame.start) for _ in range(random.randint(1, 4))}
    knowledge = frame.start
    closings: list[Closing] = []
    for moment in sorted(moments):
        knowledge = max(knowledge, moment + random.choice((0, 0, 1, 5 * 60_000, random.randint(0, 3 * DAY))))
        foreseen = random.random() < 0.2  # an end that was announced
        closings.append(Closing(moment, _known_pins(pins, knowledge, foreseen), _known_events(events, knowledge)))
    return closings


def _known_pins(pins: Sequence[Pin], knowledge: int, foreseen: bool) -> tuple[Pin, ...]:
    begun = [pin for pin in pins if pin.since <= knowledge]
    return tuple(
        replace(pin, until=None) if pin.until is not None and pin.until > knowledge and not foreseen else pin
        for pin in begun
    )


def _known_events(events: Sequence[_Recorded], knowledge: int) -> tuple[Event, ...]:
    return tuple(
        replace(entry.event, quantity=entry.correction)
        if entry.corrected is not None and entry.corrected <= knowledge
        else entry.event
        for entry in events
        if entry.recorded <= knowledge
    )
