"""What the ledger makes of an event, and of one whose id it knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.billing.builders import make_event, make_price
from tollgate_billing.ledger.commodity import commodity, metric_of_account, price_of, usage_account
from tollgate_billing.ledger.entries import entry_of, lines_of
from tollgate_billing.ledger.judgement import Known, judge
from tollgate_core.errors import EventError


def test_two_lines_for_each_metric() -> None:
    entry = entry_of(make_event("e", "1.5").encode())
    price = make_price()
    lines = lines_of(entry, lambda counted: price if counted.metric == "tokens" else None)
    assert {(line.account, line.commodity, line.amount_micros) for line in lines} == {
        ("usage:team/acme:calls", "metric:calls", 1_000_000),
        ("metered:api/chat", "metric:calls", -1_000_000),
        ("usage:team/acme:tokens", "metric:tokens@token-price:v1", 1_500_000),
        ("metered:api/chat", "metric:tokens@token-price:v1", -1_500_000),
    }


def test_names_can_be_taken_apart_again() -> None:
    assert price_of(commodity("tokens", "team/a", "1")) == ("team/a", "1")
    assert price_of(commodity("tokens")) == ("", "")
    assert metric_of_account(usage_account("n/s", "tokens"), "n/s") == "tokens"


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        ("-1", "not a plain number"),
        ("NaN", "not a plain number"),
        ("1e400", "not a plain number"),
        ("9000000000001", "out of range"),
        ("99999999999999999999999999999", "out of range"),
        ("", "not a plain number"),
    ],
)
def test_a_quantity_that_no_row_can_hold(quantity: str, reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        entry_of(make_event("e", quantity).encode())


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"[]", make_event("e").encode().replace(b'"1.0"', b'"0.3"')])
def test_what_is_no_event(body: bytes) -> None:
    with pytest.raises(EventError):
        entry_of(body)


def test_times_need_an_offset() -> None:
    encoded = make_event("e").encode()
    with pytest.raises(EventError, match="time"):
        entry_of(encoded.replace(b'"time":"2097-01-31T01:00:00.000Z"', b'"time":"2097-01-31T01:00:00"'))
    moved = entry_of(encoded.replace(b'"time":"2097-01-31T01:00:00.000Z"', b'"time":"2097-01-31T03:00:00+02:00"'))
    assert moved.at_ms == entry_of(encoded).at_ms


@pytest.mark.parametrize("event_id", ["", "x" * 401, "nul\0"])
def test_an_id_that_is_no_key(event_id: str) -> None:
    with pytest.raises(EventError, match="id must have"):
        entry_of(make_event(event_id).encode())


def test_the_hash_covers_what_counts_only() -> None:
    seen_by_meter = entry_of(make_event("e", "7").encode())
    seen_by_log = entry_of(make_event("e", "7", witness="access_log", ended_at="x", reason="r").encode())
    assert seen_by_meter.payload_hash == seen_by_log.payload_hash
    for other in (make_event("e", "8"), make_event("e", "7", subscription="b"), make_event("e", "7", usage={"x": 1})):
        assert entry_of(other.encode()).payload_hash != seen_by_meter.payload_hash


def known(quality: str, witness: str = "meter", payload: str = "h", revision: int = 0) -> Known:
    return Known(revision, "s", quality, witness, payload)


@pytest.mark.parametrize(
    ("recorded", "quality", "witness", "payload", "expected"),
    [
        ([], "exact", "meter", "h", "new"),
        ([known("exact")], "exact", "access_log", "h", "duplicate"),
        ([known("exact")], "partial", "access_log", "h", "duplicate"),
        ([known("exact")], "exact", "access_log", "other", "conflict"),
        ([known("exact")], "estimated", "hold", "other", "conflict"),
        ([known("estimated", "hold")], "exact", "meter", "other", "correction"),
        ([known("estimated", "hold")], "partial", "meter", "other", "correction"),
        ([known("estimated", "hold")], "estimated", "hold", "other", "conflict"),
        ([known("estimated", "hold")], "estimated", "hold", "h", "duplicate"),
        ([known("estimated", "hold")], "estimated", "meter", "h", "duplicate"),
        ([known("partial")], "exact", "access_log", "other", "correction"),
        ([known("partial")], "exact", "access_log", "h", "correction"),
        ([known("partial")], "partial", "access_log", "other", "conflict"),
        ([known("estimated", "hold"), known("exact", payload="n", revision=1)], "estimated", "hold", "h", "duplicate"),
        ([known("estimated", "hold"), known("exact", payload="n", revision=1)], "exact", "meter", "n", "duplicate"),
        ([known("estimated", "hold"), known("exact", payload="n", revision=1)], "exact", "meter", "m", "conflict"),
    ],
)
def test_judgement(recorded: list[Known], quality: str, witness: str, payload: str, expected: str) -> None:
    assert judge(recorded, "s", quality, witness, payload) == expected


def test_another_subscription_is_never_the_same_event() -> None:
    assert judge([known("estimated", "hold")], "t", "exact", "meter", "h") == "conflict"


records = st.tuples(
    st.sampled_from(["exact", "partial", "estimated"]), st.sampled_from(["meter", "hold"]), st.sampled_from("abc")
)


@given(st.lists(records, max_size=12))
def test_an_event_is_corrected_at_most_twice(arrivals: list[tuple[str, str, str]]) -> None:
    recorded: list[Known] = []
    for quality, witness, payload in arrivals:
        if judge(recorded, "s", quality, witness, payload) in {"new", "correction"}:
            recorded.append(Known(len(recorded), "s", quality, witness, payload))
    assert len(recorded) <= 3
