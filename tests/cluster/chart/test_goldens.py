"""What the chart renders, word for word: a change shows in the diff."""

import os
from pathlib import Path

import pytest

from tests.cluster.chart.conftest import CASES, VALUES, values_of
from tests.support.helm import CHART, Helm

PRODUCTION = CHART / "examples" / "values-production.yaml"
FILES = {**{case: values_of(case) for case in CASES}, "production": PRODUCTION}


@pytest.mark.parametrize("case", FILES)
def test_the_chart_renders_as_before(helm: Helm, case: str) -> None:
    golden = VALUES / "golden" / f"{case}.yaml"
    text = helm.template("--values", str(FILES[case]))
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text)
    assert text == golden.read_text(), "if the change is meant: UPDATE_GOLDENS=1 make test"


@pytest.mark.parametrize("case", FILES)
def test_rendering_is_deterministic(helm: Helm, case: str) -> None:
    once, again = (helm.template("--values", str(FILES[case])) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("case", FILES)
def test_lint_has_nothing_to_say(helm: Helm, case: str) -> None:
    said = helm("lint", "--strict", str(CHART), "--values", str(FILES[case]))
    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_nothing_in_the_templates_asks_the_cluster_or_chance() -> None:
    sources = [*Path(CHART / "templates").rglob("*.yaml"), *Path(CHART / "templates").rglob("*.tpl")]
    for word in (" lookup ", "rand", "genSelfSigned", "genCA", "genSigned", "uuidv4", " now ", "derivePassword"):
        assert [s.name for s in sources if word in s.read_text()] == [], word
