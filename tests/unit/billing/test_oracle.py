"""Pricing agrees with the oracle that was written from docs/pricing.md, on every line and every minor unit."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from tests.unit.billing import pricing_under_test
from tests.unit.billing.oracle.cases import random_scenario
from tests.unit.billing.oracle.scenario import Closing, Event, Pin, Recurrence, Scenario, Terms
from tests.unit.billing.oracle.statements import statements

_DAY = 86_400_000
_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
_MONTH, _YEAR = Recurrence("month"), Recurrence("year")
_BASE = Terms("p", "v1", "standard", _MONTH, _MONTH, metric="m", amount=Fraction(1))
_FEE = replace(_BASE, model="flat", metric="", one_off=True, amount=Fraction(10))


def life(terms: list[Terms], pins: list[Pin], used: dict[int, str], **fields: Any) -> Scenario:
    """A quarter of whole months, closed at its end; ``used``: units by day."""
    events = tuple(
        Event(f"e{day:03}", _START + day * _DAY, "p", Fraction(quantity)) for day, quantity in sorted(used.items())
    )
    closing = Closing(_START + 90 * _DAY, tuple(pins), events)
    defaults: dict[str, Any] = {"zone": "UTC", "start": _START, "anchor": _START, "decimals": 2}
    return Scenario(**{**defaults, **fields}, terms=tuple(terms), closings=(closing,))


def pin(version: str, since: int = 0, until: int | None = None, seats: int = 1) -> Pin:
    return Pin("p", version, _START + since * _DAY, None if until is None else _START + until * _DAY, seats)


_ALLOWANCE = replace(_BASE, included=Fraction(10))
_TRIAL = replace(_BASE, trial_units=Fraction(12))
_LARGEST = replace(_TRIAL, aggregation="max")

#: What the two did not agree on once: (life, minor units of each line in order).
DECIDED = {
    "a version that is pinned again goes on behind the one between": (
        life(
            [_ALLOWANCE, replace(_ALLOWANCE, version="v2", amount=Fraction(2))],
            [pin("v1", 0, 5), pin("v2", 5, 10), pin("v1", 10)],
            {1: "6", 6: "6", 11: "6"},
        ),
        [600, 400],
    ),
    "a credit gives no trial units back": (
        life([_TRIAL], [pin("v1")], {1: "10", 40: "-5", 70: "10"}),
        [0, -500, 800],
    ),
    "trial units of a largest quantity are those of all periods": (
        life([_LARGEST], [pin("v1")], {1: "10", 40: "10", 70: "10"}),
        [0, 800, 1000],
    ),
    "versions that count alone have their trial together": (
        life([_LARGEST, replace(_LARGEST, version="v2")], [pin("v1", 0, 5), pin("v2", 5)], {1: "10", 6: "10"}),
        [0, 800],
    ),
    "a credit between versions gives no trial units back": (
        life(
            [_TRIAL, replace(_TRIAL, version="v2"), replace(_TRIAL, version="v3")],
            [pin("v1", 0, 5), pin("v2", 5, 10), pin("v3", 10)],
            {1: "10", 6: "-5", 11: "10"},
        ),
        [0, -500, 800],
    ),
    "what is pinned later takes no trial units from what came before, however long its periods": (
        life(
            [_TRIAL, replace(_TRIAL, version="v2", billing=_YEAR, aggregation_period=_YEAR)],
            [pin("v1", 0, 40), pin("v2", 40, 85)],
            {35: "10", 50: "10"},
        ),
        [800, 0],
    ),
    "a one-off price is what is pinned when the trial ends": (
        life(
            [_FEE, replace(_FEE, version="v2", amount=Fraction(20))],
            [pin("v1", 0, 5, seats=3), pin("v2", 5, 60, seats=2), pin("v2", 60)],
            {},
            anchor=_START + 14 * _DAY,
        ),
        [4000],
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_what_was_decided(name: str) -> None:
    scenario, expected = DECIDED[name]
    (by_oracle,) = statements(scenario)
    assert [line.minor for line in by_oracle] == expected
    assert pricing_under_test.statements(scenario, only_changed=False) == [by_oracle]


def compare(seeds: range) -> int:
    """How many lines were compared. Every second life is assessed as closing does it: only what changed."""
    lines = 0
    for seed in seeds:
        scenario = random_scenario(seed)
        expected = statements(scenario)
        got = pricing_under_test.statements(scenario, only_changed=seed % 2 == 1)
        assert got == expected, f"seed {seed}: {scenario}"
        lines += sum(len(statement) for statement in expected)
    return lines


def test_pricing_agrees_with_the_oracle() -> None:
    assert compare(range(1_500)) > 5_000


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_pricing_agrees_with_the_oracle_on_very_many_lives() -> None:
    """``TOLLGATE_ORACLE_SEED`` and ``TOLLGATE_ORACLE_CASES`` say which."""
    first = int(os.environ.get("TOLLGATE_ORACLE_SEED", "1000000"))
    cases = int(os.environ.get("TOLLGATE_ORACLE_CASES", "100000"))
    started = time.monotonic()
    lines = compare(range(first, first + cases))
    print(f"seed {first}: {cases} lives, {lines} lines, {time.monotonic() - started:.0f} s")
