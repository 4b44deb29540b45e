"""Lines of statements, one statement after the other."""

from collections.abc import Iterable
from fractions import Fraction

from tests.unit.billing.oracle.amounts import ZERO, rounded
from tests.unit.billing.oracle.scenario import Closing, Line, Pin, Scenario, Terms
from tests.unit.billing.oracle.steps import boundary, period_holding
from tests.unit.billing.oracle.usage import portions

#: A version of a price and the start and end of a billing period.
Item = tuple[Terms, int, int]
#: What an item comes to: quantity and exact amount.
Worth = tuple[Fraction, Fraction]


def statements(scenario: Scenario) -> list[list[Line]]:
    """The lines of each closing."""
    made: list[list[Line]] = []
    for closing in scenario.closings:
        earlier = [line for statement in made for line in statement]
        made.append(_statement(scenario, closing, earlier))
    return made


def _statement(scenario: Scenario, closing: Closing, earlier: list[Line]) -> list[Line]:
    lines: list[Line] = []
    worth = _due(scenario, closing)
    for line in earlier:  # what was on a statement stays due, also where its pin has been taken away since
        item = _item_of(scenario, line)
        if item not in worth and not _pins_in(closing, item[0].price, item[1], item[2], item[0].version):
            worth[item] = (ZERO, ZERO)
    for item, (quantity, exact) in sorted(worth.items(), key=lambda entry: _order(entry[0])):
        line = _line(scenario, item, quantity, exact, earlier + lines)
        if line.quantity != 0 or line.exact != 0:
            lines.append(line)
    return lines


def _item_of(scenario: Scenario, line: Line) -> Item:
    return scenario.terms_of(Pin(line.price, line.version, 0)), line.start, line.end


def _order(item: Item) -> tuple[str, str, int, str]:
    terms, start, _ = item
    return terms.metric, terms.price, start, terms.version


def _line(scenario: Scenario, item: Item, quantity: Fraction, exact: Fraction, earlier: list[Line]) -> Line:
    """The difference to what earlier lines hold, rounded with what the price's earlier lines carry."""
    terms, start, end = item
    of_price = [line for line in earlier if line.price == terms.price]
    of_item = [line for line in of_price if (line.version, line.start) == (terms.version, start)]
    exact -= sum((line.exact for line in of_item), ZERO)
    quantity -= sum((line.quantity for line in of_item), ZERO)
    so_far = sum((line.exact for line in of_price), ZERO) + exact
    minor = rounded(so_far, scenario.decimals) - sum(line.minor for line in of_price)
    return Line(terms.metric, terms.price, terms.version, start, end, quantity, exact, minor, bool(of_item))


def _due(scenario: Scenario, closing: Closing) -> dict[Item, Worth]:
    """All that was ever due at or before the closing."""
    due: dict[Item, Worth] = {}
    for price in sorted({pin.price for pin in closing.pins}):
        pins = [pin for pin in closing.pins if pin.price == price]
        if scenario.terms_of(pins[0]).one_off:
            due.update(_one_off(scenario, closing, pins))
            continue
        usage = portions(scenario, closing, price)
        for terms in {scenario.terms_of(pin) for pin in pins}:
            for item in _periods_due(scenario, closing, terms):
                if terms.model == "flat":
                    due[item] = ZERO, _fee(scenario, closing, item)
                else:
                    inside = [part for part in usage if part.terms == terms and item[1] <= part.start < item[2]]
                    due[item] = (
                        sum((part.quantity for part in inside), ZERO),
                        sum((part.cost for part in inside), ZERO),
                    )
    return due


def _one_off(scenario: Scenario, closing: Closing, pins: list[Pin]) -> dict[Item, Worth]:
    """Once in the life of the subscription: when the first pin begins that outlasts the trial, and not in the trial."""
    outlasting = [pin for pin in pins if pin.until is None or pin.until > scenario.anchor]
    if not outlasting:
        return {}
    first = min(outlasting, key=lambda pin: pin.since)
    due = max(first.since, scenario.anchor)
    if due > closing.moment:
        return {}
    terms = scenario.terms_of(first)
    return {(terms, due, due): (ZERO, terms.amount * first.seats)}


def _fee(scenario: Scenario, closing: Closing, item: Item) -> Fraction:
    terms, start, end = item
    pins = _pins_in(closing, terms.price, start, end, terms.version)
    return sum((terms.amount * pin.seats * Fraction(pin.overlap(start, end), end - start) for pin in pins), ZERO)


def _periods_due(scenario: Scenario, closing: Closing, terms: Terms) -> Iterable[Item]:
    """Billing periods in which a version is pinned, and which are due. Fees begin at the anchor."""
    k = 0 if terms.model == "flat" else period_holding(scenario.anchor, scenario.zone, terms.billing, scenario.start)
    while True:
        start, end = (boundary(scenario.anchor, scenario.zone, terms.billing, n) for n in (k, k + 1))
        if start > closing.moment:
            return
        pins = _pins_in(closing, terms.price, start, end, terms.version)
        if pins and _due_at(closing, terms, start, end, pins) <= closing.moment:
            yield terms, start, end
        k += 1


def _due_at(closing: Closing, terms: Terms, start: int, end: int, pins: list[Pin]) -> int:
    if terms.model == "flat" and terms.in_advance:
        return max(start, min(pin.since for pin in pins))
    last = max(_pins_in(closing, terms.price, start, end), key=lambda pin: pin.since)
    return end if last.until is None else min(end, last.until)


def _pins_in(closing: Closing, price: str, start: int, end: int, version: str | None = None) -> list[Pin]:
    """Pins of a price, or of one version, that hold at some time of ``[start, end)``."""
    pins = (pin for pin in closing.pins if pin.price == price and version in {None, pin.version})
    return [pin for pin in pins if pin.overlap(start, end)]
