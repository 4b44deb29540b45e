"""A month of invented customers, through the real ledger."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tollgate_cli.manifests import valid_catalog
from tollgate_cli.month.simulation import Month, MonthReport

EXAMPLES = Path(__file__).parents[3] / "examples"
FEBRUARY = datetime(2028, 2, 1, tzinfo=UTC)


def run(state: Path, seed: int = 1) -> tuple[MonthReport, list[int]]:
    state.mkdir()
    month = Month(valid_catalog(EXAMPLES), state, 12, seed, FEBRUARY)
    days: list[int] = []
    return month.run(lambda day, text: days.append(day)), days


def test_a_month_ends_in_statements_and_the_same_seed_gives_the_same_month(tmp_path: Path) -> None:
    report, days = run(tmp_path / "a")
    assert days == list(range(1, 30))
    assert (report.violations, report.refused) == ([], 0)
    assert report.events > 500
    assert {s["product"] for s in report.statements} == {p.name for p in valid_catalog(EXAMPLES).products}
    assert sum(s["total"]["minor"] for s in report.statements) > 0
    assert run(tmp_path / "b")[0] == report
    assert run(tmp_path / "c", seed=2)[0] != report


def test_every_closed_period_has_its_statement(tmp_path: Path) -> None:
    report, _ = run(tmp_path / "a")
    by_subscription = {s["subscription"] for s in report.statements}
    drafts = {d["subscription"] for d in report.drafts}
    assert by_subscription | drafts >= {"acme-openai", "acme-claude"}
    with pytest.raises(StopIteration):
        next(s for s in report.statements if s["held"])
