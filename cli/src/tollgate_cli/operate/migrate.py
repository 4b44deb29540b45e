"""``tollgate migrate``: subscriptions to other versions of their prices."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.operate.subscriptions import find

Json = dict[str, Any]
_SHOWN = 20
_DIGITS = 12


@dataclass(frozen=True)
class Planned:
    """One subscription: as it is, its running invoice, and what billing says would become of it."""

    row: Json
    invoice: Json
    preview: Json = field(default_factory=dict[str, Any])
    refused: str = ""

    @property
    def name(self) -> str:
        """Of the subscription."""
        return str(self.row["name"])

    @property
    def fingerprint(self) -> str:
        """Of its preview."""
        return str(self.preview["fingerprint"])


def migrate_command(
    subscription: Annotated[str | None, typer.Argument(help="The subscription.")] = None,
    product: Annotated[str | None, typer.Option(help="All subscriptions of this product instead.")] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="Only this price, to its current version; or PRICE=VERSION; again for more."),
    ] = None,
    if_: Annotated[
        str | None,
        typer.Option("--if", metavar="PREVIEW", help="Only if it is still what the preview of this name showed."),
    ] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move subscriptions to the current versions of their prices, or to named ones: shown first, done when confirmed.
    Exit code 0: done, or nothing to do; 1: not confirmed, or some could not be moved; 2: nothing could be asked."""
    if (subscription is None) == (product is None):
        raise typer.BadParameter("give either a SUBSCRIPTION or --product")
    consent, body = Consent(yes, dry_run, as_json), _body(price or ())
    with attached(state_dir, url, token_file) as billing:
        if subscription is not None:
            plans = [_plan(billing, find(billing, subscription), body)]
        else:
            plans = [_try(billing, row, body) for row in _of_product(billing, product or "")]
        _migrate(billing, plans, body, consent, if_)


def _body(prices: Sequence[str]) -> Json:
    versions = dict(text.split("=", 1) for text in prices if "=" in text)
    current = [text for text in prices if "=" not in text]
    return {**({"prices": current} if current else {}), **({"versions": versions} if versions else {})}


def _of_product(billing: BillingClient, product: str) -> list[Json]:
    rows: list[Json] = billing.get("/v1/subscriptions")["subscriptions"]
    found = [row for row in rows if row["product"] == product and row["state"] != "cancelled"]
    if not found:
        raise CommandError(f"No subscription is on the product {product}.")
    return found


def _plan(billing: BillingClient, row: Json, body: Json) -> Planned:
    preview: Json = billing.post(of_subscription(row["name"], "/migrate"), body, preview="true")
    return Planned(row, billing.invoice(row["name"]), preview)


def _try(billing: BillingClient, row: Json, body: Json) -> Planned:
    """One that cannot be moved does not keep the others."""
    try:
        return _plan(billing, row, body)
    except CommandError as error:
        return Planned(row, {}, refused=str(error))


def _fingerprint(moving: Sequence[Planned]) -> str:
    """Of the whole preview. Billing names what it shows of one subscription; of several it is made from these."""
    if len(moving) == 1:
        return moving[0].fingerprint
    content = "\n".join(sorted(f"{plan.name} {plan.fingerprint}" for plan in moving))
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]


def _require_same(wanted: str | None, moving: Sequence[Planned], fingerprint: str) -> None:
    """Raises CommandError where something else would be done than somebody has seen."""
    if wanted is None or (moving and wanted == fingerprint):
        return
    now = f"it is {fingerprint} now; --dry-run shows it" if moving else "nothing is left to migrate"
    raise CommandError(f"What would be migrated is not what the preview {wanted} showed: {now}. Nothing was changed.")


def _migrate(
    billing: BillingClient, plans: Sequence[Planned], body: Json, consent: Consent, wanted: str | None
) -> None:
    moving = [plan for plan in plans if plan.preview.get("migrated")]
    refused = {plan.name: plan.refused for plan in plans if plan.refused}
    fingerprint = _fingerprint(moving)
    _require_same(wanted, moving, fingerprint)
    preview = {
        "subscriptions": [{"name": p.name, **p.preview} for p in moving],
        "refused": refused,
        "fingerprint": fingerprint,
    }
    failed: dict[str, str] = {}

    def do() -> Json:
        done: list[Json] = []
        for plan in moving:
            try:
                if_match = plan.fingerprint if wanted is not None else None  # it may still change on the way
                answer: Json = billing.post(of_subscription(plan.name, "/migrate"), body, if_match=if_match)
                done.append({"name": plan.name, **answer})
            except CommandError as error:
                failed[plan.name] = str(error)
        return {"subscriptions": done, "failed": failed}

    console = Console(stderr=consent.as_json)
    if not moving:
        consent = Consent(False, True, consent.as_json)
    try:
        show_then_do(
            consent,
            f"Migrate {_count(len(moving))}?",
            preview,
            lambda at: _show(at, plans, moving, fingerprint),
            do,
            lambda done: f"Done: {_count(len(done['subscriptions']))} migrated.",
        )
    except typer.Exit as end:
        for name, reason in {**refused, **failed}.items():
            console.print(f"not migrated: {name}: {reason}", highlight=False, markup=False)
        raise typer.Exit(1 if refused or failed else end.exit_code) from None


def _show(console: Console, plans: Sequence[Planned], moving: Sequence[Planned], fingerprint: str) -> None:
    held = len(plans) - len(moving) - sum(bool(plan.refused) for plan in plans)
    if held:
        verb = "has" if held == 1 else "have"
        console.print(f"{_count(held)} {verb} these versions already.", highlight=False)
    if len(moving) == 1:
        (plan,) = moving
        output.print_migrated(console, plan.preview["migrated"])
        output.print_invoices(console, plan.invoice, plan.preview["draft"])
    elif moving:
        _show_many(console, moving)
    if moving:
        console.print(f"Preview {fingerprint}; --if {fingerprint} does only this.", highlight=False)


def _show_many(console: Console, moving: Sequence[Planned]) -> None:
    distinct = {_step(pin): pin for plan in moving for pin in plan.preview["migrated"]}
    output.print_migrated(console, [distinct[step] for step in sorted(distinct)])
    cells = [
        (
            plan.name,
            ", ".join(pin["price"] for pin in plan.preview["migrated"]),
            output.minute(plan.preview["effective_at"]),
            output.money(plan.invoice["total"]),
            output.money(plan.preview["draft"]["total"]),
        )
        for plan in moving[:_SHOWN]
    ]
    columns: tuple[output.Column, ...] = ("subscription", "prices", "from", ("total now", "right"), ("then", "right"))
    console.print(output.table(columns, cells))
    if len(moving) > _SHOWN:
        console.print(f"and {len(moving) - _SHOWN} more; --json has all.", highlight=False)


def _step(pin: Json) -> tuple[str, str, str]:
    """The same for all that go from one version to another."""
    return pin["price"], pin["from"]["version"] if pin["from"] else "", pin["version"]


def _count(number: int) -> str:
    return f"{number} subscription{'' if number == 1 else 's'}"
