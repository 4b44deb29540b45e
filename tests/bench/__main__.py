"""``make bench``: the data path; ``make bench ARGS=kubernetes``: the operator on Kubernetes; ``ARGS=expressions``:
evaluation in place and in a worker; ``ARGS=pricing``: the ledger, drafts and closing; ``ARGS=backtest``: rating
recorded usage; ``ARGS=payments``: statements sent, webhooks taken, events worked off. Prints tables;
``--json`` for machines."""

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench import backtest, expressions, ingest, kubernetes, payments, pricing, streams

_PARTS = ("streams", "kubernetes", "expressions", "backtest", "pricing", "payments")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="streams", choices=_PARTS)
    parser.add_argument("--subscriptions", type=int, default=kubernetes.Size.subscriptions, help="on Kubernetes")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20_000, help="events for the ledger's ingest")
    parser.add_argument("--rated", type=int, default=1_000_000, help="events for the backtest")
    parser.add_argument("--statements", type=int, default=10_000, help="to be exported to payment providers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any]
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as directory:
        if options.part == "expressions":
            print(json.dumps(expressions.run(), indent=2))
            return
        if options.part == "payments":
            print(json.dumps(payments.run(Path(directory), options.statements, options.seconds), indent=2))
            return
        if options.part == "pricing":
            found = pricing.run(Path(directory), options.events, options.subscriptions)
            print(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=2))
            return
        if options.part == "backtest":
            print(json.dumps(backtest.run(Path(directory), options.rated), indent=2))
            return
        if options.part == "kubernetes":
            size = kubernetes.Size(subscriptions=options.subscriptions)
            figures = kubernetes.run(Path(directory), size)
            print(json.dumps(figures, indent=2)) if options.json else show_kubernetes(figures, size)
            return
        figures = streams.run(
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


def show_kubernetes(figures: dict[str, Any], size: kubernetes.Size) -> None:
    table = Table(title=f"{size.apis} APIs, {size.products} Products ({machine()})", title_justify="left")
    table.add_column("one edit of an API at a time")
    counts = {"few": size.few, "many": size.subscriptions}
    for count in counts.values():
        table.add_column(f"{count} Subscriptions", justify="right")
    for kind in ("path prefix", "rejection message"):
        for share in ("p50", "p95"):
            values = (f"{figures[label]['latencies'][kind][share]:.0f} ms" for label in counts)
            table.add_row(f"{kind}, until Programmed, {share}", *values)
    rows = {"requests to the API server": "requests per edit", "KiB to Envoy": "Envoy KiB per edit"}
    for title, key in {**rows, "operator's CPU, ms": "operator CPU ms per edit"}.items():
        found = (figures[label][key] for label in counts)
        table.add_row(title, *(f"{sum(v.values()):.2f}" if isinstance(v, dict) else f"{v:.1f}" for v in found))
    console = Console(width=130)
    console.print(table)
    for title in (
        "cold start",
        "at rest",
        "warm start, until it leads s",
        "RSS after a restart MiB",
        "objects created/s",
    ):
        console.print(f"{title}: {figures[title]}", soft_wrap=True)


main()
