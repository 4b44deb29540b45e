"""How fast ``tollgate backtest`` rates usage, and in how much memory, in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.usage import made_up_event, write_usage

_MANIFESTS = Path(__file__).parents[2] / "docs" / "tools" / "manifests"
_SUBSCRIPTIONS, _MONTHS = 500, 12
#: A condition that no two calls share an answer of.
_COSTLY = 'when: model.startsWith("large") && local.hour < 12 && inputTokens > 100000'


def run(directory: Path, count: int) -> dict[str, Any]:
    """Against other manifests, with a condition on the model and with one on everything; and a tenth of the events."""
    few, all_ = directory / "few.jsonl", directory / "all.jsonl"
    for path, number in ((few, count // 10), (all_, count)):
        write_usage(path, (made_up_event(n, number, _SUBSCRIPTIONS, _MONTHS) for n in range(number)))
    costly = {name: _with_costly_conditions(directory / name, name) for name in ("now", "next")}
    return {
        "a tenth": _rate(few, count // 10, _MANIFESTS / "now", _MANIFESTS / "next"),
        "all": _rate(all_, count, _MANIFESTS / "now", _MANIFESTS / "next"),
        "all, costly conditions": _rate(all_, count, costly["now"], costly["next"]),
    }


def _with_costly_conditions(directory: Path, name: str) -> Path:
    directory.mkdir()
    text = (_MANIFESTS / name / "plans.yaml").read_text()
    changed = text.replace('when: model.startsWith("large")', _COSTLY)
    assert changed != text
    (directory / "plans.yaml").write_text(changed)
    return directory


def _rate(usage: Path, count: int, before: Path, after: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", "from tollgate_cli.main import app; app()", "backtest", str(after)]
    before_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--against", str(before), "--usage", str(usage), "--json"], capture_output=True, check=True
    )
    seconds, children = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(done.stdout)["events"] == count
    return {
        "events": count,
        "seconds": round(seconds, 1),
        "CPU seconds": round(children.ru_utime - before_children.ru_utime, 1),
        "events/s": round(count / seconds),
        "peak MiB of the largest so far": round(children.ru_maxrss / 1024),
    }
