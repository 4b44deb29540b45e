"""``tollgate checkouts``: pages of payment providers on which a customer gives a card, and a subscription begins."""

import json
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import at_billing
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import JsonOption
from tollgate_cli.operate.subscriptions import IdOption, NameArgument, made_up_id

Json = dict[str, Any]
checkouts_app = typer.Typer(help="Pages on which customers give a card.", no_args_is_help=True)
ReturnOption = Annotated[str, typer.Option(help="Where the customer goes afterwards: http:// or https://.")]
_NOWHERE = "https://example.com/"


class Status(StrEnum):
    """Of a checkout."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@checkouts_app.command()
@at_billing
def create(
    billing: BillingClient,
    product: Annotated[str, typer.Option(help="What begins; without it a subscription gets another card.")] = "",
    customer: Annotated[str, typer.Option(help="Id of who pays; needed with --product.")] = "",
    customer_name: Annotated[str, typer.Option(help="The customer's name for people.")] = "",
    subscription: Annotated[str, typer.Option(help="Its name; customer and product if absent.")] = "",
    currency: Annotated[str, typer.Option(help="Of the product's prices; needed where they have several.")] = "",
    success_url: Annotated[str, typer.Option(help="Where the customer goes then: a page of yours.")] = _NOWHERE,
    cancel_url: Annotated[str, typer.Option(help="Where who gives up goes; the same if absent.")] = "",
    id_: IdOption = "",
    as_json: JsonOption = False,
) -> None:
    """Print the link of a page for one customer. The subscription begins when the card is given there."""
    if not subscription and not product:
        raise typer.BadParameter("say --product with --customer, or the --subscription that gets another card")
    name = subscription or f"{customer}-{product.rpartition('/')[2]}"
    body = {
        "id": id_ or made_up_id(),
        "subscription": name,
        "product": product,
        "customer": customer,
        "customer_name": customer_name,
        "currency": currency,
        "success_url": success_url,
        "cancel_url": cancel_url or success_url,
    }
    made: Json = billing.post("/v1/checkouts", body)
    if as_json:
        print(json.dumps(made, indent=2))  # noqa: T201
    else:
        _print_one(made)


@checkouts_app.command("list")
@at_billing
def list_command(
    billing: BillingClient,
    status: Annotated[Status, typer.Option(help="Only these.")] = Status.OPEN,
    as_json: JsonOption = False,
) -> None:
    """List those of one status, the newest first."""
    found: Json = billing.get("/v1/checkouts", status=status.value)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
        return
    columns = ("checkout", "subscription", "product", "customer", "provider", "since", "problem")
    cells = [
        (
            one["id"],
            one["subscription"],
            one["product"] or "–",
            one["customer"],
            one["provider"],
            output.minute(one["settled_at"] or one["created_at"]),
            one["problem"],
        )
        for one in found["checkouts"]
    ]
    Console().print(output.table(columns, cells) if cells else f"No checkout is {status.value}.")


@checkouts_app.command()
@at_billing
def show(
    billing: BillingClient,
    checkout: Annotated[str, typer.Argument(help="Its id.")],
    as_json: JsonOption = False,
) -> None:
    """Show one as its provider says now. Exit code 1: it is complete, and still began no subscription."""
    found: Json = billing.get(f"/v1/checkouts/{quote(checkout, safe='')}")
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
    else:
        _print_one(found)
    raise typer.Exit(1 if found["problem"] else 0)


@at_billing
def portal_command(
    billing: BillingClient,
    name: NameArgument,
    return_url: ReturnOption,
    as_json: JsonOption = False,
) -> None:
    """Print the link of the provider's page with the customer's invoices and cards. Whoever has it may use it."""
    found: Json = billing.post(of_subscription(name, "/billing-portal"), {"return_url": return_url})
    print(json.dumps(found, indent=2) if as_json else found["url"])  # noqa: T201


def _print_one(checkout: Json) -> None:
    names = ("id", "status", "subscription", "product", "customer", "provider", "problem")
    output.facts(Console(), [(name, checkout[name]) for name in names if checkout[name]])
    if checkout["url"]:
        print(checkout["url"])  # noqa: T201 (a link that is broken into lines cannot be opened)
