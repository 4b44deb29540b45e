"""``tollgate limits``: what a subscription may use, and its own numbers where its product lets it have some."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.operate.subscriptions import NameArgument

Json = dict[str, Any]
Scope = Literal["subscription", "key"]
limits_app = typer.Typer(help="Limits, and subscriptions' own.", no_args_is_help=True)
MetricArgument = Annotated[str, typer.Argument(help="The metric.")]
ScopeOption = Annotated[Scope, typer.Option(help="Whose limit: of all its keys together, or of each.")]


@limits_app.command("list")
def list_command(
    name: NameArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the limits of a subscription and what is used of them."""
    with attached(state_dir, url, token_file) as billing:
        limits: list[Json] = billing.get(of_subscription(name, "/limits"))["limits"]
    if as_json:
        print(json.dumps({"limits": limits}, indent=2))  # noqa: T201
    else:
        output.print_limits(Console(), limits)


@limits_app.command("set")
def set_command(
    name: NameArgument,
    metric: MetricArgument,
    limit: Annotated[str, typer.Argument(help="Units per period, for example 5M.")],
    scope: ScopeOption = "subscription",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give a subscription a limit of its own, within the product's bounds."""
    body: Json = {"limit": limit, "scope": scope}
    with attached(state_dir, url, token_file) as billing:
        path = _path(name, metric)
        before = _limit(billing, name, metric, scope)
        preview: Json = billing.put(path, body, preview="true")
        question = f"Let {name} use {preview['limit']} of {metric}?"
        _show_then_do(before, preview, question, lambda: billing.put(path, body), Consent(yes, dry_run, as_json))


@limits_app.command()
def reset(
    name: NameArgument,
    metric: MetricArgument,
    scope: ScopeOption = "subscription",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let the product's limit apply again."""
    with attached(state_dir, url, token_file) as billing:
        path = _path(name, metric)
        before = _limit(billing, name, metric, scope)
        preview: Json = billing.delete(path, preview="true", scope=scope)
        question = f"Let the product's limit of {metric} apply to {name}?"
        consent = Consent(yes, dry_run, as_json)
        _show_then_do(before, preview, question, lambda: billing.delete(path, scope=scope), consent)


def _show_then_do(before: Json, preview: Json, question: str, do: Any, consent: Consent) -> None:
    def said(done: Json) -> str:
        return f"Done: the limit of {done['metric']} is {done['limit']}."

    changed = "" if before["limit"] == preview["limit"] else f"{before['limit']} → "
    shown = preview | {"limit": changed + preview["limit"]}
    show_then_do(consent, question, preview, lambda console: output.print_limits(console, [shown]), do, said)


def _limit(billing: BillingClient, name: str, metric: str, scope: Scope) -> Json:
    found: Json = billing.get(_path(name, metric), scope=scope)
    return found


def _path(name: str, metric: str) -> str:
    return of_subscription(name, f"/limits/{quote(metric, safe='')}")
