"""Command line: python -m tollgate_sandbox."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from types import FrameType

from tollgate_sandbox.server import serve
from tollgate_sandbox.settings import Settings


def parse(arguments: list[str] | None = None) -> Settings:
    """Settings from the command line."""
    parser = argparse.ArgumentParser(prog="tollgate_sandbox", description="A simulated LLM provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--uds", type=Path, help="listen on this Unix socket instead")
    parser.add_argument("--ready-file", type=Path, help="write the URL here once connections are accepted")
    parser.add_argument("--require-key", help="refuse requests that do not carry this key")
    parser.add_argument("--journal-size", type=int, default=100_000, help="how many requests to remember")
    return Settings(**vars(parser.parse_args(arguments)))


def main() -> None:
    """Serve, and count a stop by signal as success."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    asyncio.run(serve(parse()))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
