"""The value sets that the chart is rendered with."""

from pathlib import Path

import pytest

from tests.support.helm import ROOT, Helm, Object

VALUES = ROOT / "tests" / "data" / "chart"
CASES = sorted(path.stem for path in VALUES.glob("*.yaml"))


def values_of(case: str) -> Path:
    """The file of a value set."""
    return VALUES / f"{case}.yaml"


@pytest.fixture(scope="session", params=CASES)
def rendered(request: pytest.FixtureRequest, helm: Helm) -> list[Object]:
    """All objects of each value set in turn, with those of the hooks."""
    return helm.objects("--values", str(values_of(request.param)))
