"""The live suite, without anything live: it refuses real keys, runs only when it is asked to, and its code runs
against the simulators."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.payments.account import PADDLE_KEY, SECRET_KEY, PaddleAccount, StripeAccount
from tests.integration.payments.operations import scene_of, with_card
from tests.integration.payments.shops import PaddleShop
from tollgate_billing.ledger.database import Database

_ROOT = Path(__file__).parents[3]
_NAMES = ("STRIPE_API_KEY", "STRIPE_API_URL", "PADDLE_API_KEY", "PADDLE_API_URL", "PADDLE_TEST_CUSTOMER")


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if name not in _NAMES and "PYTEST" not in name}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    everything = {**clean, **environment}
    return subprocess.run(
        [*command, "tests/live"], cwd=_ROOT, env=everything, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [("STRIPE_API_KEY", "sk_live_x"), ("STRIPE_API_KEY", "rk_live_x"), ("PADDLE_API_KEY", "pdl_live_apikey_x")],
)
def test_live_keys_are_refused_before_anything_runs(name: str, key: str) -> None:
    done = run("-m", "live", **{name: key})
    assert done.returncode == 2
    assert "passed" not in done.stdout
    assert f"{name} is not a sandbox's key" in done.stdout + done.stderr
    assert key not in done.stdout + done.stderr


def test_without_being_asked_nothing_runs_even_with_keys() -> None:
    done = run(STRIPE_API_KEY="sk_test_x")
    assert "no tests ran" in done.stdout


def test_it_runs_against_whatever_has_these_addresses(
    account: StripeAccount, paddle: PaddleAccount, sqlite: Database
) -> None:
    scene = scene_of(PaddleShop(paddle), sqlite)
    with_card()(scene)
    done = run(
        "-m",
        "live",
        STRIPE_API_KEY=SECRET_KEY,
        STRIPE_API_URL=account.url,
        PADDLE_API_KEY=PADDLE_KEY,
        PADDLE_API_URL=paddle.url,
        PADDLE_TEST_CUSTOMER=scene.desk.customer_reference(),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "11 passed, 3 skipped" in done.stdout
