"""``tollgate grants``: prepaid credit of a subscription."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.operate.subscriptions import AmountArgument, IdOption, NameArgument, made_up_id
from tollgate_cli.tools.arguments import moment_ms
from tollgate_core.events import rfc3339

Json = dict[str, Any]
Source = Literal["topUp", "promotion", "refund", "provider"]
grants_app = typer.Typer(help="Prepaid credit.", no_args_is_help=True)


@grants_app.command("list")
def list_command(
    name: NameArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a wallet and its grants, in the order in which they burn."""
    with attached(state_dir, url, token_file) as billing:
        wallet = _wallet(billing, name)
    if as_json:
        print(json.dumps(wallet, indent=2))  # noqa: T201
    else:
        _show(Console(), wallet)


@grants_app.command()
def add(
    name: NameArgument,
    amount: AmountArgument,
    currency: Annotated[str, typer.Option(help="Checked against the subscription's, if given.")] = "",
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Smaller ones burn first.")] = 0,
    expires: Annotated[str, typer.Option(help="When what is left of it expires; never if absent.")] = "",
    source: Annotated[Source, typer.Option(help="Where it comes from.")] = "provider",
    comment: Annotated[str, typer.Option(help="What for.")] = "",
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give a subscription credit."""
    body: Json = {"id": id_ or made_up_id(), "amount": amount, "priority": priority, "source": source}
    body |= {"comment": comment, "expires_at": rfc3339(moment_ms(expires, "--expires")) if expires else None}
    with attached(state_dir, url, token_file) as billing:
        before = _wallet(billing, name)
        if currency and currency != before["currency"]:
            raise CommandError(
                f"currency: {name} pays in {before['currency'] or 'no currency yet'}, not in {currency}."
            )
        path = of_subscription(name, "/grants")
        preview: Json = billing.post(path, body, preview="true")
        question = f"Give {name} {amount} {before['currency']}?"
        _show_then_do(before, preview, question, lambda: billing.post(path, body), Consent(yes, dry_run, as_json))


@grants_app.command()
def remove(
    name: NameArgument,
    grant: Annotated[str, typer.Argument(help="Id of the grant.")],
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take back what is left of a grant."""
    path = of_subscription(name, f"/grants/{quote(grant, safe='')}")
    with attached(state_dir, url, token_file) as billing:
        before = _wallet(billing, name)
        preview: Json = billing.delete(path, preview="true")
        question = f"Take back what is left of {grant}?"
        _show_then_do(before, preview, question, lambda: billing.delete(path), Consent(yes, dry_run, as_json))


def _show_then_do(before: Json, preview: Json, question: str, do: Any, consent: Consent) -> None:
    def said(done: Json) -> str:
        return f"Done: {done['settled']} {done['currency']} on the wallet, {done['available']} available."

    show_then_do(consent, question, preview, lambda console: _show(console, preview, before), do, said)


def _wallet(billing: BillingClient, name: str) -> Json:
    found: Json = billing.get(of_subscription(name, "/wallet"))
    return found


def _show(console: Console, wallet: Json, before: Json | None = None) -> None:
    currency = wallet["currency"]
    sums = [
        (part, f"{f'{before[part]} → ' if before and before[part] != wallet[part] else ''}{wallet[part]} {currency}")
        for part in ("settled", "pending", "owed", "available")
    ]
    columns: tuple[output.Column, ...] = (
        "grant",
        ("amount", "right"),
        ("remaining", "right"),
        ("priority", "right"),
        "expires",
        "source",
        "comment",
    )
    cells = [
        (
            grant["id"],
            grant["amount"],
            grant["remaining"],
            str(grant["priority"]),
            output.minute(grant["expires_at"]),
            grant["source"],
            grant["comment"],
        )
        for grant in wallet["grants"]
    ]
    output.facts(console, sums)
    console.print(output.table(columns, cells) if cells else "No grant was given yet.")
