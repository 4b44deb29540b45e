"""What usage costs: units by aggregation period and pin, less trial units, counted through where versions share."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from tests.unit.billing.oracle.amounts import ZERO, amount
from tests.unit.billing.oracle.scenario import Aggregation, Closing, Event, Pin, Recurrence, Scenario, Terms
from tests.unit.billing.oracle.steps import boundary, period_holding

Shared = tuple[Recurrence, int]


@dataclass
class Portion:
    """Units that one version charges in one aggregation period, in one pin where versions are counted through."""

    terms: Terms
    start: int
    since: int
    quantity: Fraction
    free: Fraction = ZERO
    cost: Fraction = ZERO


def portions(scenario: Scenario, closing: Closing, price: str) -> list[Portion]:
    """All of a price's usage that is known, with what each part costs."""
    found = sorted(_portions(scenario, closing, price), key=lambda portion: max(portion.start, portion.since))
    charged = [portion for portion in found if portion.start >= scenario.anchor]
    _take_trial_units(charged)
    _charge(charged)
    return found


def _portions(scenario: Scenario, closing: Closing, price: str) -> Iterable[Portion]:
    parts: dict[tuple[Terms, int, int], list[Event]] = {}
    pins = sorted((pin for pin in closing.pins if pin.price == price), key=lambda pin: pin.since)
    for event in (event for event in closing.events if event.price == price):
        pin = next((pin for pin in pins if pin.holds(event.time)), None)
        if pin is not None:
            parts.setdefault(_part_of(scenario, event, pin, pins), []).append(event)
    alone: dict[tuple[Terms, int], list[Event]] = {}
    for (terms, start, since), events in parts.items():
        if counted_through(terms):
            yield Portion(terms, start, since, aggregated(events, terms.aggregation))
        else:
            alone.setdefault((terms, start), []).extend(events)
    for (terms, start), events in alone.items():
        yield Portion(terms, start, _first_in(scenario, terms, start, pins), aggregated(events, terms.aggregation))


def _first_in(scenario: Scenario, terms: Terms, start: int, pins: list[Pin]) -> int:
    """Where the first pin of a version in an aggregation period began."""
    k = period_holding(scenario.anchor, scenario.zone, terms.aggregation_period, start)
    end = boundary(scenario.anchor, scenario.zone, terms.aggregation_period, k + 1)
    return next(_began(pin, pins) for pin in pins if pin.version == terms.version and pin.overlap(start, end))


def _part_of(scenario: Scenario, event: Event, pin: Pin, pins: list[Pin]) -> tuple[Terms, int, int]:
    terms = scenario.terms_of(pin)
    k = period_holding(scenario.anchor, scenario.zone, terms.aggregation_period, event.time)
    start = boundary(scenario.anchor, scenario.zone, terms.aggregation_period, k)
    return terms, start, _began(pin, pins)


def _began(pin: Pin, pins: list[Pin]) -> int:
    """Pins of one version that follow each other are one: another number of seats does not part what is used."""
    since = pin.since
    for earlier in reversed(pins[: pins.index(pin)]):
        if earlier.version != pin.version:
            break
        since = earlier.since
    return since


def counted_through(terms: Terms) -> bool:
    """Whether units of several versions add up."""
    return terms.aggregation in {"sum", "count"}


def aggregated(events: list[Event], aggregation: Aggregation) -> Fraction:
    """One quantity for the events of a period."""
    if aggregation == "sum":
        return sum((event.quantity for event in events), ZERO)
    if aggregation == "count":
        return Fraction(len(events))
    if aggregation == "max":
        return max(event.quantity for event in events)
    if aggregation == "last":
        return max(events, key=lambda event: (event.time, event.id)).quantity
    return Fraction(len({event.quantity for event in events}))


def _take_trial_units(charged: list[Portion]) -> None:
    """The first units in the life of the price, as far as the version that charges them says."""
    before = ZERO
    for portion in charged:
        if portion.quantity > 0:
            portion.free = min(portion.quantity, max(ZERO, portion.terms.trial_units - before))
            before += portion.quantity


def _charge(charged: list[Portion]) -> None:
    before: dict[Shared, Fraction] = {}
    for portion in charged:
        units = portion.quantity - portion.free
        if not counted_through(portion.terms):
            portion.cost = amount(portion.terms, units)
            continue
        shared = portion.terms.aggregation_period, portion.start
        below = before.get(shared, ZERO)
        portion.cost = amount(portion.terms, below + units) - amount(portion.terms, below)
        before[shared] = below + units
