"""The parts of a seller's dashboard that do not depend on the provider: time, webhooks and faults."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tollgate_sandbox.payments.account import Account
from tollgate_sandbox.payments.html import Child, Html, button, joined, link, page, status, table, tag
from tollgate_sandbox.payments.pages import CSS, away, form_of, problem, when

SHOWN = 50
"""How many of a kind the overview lists."""


def framed(
    account: Account, sections: Sequence[str], title: str, *body: Child, error: Exception | str | None = None
) -> Response:
    """A page of the dashboard."""
    links = [link(name.capitalize(), f"/dashboard#{name}") for name in sections]
    name = tag("strong", link(f"Simulated {account.brand}", "/dashboard"))
    bar = tag("nav", name, *links, tag("span", when(account.now())))
    return HTMLResponse(page(title, CSS, bar, tag("h1", title), problem(error), *body), 400 if error else 200)


def clock_buttons() -> Html:
    """Move time."""
    steps = {"An hour on": 3600, "A day on": 24 * 3600, "A month on": 31 * 24 * 3600}
    return joined(button(label, "/dashboard/clock/advance", seconds=str(seconds)) for label, seconds in steps.items())


def webhooks_section(account: Account) -> Html:
    """The newest deliveries."""
    rows: list[list[Child]] = [
        [
            one["type"],
            one["event"],
            one["url"],
            status(one["state"]),
            ", ".join(str(attempt["status"] or attempt["error"]) for attempt in one["attempts"]),
            button("Resend", f"/dashboard/events/{one['event']}/resend"),
        ]
        for one in account.deliveries.all()[: -SHOWN - 1 : -1]
    ]
    listed = table(["Type", "Event", "To", "State", "Attempts", ""], rows)
    return joined([button("Deliver all now", "/dashboard/webhooks/deliver"), listed])


def faults_section(account: Account) -> Html:
    """The faults ordered."""
    rows = [[one["kind"], one["method"], one["path"], one["times"], one["skip"]] for one in account.faults.all()]
    listed = table(["Kind", "Method", "Path", "Times left", "Skip"], rows, "No faults ordered.")
    return joined([listed, button("Clear", "/dashboard/faults/clear") if rows else None])


async def advance(account: Account, request: Request) -> Response:
    """Move the clock."""
    seconds = (await form_of(request)).get("seconds", "0")
    if seconds.isdigit():
        account.run_due(account.now() + int(seconds))
        account.changed()
    return away("/dashboard")


async def deliver(account: Account, _request: Request) -> Response:
    """Send all webhooks that wait."""
    await account.sender.deliver()
    account.changed()
    return away("/dashboard#webhooks")


async def clear_faults(account: Account, _request: Request) -> Response:
    """Forget all faults."""
    account.faults.clear()
    return away("/dashboard#faults")
