"""Command line: python -m tollgate_sandbox [stripe|paddle]."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

from tollgate_sandbox.server import serve
from tollgate_sandbox.settings import Settings

COMMANDS = ("llm", "stripe", "paddle")


def parse(arguments: list[str] | None = None) -> Settings:
    """Settings of the LLM provider from the command line."""
    parser = argparse.ArgumentParser(
        prog="tollgate_sandbox",
        description="A simulated LLM provider.",
        epilog="tollgate_sandbox stripe --help: a simulated Stripe; paddle --help: a simulated Paddle.",
    )
    address_arguments(parser)
    parser.add_argument("--require-key", help="refuse requests that do not carry this key")
    parser.add_argument("--journal-size", type=int, default=100_000, help="how many requests to remember")
    return Settings(**vars(parser.parse_args(arguments)))


def address_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, the same for all."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--uds", type=Path, help="listen on this Unix socket instead")
    parser.add_argument("--ready-file", type=Path, help="write the URL here once connections are accepted")


def main() -> None:
    """Serve, and count a stop by signal as success."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    asyncio.run(_server(sys.argv[1:]))


def _server(arguments: list[str]) -> Coroutine[Any, Any, None]:
    """The server asked for; without a name it is the LLM provider, as it always was."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else None
    rest = arguments[1:] if command else arguments
    if command == "stripe":
        from tollgate_sandbox.stripe.main import parse as parse_stripe  # noqa: PLC0415 - the SDK takes a second to import
        from tollgate_sandbox.stripe.main import run  # noqa: PLC0415

        return run(parse_stripe(rest, address_arguments))
    if command == "paddle":
        from tollgate_sandbox.paddle.main import parse as parse_paddle  # noqa: PLC0415
        from tollgate_sandbox.paddle.main import run as run_paddle  # noqa: PLC0415

        return run_paddle(parse_paddle(rest, address_arguments))
    return serve(parse(rest))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
