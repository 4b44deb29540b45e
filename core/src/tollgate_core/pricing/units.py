"""Which units a price version charges, and at which place they lie: ``docs/pricing.md``, "Versions and pins" and
"Trials"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from tollgate_core.catalog import Price
from tollgate_core.pricing.account import Account, Pin, UsageReader
from tollgate_core.pricing.calendar import Span
from tollgate_core.pricing.terms import terms_of

_ZERO = Fraction(0)
_Place = tuple[int, str]


@dataclass(frozen=True)
class _Run:
    """A version from its pin on until another version of the price is pinned."""

    price: Price
    since_ms: int
    until_ms: int | None

    def within(self, period: Span) -> Span:
        """The part of a period that it covers."""
        until = period.end_ms if self.until_ms is None else min(period.end_ms, self.until_ms)
        return Span(max(period.start_ms, self.since_ms), until)


@dataclass(frozen=True)
class Portion:
    """Units of one version in one aggregation period, in one run where versions are counted through. ``span``: the
    part of the period in which they are looked for."""

    price: Price
    period: Span
    since_ms: int
    span: Span

    @property
    def place(self) -> _Place:
        """In the order in which trial units are taken: what is pinned later takes none from what came before."""
        return max(self.period.start_ms, self.since_ms), self.price.version


class Units:
    """Of one price of a subscription. ``pins`` are in the order of time."""

    def __init__(self, account: Account, pins: Sequence[Pin], reader: UsageReader, moment_ms: int) -> None:
        self._account = account
        self._reader = reader
        self._moment_ms = moment_ms
        self._runs = _runs(pins)

    def portions(self, price: Price, period: Span) -> list[Portion]:
        """Those that are counted through in a period of a version, in order: of all versions with such a period, or,
        where units do not add up, of this one alone."""
        here = [run for run in self._runs if period.overlaps(run.since_ms, run.until_ms)]
        if not _adds_up(price):
            own = [run for run in here if run.price.version == price.version]
            return [Portion(price, period, own[0].since_ms, period)] if own else []
        recurrence = terms_of(price).aggregation
        together = [run for run in here if terms_of(run.price).aggregation == recurrence]
        versions = [run.price.version for run in together]
        return [
            Portion(
                price=run.price,
                period=period,
                since_ms=run.since_ms,
                span=period if versions.count(run.price.version) == 1 else run.within(period),
            )
            for run in together
        ]

    def quantity(self, portion: Portion) -> Fraction:
        """As recorded, free ones included."""
        return self._reader.quantities(portion.price, [portion.span])[0]

    @property
    def may_move(self) -> bool:
        """Whether what happens in a period can change which units of an ended one are free: where a version that counts
        alone was pinned again, its units have the place of its first pin."""
        again = len(self._runs) > len({run.price.version for run in self._runs})
        return again and any(terms_of(run.price).trial_units and not _adds_up(run.price) for run in self._runs)

    def free(self, portion: Portion) -> Fraction:
        """How many of them are the trial's."""
        return self._free.get(portion.place, _ZERO)

    @cached_property
    def _free(self) -> dict[_Place, Fraction]:
        """Each version's trial units are the first ones in the life of the price. What is negative takes none, and
        gives none back: it is credited."""
        allowance = {run.price.version: terms_of(run.price).trial_units for run in self._runs}
        free: dict[_Place, Fraction] = {}
        if not any(allowance.values()):
            return free
        before = _ZERO
        for portion in sorted(self._charged(), key=lambda portion: portion.place):
            if before >= max(allowance.values()):
                break
            units = max(_ZERO, self.quantity(portion))
            free[portion.place] = min(units, max(_ZERO, allowance[portion.price.version] - before))
            before += units
        return free

    def _charged(self) -> Iterator[Portion]:
        """Every portion since the trial of the subscription, if it had one."""
        calendar = self._account.calendar
        for price in {run.price.version: run.price for run in self._runs}.values():
            own = [run for run in self._runs if run.price.version == price.version]
            start = max(calendar.anchor_ms, own[0].since_ms)
            for period in calendar.between(terms_of(price).aggregation, start, self._moment_ms + 1):
                yield from (part for part in self.portions(price, period) if part.price.version == price.version)


def _adds_up(price: Price) -> bool:
    return price.aggregation in {"sum", "count"}


def _runs(pins: Sequence[Pin]) -> list[_Run]:
    runs: list[_Run] = []
    for pin in pins:
        if runs and runs[-1].price.version == pin.price.version:
            runs[-1] = replace(runs[-1], until_ms=pin.until_ms)
        else:
            runs.append(_Run(pin.price, pin.since_ms, pin.until_ms))
    return runs
