"""What a page about a simulator shows, held against the simulator."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from tollgate_cli.laptop import loopback

_TABLE = re.compile(r"(?<=---\|\n)(?:\| `\d.*\n|<!-- cards -->\n)+")


def assert_table(page: Path, rows: Sequence[str]) -> None:
    """The table of cards; written anew when goldens are."""
    text = page.read_text()
    if os.environ.get("UPDATE_GOLDENS"):
        page.write_text(_TABLE.sub("".join(rows), text))
    else:
        assert "".join(rows) in text


def run_program(page: Path, replaced: Mapping[str, str]) -> str:
    """Run its one program; what it says that the program prints."""
    [program] = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    [said] = re.findall(r"print\(.*\)\s+# (.*)", program)
    for old, new in replaced.items():
        program = program.replace(old, new)
    exec(program, {})
    return str(said)


def assert_commands(page: Path, address: str, url: str, *, at_least: int) -> None:
    """Every curl is answered as shown."""
    blocks = re.findall(r"```console\n(\$ curl.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 2 * at_least
    for command, answer in zip(lines[::2], lines[1::2], strict=True):
        words = shlex.split(command.removeprefix("$ "))
        body = words[words.index("-d") + 1] if "-d" in words else ""
        assert loopback.post(words[-1].replace(address, url), content=body.encode()).text == answer


def paths(page: Path, section: str) -> set[str]:
    """The endpoints that a section names."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## )", page.read_text(), re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`(/[a-z_\-/0-9]+)`", text))
