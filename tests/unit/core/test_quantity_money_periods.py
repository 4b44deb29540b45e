"""Quantities, money and periods: exact, or refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate_core.errors import QuantityError
from tollgate_core.money import Money, round_half_up, to_money
from tollgate_core.periods import Interval, Recurrence, period_at
from tollgate_core.quantity import (
    format_decimal,
    from_micros,
    parse_duration_ms,
    parse_quantity,
    to_decimal,
    to_micros,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1M", 10**6), ("1.5k", 1500), ("10Mi", 10 * 2**20), ("0", 0), ("2T", 2 * 10**12)],
)
def test_quantities_have_kubernetes_suffixes(text: str, value: int) -> None:
    assert parse_quantity(text) == value


def test_a_decimal_quantity_is_exact() -> None:
    assert parse_quantity("0.15") == Decimal("0.15")


@pytest.mark.parametrize("text", ["", "1m", "1e3", "M", "1.", "NaN", "0x1", "1 M", "١"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(QuantityError, match=r"such as 0\.15, 1M or 10Mi"):
        parse_quantity(text)


def test_durations_are_written_as_in_go() -> None:
    assert parse_duration_ms("1h30m") == 5_400_000
    assert parse_duration_ms("500ms") == 500
    with pytest.raises(QuantityError):
        parse_duration_ms("5 minutes")


@pytest.mark.parametrize("value", [True, None, [], float("nan"), float("inf"), -1, "x", -0.5])
def test_what_is_no_number_from_zero_on_is_no_quantity(value: object) -> None:
    with pytest.raises(QuantityError):
        to_decimal(value)


@given(st.decimals(min_value=0, max_value=9 * 10**12, places=6, allow_nan=False))
def test_micros_and_back_is_the_same(quantity: Decimal) -> None:
    assert from_micros(to_micros(quantity)) == quantity


def test_what_no_row_can_hold_is_refused() -> None:
    with pytest.raises(QuantityError, match="out of range"):
        to_micros(Decimal(10) ** 30)
    with pytest.raises(QuantityError, match="out of range"):
        to_micros(Decimal("1e999999"))


@given(st.decimals(min_value=0, max_value=10**15, places=8, allow_nan=False))
def test_decimals_are_written_without_exponent(number: Decimal) -> None:
    text = format_decimal(number)
    assert "E" not in text
    assert Decimal(text) == number


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5650, "USD", "56.50"), (5, "USD", "0.05"), (-5, "USD", "-0.05"), (1200, "JPY", "1200"), (1, "KWD", "0.001")],
)
def test_money_shows_the_currency_s_decimals(minor: int, currency: str, text: str) -> None:
    assert Money(minor, currency).amount == text


@pytest.mark.parametrize(("exact", "rounded"), [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("49/100", 0), ("-149/100", -1)])
def test_halves_round_away_from_zero(exact: str, rounded: int) -> None:
    assert round_half_up(Fraction(exact)) == rounded


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(amount: Fraction) -> None:
    assert abs(Fraction(to_money(amount, "USD").minor) - amount * 100) <= Fraction(1, 2)


def test_adding_currencies_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot add EUR to USD"):
        Money(1, "USD") + Money(1, "EUR")


def test_months_are_added_to_the_anchor_and_do_not_drift() -> None:
    anchor = datetime(2026, 1, 31, tzinfo=UTC)
    starts = [period_at(anchor, Recurrence("month"), datetime(2026, m, 1, tzinfo=UTC)).start for m in (3, 4, 5)]
    assert [(s.month, s.day) for s in starts] == [(2, 28), (3, 31), (4, 30)]


def test_a_month_over_a_clock_change_has_743_hours() -> None:
    anchor = datetime(2026, 3, 1, 5, tzinfo=UTC)  # midnight in New York
    period = period_at(anchor, Recurrence("month"), datetime(2026, 3, 15, tzinfo=UTC), "America/New_York")
    assert period.end - period.start == timedelta(hours=743)


def test_a_boundary_that_the_clock_shows_twice_is_the_first_whatever_the_anchor_s_offset() -> None:
    twice = datetime(2024, 11, 3, 5, 30, tzinfo=UTC)  # 01:30 in New York, for the first time
    for anchor in (datetime(2024, 3, 3, 6, 30, tzinfo=UTC), datetime(2024, 7, 3, 5, 30, tzinfo=UTC)):  # winter, summer
        assert period_at(anchor, Recurrence("day"), twice, "America/New_York").start == twice
    second = datetime(2024, 11, 3, 6, 30, tzinfo=UTC)
    assert period_at(second, Recurrence("day"), second, "America/New_York").start == second


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 7),
    st.sampled_from(["UTC", "America/New_York", "Pacific/Auckland"]),
)
def test_periods_are_half_open_and_adjoin(
    anchor: datetime, moment: datetime, interval: Interval, count: int, zone: str
) -> None:
    recurrence = Recurrence(interval, count)
    period = period_at(anchor, recurrence, moment, zone)
    assert period.start <= moment < period.end
    assert period_at(anchor, recurrence, period.end, zone).start == period.end
    assert period_at(anchor, recurrence, anchor, zone).index == 0
