"""What is typed wrongly, or broken, is said in a line with exit code 2; a traceback is nobody's answer."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.usage import made_up_event, write_usage
from tollgate_cli.main import app

_MANIFESTS = Path(__file__).parents[3] / "docs" / "tools" / "manifests"
NOW = str(_MANIFESTS / "now")
QUOTE = ("quote", NOW, "--product", "team")


def refused(*arguments: str) -> str:
    environment = {"COLUMNS": "200", "NO_COLOR": "1", "TOLLGATE_ADMIN_TOKEN": "t", "TOLLGATE_BILLING_URL": ""}
    result = CliRunner().invoke(app, arguments, env=environment)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    return result.output


@pytest.mark.parametrize("command", [("validate",), ("validate", "--json"), ("lint",)])
@pytest.mark.parametrize("files", [{}, {"notes.txt": "kind: API"}, {"empty.yaml": "# later\n---\n"}], ids=len)
def test_a_folder_without_manifests_is_not_all_right(
    command: tuple[str, ...], files: dict[str, str], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    said = refused(*command, str(tmp_path))
    assert f"error: there is no manifest in {tmp_path}: no .yaml or .yml file in it has one" in said
    assert "all right" not in said


@pytest.mark.parametrize("command", ["validate", "lint"])
def test_a_folder_of_files_that_are_no_yaml_names_them_too(command: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: [API\n: :")
    said = refused(command, str(tmp_path))
    assert "broken.yaml" in said
    assert "error: there is no manifest in" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--start", "9999-12-31"), "must be between the years 1970 and 9000"),
        (("--start", "0001-01-01T00:00:00+14:00"), "must be between the years 1970 and 9000"),
        (("--seats", f"team-seats={'9' * 5000}"), "is no number of seats"),
        (("--usage", "input-tokens=999999T"), "usage of input-tokens: the quantity"),
        (("--currency", "[/]"), "the product team has no price in [/]"),
    ],
)
def test_a_quote_says_what_it_cannot_compute(more: tuple[str, str], said: str) -> None:
    assert said in refused(*QUOTE, *more)


@pytest.mark.parametrize("text", ["1/0", "-5%", "nan", "1e99999999", "5%%"])
def test_a_threshold_is_a_percentage(text: str, tmp_path: Path) -> None:
    usage = tmp_path / "usage.jsonl"
    usage.write_text("")
    said = refused("backtest", NOW, "--against", NOW, "--usage", str(usage), f"--max-change={text}")
    assert "is no percentage, for example 5%" in said


def test_usage_of_no_time_and_from_a_broken_file_is_said(tmp_path: Path) -> None:
    usage = tmp_path / "usage.jsonl"
    event = json.loads(made_up_event(0, 1).encode()) | {"time": "9999-12-31T23:59:59Z"}
    usage.write_text(json.dumps(event))
    assert "line 1: time: must be between the years" in refused("backtest", NOW, "--usage", str(usage))
    assert "must be between the years" in refused("backtest", NOW, "--usage", str(usage), "--since", "9999-12-31")
    whole = gzip.compress(b"".join(made_up_event(number, 50).encode() + b"\n" for number in range(50)))
    usage.write_bytes(whole[:100] + bytes(255 - byte for byte in whole[100:300]) + whole[300:])
    assert "error: " in refused("backtest", NOW, "--usage", str(usage))


def test_a_backtest_reads_what_the_usage_command_prints(tmp_path: Path) -> None:
    lines, printed = tmp_path / "usage.jsonl", tmp_path / "usage.json"
    write_usage(lines, (made_up_event(number, 3) for number in range(3)))
    printed.write_text("[\n" + ",\n".join(lines.read_text().splitlines()) + "\n]\n")
    assert len(json.loads(printed.read_text())) == 3
    answers = [CliRunner().invoke(app, ["backtest", NOW, "--usage", str(file), "--json"]) for file in (lines, printed)]
    assert [answer.exit_code for answer in answers] == [0, 0]
    assert json.loads(answers[0].stdout) == json.loads(answers[1].stdout)


@pytest.mark.parametrize("command", [("usage",), ("usage", "replay"), ("subscriptions", "list"), ("explain",)])
def test_where_no_billing_can_be_found_is_said(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "is no URL of billing" in refused(*command, "--url", "http://[::1")
    assert "does not answer" in refused(*command, "--url", "http://127.0.0.1:1")
    (tmp_path / "endpoints.json").write_text("{")
    assert "is not the state of a running system" in refused(*command, "--state-dir", str(tmp_path))
