"""What ``tollgate up`` prints, and what it does until it is stopped."""

import contextlib
import json
import threading
from dataclasses import replace
from typing import Any

from rich.console import Console

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.demo import DemoCall, request_of
from tollgate_cli.laptop.journey_output import journey_summary, print_dashboards, print_invitations, print_journeys
from tollgate_cli.laptop.session import Outcome, Session
from tollgate_cli.laptop.visitors import Visitors
from tollgate_cli.output import print_counts, print_invoice, print_problems


def summary(session: Session, outcome: Outcome) -> dict[str, Any]:
    """For ``--json``."""
    return {
        **session.system.state.endpoints(),
        "exact": outcome.exact,
        "failures": outcome.failures,
        "metered": {
            name: {
                "requests": count.requests,
                "upstream_tokens": count.upstream_tokens,
                "ledger_tokens": count.ledger_tokens,
                "differences": count.differences,
            }
            for name, count in outcome.counts.items()
        },
        "payments": [journey_summary(journey) for journey in outcome.journeys],
        "invoices": [session.billing.invoice(name) for name in session.keys],
    }


def show(console: Console, session: Session, outcome: Outcome) -> None:
    """For people."""
    print_problems(console, session.system.status())
    for failure in outcome.failures[:10]:
        console.print(f"[red]failed:[/] {failure}", highlight=False)
    if outcome.counts:
        print_counts(console, outcome.counts)
        for count in outcome.counts.values():
            for difference in count.differences[:3]:
                console.print(f"[red]differs:[/] {difference}", highlight=False)
    for name in session.keys:
        print_invoice(console, session.billing.invoice(name))
    if outcome.journeys:
        print_journeys(console, outcome.journeys)
    console.print(f"Gateway  {session.system.gateway_url}", highlight=False, soft_wrap=True)
    console.print(f"API      {session.system.api_url}", highlight=False, soft_wrap=True)
    console.print(f"State    {session.system.state.path}", highlight=False, soft_wrap=True)
    print_dashboards(console, session.system.simulators.running)
    if session.system.options.real_payments:
        console.print("Payments go to the real providers: customers are charged.", highlight=False)
    curl = _curl(session)
    if curl:
        console.print(f"\nTry it:\n{curl}\n", highlight=False, soft_wrap=True, markup=False)


def _curl(session: Session) -> str | None:
    products = {product.name: product for product in session.catalog().products}
    endpoints = {e.id: e for api in session.catalog().apis for e in api.endpoints}
    for subscription in session.catalog().subscriptions:
        product = products.get(subscription.product)
        for name in product.endpoints if product and subscription.name in session.keys else ():
            if endpoints[name].format == "openai_completions":
                key = session.keys[subscription.name]
                return _line(session, DemoCall(subscription.name, key, endpoints[name], True))
    return None


def _line(session: Session, call: DemoCall) -> str:
    """What a terminal takes."""
    method, path, body = request_of(call, "Hello!")
    return (
        f"curl -N -X {method} '{session.system.gateway_url}{path}' -H 'Authorization: Bearer {call.key}' "
        f"-H 'Content-Type: application/json' -d '{json.dumps(body, separators=(',', ':'))}'"
    )


def serve(console: Console, session: Session, outcome: Outcome, stop: threading.Event) -> None:
    """Until Ctrl-C: report every edit of the manifests, and whoever has paid on a checkout's page."""
    visitors = Visitors(session.billing, outcome.journeys) if outcome.journeys else None
    if visitors:
        print_invitations(console, visitors.waiting)
    console.print("Running; edit the manifests to see it follow. Ctrl-C stops.")
    shown = session.system.status()
    while not stop.wait(0.3):
        status = session.system.status()
        if status and status != shown:
            wrong = print_problems(console, status)
            if status.get("programmed") and not wrong:
                console.print(f"[green]manifests applied[/] (catalog {status['catalog']})", highlight=False)
            shown = status
        if visitors:
            _welcome(console, session, visitors)


def _welcome(console: Console, session: Session, visitors: Visitors) -> None:
    """Nothing that goes wrong here ends what runs."""
    with contextlib.suppress(CommandError):
        for visitor, key in visitors.arrived():
            console.print(f"[green]{visitor.subscription} has begun.[/] Its key:", highlight=False)
            call = replace(visitor.journey.calls[0], key=key, reasoning=0)
            console.print(_line(session, call), highlight=False, soft_wrap=True, markup=False)
