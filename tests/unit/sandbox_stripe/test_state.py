"""Restarts, and the command line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, draft
from tests.unit.sandbox_stripe.conftest import KEY, Simulated, run_stripe
from tests.unit.sandbox_stripe.receiver import Receiver


def test_everything_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    file, ready = tmp_path / "state.json", tmp_path / "ready"
    arguments = ("--state", str(file), "--webhook-secret", receiver.secret, "--ready-file", str(ready))
    with run_stripe(*arguments, "--webhook-url", receiver.url) as first:
        assert ready.read_text() == first.url
        first.control("webhooks", mode="manual")
        first.pass_days(40)
        api: Any = first.client().v1
        owner = customer(api)
        invoice = draft(api, owner, 1000)
        api.customers.create({"name": "once"}, {"idempotency_key": "k1"})
        first.control("keys", revoke="sk_test_stolen")
        before = first.see("state")
    with run_stripe(*arguments, "--webhook-url", receiver.url) as second:
        second.control("webhooks", mode="manual")
        after = second.see("state")
        assert after["objects"] == before["objects"]
        assert after["clock_offset"] == before["clock_offset"] >= 40 * 24 * 3600
        api = second.client().v1
        assert api.customers.create({"name": "once"}, {"idempotency_key": "k1"}).last_response.headers[
            "idempotent-replayed"
        ]
        assert api.invoices.finalize_invoice(invoice.id, {"auto_advance": True}).status == "paid"
        with pytest.raises(stripe.AuthenticationError):
            second.client("sk_test_stolen").v1.customers.list()
        second.control("webhooks/deliver")
        assert {"customer.created", "invoice.paid"} <= set(receiver.types())
        assert len(api.webhook_endpoints.list().data) == 1


def test_any_test_key_is_let_in_where_none_is_named() -> None:
    with run_stripe("--port", "0") as simulated:
        assert simulated.client("rk_test_anything").v1.customers.list().data == []


def test_pages_are_linked_by_the_public_address() -> None:
    with run_stripe("--public-url", "https://pay.example.com/") as simulated:
        params: Any = {"mode": "setup", "currency": "eur", "success_url": "http://127.0.0.1/"}
        url = simulated.client().v1.checkout.sessions.create(params).url
        assert url is not None
        assert url.startswith("https://pay.example.com/c/pay/cs_test_")


def test_old_events_are_forgotten() -> None:
    with run_stripe("--kept", "3") as simulated:
        api: Any = simulated.client().v1
        for _ in range(5):
            api.customers.create({})
        assert len(api.events.list().data) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", "sk_live_x"], "keys of the simulator begin with"),
        (["--webhook-url", "http://127.0.0.1/"], "belong together"),
        (["--tax-percent", "many"], "percentage"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "tollgate_sandbox", "stripe", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert message in result.stderr


def test_a_file_that_is_no_state_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text('{"mine": true}')
    command = [sys.executable, "-m", "tollgate_sandbox", "stripe", "--state", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "no state of a simulator" in result.stderr
    assert file.read_text() == '{"mine": true}'


def test_reset_empties_the_account(sim: Simulated, api: Any) -> None:
    customer(api)
    sim.control("reset")
    assert sim.see("state")["objects"] == {}
    assert KEY.startswith("sk_test_")
