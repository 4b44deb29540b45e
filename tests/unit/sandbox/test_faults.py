"""What goes wrong on the wire when a script says so, and what the journal then claims."""

import asyncio
import gzip
import json
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tollgate_cli.laptop import loopback

from .conftest import Server, run_sandbox, script

CHAT = "/v1/chat/completions"


def body(**more: object) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "one two"}], **more}


def streamed(**more: object) -> dict[str, Any]:
    return body(stream=True, stream_options={"include_usage": True}, **more)


def events(raw: str) -> list[Any]:
    lines = raw.replace("\r\n", "\n").split("\n\n")
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


def until_broken(http: httpx.Client, headers: dict[str, str]) -> tuple[bytes, httpx.TransportError]:
    """What arrived before the connection broke, and how it broke."""
    got = b""
    with http.stream("POST", CHAT, json=streamed(), headers=headers) as response:
        try:
            for piece in response.iter_raw():
                got += piece
        except httpx.TransportError as error:
            return got, error
    raise AssertionError("the connection did not break")


def test_reset_is_a_reset(server: Server, http: httpx.Client) -> None:
    got, error = until_broken(http, script(reset_after=3))
    assert "reset by peer" in str(error)
    assert len(events(got.decode())) == 3
    entry = server.last()
    assert (entry["complete"], entry["events"], entry["finished"]) == (False, 3, True)
    assert entry["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("fields", [{"reset_after": 0}, {"reset_after": 1}, {"reset_after_bytes": 20}])
def test_reset_of_a_whole_answer(server: Server, http: httpx.Client, fields: dict[str, int]) -> None:
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        http.post(CHAT, json=body(), headers=script(**fields))
    assert not server.last()["complete"]


def test_reset_after_bytes(server: Server, http: httpx.Client) -> None:
    got, _ = until_broken(http, script(reset_after_bytes=100, drip_bytes=7))
    assert len(got) == server.last()["bytes"] == 100


def test_gzip(server: Server, http: httpx.Client) -> None:
    with http.stream("POST", CHAT, json=streamed(), headers=script(gzip=True)) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert events(gzip.decompress(raw).decode())[-1] == "[DONE]\n\n".strip()
    assert server.last()["bytes"] == len(raw)
    whole = http.post(CHAT, json=body(), headers=script(gzip=True, drip_bytes=5))
    assert whole.json()["usage"] == server.last()["usage"]


def test_gzip_only_when_asked(server: Server, http: httpx.Client) -> None:
    for accepted, found in (("gzip, br", "gzip"), ("identity", None)):
        headers = {**script(honour_encoding=True), "accept-encoding": accepted}
        assert http.post(CHAT, json=body(), headers=headers).headers.get("content-encoding") == found


def test_drip_and_split_change_no_byte(server: Server, http: httpx.Client) -> None:
    def read(**fields: Any) -> list[str]:
        response = http.post(CHAT, json=streamed(), headers=script(tokens=5, **fields))
        return [json.loads(event)["choices"] for event in events(response.text)[:-1]]

    plain = read()
    assert read(drip_bytes=3) == plain
    assert read(split=[1, 2, 40, 41, 400, 100_000]) == plain
    assert read(crlf=True) == plain
    assert read(comments=True) == plain
    assert all(entry["complete"] for entry in server.journal())


def test_drip_writes_small_pieces(server: Server) -> None:
    async def sizes() -> list[int]:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        raw = json.dumps(streamed(max_tokens=1)).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(raw)}\r\n"
        writer.write(head.encode() + b'x-sandbox: {"drip_bytes": 9}\r\n\r\n' + raw)
        await reader.readuntil(b"\r\n\r\n")
        found = [1]
        while found[-1]:
            found.append(int(await reader.readuntil(b"\r\n"), 16))
            await reader.readexactly(found[-1] + 2)
        writer.close()
        await writer.wait_closed()
        return found[1:-1]

    found = asyncio.run(sizes())
    assert max(found) == 9
    assert sum(found) == server.last()["bytes"]


def test_hold_keeps_back_the_last_event(server: Server, http: httpx.Client) -> None:
    seen: list[str] = []
    with http.stream("POST", CHAT, json=streamed(), headers=script(hold="h1", split=[10_000])) as response:
        for line in response.iter_lines():
            if line:
                seen.append(line)
            if '"usage":{' in line:
                assert not server.last()["finished"]
                server.release("h1")
    assert seen[-1] == "data: [DONE]"
    assert server.last()["complete"]


def test_hold_of_a_whole_answer(server: Server, http: httpx.Client) -> None:
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(http.post(CHAT, json=body(), headers=script(hold="h2"))))
    asking.start()
    server.release("h2")
    asking.join(5)
    assert answers[0].json()["usage"]["completion_tokens"] == 12


def test_client_leaves_during_a_hold(server: Server, http: httpx.Client) -> None:
    with http.stream("POST", CHAT, json=streamed(), headers=script(hold="never")) as response:
        next(response.iter_raw())
    while not server.last()["finished"]:
        pass
    assert not server.last()["complete"]


def test_failures(server: Server, http: httpx.Client) -> None:
    limited = http.post(CHAT, json=body(), headers=script(fail_status=429))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")
    assert http.post("/v1/messages", json={}, headers=script(fail_status=500)).json()["error"]["type"] == "api_error"
    assert http.post(CHAT, content=b"{").status_code == 400
    assert http.post(CHAT, json={"model": "m"}).json()["error"]["param"] == "messages"
    assert http.post("/api/chat", json={"messages": []}).json().keys() == {"error"}
    typo = http.post(CHAT, json=body(), headers=script(tokenz=1))
    assert (typo.status_code, "tokenz" in typo.text) == (400, True)
    wrong = http.post(CHAT, json=body(), headers=script(usage="odd"))
    assert "one of missing" in wrong.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("null", None), ("negative", -2), ("string", "2"), ("huge", 9_000_000_000_000_000_000)],
)
def test_garbled_usage(server: Server, http: httpx.Client, fault: str, expected: object) -> None:
    usage = http.post(CHAT, json=body(), headers=script(usage=fault)).json()["usage"]
    assert (usage and usage["prompt_tokens"]) == expected
    assert server.last()["usage"]["prompt_tokens"] == 2


def test_missing_usage_everywhere(server: Server, http: httpx.Client) -> None:
    headers = script(usage="missing")
    anthropic = {"max_tokens": 5, **body(stream=True)}
    assert '"usage"' not in http.post("/v1/messages", json=anthropic, headers=headers).text
    responses = {"model": "m", "input": "x", "stream": True}
    assert '"usage"' not in http.post("/v1/responses", json=responses, headers=headers).text
    assert "eval_count" not in http.post("/api/chat", json=body(), headers=headers).text


def test_events_that_are_odd(server: Server, http: httpx.Client) -> None:
    def read(**fields: Any) -> str:
        return http.post(CHAT, json=streamed(), headers=script(**fields)).text

    assert events(read(malformed_after=2))[2] == "{not json"
    assert json.loads(events(read(error_event_after=2))[2])["error"]["type"] == "server_error"
    assert '"usage":{"prompt' in read(half_event=True)[-400:]
    assert not server.last()["complete"]
    assert len(read(big_event_bytes=2_000_000)) > 2_000_000
    assert "\ndata:   " in read(multi_line_data=True)
    text = '{"usage": {"prompt_tokens": 999999}}\n\ndata: x'
    pieces = [json.loads(event)["choices"] for event in events(read(text=text))[:-1]]
    assert "".join(choices[0]["delta"].get("content", "") for choices in pieces if choices) == text


def test_gemini_framings(server: Server, http: httpx.Client) -> None:
    path, question = "/v1beta/models/g:streamGenerateContent", {"contents": [{"parts": [{"text": "a b"}]}]}
    array = http.post(path, json=question, headers=script(tokens=3))
    assert [part["usageMetadata"]["candidatesTokenCount"] for part in array.json()] == [1, 2, 3]
    failed = http.post(path, json=question, headers=script(error_event_after=0)).json()
    assert failed[0]["error"]["status"] == "INTERNAL"
    sse = http.post(path + "?alt=sse", json=question, headers=script(tokens=3))
    assert sse.text.count("\r\n\r\n") == 3
    assert sse.headers["content-type"].startswith("text/event-stream")


def test_compute(server: Server, http: httpx.Client) -> None:
    assert http.get("/v1/compute").headers["x-consumed-cpu-seconds"] == "0.25"
    assert http.post("/v1/compute/j1", json={"units": 6}).headers["x-consumed-cpu-seconds"] == "1.5"
    assert http.get("/v1/compute?units=2", headers=script(usage="negative")).headers["x-consumed-cpu-seconds"] == "-0.5"
    assert http.post("/v1/compute", json={"units": "x"}).status_code == 400
    assert server.totals()["formats"]["compute"]["usage"] == {"cpu_seconds": 2.25}


def test_speed_stream(server: Server, http: httpx.Client) -> None:
    answer = http.post(CHAT, json=streamed(), headers=script(events=50, rate=5000))
    found = [json.loads(event) for event in events(answer.text)[:-1]]
    times = [int(chunk["choices"][0]["delta"]["content"].removeprefix("t=")) for chunk in found[:50]]
    assert times == sorted(times)
    assert found[-1]["usage"] == server.last()["usage"]
    assert found[-1]["usage"]["completion_tokens"] == 50
    assert server.last()["complete"]
    assert server.last()["bytes"] > len(answer.content)
    assert http.post(CHAT, json=body(), headers=script(events=5)).status_code == 400


def test_journal_and_totals(server: Server, http: httpx.Client) -> None:
    for subscription, fields in (("s1", {"tokens": 2}), ("s1", {"tokens": 3}), ("s2", {"half_event": True})):
        headers = {"x-billing-subscription-id": subscription, "x-billing-request-id": "r", **script(**fields)}
        http.post(CHAT, json=body(), headers=headers)
    first, *rest = server.journal()
    assert first["ids"] == {"x-billing-subscription-id": "s1", "x-billing-request-id": "r"}
    assert ["x-billing-request-id", "r"] in first["headers"]
    assert json.loads(first["body"])["model"] == first["model"] == "m"
    assert http.get(f"/sandbox/journal?since={first['number']}").json() == rest
    totals = server.totals()
    assert totals["formats"]["openai-chat"]["usage"]["completion_tokens"] == 5
    assert totals["subscriptions"]["s2"]["openai-chat"] == {"requests": 1, "complete": 0, "usage": {}}


def test_key_ready_file_and_prompt_stop(tmp_path: Path) -> None:
    ready = tmp_path / "url"
    with run_sandbox("--require-key", "secret", "--ready-file", str(ready)) as server:
        assert ready.read_text() == server.url
        refused = loopback.post(f"{server.url}{CHAT}", json=body(), headers={"authorization": "Bearer no"})
        assert refused.json()["error"]["code"] == "invalid_api_key"
        for name, value in (("Authorization", "Bearer secret"), ("x-api-key", "secret"), ("api-key", "secret")):
            assert loopback.post(f"{server.url}{CHAT}", json=body(), headers={name: value}).status_code == 200
        headers = {"x-goog-api-key": "secret", **script(hold="never")}
        with loopback.stream("POST", f"{server.url}{CHAT}", json=streamed(), headers=headers) as response:
            next(response.iter_raw())
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(1.5) == 0


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with run_sandbox("--uds", str(path)) as server, httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
        assert server.url == f"unix:{path}"
        assert http.post(f"http://x{CHAT}", json=body()).status_code == 200
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            http.post(f"http://x{CHAT}", json=streamed(), headers=script(reset_after=2))


def test_other_paths_are_kept_too(server: Server, http: httpx.Client) -> None:
    assert http.post("/v1/wrong", json={}).status_code == 404
    assert (server.last()["path"], server.last()["format"], server.last()["complete"]) == ("/v1/wrong", "other", True)
    assert http.get(CHAT).status_code in {404, 405}


def test_stall_and_delay(server: Server, http: httpx.Client) -> None:
    answer = http.post(CHAT, json=streamed(), headers=script(tokens=2, stall_after=1, stall_ms=5, delay_ms=1))
    assert events(answer.text)[-1] == "[DONE]"
    assert http.post(CHAT, json=body(), headers=script(delay_ms=1)).status_code == 200
