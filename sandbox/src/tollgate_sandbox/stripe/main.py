"""Command line of the simulated Stripe."""

import argparse
from collections.abc import Callable

from tollgate_sandbox.payments.arguments import payment_arguments, read_settings
from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.server import serve
from tollgate_sandbox.stripe.app import StripeApp
from tollgate_sandbox.stripe.keys import TEST_PREFIXES


def parse(arguments: list[str], address: Callable[[argparse.ArgumentParser], None]) -> PaymentSettings:
    """Settings from the command line; `address` adds the options that all simulators share."""
    parser = argparse.ArgumentParser(prog="tollgate_sandbox stripe", description="A simulated Stripe.")
    address(parser)
    payment_arguments(parser, TEST_PREFIXES, tax_percent="19")
    parser.add_argument(
        "--after-retries", choices=["open", "uncollectible"], default="open", help="of an invoice that nobody paid"
    )
    parser.add_argument("--rate-limits", action="store_true", help="100 requests per second, 25 per endpoint")
    parser.add_argument("--account", default="acct_simulated", help="the account's id (acct_simulated)")
    settings: PaymentSettings = read_settings(parser, arguments)
    return settings


async def run(settings: PaymentSettings) -> None:
    """Serve until stopped."""
    await serve(settings, StripeApp(settings), lifespan="on")
