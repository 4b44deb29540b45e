"""Options that all simulated payment providers take."""

import argparse
import os
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tollgate_sandbox.payments.settings import PaymentSettings

SECRET_VARIABLE = "TOLLGATE_SANDBOX_WEBHOOK_SECRET"  # noqa: S105 (the variable's name)


def payment_arguments(parser: argparse.ArgumentParser, prefixes: Sequence[str], tax_percent: str) -> None:
    """Keys, state, webhooks and tax."""

    def key(text: str) -> str:
        if not text.startswith(tuple(prefixes)):
            raise argparse.ArgumentTypeError(f"keys of the simulator begin with {' or '.join(prefixes)}")
        return text

    parser.add_argument(
        "--key", action="append", default=[], type=key, help="accept this key; may be repeated (any test key)"
    )
    parser.add_argument("--state", type=Path, help="keep everything in this file")
    parser.add_argument("--webhook-url", help="send all events here")
    parser.add_argument(
        "--webhook-secret",
        default=os.environ.get(SECRET_VARIABLE),
        help=f"sign them with this secret (that of {SECRET_VARIABLE}, which other users of the machine cannot see)",
    )
    parser.add_argument("--public-url", help="how browsers reach the pages (as the caller of the API does)")
    parser.add_argument("--kept", type=int, default=100_000, help="how many events and deliveries to remember")
    parser.add_argument("--tax-percent", default=tax_percent, type=_percent, help="what tax comes to everywhere")


def read_settings(
    parser: argparse.ArgumentParser, arguments: list[str], settings: Callable[..., PaymentSettings] = PaymentSettings
) -> Any:
    """The settings; ends the program where options do not fit together."""
    given = vars(parser.parse_args(arguments))
    if bool(given["webhook_url"]) != bool(given["webhook_secret"]):
        parser.error("--webhook-url and --webhook-secret belong together")
    keys = tuple(given.pop("key"))
    return settings(**given, keys=keys)


def _percent(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError("a percentage between 0 and 100")
    return text
