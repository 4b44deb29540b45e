"""Command line of the simulated Stripe."""

import argparse
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.server import serve
from tollgate_sandbox.stripe.app import StripeApp
from tollgate_sandbox.stripe.keys import TEST_PREFIXES


def parse(arguments: list[str], address: Callable[[argparse.ArgumentParser], None]) -> PaymentSettings:
    """Settings from the command line; `address` adds the options that all simulators share."""
    parser = argparse.ArgumentParser(prog="tollgate_sandbox stripe", description="A simulated Stripe.")
    address(parser)
    parser.add_argument(
        "--key", action="append", default=[], type=_key, help="accept this key; may be repeated (any test key)"
    )
    parser.add_argument("--state", type=Path, help="keep everything in this file")
    parser.add_argument("--webhook-url", help="send all events here")
    parser.add_argument("--webhook-secret", help="sign them with this secret")
    parser.add_argument("--public-url", help="how browsers reach the pages (as the caller of the API does)")
    parser.add_argument("--kept", type=int, default=100_000, help="how many events and deliveries to remember")
    parser.add_argument("--tax-percent", default="19", type=_percent, help="what automatic tax comes to")
    parser.add_argument(
        "--after-retries", choices=["open", "uncollectible"], default="open", help="of an invoice that nobody paid"
    )
    parser.add_argument("--rate-limits", action="store_true", help="100 requests per second, 25 per endpoint")
    parser.add_argument("--account", default="acct_simulated", help="the account's id (acct_simulated)")
    given = vars(parser.parse_args(arguments))
    if bool(given["webhook_url"]) != bool(given["webhook_secret"]):
        parser.error("--webhook-url and --webhook-secret belong together")
    keys = tuple(given.pop("key"))
    return PaymentSettings(**given, keys=keys)


async def run(settings: PaymentSettings) -> None:
    """Serve until stopped."""
    await serve(settings, StripeApp(settings), lifespan="on")


def _key(text: str) -> str:
    if not text.startswith(TEST_PREFIXES):
        raise argparse.ArgumentTypeError("keys of the simulator begin with sk_test_ or rk_test_")
    return text


def _percent(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError("a percentage between 0 and 100")
    return text
