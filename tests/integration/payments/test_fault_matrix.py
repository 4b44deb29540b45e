"""Whatever goes wrong at any call of any operation: money, credit and subscriptions are there once.

Every case is one call of a provider, one way in which it fails, and when it is tried again: soon, or when the
provider has forgotten idempotency keys. The table in the documentation is written by this test.
"""

import json
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.integration.billing.neighbours import wait_until
from tests.integration.payments.operations import OPERATIONS, Scene, require_sound, scene_at
from tests.integration.payments.wire import KilledError, Wire, wired
from tests.unit.billing.desk import PROVIDER
from tollgate_billing.ledger.database import Database

_CALLS = Path(__file__).parent / "calls.json"
CALLS: dict[str, dict[str, list[str]]] = json.loads(_CALLS.read_text())
_PAGE = Path(__file__).parents[3] / "docs" / "payments" / "fault-matrix.md"
FAULTS: dict[str, dict[str, Any]] = {
    "answer lost after the effect": {"kind": "answer_lost"},
    "connection refused before it": {"kind": "refused"},
    "429": {"kind": "status", "status": 429},
    "500 before the effect": {"kind": "status", "status": 500},
    "500 after the effect": {"kind": "error_after"},
    "timeout": {"kind": "slow", "ms": 600},
    "killed before the call": {},
    "killed after the call": {},
}
WHEN = {"soon": 120, "after a day": 25 * 3600}
_SHORT = {"stripe": ("answer lost after the effect", "after a day"), "paddle": ("answer lost after the effect", "soon")}
_TIMEOUT_SECONDS = 0.3
_LEASE_SECONDS = 601


def _cases() -> Iterator[Any]:
    """The short form has calls that change something, and the fault that leaves most behind."""
    for provider, operation in product(CALLS, OPERATIONS):
        calls = CALLS[provider].get(operation, [])
        for number, fault, when in product(range(len(calls)), FAULTS, WHEN):
            short = not calls[number].startswith("GET") and (fault, when) == _SHORT[provider]
            case, marks = (provider, operation, number, fault, when), () if short else pytest.mark.slow
            yield pytest.param(*case, id="-".join(map(str, case)).replace(" ", "_"), marks=marks)


def _over(scene: Scene, wire: Wire, timeout: float = 20) -> None:
    scene.desk.providers = {PROVIDER: wired(scene.shop.account, wire, timeout)}


@pytest.mark.parametrize(("provider", "operation"), list(product(("stripe", "paddle"), OPERATIONS)))
def test_the_calls_of_an_operation_are_those_of_the_list(
    provider: str, operation: str, sqlite: Database, request: pytest.FixtureRequest
) -> None:
    scene, wire = scene_at(provider, sqlite, request), Wire()
    OPERATIONS[operation].prepare(scene)
    _over(scene, wire)
    OPERATIONS[operation].act(scene)
    found = list(wire.calls)
    scene.rest()
    OPERATIONS[operation].require(scene)
    require_sound(scene)
    if os.environ.get("UPDATE_GOLDENS"):
        CALLS[provider][operation] = found
        _CALLS.write_text(json.dumps(CALLS, indent=2) + "\n")
    assert CALLS[provider][operation] == found, "if the change is meant: UPDATE_GOLDENS=1"


@pytest.mark.parametrize(("provider", "operation", "number", "fault", "when"), list(_cases()))
def test_it_happens_once(
    provider: str,
    operation: str,
    number: int,
    fault: str,
    when: str,
    sqlite: Database,
    request: pytest.FixtureRequest,
) -> None:
    scene, done = scene_at(provider, sqlite, request), OPERATIONS[operation]
    done.prepare(scene)
    _fail(scene, done.act, number, fault, CALLS[provider][operation][number])
    scene.shop.account.pass_time(WHEN[when])
    scene.desk.now_ms += max(_LEASE_SECONDS, WHEN[when]) * 1000
    scene.desk.providers = {PROVIDER: scene.shop.port}
    done.act(scene)
    scene.rest(4)
    done.require(scene)
    require_sound(scene)


def _fail(scene: Scene, act: Any, number: int, fault: str, call: str) -> None:
    """The first attempt meets the fault at the call with this number."""
    account = scene.shop.account
    if fault.startswith("killed"):
        wire = Wire(kill_before=number) if fault == "killed before the call" else Wire(kill_after=number)
        _over(scene, wire)
        with pytest.raises(KilledError):
            act(scene)
    else:
        wire = Wire(watch=(number, account.state)) if fault == "timeout" else Wire()
        account.fault(skip=number, **FAULTS[fault])
        _over(scene, wire, _TIMEOUT_SECONDS)
        act(scene)
        assert account.faults_left() == 0, "the call was made"
        if fault == "timeout" and not call.startswith("GET"):  # its effect comes when nobody listens any more
            wait_until(lambda: account.state() != wire.seen)
    assert wire.calls[number] == call


def test_the_page_has_the_table_of_all_calls() -> None:
    """A row says in how many ways its call was disturbed: a cell for each would be a wall of the same word."""
    cases = f"{len(FAULTS)} × {len(WHEN)}"
    rows = ["| provider | operation | call | disturbed | ends |", "|---|---|---|---|---|"]
    for provider, operation in product(CALLS, OPERATIONS):
        for number, call in enumerate(CALLS[provider][operation], 1):
            title = OPERATIONS[operation].title
            rows.append(f"| {provider} | {title} | {number}. `{call}` | {cases} | once |")
    table = "\n".join(rows)
    page = _PAGE.read_text()
    start, end = page.find("| provider |"), page.rfind("|\n") + 2
    current = f"{page[:start]}{table}\n{page[end:]}"
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(current)
    assert _PAGE.read_text() == current, "if the change is meant: UPDATE_GOLDENS=1"
