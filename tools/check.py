"""Static checks, all of them, with one line for each and the output of those that fail."""

import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
MEMBERS = ("core", "operator", "extproc", "billing", "sandbox", "cli")
CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "-q", "."],
    "lint": ["ruff", "check", "-q", "."],
    "layers": ["lint-imports"],
    "types (mypy)": ["mypy"],
    "types (pyright)": ["pyright"],
    **{f"dependencies of {member}": ["deptry", "src", "--config", "pyproject.toml"] for member in MEMBERS},
    "sizes": [sys.executable, "tools/sizes.py"],
    "stubs are current": ["bash", "tools/stubs.sh", "--check"],
    "CRDs are current": [sys.executable, "tools/crds_current.py"],
    "chart is current": [sys.executable, "tools/chart.py", "--check"],
}


def main() -> int:
    """0 when everything is clean."""
    failed = 0
    for name, command in CHECKS.items():
        member = name.removeprefix("dependencies of ") if name.startswith("dependencies of ") else "."
        program = command[0] if "/" in command[0] or command[0] == "bash" else str(BIN.absolute() / command[0])
        started = time.monotonic()
        result = subprocess.run([program, *command[1:]], cwd=member, capture_output=True, text=True, check=False)
        word = "ok" if result.returncode == 0 else "FAILED"
        print(f"{word:7}{name} ({time.monotonic() - started:.1f} s)", flush=True)
        if result.returncode:
            failed += 1
            print("\n".join(line[:300] for line in (result.stdout + result.stderr).splitlines()), flush=True)
    return 1 if failed else 0


sys.exit(main())
