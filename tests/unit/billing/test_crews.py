"""Many requests at once, to several providers."""

import threading
from functools import partial

import pytest

from tests.support.loops import running
from tests.unit.billing.desk import PROVIDER, desk_with_a_fee
from tests.unit.billing.test_collecting import Moody
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.crews import Crews, Jobs


def test_a_provider_that_does_not_answer_keeps_no_other_one_waiting() -> None:
    answers, sent = threading.Event(), set[int]()

    def more(provider: str) -> Jobs:
        if provider == "slow":
            return {f"slow-{number}": answers.wait for number in range(50)}, True
        left = [number for number in range(500) if number not in sent]
        return {f"{number}": partial(sent.add, number) for number in left[:50]}, len(left) > 50

    with Crews() as crews:
        while len(sent) < 500:
            crews.feed(["fast", "slow"], more)
            crews.wait(10)
        assert crews.are_busy()
        answers.set()


def test_what_is_underway_is_not_given_out_again() -> None:
    answers, begun = threading.Event(), list[str]()

    def job(name: str) -> None:
        begun.append(name)
        answers.wait()

    def more(provider: str) -> Jobs:
        return {f"{provider}-{number}": partial(job, f"{number}") for number in range(3)}, True

    with Crews() as crews:
        for _ in range(3):
            crews.feed(["a"], more)
            crews.wait(0.01)
        answers.set()
    assert sorted(begun) == ["0", "1", "2"]


def test_nobody_is_busy_when_all_is_done() -> None:
    done = threading.Event()
    with Crews() as crews:
        crews.feed(["a"], lambda _: ({"x": done.set}, False))
        assert done.wait(10)
        crews.wait(10)
        crews.feed([], lambda _: ({}, False))
        assert not crews.are_busy()


def test_what_fails_is_told_when_all_have_been_fed() -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ConnectionError

    with Crews() as crews:
        crews.feed(["a"], lambda _: ({"x": fail}, False))
        assert failed.wait(10)
        sent = threading.Event()

        def feed() -> None:
            while True:
                crews.feed(["a", "b"], lambda name: ({"y": sent.set} if name == "b" else {}, False))

        with pytest.raises(ConnectionError):
            feed()
        assert sent.wait(10)


def test_a_sender_that_runs_sends_until_it_is_stopped(database: Database) -> None:
    provider = Moody()
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    with running(desk.sender) as thread:
        while desk.requests("pending"):
            assert thread.is_alive()
    assert len(provider.asked) == 1
    assert desk.health.troubles() == {}
