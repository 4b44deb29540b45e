"""``make bench``: runs everything, prints tables; ``--json`` for machines."""

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench import ingest, streams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20_000, help="events for the ledger's ingest")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as directory:
        figures: dict[str, Any] = streams.run(
            Path(directory),
            streams=options.streams,
            seconds=options.seconds,
            rounds=options.rounds,
            idle_streams=options.idle_streams,
        )
        figures["ledger ingest, events/s"] = ingest.run(Path(directory), options.events)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        show(figures, options.streams)


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores, {memory:.0f} GiB"


def show(figures: dict[str, Any], count: int) -> None:
    console = Console(width=130)
    table = Table(title=f"{count} streams x 100 events/s ({machine()})", title_justify="left")
    columns = (
        "chain",
        "delay p50 ms",
        "delay p99 ms",
        "first event ms",
        "events/s",
        "Envoy µs/event",
        "extproc µs/event",
    )
    for column in (*columns, "CPU ratio", "p99 ratio", "lost", "broken"):
        table.add_column(column)
    plain = figures["chains"]["plain Envoy"]
    for name, f in figures["chains"].items():
        cpu = (f["envoy"] + f["extproc"]) / plain["envoy"]
        table.add_row(
            name,
            *(f"{f[key]:.2f}" for key in ("p50", "p99", "first")),
            f"{f['rate']:,.0f}",
            *(f"{f[key]:.1f}" for key in ("envoy", "extproc")),
            f"{cpu:.2f}x",
            f"{f['p99'] / plain['p99']:.2f}x",
            f"{f['lost']:.0f}",
            f"{f['broken']:.0f}",
        )
    console.print(table)
    trips = figures["round trip p50 ms"]
    for name, memory in figures["KiB per open stream"].items():
        sizes = ", ".join(f"{k} {v:.0f}{'' if 'MiB' in k else ' KiB'}" for k, v in memory.items())
        console.print(
            f"{name}: round trip of a small call {trips[name]:.2f} ms (p50); per open stream {sizes}", soft_wrap=True
        )
    console.print(f"requests whose ledger is not the upstream's count: {figures['requests not exact']}")
    console.print(f"ledger ingest on SQLite: {figures['ledger ingest, events/s']:,.0f} events/s")


main()
