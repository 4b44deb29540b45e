"""A key that cannot be right is known by its shape, and what is said of it never holds it."""

import json

import pytest

from tollgate_core.payment_keys import (
    PaymentKeys,
    keys_file,
    mode_of,
    paddle_key_problem,
    paddle_webhook_problem,
    stripe_key_problem,
    stripe_webhook_problem,
)

STRIPE = "it must begin with sk_test_, sk_live_, rk_test_ or rk_live_"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sk_test_canary", ""),
        ("sk_live_canary", ""),
        ("rk_test_51Abc_canary", ""),
        ("rk_live_canary", ""),
        ("", "is empty"),
        (" \n", "is empty"),
        ("sk_test_canary\n", "ends with a line break"),
        ("sk_test_canary\r\n", "--from-literal"),
        (" sk_test_canary", "begins or ends with a blank"),
        ("pk_test_canary", f"is a publishable key (pk_…), which is for browsers: {STRIPE}"),
        ("whsec_canary", f"is the signing secret of a webhook of Stripe (whsec_…): {STRIPE}"),
        ("pdl_live_apikey_canary", "is an API key of Paddle's production system"),
        ("canary", f"is no key: {STRIPE}"),
        ("sk_canary", "is a secret key of Stripe (sk_…)"),
        ("sk_test_", STRIPE),
        ("sk_test_can ary", "holds a character that no key has"),
        ("sk_test_canary\nsk_test_canary", "holds a character that no key has"),
        ("sk_test_" + "canary" * 1000, "is longer than 4096"),
    ],
)
def test_keys_of_stripe(value: str, expected: str) -> None:
    problem = stripe_key_problem(value)
    assert expected in problem
    assert bool(problem) == bool(expected)
    assert "canary" not in problem


@pytest.mark.parametrize(
    ("value", "environment", "expected"),
    [
        ("pdl_sdbx_apikey_canary", "sandbox", ""),
        ("pdl_live_apikey_canary", "production", ""),
        (
            "pdl_sdbx_apikey_canary",
            "production",
            "of Paddle's sandbox (pdl_sdbx_apikey_…), and spec.paddle.environment",
        ),
        ("pdl_live_apikey_canary", "sandbox", "spec.paddle.environment is sandbox"),
        ("pdl_live_apikey_canary\n", "production", "ends with a line break"),
        ("pdl_ntfset_canary", "production", "is the secret of a notification destination"),
        ("sk_live_canary", "production", "it must begin with pdl_live_apikey_"),
        ("canary", "sandbox", "it must begin with pdl_sdbx_apikey_"),
    ],
)
def test_keys_of_paddle(value: str, environment: str, expected: str) -> None:
    problem = paddle_key_problem(value, environment)  # type: ignore[arg-type]
    assert expected in problem
    assert bool(problem) == bool(expected)
    assert "canary" not in problem


def test_webhook_secrets() -> None:
    assert stripe_webhook_problem("whsec_canary") == paddle_webhook_problem("pdl_ntfset_01_canary/+=") == ""
    assert "it must begin with whsec_" in stripe_webhook_problem("sk_test_canary")
    assert "line break" in stripe_webhook_problem("whsec_canary\n")
    assert "it must begin with pdl_ntfset_" in paddle_webhook_problem("whsec_canary")


def test_a_key_says_its_mode() -> None:
    modes = [mode_of(key) for key in ("rk_live_x", "sk_test_x", "pdl_sdbx_apikey_x", "pdl_live_apikey_x", "pk_live_x")]
    assert modes == ["live", "test", "test", "live", None]


def test_how_keys_are_handed_over() -> None:
    keys = PaymentKeys("sk_test_canary", ("whsec_canary", "whsec_old"))
    assert json.loads(keys.encode()) == {"secretKey": "sk_test_canary", "webhookSecrets": ["whsec_canary", "whsec_old"]}
    assert "canary" not in repr(keys)
    assert (keys_file("shop"), keys_file("team/shop")) == ("shop.json", "team.shop.json")
