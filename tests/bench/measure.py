"""Counting what processes cost while something runs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import psutil


@dataclass(frozen=True)
class Cost:
    """CPU seconds and resident bytes by name."""

    cpu: Mapping[str, float]
    resident: Mapping[str, int]


def cost_now(processes: Mapping[str, int]) -> Cost:
    """Of processes by pid."""
    found = {name: psutil.Process(pid) for name, pid in processes.items()}
    return Cost(
        {name: sum(process.cpu_times()[:2]) for name, process in found.items()},
        {name: process.memory_info().rss for name, process in found.items()},
    )


def spent(before: Cost, after: Cost) -> dict[str, float]:
    """CPU seconds between the two."""
    return {name: after.cpu[name] - before.cpu[name] for name in before.cpu}


def percentile(samples: list[int], share: float) -> float:
    """Of samples in ns, in ms."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else float("nan")


def middle(values: list[float]) -> float:
    """The median."""
    return median(values)


def wall() -> float:
    """Seconds of a clock that never jumps."""
    return time.monotonic()
