"""Pages of tools show what the tools print: every ``console`` block is run. ``UPDATE_GOLDENS=1`` rewrites them."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tollgate_cli.main import app
from tollgate_cli.manifests import valid_catalog
from tollgate_operator.control_loop import reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.sources import FileSource

_ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"(?<=```console\n)\$ (?:.*\n)*?(?=```)")
_COMMAND = re.compile(r"^\$ tollgate (.*)$", re.MULTILINE)
_PAGES = sorted((_ROOT / "docs" / "tools").glob("*.md"))


def printed(command: str) -> str:
    """The command, what it printed, and its exit code."""
    result = CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    text = "\n".join(line.rstrip() for line in result.output.splitlines())
    return f"$ tollgate {command}\n{text}\nexit code {result.exit_code}\n"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_pages_show_what_is_printed(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)
    text = page.read_text()
    current = _BLOCK.sub(lambda block: "".join(map(printed, _COMMAND.findall(block[0]))), text)
    if os.environ.get("UPDATE_GOLDENS"):
        page.write_text(current)
    else:
        assert current == text


def test_the_example_of_the_limits_page_is_valid(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", (_ROOT / "docs" / "limits.md").read_text(), re.DOTALL)
    shutil.copytree(_ROOT / "examples", tmp_path, dirs_exist_ok=True)
    (tmp_path / "limits.yaml").write_text(block)
    products = {product.name: product for product in valid_catalog(tmp_path).products}
    assert [(limit.soft, limit.per_key, limit.most) for limit in products["team"].limits] == [
        (False, False, 10_000_000),
        (False, True, 0),
    ]
    assert products["trial"].clamp_output


def test_the_examples_of_the_payments_page_are_valid_and_their_keys_are_handed_over(tmp_path: Path) -> None:
    _, keys, *_ = re.findall(r"```yaml\n(.*?)```", (_ROOT / "docs" / "payments.md").read_text(), re.DOTALL)
    (tmp_path / "keys.yaml").write_text(keys)
    settings = GatewaySettings("127.0.0.1", 8080, ("unix:/x",), ("unix:/y",), "/log")
    state = reconcile(FileSource(tmp_path).load(), None, settings)
    assert {name: status.problems for name, status in state.statuses.items() if status.problems} == {}
    assert sorted(state.payment_keys.files) == ["shop.json", "store.json"]
