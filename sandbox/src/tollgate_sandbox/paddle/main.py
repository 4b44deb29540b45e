"""Command line of the simulated Paddle."""

import argparse
from collections.abc import Callable

from tollgate_sandbox.paddle.app import PaddleApp
from tollgate_sandbox.paddle.keys import TEST_PREFIXES
from tollgate_sandbox.paddle.settings import PaddleSettings
from tollgate_sandbox.payments.arguments import payment_arguments, read_settings
from tollgate_sandbox.server import serve


def parse(arguments: list[str], address: Callable[[argparse.ArgumentParser], None]) -> PaddleSettings:
    """Settings from the command line; `address` adds the options that all simulators share."""
    parser = argparse.ArgumentParser(prog="tollgate_sandbox paddle", description="A simulated Paddle Billing.")
    address(parser)
    payment_arguments(parser, TEST_PREFIXES, tax_percent="0")
    parser.add_argument(
        "--after-retries", choices=["pause", "cancel"], default="pause", help="a subscription that nobody paid"
    )
    parser.add_argument(
        "--adjustments",
        choices=["approved", "pending"],
        default="approved",
        help="approve refunds at once, or ten minutes later by the simulator's clock",
    )
    parser.add_argument(
        "--tax-mode", choices=["external", "internal"], default="external", help="of prices of the account's setting"
    )
    parser.add_argument("--rate-limits", action="store_true", help="240 requests per minute")
    settings: PaddleSettings = read_settings(parser, arguments, PaddleSettings)
    return settings


async def run(settings: PaddleSettings) -> None:
    """Serve until stopped."""
    await serve(settings, PaddleApp(settings), lifespan="on")
