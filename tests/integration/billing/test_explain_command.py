"""``tollgate explain`` against a billing that answers over a socket; the page shows what it prints."""

import json
import os
import re
import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner

from tests.integration.billing.conftest import Clock, prepare, wire
from tests.integration.billing.neighbours import ADMIN_TOKEN, Valkey, wait_until
from tests.support.command import run
from tests.unit.billing.builders import apply_catalog, make_event, record
from tests.unit.billing.test_statements import DAY, at
from tollgate_billing.http.app import build_app
from tollgate_billing.main import Billing
from tollgate_cli.laptop.state import write_private
from tollgate_cli.main import app
from tollgate_cli.manifests import valid_catalog
from tollgate_core.catalog import content_hash

_ROOT = Path(__file__).parents[3]
_PAGE = _ROOT / "docs" / "tools" / "explain.md"
_BLOCK = re.compile(r"(?<=```text\n)\$ (?:.*\n)*?(?=```)")
_COMMAND = re.compile(r"^\$ tollgate (.*)$", re.MULTILINE)
MARCH, APRIL, MAY = at("2026-03-01"), at("2026-04-01"), at("2026-05-01")
CATALOG = valid_catalog(_ROOT / "docs" / "tools" / "manifests" / "now")


@contextmanager
def served(billing: Billing, state: Path, **tls: Any) -> Iterator[None]:
    """As ``tollgate up`` leaves it: endpoints and secrets in a state directory."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_app(billing.services), log_level="error", **tls))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        write_private(state / "endpoints.json", {"api_url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        write_private(state / "secrets.json", {"key_pepper": "p", "admin_token": ADMIN_TOKEN})
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def use(billing: Billing, name: str, at_ms: int, tokens: tuple[int, int], recorded_ms: int = 0, **fields: Any) -> None:
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    event = make_event(
        name,
        at_ms=at_ms,
        subscription="acme",
        product="team",
        endpoint="llm/chat",
        catalog=content_hash(CATALOG.encode()),
        quantities={"input-tokens": str(tokens[0]), "output-tokens": str(tokens[1])},
        usage=usage,
        **{"served_model": "small", **fields},
    )
    record(billing.database, event, now_ms=recorded_ms or at_ms + 1000)


@pytest.fixture
def state(valkey: Valkey, tmp_path: Path) -> Iterator[Path]:
    """The state directory of a billing that closed two months of one subscription."""
    clock = Clock(MARCH)
    billing = wire(valkey, tmp_path, clock)
    prepare(billing)
    apply_catalog(billing.database, CATALOG, MARCH)
    billing.catalog.load()
    unsure: dict[str, Any] = {"quality": "estimated", "witness": "hold", "outcome": "unaccounted"}
    use(billing, "req-1", MARCH + DAY, (8_000_000, 250_000))
    use(billing, "req-2", MARCH + 2 * DAY, (3_500_000, 90_000), served_model="large-2")
    use(billing, "req-3", MARCH + 3 * DAY, (4_000_000, 100_000), **unsure)
    clock.now_ms = APRIL + DAY
    assert billing.closer.tick() == set()
    use(billing, "req-3", MARCH + 3 * DAY, (3_200_000, 80_000), APRIL + 2 * DAY)
    use(billing, "req-4", APRIL - 1, (500_000, 10_000), APRIL + 2 * DAY)
    use(billing, "req-5", APRIL + 5 * DAY, (1_500_000, 20_000))
    clock.now_ms = MAY + DAY
    assert billing.closer.tick() == set()
    with served(billing, tmp_path):
        yield tmp_path
    billing.close()


def test_the_page_shows_what_is_printed(state: Path) -> None:
    def printed(command: str) -> str:
        code, output = run(state, *shlex.split(command))
        assert code == 0
        return f"$ tollgate {command}\n{output}\n"

    text = _PAGE.read_text()
    current = _BLOCK.sub(lambda block: "".join(map(printed, _COMMAND.findall(block[0]))), text)
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(current)
    else:
        assert current == text, "if the change is meant: UPDATE_GOLDENS=1"


def test_a_backtest_against_the_ledger_is_what_its_statements_charge(state: Path) -> None:
    now = str(_ROOT / "docs" / "tools" / "manifests" / "now")
    arguments = ["backtest", now, "--from-billing", "--state-dir", str(state), "--max-change", "0%", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["events"] == 5
    usage_and_fees = 77.56 + 60.17 - 60  # of acme's statements of March and April, without the fee of May
    assert found["totals"] == [
        {
            "currency": "USD",
            "before": f"{60 + usage_and_fees + 120:.2f}",
            "after": f"{60 + usage_and_fees + 120:.2f}",
            "change": "0.00",
            "percent": "0",
        }
    ]


def test_errors_say_what_is_wrong(state: Path, tmp_path: Path) -> None:
    code, said = run(state, "explain", "st_none")
    assert (code, "there is no statement st_none" in " ".join(said.split())) == (2, True)
    assert run(state, "explain", "--event", "nope")[0] == 2
    code, said = run(tmp_path / "elsewhere", "explain")
    assert code == 2
    assert "Start a system with 'tollgate up DIR'" in " ".join(said.split())
