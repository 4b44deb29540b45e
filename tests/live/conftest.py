"""Opt-in: `pytest -m live tests/live` with STRIPE_API_KEY or PADDLE_API_KEY of a sandbox. Nothing here runs otherwise,
and nothing at all with a live key."""

import os
from pathlib import Path

import pytest

from tests.live.keys import refuse_live_keys


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A key that is in the environment for another reason is left alone."""
    del collection_path
    if config.getoption("markexpr") != "live":
        return True
    refuse_live_keys(os.environ)
    return None
