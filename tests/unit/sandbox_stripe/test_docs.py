"""``docs/sandbox/stripe.md`` shows what happens. ``UPDATE_GOLDENS=1`` rewrites its table of cards."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.unit.sandbox_stripe.conftest import Simulated, run_stripe
from tollgate_cli.laptop import loopback
from tollgate_sandbox.stripe.cards import CARDS
from tollgate_sandbox.stripe.table import OPERATIONS

_PAGE = Path(__file__).parents[3] / "docs" / "sandbox" / "stripe.md"
_TABLE = re.compile(r"(?<=\|---\|---\|---\|\n)(?:\| `\d.*\n|<!-- cards -->\n)+")
_ADDRESS = "http://127.0.0.1:4010"


def test_the_table_of_cards_is_complete() -> None:
    rows = "".join(f"| `{card.number}` | `{card.alias}` | {card.note} |\n" for card in CARDS)
    text = _PAGE.read_text()
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(_TABLE.sub(rows, text))
    else:
        assert rows in text


def test_the_program_prints_what_it_says(sim: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    [program] = re.findall(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    program = program.replace(_ADDRESS, sim.url).replace("sk_test_x", "sk_test_tollgate")
    exec(program, {})
    [said] = re.findall(r"print\(.*\)  # (.*)", program)
    assert capsys.readouterr().out.strip() == said


def test_the_control_endpoints_answer_as_shown() -> None:
    blocks = re.findall(r"```console\n(\$ curl.*?)```", _PAGE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 6
    with run_stripe() as simulated:
        for command, answer in zip(lines[::2], lines[1::2], strict=True):
            words = shlex.split(command.removeprefix("$ "))
            body = words[words.index("-d") + 1] if "-d" in words else ""
            url = words[-1].replace(_ADDRESS, simulated.url)
            assert loopback.post(url, content=body.encode()).text == answer


def test_every_endpoint_is_listed() -> None:
    listed = set(re.findall(r"`(/v1/[a-z_/]+)`", _PAGE.read_text()))
    assert listed == {operation.path.partition("/{")[0] for operation in OPERATIONS}
