"""What a subscription owes by all that is known: ``docs/pricing.md``, "Fees", "Trials" and "Lines and statements".

Nothing here remembers what was billed before: an assessment answers what a price version costs in a period, all in
all, and ``lines`` takes away what earlier statements hold.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tollgate_core.catalog import Price
from tollgate_core.pricing.account import Account, Pin, UsageReader
from tollgate_core.pricing.calendar import Span
from tollgate_core.pricing.models import Part, marginal, parts
from tollgate_core.pricing.terms import Terms, terms_of
from tollgate_core.pricing.units import Units

_ZERO = Fraction(0)
Kind = Literal["usage", "fee", "oneOff"]


@dataclass(frozen=True)
class Share:
    """One aggregation period: ``quantity`` units after ``before`` others of the same price; ``trial`` of them free."""

    span: Span
    quantity: Fraction
    before: Fraction
    trial: Fraction
    exact: Fraction
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Due:
    """What one price version costs in one billing period, all in all, and from when on it is due."""

    kind: Kind
    price: Price
    span: Span
    due_ms: int
    exact: Fraction
    quantity: Fraction = _ZERO
    shares: tuple[Share, ...] = ()
    #: Fees: seats times the covered part of the period.
    coverage: Fraction = Fraction(1)


def assess(account: Account, reader: UsageReader, moment_ms: int, since_ms: int | None = None) -> list[Due]:
    """Everything due at or before a moment. Usage before ``since_ms`` did not change since it was last assessed, so
    that billing periods which end before it are left out."""
    by_name: defaultdict[str, list[Pin]] = defaultdict(list)
    for pin in sorted(account.pins, key=lambda pin: pin.since_ms):
        if pin.since_ms != pin.until_ms:
            by_name[pin.price.name].append(pin)
    found: list[Due] = []
    for pins in by_name.values():
        if pins[0].price.one_off:
            found += _one_off(account, pins)
        elif pins[0].price.metric:
            found += _usage(account, pins, reader, moment_ms, since_ms)
        else:
            found += _fees(account, pins, moment_ms)
    return sorted((due for due in found if due.due_ms <= moment_ms), key=order)


def order(due: Due) -> tuple[str, str, int, str]:
    """Of lines in a statement."""
    return due.price.metric, due.price.name, due.span.start_ms, due.price.version


def _one_off(account: Account, pins: Sequence[Pin]) -> Iterator[Due]:
    """Due once, when the first pin begins that outlasts the trial, but not in the trial."""
    anchor = account.calendar.anchor_ms
    first = next((pin for pin in pins if pin.until_ms is None or pin.until_ms > anchor), None)
    if first is not None:
        due = max(first.since_ms, anchor)
        exact = terms_of(first.price).amount * first.seats
        yield Due("oneOff", first.price, Span(due, due), due, exact, coverage=Fraction(first.seats))


def _fees(account: Account, pins: Sequence[Pin], moment_ms: int) -> Iterator[Due]:
    for price, mine in _versions(pins):
        terms = terms_of(price)
        for span in _billing_periods(account, terms, mine, account.calendar.anchor_ms, moment_ms):
            covered = sum(pin.seats * span.covered(pin.since_ms, pin.until_ms) for pin in mine)
            coverage = Fraction(covered, span.end_ms - span.start_ms)
            first = min(max(pin.since_ms, span.start_ms) for pin in mine if span.overlaps(pin.since_ms, pin.until_ms))
            due = _settled_ms(pins, span) if price.in_arrears else first
            yield Due("fee", price, span, due, terms.amount * coverage, coverage=coverage)


def _usage(
    account: Account, pins: Sequence[Pin], reader: UsageReader, moment_ms: int, since_ms: int | None
) -> Iterator[Due]:
    units = Units(account, pins, reader, moment_ms)
    if units.may_move:
        since_ms = None
    for price, mine in _versions(pins):
        terms = terms_of(price)
        for span in _billing_periods(account, terms, mine, since_ms, moment_ms):
            due = _settled_ms(pins, span)
            if due > moment_ms:
                continue
            periods = account.calendar.within(terms.aggregation, span)
            shares = tuple(share for period in periods for share in _shares(account, units, price, period))
            exact = sum((share.exact for share in shares), _ZERO)
            quantity = sum((share.quantity for share in shares), _ZERO)
            yield Due("usage", price, span, due, exact, quantity, shares)


def _shares(account: Account, units: Units, price: Price, period: Span) -> Iterator[Share]:
    """What a version charges in an aggregation period: one share, but where it was pinned again after another one."""
    terms, before = terms_of(price), _ZERO
    for portion in units.portions(price, period):
        quantity = units.quantity(portion)
        in_trial = period.end_ms <= account.calendar.anchor_ms
        free = quantity if in_trial else units.free(portion)
        charged = quantity - free
        if portion.price.version == price.version:
            exact = _ZERO if in_trial else marginal(terms, before, charged)
            whole = () if in_trial else parts(terms, before + charged)
            yield Share(portion.span, quantity, before, free, exact, whole)
        before += charged


def _versions(pins: Sequence[Pin]) -> Iterator[tuple[Price, list[Pin]]]:
    """Each version with its pins, in the order in which the versions began."""
    by_version: dict[str, list[Pin]] = {}
    for pin in pins:
        by_version.setdefault(pin.price.version, []).append(pin)
    for mine in by_version.values():
        yield mine[0].price, mine


def _billing_periods(
    account: Account, terms: Terms, pins: Sequence[Pin], since_ms: int | None, moment_ms: int
) -> Iterator[Span]:
    """In which a version was pinned, begun by ``moment_ms`` and not over before ``since_ms``."""
    start = min(pin.since_ms for pin in pins)
    end = moment_ms + 1
    if all(pin.until_ms is not None for pin in pins):
        end = min(end, max(pin.until_ms or 0 for pin in pins))
    if since_ms is not None and since_ms > start:
        start = account.calendar.at(terms.billing, since_ms).start_ms
    for span in account.calendar.between(terms.billing, start, end):
        if any(span.overlaps(pin.since_ms, pin.until_ms) for pin in pins):
            yield span


def _settled_ms(pins: Sequence[Pin], span: Span) -> int:
    """When a period of a price is over: at its end, or where the price left the subscription for good before it."""
    here = [pin for pin in pins if span.overlaps(pin.since_ms, pin.until_ms)]
    last = here[-1].until_ms
    return span.end_ms if last is None else min(span.end_ms, last)
