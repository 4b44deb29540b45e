"""``tollgate up`` with simulated Stripe and Paddle: customers come, use, pay and go; no secret of theirs is left."""

import copy
import io
import json
import os
import re
import shlex
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from rich.progress import Progress

from tests.support.command import run
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, find
from tollgate_cli.laptop.journey import Journey
from tollgate_cli.laptop.session import Outcome
from tollgate_cli.laptop.showing import show, summary
from tollgate_cli.laptop.simulators import Simulated
from tollgate_cli.laptop.system import wait_for

UPSTREAM = "sk-canary-upstream"
KEYS = {
    "stripe-keys": {"key": "sk_test_canaryStripeKey", "webhook": "whsec_canaryStripeWebhook"},
    "paddle-keys": {"key": "pdl_sdbx_apikey_canaryPaddleKey", "webhook": "pdl_ntfset_canaryPaddleWebhook"},
}
CARD, CARDHOLDER, EMAIL = "4242424242424242", "Cora Canaryson", "cora.canaryson@example.net"
CANARIES = [UPSTREAM, CARD, "4242 4242 4242 4242", CARDHOLDER, EMAIL, *(v for k in KEYS.values() for v in k.values())]
_PAGE = Path(__file__).parents[2] / "docs" / "tools" / "payments.md"
_BLOCK = re.compile(r"(?<=```text\n)\$ (?:.*\n)*?(?=```)")
_COMMAND = re.compile(r"^\$ tollgate (.*)$", re.MULTILINE)
_NO_STATEMENT = f"st_{'0' * 24}"
#: What is searched for secrets, or holds a link, is not broken into lines.
_WIDE = 250
_BACK = ("--return-url", "https://example.com/")
#: Where secrets and personal data belong: ours, the operator's gift to billing, and what is the provider's.
PRIVATE = {"secrets.json", "endpoints.json", "payment-keys", "payment-simulators"}


def documents() -> list[Document]:
    found = copy.deepcopy(example_documents(payments=True))
    for name, keys in KEYS.items():
        find(found, "Secret", name)["stringData"] = dict(keys)
    find(found, "Secret", "upstream-keys")["stringData"]["openai"] = UPSTREAM
    return found


@dataclass
class Ran:
    """A laptop on which two customers have paid, and what it has printed."""

    gateway: Gateway
    journeys: list[Journey]
    printed: str

    @property
    def state(self) -> Path:
        return self.gateway.system.state.path

    def of(self, kind: str) -> Journey:
        return next(journey for journey in self.journeys if journey.provider.kind == kind)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with Gateway(tmp_path_factory.mktemp("paid"), documents()) as gateway:
        session = gateway.session
        journeys = session.journeys()
        for journey in journeys.all:
            journey.cardholder, journey.email = CARDHOLDER, EMAIL
        with Progress(disable=True) as progress:
            outcome = session.run_demo(10, progress, journeys)
        assert outcome.exact, (outcome, gateway.logs())
        yield Ran(gateway, outcome.journeys, printed(gateway, outcome))


def printed(gateway: Gateway, outcome: Outcome) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(console, gateway.session, outcome)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue() + json.dumps(summary(gateway.session, outcome))


def read(provider: Simulated, path: str) -> Any:
    answer = httpx.get(f"{provider.url}{path}", headers={"authorization": f"Bearer {provider.key}"}, timeout=20)
    return answer.raise_for_status().json()["data"]


def test_the_paid_stripe_invoice_equals_the_statement(ran: Ran) -> None:
    journey = ran.of("stripe")
    (invoice,) = read(journey.provider, "/v1/invoices")
    due = journey.statement["due"]
    assert (invoice["status"], invoice["total"], invoice["amount_paid"]) == ("paid", due["minor"], due["minor"])
    assert invoice["currency"].upper() == due["currency"] == "USD"
    assert Decimal(due["amount"]) == sum(Decimal(line["amount"]) for line in journey.statement["lines"])
    assert journey.statement["invoice"]["url"] == invoice["hosted_invoice_url"]
    assert invoice["number"] in ran.printed


def test_the_paid_paddle_transaction_equals_the_statement(ran: Ran) -> None:
    journey = ran.of("paddle")
    (charged,) = [one for one in read(journey.provider, "/transactions") if one["origin"] == "subscription_charge"]
    due = journey.statement["due"]
    totals = charged["details"]["totals"]
    assert (charged["status"], totals["total"], charged["currency_code"]) == ("completed", str(due["minor"]), "EUR")
    assert [payment["status"] for payment in charged["payments"]] == ["captured"]
    assert charged["invoice_number"] in ran.printed


def test_the_dashboards_show_it(ran: Ran) -> None:
    for journey in ran.journeys:
        page = httpx.get(journey.provider.dashboard, timeout=20).text
        assert journey.provider.dashboard in ran.printed
        assert journey.invoice
        assert journey.invoice.number in page
        assert f"{journey.statement['due']['amount']} {journey.statement['due']['currency']}" in page


def test_the_page_of_the_commands_shows_what_is_printed(ran: Ran) -> None:
    """What is another in every run is shown as zeros."""
    statement = ran.of("stripe").statement["id"]

    def printed(command: str) -> str:
        code, output = run(ran.state, *shlex.split(command.replace(_NO_STATEMENT, statement)))
        ended = f"exit code {code}\n" if code else ""
        return f"$ tollgate {command}\n{_steady(output)}\n{ended}"

    page = _PAGE.read_text()
    current = _BLOCK.sub(lambda block: "".join(map(printed, _COMMAND.findall(block[0]))), page)
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(current)
    else:
        assert current == page, "if the change is meant: UPDATE_GOLDENS=1"
    provider = ran.of("stripe").provider
    assert wait_for(lambda: [one["amount"] for one in read(provider, "/v1/refunds")] == [50], 20)


def _steady(text: str) -> str:
    for before in ("st_", "pi_", "bps_", "cs_test_"):
        text = re.sub(rf"(?<=\b{before})\w{{24}}", "0" * 24, text)
    text = re.sub(r"(?<=127\.0\.0\.1:)\d{5}", "00000", text)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", lambda found: "2026-11-22 22:00"[: len(found[0])], text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_the_portals_are_there(ran: Ran) -> None:
    for journey in ran.journeys:
        code, said = run(ran.state, "subscriptions", "portal", journey.subscription, *_BACK, columns=_WIDE)
        assert (code, httpx.get(said.strip(), timeout=20).status_code) == (0, 200)
    assert run(ran.state, "top-ups", "show", "none") == (2, "error: GET /v1/top-ups/none: 404 there is no top-up none")


def test_no_secret_and_no_personal_datum_is_left_anywhere(ran: Ran) -> None:
    """Error texts too: an event that nobody signed, and keys that are not taken any more."""
    said = provoke_errors(ran)
    envoy = f"http://127.0.0.1:{ran.gateway.system.admin_port}/config_dump?include_eds"
    places = {
        "printed": ran.printed + said,
        "files": files(ran.gateway.system.state.path),
        "arguments": arguments(),
        "redis": redis_dump(ran.gateway),
        "database": database(ran.gateway.system.state / "ledger.db"),
        "envoy": httpx.get(envoy, timeout=20).text,
    }
    controls = {
        "printed": ("northwind", "not accepted"),
        "files": ("northwind-openai", "payment provider", "/openai/v1/chat/completions"),
        "arguments": ("tollgate_sandbox", "tollgate_billing"),
        "redis": ("northwind-openai", "gemini-payg"),
        "database": ("Northwind Traders", "lumen-gemini", "does not accept the API key"),
        "envoy": ("/openai/v1/chat/completions", "x-goog-api-key"),
    }
    own = ran.gateway.system.secrets
    secrets = [own.admin_token, own.key_pepper, *(journey.calls[0].key for journey in ran.journeys)]
    for place, text in places.items():
        missing = [control for control in controls[place] if control not in text]
        assert not missing, f"the search of {place} does not work: it does not find {missing}"
        found = [canary for canary in [*CANARIES, *secrets] if canary in text]
        assert not found, f"{place} holds {found}"


def provoke_errors(ran: Ran) -> str:
    body = json.dumps({"id": "evt_1", "data": {"email": EMAIL, "name": CARDHOLDER, "card": CARD}})
    headers = {"stripe-signature": KEYS["stripe-keys"]["webhook"]}
    forged = httpx.post(f"{ran.gateway.system.api_url}/v1/webhooks/stripe", content=body, headers=headers, timeout=20)
    assert forged.status_code == 400
    for journey in ran.journeys:
        httpx.post(f"{journey.provider.url}/sandbox/keys", json={"revoke": journey.provider.key}).raise_for_status()
    name = ran.of("stripe").subscription
    code, asked = run(ran.state, "subscriptions", "portal", name, *_BACK, columns=_WIDE)
    assert code == 2
    statement = ran.of("paddle").statement["id"]
    assert run(ran.state, "statements", "refund", statement, "--reason", "Sorry", "--id", "late", "--yes")[0] == 0

    def refused() -> bool:
        found = ran.gateway.session.billing.get("/v1/outbox", state="pending")["requests"]
        return any("does not accept the API key" in request["problem"] for request in found)

    assert wait_for(refused, 20), ran.gateway.logs()
    outbox = json.dumps(ran.gateway.session.billing.get("/v1/outbox", state="pending"))
    listed = run(ran.state, "payments", "providers", columns=_WIDE)[1]
    return forged.text + asked + outbox + listed


def files(state: Path) -> str:
    paths = (path for path in state.rglob("*") if path.is_file())
    kept = (path for path in paths if path.relative_to(state).parts[0] not in PRIVATE)
    return "\n".join(path.read_bytes().decode(errors="replace") for path in kept)


def arguments() -> str:
    """Of all processes of this machine, as every user of it can see them."""
    return "\n".join(map(_content, Path("/proc").glob("[0-9]*/cmdline")))


def _content(path: Path) -> str:
    """Empty for a process that has just ended."""
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def redis_dump(gateway: Gateway) -> str:
    client: Any = gateway.redis
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    return "\n".join(f"{key!r} {readers[client.type(key)](key)!r}" for key in client.scan_iter(count=1000))


def database(path: Path) -> str:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(str(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"'))
