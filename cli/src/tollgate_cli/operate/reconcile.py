"""``tollgate reconcile``: whether all books agree, and a person's word where they need not."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import JsonOption

Json = dict[str, Any]
_KINDS = {
    "ledger": "the ledger in itself",
    "wallet": "credit at the gate",
    "invoice": "invoice",
    "lines": "lines of an invoice",
    "payments": "payments",
    "duplicate": "collected twice",
    "unknown": "nobody's here",
}


def reconcile_command(
    last: Annotated[bool, typer.Option("--last", help="Show what the last comparison found; do none now.")] = False,
    accept: Annotated[str | None, typer.Option(help="Id of a difference that is right as it is.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is right; needed with --accept.")] = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the ledger with itself, with the gate's counts, and with every payment provider's books. Invoices of a
    subscription wait while its books differ. Exit code 0: all agree, or differences are accepted; 1: they differ."""
    if bool(accept) != bool(reason):
        raise typer.BadParameter("--accept and --reason belong together")
    with attached(state_dir, url, token_file) as billing:
        if accept:
            billing.post(f"/v1/reconciliation/{accept}/accept", {"reason": reason})
        found: Json = billing.get("/v1/reconciliation") if last or accept else _compare(billing)
    drifts: list[Json] = found["drifts"]
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
    else:
        _show(Console(), drifts)
    raise typer.Exit(int(any(drift["accepted_at"] is None for drift in drifts)))


def _compare(billing: BillingClient) -> Json:
    with Console(stderr=True).status("Comparing books; with many invoices this takes minutes …"):
        compared: Json = billing.post("/v1/reconciliation", patient=True)
    return compared


def _show(console: Console, drifts: list[Json]) -> None:
    if not drifts:
        console.print("All books agree.", highlight=False)
        return
    cells = [
        (
            drift["id"],
            _KINDS[drift["kind"]],
            drift["subscription"] or "–",
            drift["message"],
            output.minute(drift["found_at"]),
            f"accepted: {drift['reason']}" if drift["accepted_at"] else "open",
        )
        for drift in drifts
    ]
    columns: tuple[output.Column, ...] = ("difference", "between", "subscription", "what", "since", "state")
    console.print(output.table(columns, cells))
