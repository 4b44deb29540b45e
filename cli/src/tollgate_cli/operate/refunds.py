"""``refund`` of statements and of top-ups: money that goes back through the payment provider that collected it."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import at_billing
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.operate.subscriptions import IdOption, made_up_id

Json = dict[str, Any]
SubjectArgument = Annotated[str, typer.Argument(help="Its id.")]
ReasonOption = Annotated[str, typer.Option(help="What for; the provider is told.")]
GivenOption = Annotated[str, typer.Option(help="In major units, with tax; all that is left if absent.")]


@at_billing
def refund_statement(
    billing: BillingClient,
    statement: SubjectArgument,
    reason: ReasonOption,
    amount: GivenOption = "",
    id_: IdOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give money back to the card that paid. What was billed stays as it is: 'credit' changes the next statement."""
    path = f"/v1/statements/{quote(statement, safe='')}"
    _refund(billing, path, statement, (id_, amount, reason), Consent(yes, dry_run, as_json))


@at_billing
def refund_top_up(
    billing: BillingClient,
    top_up: SubjectArgument,
    reason: ReasonOption,
    amount: GivenOption = "",
    id_: IdOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give money back to the card that paid one. The credit goes with it."""
    path = f"/v1/top-ups/{quote(top_up, safe='')}"
    _refund(billing, path, top_up, (id_, amount, reason), Consent(yes, dry_run, as_json))


def _refund(billing: BillingClient, path: str, subject: str, asked: tuple[str, str, str], consent: Consent) -> None:
    id_, amount, reason = asked
    body: Json = {"id": id_ or made_up_id(), "amount": amount or None, "reason": reason}
    payments: list[Json] = billing.get(f"{path}/payments")["payments"]
    preview: Json = {"refund": body, "payments": payments}
    columns: tuple[output.Column, ...] = ("payment", "kind", "paid", ("amount", "right"))
    cells = [(one["reference"], one["kind"], output.day(one["paid_at"]), output.money(one)) for one in payments]
    show_then_do(
        consent,
        f"Give {amount or 'all of it'} of {subject} back?",
        preview,
        lambda console: _show(console, columns, cells, amount),
        lambda: billing.post(f"{path}/refunds", body),
        lambda done: f"Done: refund {done['id']} of {output.money(done)} is {done['state']}.",
    )


def _show(
    console: Console, columns: tuple[output.Column, ...], cells: list[tuple[str, str, str, str]], amount: str
) -> None:
    console.print(output.table(columns, cells) if cells else "Nothing was paid.")
    console.print(f"goes back: {amount or 'all that is left'}", highlight=False)
