"""A worker is held up right before it sends, for longer than its lease, and another one has done it meanwhile."""

import time
from collections.abc import Callable

import pytest

from tests.integration.payments.account import PaddleAccount
from tests.integration.payments.operations import OPERATIONS, Scene, require_sound, scene_at, scene_of
from tests.integration.payments.shops import PaddleShop
from tests.integration.payments.wire import KilledError, wired
from tests.unit.billing.desk import PROVIDER, Desk
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.pace import Limit, Pace
from tollgate_billing.payments.providers.session import PacedAdapter

#: What cannot be taken back, by operation.
SENDS = {
    "paddle": {
        "first statement": "/transactions",
        "statement": "/charge",
        "top-up": "/charge",
        "refund": "/adjustments",
    },
    "stripe": {"statement": "/finalize", "top-up": "/pay", "refund": "/credit_notes"},
}


class StallingPace(Pace):
    """The first time that something is to be sent to this path, something else happens first."""

    def __init__(self, path: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(Limit(10_000, 1, 9_000), None, time.monotonic, time.sleep)
        self._path, self._meanwhile = path, meanwhile
        self.stalled = False

    def wait(self, endpoint: str) -> None:
        if endpoint.startswith("POST") and endpoint.endswith(self._path) and not self.stalled:
            self.stalled = True
            self._meanwhile()


def held_up(scene: Scene, operation: str, meanwhile: Callable[[], None]) -> None:
    """The first worker, until it gives up."""
    desk, shop = scene.desk, scene.shop
    pace = StallingPace(SENDS[shop.kind][operation], meanwhile)
    desk.providers = {PROVIDER: wired(shop.account, PacedAdapter(pace))}
    OPERATIONS[operation].act(scene)
    assert pace.stalled
    desk.providers = {PROVIDER: shop.port}


@pytest.mark.parametrize(
    ("kind", "operation"), [(kind, operation) for kind, operations in SENDS.items() for operation in operations]
)
def test_what_another_one_has_done_meanwhile_is_not_done_again(
    kind: str, operation: str, sqlite: Database, request: pytest.FixtureRequest
) -> None:
    scene = scene_at(kind, sqlite, request)
    OPERATIONS[operation].prepare(scene)
    other = Desk(sqlite, {PROVIDER: scene.shop.port}, scene.desk.catalog)

    def meanwhile() -> None:
        scene.desk.now_ms += 1_000_000  # as long as something that was sent may stay unseen
        other.now_ms = scene.desk.now_ms
        other.send(2)

    held_up(scene, operation, meanwhile)
    scene.rest()
    OPERATIONS[operation].require(scene)
    require_sound(scene)


def test_whoever_was_held_up_does_not_give_away_what_another_one_is_at(sqlite: Database, paddle: PaddleAccount) -> None:
    """Its failure is of yesterday: the row stays the other one's until he is done."""
    scene = scene_of(PaddleShop(paddle), sqlite)
    OPERATIONS["statement"].prepare(scene)
    tried: list[int] = []

    def second_is_at_it(name: str) -> None:
        if name == "before-send" and not tried:
            tried.append(0)
            raise KilledError  # still at it, as far as the books know

    other = Desk(sqlite, {PROVIDER: scene.shop.port}, scene.desk.catalog, checkpoint=second_is_at_it)

    def meanwhile() -> None:
        scene.desk.now_ms += 1_000_000
        other.now_ms = scene.desk.now_ms
        with pytest.raises(KilledError):
            other.send()

    held_up(scene, "statement", meanwhile)
    (waiting,) = scene.desk.requests("pending")
    assert waiting.leased_ms > scene.desk.now_ms
