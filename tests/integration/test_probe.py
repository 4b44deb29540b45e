"""``tollgate probe`` against the simulated provider over HTTP and TLS: what it says is what the provider did."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from typer.testing import CliRunner

from tests.support.manifests import Document, resource, write
from tests.unit.sandbox.conftest import Server, run_sandbox
from tollgate_cli.main import app
from tollgate_cli.probe.cases import CASES

SECRET = "sk-never-shown-7f3a"
Json = dict[str, Any]
ENDPOINTS = {
    "openai_completions": ("", "/v1/chat/completions"),
    "openai_responses": ("", "/v1/responses"),
    "anthropic_messages": ("", "/v1/messages"),
    "gemini": ("", "/v1beta/models/{model}:streamGenerateContent"),
    "ollama": ("", "/api/chat"),
    "deepseek": ("/deepseek", "/chat/completions"),
    "mistral": ("/mistral", "/v1/chat/completions"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with run_sandbox("--require-key", SECRET) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    httpx.delete(f"{running.url}/sandbox/journal").raise_for_status()
    return running


def manifests(
    directory: Path,
    url: str,
    fmt: str = "openai_completions",
    script: Json | None = None,
    secret: str = SECRET,
    quantity: str = "usage().total",
    **spec: Any,
) -> str:
    """One API, one metric; ``script`` tells the provider how to behave, as a transformation of the API."""
    base, path = ENDPOINTS[fmt]
    header = {"target": "header", "name": "x-sandbox", "value": json.dumps(script or {})}
    api: Json = {
        "pathPrefix": "/llm",
        "upstream": {"url": url + base},
        "credential": {"header": "Authorization", "prefix": "Bearer ", "secretKeyRef": {"name": "up", "key": "key"}},
        "endpoints": [{"name": "call", "path": path, "format": fmt}],
        "transformations": {"request": [header]},
    }
    when = spec.pop("when", None)
    usage: Json = {"endpoints": [{"api": "llm"}], "quantity": quantity, **({"when": when} if when else {})}
    documents: list[Document] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "up"}, "stringData": {"key": secret}},
        resource("API", "llm", **{**api, **spec}),
        resource("BillableMetric", "tokens", unit="token", usage=[usage]),
    ]
    return str(write(directory / "manifests", documents))


def probe(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["probe", *arguments], env={"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
    return result.exit_code, result.output


def cases(*arguments: str, model: str = "m") -> tuple[int, dict[str, Json]]:
    code, output = probe(*arguments, "--model", model, "--json")
    (endpoint,) = json.loads(output)["endpoints"]
    return code, {case["case"]: case for case in endpoint["cases"]}


@pytest.mark.parametrize("fmt", ENDPOINTS)
def test_every_format_is_read_as_the_provider_counted(fmt: str, server: Server, tmp_path: Path) -> None:
    code, found = cases(manifests(tmp_path, server.url, fmt, {"cached": 3, "honour_encoding": True, "tool": True}))
    assert code == 0, found
    only_streams, asks = fmt == "gemini", fmt in {"openai_completions", "deepseek"}
    absent = ({"plain", "gzip"} if only_streams else set[str]()) | (set[str]() if asks else {"stream-unasked"})
    assert found.keys() == {case.name for case in CASES} - absent
    assert {name: case["verdict"] for name, case in found.items()} == {
        **dict.fromkeys(found, "metered"),
        "disconnect": "by_policy",
        "error": "nothing_counted",
    }
    calls = [(name, call) for name, case in found.items() for call in case["calls"]]
    entries = server.journal()
    assert len(entries) == len(calls)
    for (name, call), entry in zip(calls, entries, strict=True):
        assert entry["headers"].count(["authorization", f"Bearer {SECRET}"]) == 1
        if call["outcome"] == "completed":
            assert call["usage_seen"][-1] == entry["usage"] == call["usage"], name
            assert call["quantities"] == {"tokens": str(sum(call["dimensions"].values()))}
    assert found["gzip-stream"]["calls"][0]["encoding"] == "gzip"
    assert found["disconnect"]["calls"][0]["client_left"]


@pytest.mark.parametrize("policy", ["estimate", "lastSnapshot", "waive"])
def test_an_answer_without_usage_is_metered_only_where_the_policy_estimates(
    policy: str, server: Server, tmp_path: Path
) -> None:
    where = manifests(tmp_path, server.url, script={"usage": "missing"}, metering={"onIncomplete": policy})
    code, found = cases(where, "--cases", "plain,stream")
    estimates = policy == "estimate"
    assert code == (0 if estimates else 1)
    assert {case["verdict"] for case in found.values()} == {"by_policy" if estimates else "not_metered"}
    assert all(f"onIncomplete: {policy}" in case["reason"] and case["advice"] for case in found.values())
    assert cases(where, "--cases", "plain,stream", "--strict")[0] == 1


@pytest.mark.parametrize(
    ("script", "verdict", "reason"),
    [
        ({"malformed_after": 3}, "metered", ""),
        ({"crlf": True, "multi_line_data": True, "comments": True, "drip_bytes": 7}, "metered", ""),
        ({"reset_after": 4}, "by_policy", "before its usage was reported"),
        ({"half_event": True}, "by_policy", "before its usage was reported"),
        ({"error_event_after": 4}, "by_policy", "server_error"),
        ({"usage": "negative"}, "by_policy", "prompt_tokens is negative"),
        ({"fail_status": 503}, "unknown", "answered 503"),
    ],
)
def test_what_an_upstream_spoils_is_judged_as_production_would(
    script: Json, verdict: str, reason: str, server: Server, tmp_path: Path
) -> None:
    code, found = cases(manifests(tmp_path, server.url, script=script), "--cases", "stream")
    assert (found["stream"]["verdict"], code) == (verdict, 2 if verdict == "unknown" else 0)
    assert reason in found["stream"]["reason"]


def test_usage_that_nobody_asks_for_is_lost_unless_the_gate_asks(server: Server, tmp_path: Path) -> None:
    strict: Json = {"metering": {"onIncomplete": "lastSnapshot"}}
    code, found = cases(manifests(tmp_path, server.url, forceUsage=False, **strict), "--cases", "stream-unasked")
    assert (code, found["stream-unasked"]["verdict"]) == (1, "not_metered")
    assert "forceUsage: true" in found["stream-unasked"]["advice"]
    code, found = cases(manifests(tmp_path, server.url, **strict), "--cases", "stream-unasked")
    (call,) = found["stream-unasked"]["calls"]
    assert (code, call["sent"]["usage_forced"], call["sent"]["usage_chunk_stripped"]) == (0, True, True)


def test_a_dimension_that_no_metric_counts_is_money_lost(server: Server, tmp_path: Path) -> None:
    where = manifests(tmp_path, server.url, script={"reasoning": 5}, quantity="usage().input + usage().output")
    code, found = cases(where, "--cases", "plain")
    assert (code, found["plain"]["verdict"]) == (1, "not_metered")
    assert found["plain"]["reason"] == "no metric counts reasoning (5)"
    assert cases(where, "--cases", "plain", "--ignore", "image_input, reasoning")[0] == 0


@pytest.mark.parametrize(
    ("quantity", "when", "reason"),
    [
        ("usage().image_output", None, "every metric counts 0"),
        ("usage().total", "response.statusCode == 201", "no metric's `when` holds"),
        ('int(response.headers["x-units"])', None, "cannot be computed"),
    ],
)
def test_metrics_that_count_nothing_are_named(
    quantity: str, when: str | None, reason: str, server: Server, tmp_path: Path
) -> None:
    where = manifests(tmp_path, server.url, quantity=quantity, when=when)
    code, found = cases(where, "--cases", "plain")
    assert (code, found["plain"]["verdict"]) == (1, "not_metered")
    assert reason in found["plain"]["reason"]


def test_an_error_that_a_metric_counts_is_wrong(server: Server, tmp_path: Path) -> None:
    where = manifests(tmp_path, server.url, quantity="1", when="true")
    code, found = cases(where, "--cases", "plain,error")
    assert (code, found["error"]["verdict"], found["plain"]["verdict"]) == (1, "counted_wrongly", "metered")


def test_what_the_gate_refuses_is_not_sent(server: Server, tmp_path: Path) -> None:
    rule = {"when": 'request.json.model == "m"', "message": "no"}
    code, found = cases(manifests(tmp_path, server.url, rejectionRules=[rule]), "--cases", "plain")
    assert (code, found["plain"]["verdict"], server.journal()) == (2, "nothing_counted", [])
    assert "400 request_rejected: no" in found["plain"]["reason"]


def test_a_refused_credential_ends_it_and_shows_nothing(server: Server, tmp_path: Path) -> None:
    wrong = "sk-wrong-and-secret"
    code, output = probe(manifests(tmp_path, server.url, secret=wrong), "--model", "m")
    assert code == 2
    assert "refuses the credential: answered 401" in " ".join(output.split())
    assert (len(server.journal()), wrong in output) == (1, False)


def test_a_secret_that_no_header_can_hold_is_named_and_not_shown(server: Server, tmp_path: Path) -> None:
    code, output = probe(manifests(tmp_path, server.url, secret="sk-with\nbreak"), "--model", "m")
    assert (code, "key key of the Secret up" in " ".join(output.split()), "sk-with" in output) == (2, True, False)


def test_nothing_of_an_answer_or_a_prompt_is_shown(server: Server, tmp_path: Path) -> None:
    spoken = {"text": "violet umbrella", "tokens": 2}
    for more in ((), ("--json",)):
        _, output = probe(manifests(tmp_path, server.url, script=spoken), "--model", "m", *more)
        assert "violet" not in output
        assert "toll gate is counted" not in output


def test_what_an_upstream_sends_back_of_a_secret_is_redacted(server: Server, tmp_path: Path) -> None:
    for more in ((), ("--json",)):
        code, output = probe(manifests(tmp_path, server.url), "--model", SECRET, "--cases", "plain", *more)
        assert (code, "[redacted]" in output) == (0, bool(more))


@pytest.mark.parametrize(
    ("script", "verdict", "reason"),
    [
        ({"delay_ms": 60_000}, "unknown", "it did not answer in time"),
        ({"stall_after": 4, "stall_ms": 60_000}, "by_policy", "before its usage was reported"),
    ],
)
def test_an_upstream_that_hangs_is_given_up(
    script: Json, verdict: str, reason: str, server: Server, tmp_path: Path
) -> None:
    case = "plain" if verdict == "unknown" else "stream"
    where = manifests(tmp_path, server.url, script=script)
    _, found = cases(where, "--cases", case, "--timeout", "0.3")
    assert (found[case]["verdict"], reason in found[case]["reason"]) == (verdict, True)


def test_another_address_may_stand_in_for_the_declared_one(server: Server, tmp_path: Path) -> None:
    where = manifests(tmp_path, "http://llm.example")
    assert cases(where, "--cases", "plain", "--upstream", server.url)[0] == 0
    (entry,) = server.journal()
    assert ["host", "llm.example"] in entry["headers"]


def test_an_upstream_that_is_away_is_tried_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probing:
        port = probing.getsockname()[1]
    code, output = probe(manifests(tmp_path, f"http://127.0.0.1:{port}"), "--model", "m")
    assert (code, "cannot be reached" in output, "0 calls answered" in output) == (2, True, True)


def test_tls_is_verified_as_envoy_does(tmp_path: Path, server: Server) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    program = (
        "import sys, uvicorn; from tollgate_sandbox.app import create_app; "
        "uvicorn.run(create_app(), fd=int(sys.argv[1]), ssl_certfile=sys.argv[2], ssl_keyfile=sys.argv[3], "
        "log_level='error', lifespan='off')"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        command = [sys.executable, "-c", program, str(descriptor), str(chain), str(key)]
        with subprocess.Popen(command, pass_fds=[descriptor]) as process:
            try:
                for trusted, expected in ((trustme.CA(), 2), (authority, 0)):
                    pem = trusted.cert_pem.bytes().decode()
                    upstream = {
                        "url": f"https://127.0.0.1:{port}",
                        "tls": {"serverName": "localhost", "caSecretKeyRef": {"name": "up", "key": "key"}},
                    }
                    where = manifests(tmp_path, server.url, secret=pem, upstream=upstream, credential=None)
                    assert cases(where, "--cases", "plain,stream,disconnect")[0] == expected
            finally:
                process.terminate()


def test_bad_input_says_what_is_needed(server: Server, tmp_path: Path) -> None:
    where = manifests(tmp_path, server.url)
    for arguments, said in (
        ((where,), "Say it with --model"),
        ((where, "--model", "m", "--cases", "plane"), "there are plain, stream"),
        ((where, "--model", "m", "--api", "nope"), "there are: llm"),
        ((where, "--model", "m", "--endpoint", "nope"), "there are: llm/call"),
        ((where, "--model", "m", "--with", "{"), "--with is no JSON"),
        ((where, "--model", "m", "--product", "nope"), "does not grant llm/call"),
        ((where, "--model", "m", "--ignore", "reasoning,[/]"), "no dimension '[/]'; there are input, cache_read"),
        ((where, "--model", "m", "--cases", "gzip-stream", "--header", "x"), "name=value"),
    ):
        code, output = probe(*arguments)
        assert (code, said in " ".join(output.replace("│", "").split())) == (2, True), output
    assert server.journal() == []


def test_what_every_call_sends_can_be_changed(server: Server, tmp_path: Path) -> None:
    changed = json.dumps({"max_completion_tokens": None, "max_tokens": 7})
    more = ("--with", changed, "--header", "x-team=blue", "--query", "api-version=2")
    assert cases(manifests(tmp_path, server.url), "--cases", "plain", *more)[0] == 0
    (entry,) = server.journal()
    sent = json.loads(entry["body"])
    assert (sent["max_tokens"], "max_completion_tokens" in sent) == (7, False)
    assert ["x-team", "blue"] in entry["headers"]


def test_the_installed_command_prints_progress_apart_from_its_answer(server: Server, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "tollgate"), "probe", manifests(tmp_path, server.url), "--json"]
    command += ["--model", "m", "--cases", "plain"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["verdicts"] == {"metered": 1}
