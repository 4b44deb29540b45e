"""``migrate``, ``subscriptions``, ``grants`` and ``statements`` against a billing that answers over a socket."""

import json
import os
import pty
import re
import select
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trustme
from msgspec.structs import replace
from rich.console import Console
from sqlalchemy import text
from typer.testing import CliRunner

from tests.integration.billing.conftest import Clock, prepare, wire
from tests.integration.billing.neighbours import ADMIN_TOKEN, Valkey
from tests.integration.billing.test_explain_command import served
from tests.support.command import PLAIN, run
from tests.unit.billing.builders import apply_catalog, make_event, record
from tests.unit.billing.test_statements import DAY, at
from tollgate_billing.main import Billing
from tollgate_billing.subscriptions import changes
from tollgate_cli.main import app
from tollgate_cli.manifests import valid_catalog
from tollgate_cli.output import print_invoice
from tollgate_core.catalog import Catalog, Subscription, content_hash

_ROOT = Path(__file__).parents[3]
_MANIFESTS = _ROOT / "docs" / "tools" / "manifests" / "operate"
_PAGE = _ROOT / "docs" / "tools" / "operate.md"
_BLOCK = re.compile(r"(?<=```text\n)\$ (?:.*\n)*?(?=```)")
_COMMAND = re.compile(r"^\$ tollgate (.*)$", re.MULTILINE)
FEBRUARY, MARCH = at("2026-02-01"), at("2026-03-01")
NOW, NEXT = (valid_catalog(_MANIFESTS / f"{name}.yaml") for name in ("now", "next"))
Json = dict[str, Any]


def take_over(billing: Billing, catalog: Catalog, now_ms: int) -> None:
    apply_catalog(billing.database, catalog, now_ms)
    billing.catalog.load()


@pytest.fixture
def billing(valkey: Valkey, tmp_path: Path) -> Iterator[Billing]:
    """Two subscriptions since February; in March the tokens of their plan became dearer."""
    clock = Clock(FEBRUARY)
    made = wire(valkey, tmp_path, clock)
    prepare(made)
    take_over(made, NOW, FEBRUARY)
    with made.database.write() as connection:
        for name in ("globex", "initech"):
            changes.begin(connection, NOW, Subscription(name=name, product="team", customer=name), FEBRUARY)
        changes.begin(connection, NOW, Subscription(name="hooli", product="prepaid", customer="hooli"), FEBRUARY)
    for number, (name, moment) in enumerate((("globex", FEBRUARY), ("globex", MARCH), ("initech", MARCH))):
        event = make_event(
            f"req-{number}",
            at_ms=moment + DAY,
            subscription=name,
            customer=name,
            product="team",
            endpoint="llm/chat",
            catalog=content_hash(NOW.encode()),
            quantities={"tokens": "4000000"},
        )
        record(made.database, event, now_ms=moment + DAY)
    clock.now_ms = MARCH + DAY
    assert made.closer.tick() == set()
    clock.now_ms = MARCH + 10 * DAY
    take_over(made, NEXT, clock.now_ms)
    yield made
    made.close()


@pytest.fixture
def state(billing: Billing, tmp_path: Path) -> Iterator[Path]:
    with served(billing, tmp_path):
        yield tmp_path


def answer(state: Path, *arguments: str) -> Json:
    result = CliRunner().invoke(app, [*arguments, "--state-dir", str(state), "--json"], env=PLAIN)
    found: Json = json.loads(result.stdout)
    return found


def test_the_page_shows_what_is_printed(state: Path) -> None:
    def printed(command: str) -> str:
        code, output = run(state, *shlex.split(command))
        ended = f"exit code {code}\n" if code else ""
        return f"$ tollgate {command}\n{output}\n{ended}"

    page = _PAGE.read_text()
    current = _BLOCK.sub(lambda block: "".join(map(printed, _COMMAND.findall(block[0]))), page)
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(current)
    else:
        assert current == page, "if the change is meant: UPDATE_GOLDENS=1"


@pytest.mark.parametrize(
    "command",
    [
        "migrate globex",
        "migrate --product team",
        "subscriptions create umbrella --product team --customer umbrella",
        "subscriptions seats globex team-seats 5",
        "subscriptions switch globex solo",
        "subscriptions cancel globex",
        "subscriptions cancel globex --now",
        "subscriptions charge globex 5 --comment help --id c",
        "subscriptions credit globex 5 --comment sorry --id c",
        "grants add globex 5 --id g",
        "limits set globex tokens 5M",
        "statements credit st_3b321f7a68221e472487679d --line 1 --reason sorry --id n",
        "statements pay st_3b321f7a68221e472487679d --id p",
    ],
)
def test_nothing_is_changed_before_it_is_confirmed(command: str, state: Path) -> None:
    def books() -> list[Json]:
        shown = [answer(state, "subscriptions", "show", name) for name in ("globex", "initech")]
        lists = [("subscriptions", "list"), ("grants", "list", "globex"), ("statements", "list", "globex")]
        return [*shown, *(answer(state, *command) for command in lists)]

    before = books()
    for more, expected in (((), 1), (("--dry-run",), 0), (("--json",), 1), (("--yes", "--dry-run"), 0)):
        code, said = run(state, *shlex.split(command), *more)
        assert (code, "Nothing was changed" in said) == (expected, True), said
    assert books() == before
    done = answer(state, *shlex.split(command), "--yes")
    for shown, then in zip(_previews(done["preview"]), _previews(done["done"]), strict=True):
        assert {**shown, "preview": None, "subscription": None} == {**then, "preview": None, "subscription": None}
    assert books() != before


def _previews(document: Json) -> list[Json]:
    found: list[Json] = document.get("subscriptions", [document])
    return found


def test_a_migration_of_a_product_moves_all_and_says_who_could_not(state: Path, billing: Billing) -> None:
    code, said = run(state, "migrate", "--product", "team", "--yes")
    assert (code, "Done: 2 subscriptions migrated." in said) == (0, True)
    code, said = run(state, "migrate", "--product", "team", "--yes")
    assert (code, "2 subscriptions have these versions already." in said) == (0, True)
    version = answer(state, "subscriptions", "show", "globex")["prices"][-1]["version"]
    old = next(price.version for price in NOW.prices if price.name == "team-tokens")
    code, _ = run(state, "migrate", "globex", "--price", f"team-tokens={old}", "--yes")
    held = [p for p in answer(state, "subscriptions", "show", "globex")["prices"] if p["until"] is None]
    assert (code, version != old, {p["version"] for p in held if p["price"] == "team-tokens"}) == (0, True, {old})
    code, said = run(state, "migrate", "--product", "team", "--price", "team-tokens=none", "--yes")
    assert (code, said.count("there is no version none of the price team-tokens")) == (1, 2)


def test_a_migration_is_done_only_if_it_is_what_a_preview_showed(state: Path, billing: Billing) -> None:
    whole = ("migrate", "--product", "team")
    shown = answer(state, *whole, "--dry-run")["preview"]["fingerprint"]
    _, said = run(state, *whole, "--dry-run")
    assert f"Preview {shown}; --if {shown} does only this." in said
    (globex,) = answer(state, "migrate", "globex", "--dry-run")["preview"]["subscriptions"]
    one = globex["fingerprint"]
    assert run(state, "subscriptions", "seats", "globex", "team-seats", "5", "--yes")[0] == 0
    assert answer(state, *whole, "--dry-run")["preview"]["fingerprint"] == shown, "seats of what is not migrated"
    assert run(state, "migrate", "globex", "--if", one, "--yes")[0] == 0
    code, said = run(state, *whole, "--if", shown, "--yes")
    assert (code, f"not what the preview {shown} showed: it is " in " ".join(said.split())) == (2, True)
    left = answer(state, *whole, "--dry-run")["preview"]
    assert [row["name"] for row in left["subscriptions"]] == ["initech"]
    code, said = run(state, *whole, "--if", left["fingerprint"], "--yes")
    assert (code, "Done: 1 subscription migrated." in said) == (0, True)
    code, said = run(state, *whole, "--if", left["fingerprint"], "--yes")
    assert (code, "showed: nothing is left to migrate." in " ".join(said.split())) == (2, True)


def test_what_billing_refuses_is_said_with_field_and_cause(state: Path) -> None:
    for command, said in (
        ("subscriptions switch globex gold", "409 a switch from team to gold is not allowed; allowed: solo"),
        ("subscriptions seats globex team-seats 51", "team-seats allows 1 to 50 seats, not 51"),
        ("subscriptions charge globex 0.001 --comment x", "422 amount: must be a number of whole minor units of USD"),
        ("subscriptions charge globex 5 --comment x --id 'no spaces'", "the request is not valid; id: String should"),
        ("subscriptions create globex --product team --customer x", "409 there is a subscription globex already"),
        ("subscriptions create x --product tea --customer x", "409 there is no product tea; did you mean 'team'?"),
        ("subscriptions create x --product team --customer x --currency EUR", "team has no price in EUR"),
        ("subscriptions create x --product team --customer 'a b'", "customer: String should match"),
        ("subscriptions create X --product team --customer x", "name: String should match"),
        ("subscriptions create x --product team --customer x --time-zone Mars/X", "time_zone: there is no time zone"),
        ("subscriptions create x --product team --customer x --starts-at 9999-12-31", "between the years 1970 and"),
        ("subscriptions create x --product team --customer x --starts-at soon", "'soon' is no time; write 2026-03-01"),
        ("subscriptions credit globex +5 --comment x", "amount: has no sign"),
        ("statements pay st_3b321f7a68221e472487679d --at never", "'never' is no time; write 2026-03-01"),
        ("notifications nobody", "There is no subscription nobody"),
        ("subscriptions reactivate globex", "409 it is not cancelled"),
        ("subscriptions show nobody", "There is no subscription nobody"),
        ("top-ups add globex 5", "409 the product team is not prepaid"),
        ("top-ups add hooli 9.99", "422 amount: must be between 10.00 USD and 200.00 USD"),
        ("top-ups paid none", "404 there is no top-up none"),
        ("top-ups automatic hooli --below 5 --amount 20 --month 10", "422 month: must be at least the amount"),
        ("top-ups automatic hooli --below -5 --amount 20 --month 100", "422 below: must be more than zero"),
        ("top-ups automatic hooli --below 5 --amount 20 --month much", "422 month: 'much' is not a quantity"),
        ("statements credit none --line 1 --reason x", "404 there is no statement none"),
        ("statements credit st_3b321f7a68221e472487679d --line 9 --reason x", "409 the statement has no line 9"),
        ("grants add globex 5 --currency EUR", "globex pays in USD, not in EUR"),
        ("grants add globex 5 --expires 2020-01-01", "expires_at has passed already"),
        ("grants remove globex none", "has no grant none"),
        ("statements show none", "there is no statement none"),
        ("statements list nobody", "there is no subscription nobody"),
        ("migrate nobody", "There is no subscription nobody"),
        ("migrate --product nothing", "No subscription is on the product nothing"),
        ("migrate", "give either a SUBSCRIPTION or --product"),
        ("migrate globex --price nope", "409 the product team has no price nope in USD"),
    ):
        code, output = run(state, *shlex.split(command))
        assert (code, said in " ".join(output.replace("│", "").split())) == (2, True), output


def test_a_statement_that_was_changed_is_found(state: Path, billing: Billing) -> None:
    assert answer(state, "statements", "verify")["subscriptions"]["globex"]["changed"] == []
    with billing.database.write() as connection:  # by somebody who owns the database: all others are refused
        for trigger in (
            connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        ):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        connection.execute(text("UPDATE statements SET body = replace(body, '60.00', '6.00') WHERE sequence = 1"))
    code, said = run(state, "statements", "verify")
    assert (code, "changed: st_" in said) == (1, True)


def test_what_is_free_is_not_said_to_be_held(state: Path) -> None:
    console = Console(width=120, record=True, file=StringIO())
    draft = answer(state, "subscriptions", "show", "globex")["invoice"]
    for note, said in (("free of charge", "free"), ("no price applies yet: not charged", "held")):
        held = {"metric": "images", "quantity": "9", "events": 1, "note": note}
        print_invoice(console, {**draft, "held": [held]})
        (row,) = [line for line in console.export_text().splitlines() if "images" in line]
        assert row.replace("│", " ").split()[-1] == said


def test_a_subscription_is_created_as_it_was_shown(state: Path) -> None:
    more = (
        "--product",
        "team",
        "--customer",
        "umbrella",
        "--customer-name",
        "Umbrella Inc.",
        "--time-zone",
        "Asia/Tokyo",
    )
    command = ("subscriptions", "create", "umbrella", *more, "--starts-at", "2026-04-01", "--currency", "USD")
    code, said = run(state, *command)
    assert (code, "Umbrella Inc." in said, "Nothing was changed; --yes does it." in said) == (1, True, True)
    assert "There is no subscription umbrella" in run(state, "subscriptions", "show", "umbrella")[1]
    code, said = run(state, *command, "--yes")
    assert (code, said.splitlines()[-1]) == (0, "Done: umbrella is pending on team.")
    begun = answer(state, "subscriptions", "create", "now", "--product", "team", "--customer", "n")["preview"]["draft"]
    assert [(line["price"], line["amount"]) for line in begun["lines"]] == [("team-seats", "60.00")]
    row = answer(state, "subscriptions", "show", "umbrella")["subscription"]
    assert (row["anchor"], row["time_zone"], row["currency"]) == ("2026-04-01T00:00:00.000Z", "Asia/Tokyo", "USD")


def test_exported_usage_can_be_rated_again(state: Path, tmp_path: Path) -> None:
    code, printed = run(state, "usage", "--json")
    exported = tmp_path / "usage.json"
    exported.write_text(printed)
    assert (code, [event["id"] for event in json.loads(printed)]) == (0, ["req-0", "req-1", "req-2"])
    arguments = ["backtest", str(_MANIFESTS / "now.yaml"), "--usage", str(exported), "--json"]
    rated = CliRunner().invoke(app, arguments, env=PLAIN)
    assert (rated.exit_code, json.loads(rated.stdout)["events"]) == (0, 3)
    assert run(state, "usage", "--subscription", "nobody") == (0, "No usage is recorded of nobody.")


def test_statements_come_as_csv(state: Path) -> None:
    (first, *_) = answer(state, "statements", "list", "globex")["statements"]
    code, csv = run(state, "statements", "show", first["id"], "--csv")
    assert (code, csv.splitlines()[0][:20], len(csv.splitlines())) == (
        0,
        "statement,closed_at,",
        1 + len(first["lines"]),
    )


def test_billing_is_found_by_its_url_and_a_token_that_is_no_argument(state: Path, tmp_path: Path) -> None:
    url = json.loads((state / "endpoints.json").read_text())["api_url"]
    token = tmp_path / "token"
    token.write_text(f"{ADMIN_TOKEN}\n")
    command = ["subscriptions", "list", "--json", "--url", url]

    def invoke(*more: str, **environment: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*command, *more], env={**PLAIN, **environment})
        return result.exit_code, result.output

    assert invoke("--token-file", str(token))[0] == 0
    assert invoke(TOLLGATE_ADMIN_TOKEN=ADMIN_TOKEN)[0] == 0
    assert invoke()[0] == 2
    assert "TOLLGATE_ADMIN_TOKEN" in invoke()[1]
    assert "401 the token is not valid" in invoke(TOLLGATE_ADMIN_TOKEN="wrong-one")[1]
    assert "wrong-one" not in invoke(TOLLGATE_ADMIN_TOKEN="wrong-one")[1]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        away = f"http://127.0.0.1:{probe.getsockname()[1]}"
    result = CliRunner().invoke(app, ["subscriptions", "list", "--url", away, "--token-file", str(token)], env=PLAIN)
    assert (result.exit_code, "does not answer" in result.output) == (2, True)


def test_billing_of_a_cluster_is_trusted_by_its_authority_and_name(billing: Billing, tmp_path: Path) -> None:
    authority, name = trustme.CA(), "tollgate-billing.tollgate.svc"
    certificate = authority.issue_cert(name)
    chain, key, ca = (tmp_path / file for file in ("chain.pem", "key.pem", "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    with served(billing, tmp_path, ssl_certfile=chain, ssl_keyfile=key):
        url = json.loads((tmp_path / "endpoints.json").read_text())["api_url"].replace("http:", "https:")
        known = {"TOLLGATE_BILLING_URL": url, "TOLLGATE_ADMIN_TOKEN": ADMIN_TOKEN}
        trusted = {"TOLLGATE_BILLING_CA": str(ca), "TOLLGATE_BILLING_TLS_NAME": name}
        for more, code in (({}, 2), ({**trusted, "TOLLGATE_BILLING_TLS_NAME": ""}, 2), (trusted, 0)):
            result = CliRunner().invoke(app, ["statements", "verify"], env={**PLAIN, **known, **more})
            assert result.exit_code == code, result.output


def at_a_terminal(state: Path, arguments: str, typed: bytes, meanwhile: Callable[[], None]) -> tuple[int, str]:
    """Exit code and what is seen; ``meanwhile`` runs while the person thinks the question over."""
    command = [str(Path(sys.executable).parent / "tollgate"), *arguments.split(), "--state-dir", str(state)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **PLAIN}) as process:
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            assert select.select([ours], [], [], 30)[0], seen
            seen += os.read(ours, 4096)
        meanwhile()
        os.write(ours, typed)
        code = process.wait(30)
    while select.select([ours], [], [], 0)[0]:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # nobody holds the other end any more
            break
    os.close(ours)
    return code, " ".join(seen.decode().split())


@pytest.mark.parametrize(("typed", "code", "state_after"), [(b"y\n", 0, "cancelled"), (b"n\n", 1, "active")])
def test_a_person_at_a_terminal_is_asked(typed: bytes, code: int, state_after: str, state: Path) -> None:
    assert at_a_terminal(state, "subscriptions cancel globex --now", typed, lambda: None)[0] == code
    assert answer(state, "subscriptions", "show", "globex")["subscription"]["state"] == state_after


def test_what_changes_while_a_person_thinks_it_over_is_refused_by_billing(state: Path, billing: Billing) -> None:
    def edit() -> None:
        *others, tokens = NEXT.prices
        take_over(billing, replace(NEXT, prices=(*others, replace(tokens, version="other"))), MARCH + 11 * DAY)

    shown = answer(state, "migrate", "globex", "--dry-run")["preview"]["fingerprint"]
    code, said = at_a_terminal(state, f"migrate globex --if {shown}", b"y\n", edit)
    assert (code, f"412 what would be changed is not what the preview {shown} showed" in said) == (1, True)
    assert at_a_terminal(state, "migrate globex", b"y\n", lambda: None)[0] == 0, "without it as ever"


def test_automatic_top_ups_pay_in_until_one_fails(state: Path, billing: Billing) -> None:
    run(state, "top-ups", "automatic", "hooli", "--below", "5", "--amount", "20", "--month", "100")
    assert billing.watcher.tick() == set()
    (first,) = answer(state, "top-ups", "list", "hooli")["top_ups"]
    assert (first["reason"], first["state"], first["amount"]) == ("automatic", "pending", "20.00")
    assert answer(state, "top-ups", "list")["top_ups"] == [first]
    run(state, "top-ups", "paid", first["id"], "--note", "card")
    assert answer(state, "grants", "list", "hooli")["available"] == "20.00"
    code, said = run(state, "top-ups", "failed", first["id"])
    assert (code, "is paid; take back its grant instead" in " ".join(said.replace("│", "").split())) == (2, True)
    kinds = [one["kind"] for one in answer(state, "notifications", "hooli")["notifications"]]
    assert sorted(kinds) == ["top_up.created", "top_up.paid"]
    assert answer(state, "notifications", "globex")["notifications"] == []
    assert answer(state, "top-ups", "automatic", "hooli", "--off") == {"automatic": None}
