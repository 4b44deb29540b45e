"""Commands of ``tollgate`` that talk to a running billing, run in this process."""

import json
from pathlib import Path

from typer.testing import CliRunner

from tollgate_cli.main import app

#: As on a terminal without colours, and with no other billing in the environment.
PLAIN = {"COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1", "TOLLGATE_BILLING_URL": "", "TOLLGATE_ADMIN_TOKEN": ""}


def run(state: Path, *arguments: str, columns: int = 120) -> tuple[int, str]:
    """Exit code, and all that is printed, without spaces at the ends of lines. ``state`` is the directory of the
    system that is asked."""
    environment = {**PLAIN, "COLUMNS": str(columns)}
    result = CliRunner().invoke(app, [*arguments, "--state-dir", str(state)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    secrets = state / "secrets.json"
    assert not secrets.exists() or json.loads(secrets.read_text())["admin_token"] not in result.output
    return result.exit_code, "\n".join(line.rstrip() for line in result.output.splitlines())
