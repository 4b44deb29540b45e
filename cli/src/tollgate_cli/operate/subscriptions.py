"""``tollgate subscriptions``: what billing knows of each, and changes with a preview."""

import json
import uuid
from typing import Annotated, Any

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.output import print_invoice
from tollgate_cli.tools.arguments import calendar_ms
from tollgate_core.events import rfc3339

Json = dict[str, Any]
subscriptions_app = typer.Typer(help="Subscriptions, and changes of them.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="Name of the subscription.")]
AmountArgument = Annotated[str, typer.Argument(help="In major units, for example 12.50.")]
CommentOption = Annotated[str, typer.Option(help="What for; it stands on the statement.")]
IdOption = Annotated[str, typer.Option("--id", help="The same id again changes nothing; made up if absent.")]


def find(billing: BillingClient, name: str) -> Json:
    """One subscription. Raises CommandError."""
    rows: list[Json] = billing.get("/v1/subscriptions")["subscriptions"]
    for row in rows:
        if row["name"] == name:
            return row
    raise CommandError(f"There is no subscription {name}.")


def made_up_id() -> str:
    """For an operation that has none."""
    return f"cli-{uuid.uuid4().hex[:16]}"


@subscriptions_app.command()
def create(
    name: NameArgument,
    product: Annotated[str, typer.Option(help="What it subscribes to.")],
    customer: Annotated[str, typer.Option(help="Id of who pays.")],
    customer_name: Annotated[str, typer.Option(help="The customer's name for people.")] = "",
    currency: Annotated[str, typer.Option(help="Of the product's prices; needed where they have several.")] = "",
    time_zone: Annotated[str, typer.Option(help="IANA zone of its periods; the product's if absent.")] = "",
    starts_at: Annotated[str, typer.Option(help="When it begins, such as 2026-03-01; now if absent.")] = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Begin a subscription that no manifest declares."""
    body = {
        "name": name,
        "product": product,
        "customer": customer,
        "customer_name": customer_name,
        "currency": currency,
        "time_zone": time_zone,
        "starts_at": rfc3339(calendar_ms(starts_at, "--starts-at")) if starts_at else None,
    }
    with attached(state_dir, url, token_file) as billing:
        preview: Json = billing.post("/v1/subscriptions", body, preview="true")
        show_then_do(
            Consent(yes, dry_run, as_json),
            f"Create {name} on {product}?",
            preview,
            lambda console: _print_begun(console, preview),
            lambda: billing.post("/v1/subscriptions", body),
            lambda done: f"Done: {name} is {done['subscription']['state']}" + _until(done["subscription"]),
        )


def _print_begun(console: Console, begun: Json) -> None:
    output.print_subscriptions(console, [begun["subscription"]])
    print_invoice(console, begun["draft"])


@subscriptions_app.command("list")
def list_command(
    product: Annotated[str | None, typer.Option(help="Only of this product.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List subscriptions."""
    wanted = {"product": product, "customer": customer, "state": state}
    with attached(state_dir, url, token_file) as billing:
        rows: list[Json] = billing.get("/v1/subscriptions")["subscriptions"]
    rows = [row for row in rows if all(value in (None, row[name]) for name, value in wanted.items())]
    if as_json:
        print(json.dumps({"subscriptions": rows}, indent=2))  # noqa: T201
    else:
        output.print_subscriptions(Console(), rows)


@subscriptions_app.command()
def show(
    name: NameArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one: its prices, its limits, its API keys, its running invoice."""
    with attached(state_dir, url, token_file) as billing:
        row = find(billing, name)
        prices: list[Json] = billing.get(of_subscription(name, "/prices"))["prices"]
        keys: list[Json] = billing.get(of_subscription(name, "/keys"))["keys"]
        limits: list[Json] = billing.get(of_subscription(name, "/limits"))["limits"]
        invoice = billing.invoice(name)
    if as_json:
        found = {"subscription": row, "prices": prices, "limits": limits, "keys": keys, "invoice": invoice}
        print(json.dumps(found, indent=2))  # noqa: T201
        return
    console = Console()
    output.print_subscriptions(console, [row])
    output.print_prices(console, prices)
    if limits:
        output.print_limits(console, limits)
    for key in keys:
        state = "works" if key["valid"] else "revoked" if key["revoked_at"] else "expired"
        console.print(f"API key {key['id']} …{key['last4']} {key['label']}: {state}", highlight=False, markup=False)
    print_invoice(console, invoice)


@subscriptions_app.command()
def cancel(
    name: NameArgument,
    now: Annotated[bool, typer.Option("--now", help="At once, instead of at the end of the paid period.")] = False,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a subscription: what is left of prepaid fees is credited if at once."""
    with attached(state_dir, url, token_file) as billing:
        body = {"at": "now" if now else "period_end"}
        _change(billing, name, "cancel", body, f"Cancel {name}?", Consent(yes, dry_run, as_json))


@subscriptions_app.command()
def reactivate(
    name: NameArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a cancellation back, or begin anew on the product's current prices."""
    with attached(state_dir, url, token_file) as billing:
        _change(billing, name, "reactivate", None, f"Reactivate {name}?", Consent(yes, dry_run, as_json))


@subscriptions_app.command()
def switch(
    name: NameArgument,
    product: Annotated[str, typer.Argument(help="The product to switch to.")],
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change to another product: fees are prorated, usage so far is billed."""
    with attached(state_dir, url, token_file) as billing:
        consent = Consent(yes, dry_run, as_json)
        _change(billing, name, "switch", {"product": product}, f"Switch {name} to {product}?", consent)


@subscriptions_app.command()
def seats(
    name: NameArgument,
    price: Annotated[str, typer.Argument(help="The flat price.")],
    number: Annotated[int, typer.Argument(min=0, help="How many seats.")],
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change the number of seats; the fee of the running period is prorated."""
    with attached(state_dir, url, token_file) as billing:
        body = {"price": price, "seats": number}
        _change(billing, name, "seats", body, f"Give {name} {number} seats of {price}?", Consent(yes, dry_run, as_json))


@subscriptions_app.command()
def charge(
    name: NameArgument,
    amount: AmountArgument,
    comment: CommentOption,
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put an amount on the next statement."""
    with attached(state_dir, url, token_file) as billing:
        body = {"id": id_ or made_up_id(), "amount": _positive(amount), "comment": comment}
        _change(billing, name, "charges", body, f"Charge {name} {amount}?", Consent(yes, dry_run, as_json))


@subscriptions_app.command()
def credit(
    name: NameArgument,
    amount: AmountArgument,
    comment: CommentOption,
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take an amount off the next statement."""
    with attached(state_dir, url, token_file) as billing:
        body = {"id": id_ or made_up_id(), "amount": f"-{_positive(amount)}", "comment": comment}
        _change(billing, name, "charges", body, f"Credit {name} {amount}?", Consent(yes, dry_run, as_json))


def _positive(amount: str) -> str:
    if amount.startswith(("-", "+")):
        raise CommandError("amount: has no sign; 'charge' adds it to what is due, 'credit' takes it off.")
    return amount


def _change(billing: BillingClient, name: str, action: str, body: Json | None, question: str, consent: Consent) -> None:
    """Show what billing would do, then let it."""
    before, invoice = find(billing, name), billing.invoice(name)
    path = of_subscription(name, f"/{action}")
    preview: Json = billing.post(path, body, preview="true")
    show_then_do(
        consent,
        question,
        preview,
        lambda console: output.print_change(console, before, invoice, preview),
        lambda: billing.post(path, body),
        lambda done: f"Done: {name} is {done['subscription']['state']}" + _until(done["subscription"]),
    )


def _until(row: Json) -> str:
    ends = f" until {output.minute(row['ended_at'])}" if row["ended_at"] and row["state"] != "cancelled" else ""
    return f" on {row['product']}{ends}."
