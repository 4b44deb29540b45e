"""``tollgate backtest`` on files: formats, thresholds, exit codes, flat memory."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.usage import made_up_event, write_usage
from tollgate_cli.main import app
from tollgate_cli.manifests import valid_catalog
from tollgate_cli.tools.usage_input import Unreadable, calls_in_file
from tollgate_core.backtest.rating import Rater
from tollgate_core.backtest.sides import Side

_MANIFESTS = Path(__file__).parents[3] / "docs" / "tools" / "manifests"
NOW, NEXT = str(_MANIFESTS / "now"), str(_MANIFESTS / "next")


def backtest(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["backtest", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def answer(*arguments: str) -> Any:
    return json.loads(backtest(*arguments, "--json")[1])


@pytest.fixture(scope="module", params=["usage.jsonl", "usage.jsonl.gz"])
def usage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("usage") / request.param
    write_usage(path, (made_up_event(number, 300) for number in range(300)))
    return str(path)


def test_thresholds_decide_the_exit_code(usage: str) -> None:
    compared = (NEXT, "--against", NOW, "--usage", usage)
    assert backtest(*compared)[0] == 0
    assert backtest(*compared, "--max-change", "50%")[0] == 0
    assert backtest(*compared, "--max-change", "0.1%")[0] == 1
    assert backtest(*compared, "--max-customer-change", "0.1")[0] == 1
    assert backtest(NOW, "--against", NOW, "--usage", usage, "--max-customer-change", "0%")[0] == 0


def test_a_time_leaves_out_what_lies_outside(usage: str) -> None:
    found = answer(NEXT, "--usage", usage, "--since", "2026-03-11", "--until", "2026-03-21")
    assert (found["events"], found["outside"]) == (100, 200)
    assert found["period"] == {"start": "2026-03-11T00:00:00.000Z", "end": "2026-03-21T00:00:00.000Z"}
    assert found["totals"][0]["before"] is None


def test_lines_that_are_no_events_are_said(usage: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    write_usage(broken, (made_up_event(number, 2) for number in range(2)))
    with broken.open("ab") as file:
        file.write(b'\n{"id": "half"}\n')
    code, _ = backtest(NOW, "--usage", str(broken))
    found = answer(NOW, "--usage", str(broken))
    assert (code, found["events"], found["unreadable"]["count"]) == (2, 2, 1)
    assert found["unreadable"]["examples"][0].startswith("line 4: not a usage event")


def test_wrong_calls_say_what_is_needed(usage: str, tmp_path: Path) -> None:
    for arguments in (
        (NOW,),
        (NOW, "--usage", usage, "--max-change", "5%"),
        (NOW, "--usage", usage, "--against", NOW, "--max-change", "much"),
        (NOW, "--usage", usage, "--since", "soon"),
    ):
        assert backtest(*arguments)[0] == 2
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00")
    assert backtest(NOW, "--usage", str(tmp_path / "cut.gz"))[0] == 2


def test_memory_does_not_grow_with_events(tmp_path: Path) -> None:
    catalog = valid_catalog(_MANIFESTS / "now")

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        write_usage(path, made(count))
        tracemalloc.start()
        rater = Rater(Side(catalog))
        for call in calls_in_file(path, Unreadable()):
            rater.take(call)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def made(count: int) -> Iterator[Any]:
        return (made_up_event(number, count) for number in range(count))

    peak(100)
    assert peak(10_000) < peak(500) + 500_000  # held, ten thousand events would take twenty times that
