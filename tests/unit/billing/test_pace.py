"""How fast providers are asked, on a clock that only waiting moves."""

from collections import Counter

import pytest

from tollgate_billing.payments.pace import LIMITS, Limit, Pace


class Time:
    """Whoever waits moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def departures(pace: Pace, time: Time, endpoints: list[str]) -> list[tuple[float, str]]:
    """When each of those requests went."""
    found: list[tuple[float, str]] = []
    for endpoint in endpoints:
        pace.wait(endpoint)
        found.append((time.now, endpoint))
    return found


def most_in_any(window: float, moments: list[float]) -> int:
    return max(sum(start <= moment < start + window for moment in moments) for start in moments)


@pytest.mark.parametrize(("kind", "allowed", "window"), [("stripe", 100, 1), ("paddle", 240, 60)])
def test_no_window_sees_more_than_is_allowed_and_little_is_left_unused(kind: str, allowed: int, window: float) -> None:
    time = Time()
    whole, _ = LIMITS[kind]
    moments = [at for at, _ in departures(Pace(whole, None, lambda: time.now, time.sleep), time, ["GET /x"] * 1000)]
    assert 0.9 * allowed < most_in_any(window, moments) <= allowed
    assert moments[-1] < 1000 / allowed * window * 1.06


def test_each_endpoint_has_a_limit_of_its_own() -> None:
    time = Time()
    pace = Pace(*LIMITS["stripe"], lambda: time.now, time.sleep)
    went = departures(pace, time, [f"POST /{number % 3}" for number in range(300)])
    for endpoint, count in Counter(endpoint for _, endpoint in went).items():
        assert count == 100
        assert 20 < most_in_any(1, [at for at, name in went if name == endpoint]) <= 25


def test_what_was_not_used_is_a_burst_and_no_more() -> None:
    time = Time()
    pace = Pace(Limit(10, 1, 3), None, lambda: time.now, time.sleep)
    pace.wait("GET /x")
    time.now = 1000
    moments = [at for at, _ in departures(pace, time, ["GET /x"] * 5)]
    assert moments[:3] == [1000, 1000, 1000]
    assert moments[3:] == pytest.approx([1000 + 1 / 7, 1000 + 2 / 7])


def test_told_that_it_was_too_much_nobody_goes_before_then() -> None:
    time = Time()
    pace = Pace(Limit(10, 1, 3), None, lambda: time.now, time.sleep)
    pace.hold(5)
    assert [at for at, _ in departures(pace, time, ["GET /x"] * 2)] == pytest.approx([5, 5 + 1 / 7])
