"""Paddle has no idempotency, and its lists may not show yet what was made: what may have been charged is looked for,
and not charged again."""

import pytest

from tests.integration.payments.account import PaddleAccount
from tests.integration.payments.operations import OPERATIONS, Scene, live_invoices, require_sound, scene_of
from tests.integration.payments.shops import PaddleShop
from tollgate_billing.ledger.database import Database

LAG_SECONDS = 300
EFFECTS = {
    "first statement": "/transactions",
    "statement": "/subscriptions/*/charge",
    "new card": "/subscriptions/*/charge",
    "top-up": "/subscriptions/*/charge",
    "declined top-up": "/transactions",
    "automatic top-up": "/subscriptions/*/charge",
    "failed top-up": "/subscriptions/*/charge",
    "refund": "/adjustments",
}


def pass_time(scene: Scene, seconds: int) -> None:
    """For both."""
    scene.desk.now_ms += seconds * 1000
    scene.shop.account.pass_time(seconds)


def begun(operation: str, database: Database, paddle: PaddleAccount, fault: str) -> Scene:
    """The lists are late, and the effect's request meets a fault."""
    scene = scene_of(PaddleShop(paddle), database)
    OPERATIONS[operation].prepare(scene)
    pass_time(scene, LAG_SECONDS + 60)  # what was before is shown
    paddle.lag(LAG_SECONDS)
    if fault:
        paddle.fault(fault, EFFECTS[operation], "POST")
    OPERATIONS[operation].act(scene)
    assert paddle.faults_left() == 0
    return scene


def work(scene: Scene, seconds: int, step: int) -> None:
    """Looking again and again."""
    for _ in range(seconds // step):
        pass_time(scene, step)
        scene.desk.send()
        scene.desk.follower.tick()


def charged(scene: Scene) -> int:
    """How often, as nobody but this test can see yet."""
    account = scene.shop.account
    assert isinstance(account, PaddleAccount)
    account.lag(0)
    found = live_invoices(scene)
    account.lag(LAG_SECONDS)
    return found


@pytest.mark.parametrize(
    "fault",
    ["answer_lost", *(pytest.param(fault, marks=pytest.mark.slow) for fault in ("", "error_after", "refused"))],
)
@pytest.mark.parametrize("operation", EFFECTS)
def test_lists_that_are_late_make_nothing_happen_twice(
    operation: str, fault: str, sqlite: Database, paddle: PaddleAccount
) -> None:
    scene = begun(operation, sqlite, paddle, fault)
    work(scene, 1500, 30)
    OPERATIONS[operation].require(scene)
    work(scene, 1500, 300)
    require_sound(scene)


def test_what_may_have_been_charged_is_not_charged_again_for_a_quarter_of_an_hour(
    sqlite: Database, paddle: PaddleAccount
) -> None:
    scene = begun("statement", sqlite, paddle, "refused")
    work(scene, 870, 30)
    (waiting,) = scene.desk.requests("pending")
    assert "may be there" in waiting.problem
    assert charged(scene) == 0
    work(scene, 60, 30)
    assert charged(scene) == 1


def test_what_was_refused_before_it_had_an_effect_is_sent_again_soon(sqlite: Database, paddle: PaddleAccount) -> None:
    scene = scene_of(PaddleShop(paddle), sqlite)
    OPERATIONS["statement"].prepare(scene)
    paddle.fault("status", "/subscriptions/*/charge", "POST", status=429)
    OPERATIONS["statement"].act(scene)
    work(scene, 60, 30)
    OPERATIONS["statement"].require(scene)


def test_a_later_attempt_counts_as_the_first_did(sqlite: Database, paddle: PaddleAccount) -> None:
    """The answer that is lost may be that of the second."""
    scene = begun("statement", sqlite, paddle, "refused")
    work(scene, 840, 60)
    paddle.fault("answer_lost", "/subscriptions/*/charge", "POST")
    work(scene, 120, 60)
    assert paddle.faults_left() == 0
    work(scene, 240, 30)
    assert charged(scene) == 1
    work(scene, 300, 30)
    OPERATIONS["statement"].require(scene)
    require_sound(scene)
