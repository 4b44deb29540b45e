"""``docs/sandbox/paddle.md`` shows what happens. ``UPDATE_GOLDENS=1`` rewrites its table of cards."""

from pathlib import Path

import pytest

from tests.unit.sandbox_paddle.conftest import KEY, Simulated, run_paddle
from tests.unit.sandbox_payments import docs
from tollgate_sandbox.paddle.cards import CARDS
from tollgate_sandbox.paddle.table import OPERATIONS

_PAGE = Path(__file__).parents[3] / "docs" / "sandbox" / "paddle.md"
_ADDRESS = "http://127.0.0.1:4011"


def test_the_table_of_cards_is_complete() -> None:
    docs.assert_table(_PAGE, [f"| `{card.number}` | {card.note} |\n" for card in CARDS])


def test_the_program_prints_what_it_says(sim: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    said = docs.run_program(_PAGE, {_ADDRESS: sim.url, "pdl_sdbx_apikey_x": KEY})
    assert capsys.readouterr().out.strip() == said


def test_the_control_endpoints_answer_as_shown() -> None:
    with run_paddle() as simulated:
        docs.assert_commands(_PAGE, _ADDRESS, simulated.url, at_least=2)


def test_every_endpoint_is_listed() -> None:
    listed = docs.paths(_PAGE, "What it knows")
    assert listed == {operation.path.partition("/{")[0].removesuffix("/preview") for operation in OPERATIONS}
