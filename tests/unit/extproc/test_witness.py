"""The witness: lines to observations, tailing through rotation, the checkpoint, and joining two words."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.extproc.test_gate import ADMISSION, plan
from tollgate_core.events import UsageEvent
from tollgate_core.metering import Observation, settle_request, usage_event
from tollgate_extproc.settlement import Spool
from tollgate_extproc.settlement.joining import join
from tollgate_extproc.witness.line import observe, parse_line
from tollgate_extproc.witness.tail import Checkpoint, Tail


def line(**fields: Any) -> bytes:
    base = {
        "admission": ADMISSION.encode(),
        "start": "1795000000000",
        "duration": 40,
        "code": 200,
        "flags": "-",
        "host": "192.0.2.7:443",
    }
    return json.dumps({**base, **fields}).encode()


def seen(text: bytes, fmt: str | None = "openai_completions") -> Observation:
    found, admission = parse_line(text)
    assert admission
    return observe(text, found, admission, plan(fmt))


def test_a_denied_request_is_no_usage() -> None:
    found, admission = parse_line(b'{"code":401,"flags":"-","details":"tollgate_invalid_api_key","route":"a/b"}')
    assert admission is None
    assert not found.may_be_orphaned


@pytest.mark.parametrize("details", ["ext_proc_error_gRPC_error_14", "downstream_remote_disconnect"])
def test_a_request_whose_gate_died_may_be_orphaned(details: str) -> None:
    found, _ = parse_line(json.dumps({"code": 503, "details": details, "route": "a/b", "id": "x"}).encode())
    assert found.may_be_orphaned


def test_garbage_is_told_from_a_line() -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_line(b'{"code":')


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({}, "complete"),
        ({"flags": "DC"}, "client"),
        ({"code": 0, "flags": "DC"}, "client"),
        ({"flags": "UPE"}, "upstream"),
        ({"flags": "UC"}, "upstream"),
        ({"code": 503, "flags": "UF,URX"}, "complete"),
        ({"code": 504, "flags": "UT"}, "complete"),
        ({"flags": "DR"}, "client"),
        ({"code": 0, "flags": "DC", "host": None}, "complete"),
    ],
)
def test_flags_tell_how_a_response_ended(fields: dict[str, Any], ending: str) -> None:
    assert seen(line(**fields)).ending == ending


def test_captured_usage_goes_through_the_format_s_own_reducer() -> None:
    captured = {"first": '{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}', "events": 9, "model": "gpt"}
    found = seen(line(usage=captured))
    assert found.usage
    assert (found.usage["total_tokens"], found.model, found.events, found.ended_ms) == (7, "gpt", 9, 1795000000040)


def test_anthropic_s_last_values_win() -> None:
    captured = {"first": '{"input_tokens":9,"output_tokens":1}', "last": '{"output_tokens":30}', "terminal": True}
    found = seen(line(usage=captured), "anthropic_messages")
    assert found.usage
    assert (found.usage["input_tokens"], found.usage["output_tokens"], found.terminal) == (9, 30, True)


def test_ollama_s_counts_are_numbers() -> None:
    found = seen(line(usage={"prompt_eval_count": "5", "eval_count": " 6"}), "ollama")
    assert found.usage
    assert (found.usage["prompt_eval_count"], found.usage["eval_count"]) == (5, 6)


@pytest.mark.parametrize("text", ["{cut", '{"prompt_tokens":-1}', '{"prompt_tokens":"5"}', '{"prompt_tokens":1e30}'])
def test_captured_nonsense_is_refused_with_a_reason(text: str) -> None:
    assert seen(line(usage={"first": text})).invalid


def test_an_encoding_that_envoy_could_not_decode_is_named() -> None:
    assert "snappy" in seen(line(encoding="snappy")).unreadable


def event(witness: Any, ending: Any, **fields: Any) -> UsageEvent:
    return usage_event(
        ADMISSION, plan(), Observation(witness=witness, ending=ending, ended_ms=5, status=200, streamed=True, **fields)
    )


def test_an_exact_log_wins() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    log = event("access_log", "complete", usage=usage, terminal=True)
    assert join(log, event("meter", "client", events=5)) is log


def test_two_estimates_take_the_meter_s_count_and_the_log_s_outcome() -> None:
    joined = join(event("access_log", "upstream", events=4), event("meter", "client", events=5))
    assert joined.data.usage
    assert joined.data.usage["completion_tokens"] == 5
    assert (joined.data.outcome, joined.data.witness) == ("upstream_error", "meter")


def test_the_better_quality_wins() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    joined = join(event("access_log", "client", events=4), event("meter", "client", usage=usage))
    assert joined.data.quality == "exact"


def lines(tail: Tail) -> list[bytes]:
    return [text for _, text in tail.read()]


@given(st.lists(st.binary(min_size=0, max_size=20).filter(lambda b: b"\n" not in b), max_size=30), st.integers(1, 40))
def test_every_line_is_read_once_however_the_file_grows(tmp_path_factory: Any, texts: list[bytes], step: int) -> None:
    path: Path = tmp_path_factory.mktemp("log") / "access.log"
    data = b"".join(text + b"\n" for text in texts)
    tail = Tail(path, 0, 0)
    found: list[bytes] = []
    for start in range(0, len(data), step):
        with path.open("ab") as file:
            file.write(data[start : start + step])
        found += lines(tail)
    tail.close()
    assert found == texts


def test_a_rotated_log_is_read_to_its_end_first(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"1\n2\n")
    tail = Tail(path, 0, 0)
    assert lines(tail) == [b"1", b"2"]
    path.rename(tmp_path / "access.log.1")
    path.write_bytes(b"4\n")
    with (tmp_path / "access.log.1").open("ab") as old:
        old.write(b"3\n")
    found = [text for _ in range(8) for text in lines(tail)]
    tail.close()
    assert found == [b"3", b"4"]


def test_a_restart_goes_on_at_the_checkpoint_also_over_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"1\n2\n3\n")
    checkpoint = Checkpoint(tmp_path / "c")
    tail = Tail(path, 0, 0)
    for number, (end, _) in enumerate(tail.read()):
        checkpoint.add(tail.inode, end, f"r{number}")
    checkpoint.confirm("r1")
    checkpoint.confirm("r0")
    checkpoint.save()
    tail.close()
    assert checkpoint.waiting == 1
    path.rename(tmp_path / "access.log.1")
    path.write_bytes(b"4\n")
    again = Checkpoint(tmp_path / "c")
    tail = Tail(path, again.inode, again.offset)
    assert [text for _ in range(8) for text in lines(tail)] == [b"3", b"4"]
    tail.close()


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "access.log", 0, 0)
    assert lines(tail) == []
    (tmp_path / "access.log").write_bytes(b"1\n")
    assert lines(tail) == [b"1"]
    tail.close()


def test_the_spool_survives_a_cut_line_and_keeps_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    requests = [
        msgspec.structs.replace(settle_request(ADMISSION, event("meter", "complete"), final=True), request=str(i))
        for i in range(3)
    ]
    spool.append(requests)
    with (tmp_path / "spool").open("ab") as file:
        file.write(b'{"request":"cut')
    again = Spool(tmp_path / "spool")
    assert again.load() == requests
    again.clear()
    assert os.path.getsize(tmp_path / "spool") == 0
