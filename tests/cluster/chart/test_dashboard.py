"""The dashboard asks for metrics that exist."""

import json
import re

from prometheus_client import generate_latest

from tests.support.helm import CHART
from tollgate_billing.health import Metrics as BillingMetrics
from tollgate_extproc.metrics import Metrics as ExtprocMetrics
from tollgate_operator.cluster.metrics import Metrics as OperatorMetrics


def test_every_metric_is_known_and_none_is_forgotten() -> None:
    board = json.loads((CHART / "dashboards" / "tollgate.json").read_text())
    asked = set[str]()
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"tollgate_\w+", target["expr"]))
    text = "\n".join(
        [
            ExtprocMetrics().text(),
            generate_latest(BillingMetrics().registry).decode(),
            OperatorMetrics().text().decode(),
        ]
    )
    kinds = dict(re.findall(r"(?m)^# TYPE (tollgate_\w+) (\w+)$", text))
    series = {
        name + ("_bucket" if kind == "histogram" else "")
        for name, kind in kinds.items()
        if not name.endswith("_created")
    }
    assert asked - series == set()
    assert series - asked == set()


def test_panels_do_not_overlap() -> None:
    board = json.loads((CHART / "dashboards" / "tollgate.json").read_text())
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places) == len({p["id"] for p in board["panels"]})
