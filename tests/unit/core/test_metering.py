"""From an observation to a verdict and an event."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate_core.admission import Admission
from tollgate_core.catalog import Api, Catalog, Endpoint, Metric, MetricUsage, OnIncomplete, content_hash
from tollgate_core.events import UsageEvent, rfc3339
from tollgate_core.formats import FORMATS
from tollgate_core.metering import CallVariables, EndpointPlan, Observation, judge, usage_event

CHAT = FORMATS["openai_completions"]
CLAUDE = FORMATS["anthropic_messages"]
USAGE: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def seen(**fields: Any) -> Observation:
    values: dict[str, Any] = {"witness": "meter", "ending": "complete", "ended_ms": 0, "status": 200, "streamed": True}
    return Observation(**{**values, **fields})


def test_reported_usage_of_a_complete_response_is_exact() -> None:
    verdict = judge(seen(usage=USAGE, terminal=True), CHAT, "estimate", 99)
    assert (verdict.outcome, verdict.quality, verdict.usage) == ("completed", "exact", USAGE)


def test_a_client_that_leaves_after_the_usage_pays_exactly_that() -> None:
    verdict = judge(seen(ending="client", usage=USAGE), CHAT, "estimate", 99)
    assert (verdict.outcome, verdict.quality, verdict.usage) == ("client_aborted", "exact", USAGE)


@pytest.mark.parametrize("error", ["", "overloaded_error"])
def test_a_client_that_closes_at_the_last_event_has_had_the_whole_answer(error: str) -> None:
    verdict = judge(seen(ending="client", usage=USAGE, terminal=True, error=error), CHAT, "estimate", 99)
    assert (verdict.outcome, verdict.quality) == ("client_aborted" if error else "completed", "exact")


@pytest.mark.parametrize(
    ("policy", "quality", "usage", "waived"),
    [
        ("estimate", "estimated", {"prompt_tokens": 99, "completion_tokens": 7, "total_tokens": 106}, False),
        ("lastSnapshot", "partial", None, False),
        ("waive", "partial", None, True),
    ],
)
def test_an_abort_before_any_usage_follows_the_policy(
    policy: OnIncomplete, quality: str, usage: Any, waived: bool
) -> None:
    verdict = judge(seen(ending="client", events=7), CHAT, policy, 99)
    assert (verdict.quality, verdict.waived) == (quality, waived)
    assert (verdict.usage is None) == (usage is None)
    if usage and verdict.usage:
        assert {name: verdict.usage[name] for name in usage} == usage


def test_an_estimate_never_replaces_what_was_reported_zero_included() -> None:
    reported = {"promptTokenCount": 3, "candidatesTokenCount": 0, "totalTokenCount": 3}
    verdict = judge(seen(ending="client", usage=reported, events=50), FORMATS["gemini"], "estimate", 99)
    assert verdict.usage
    assert verdict.usage["candidatesTokenCount"] == 0
    assert verdict.usage["promptTokenCount"] == 3


def test_anthropic_s_placeholder_output_is_not_a_report() -> None:
    started = {"input_tokens": 20, "output_tokens": 1}
    verdict = judge(seen(ending="client", usage=started, events=40), CLAUDE, "estimate", 99)
    assert verdict.usage
    assert verdict.usage["input_tokens"] == 20
    assert verdict.usage["output_tokens"] == 40
    assert verdict.quality == "estimated"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"ending": "upstream"}, "upstream_error"),
        ({"error": "overloaded_error"}, "upstream_error"),
        ({}, "upstream_error"),  # ended cleanly in the middle of a stream
        ({"terminal": True}, "completed"),
        ({"ending": "unknown"}, "unaccounted"),
        ({"status": 500}, "error_response"),
        ({"status": 429}, "error_response"),
    ],
)
def test_outcomes_of_responses_without_usage(fields: dict[str, Any], outcome: str) -> None:
    assert judge(seen(**fields), CHAT, "estimate", 1).outcome == outcome


def test_refused_usage_is_estimated_and_says_why() -> None:
    verdict = judge(seen(terminal=True, invalid="prompt_tokens is negative", events=3), CHAT, "estimate", 9)
    assert (verdict.quality, verdict.reason) == ("estimated", "prompt_tokens is negative")


def test_a_plain_endpoint_is_exact_when_complete() -> None:
    assert judge(seen(streamed=False), None, "estimate", 0).quality == "exact"
    assert judge(seen(streamed=False, ending="upstream"), None, "estimate", 0).quality == "partial"


def plan(
    quantity: str, when: str = "response.statusCode == 200", fmt: str | None = "openai_completions"
) -> EndpointPlan:
    endpoint = Endpoint(id="a/e", method="POST", path="/x/{p}", pattern="/x/(?P<p>[^/]+)", format=fmt)
    api = Api(
        name="a",
        mode="stream",
        on_incomplete="estimate",
        force_usage=True,
        max_request_bytes=1,
        default_max_output_tokens=1,
        endpoints=(endpoint,),
    )
    metric = Metric(name="m", unit="u", usage=(MetricUsage(endpoints=("a/e",), quantity=quantity, when=when),))
    return EndpointPlan(api, endpoint, (metric,))


ADMISSION = Admission("id-1", 1_795_000_000_000, 3, "sub", "cust", "prod", "v1", "h", "a/e", "gpt", True, 10)


def test_the_documented_quantity_works_unchanged() -> None:
    source = "openai_completions_usage().prompt_tokens + openai_completions_usage().completion_tokens"
    event = usage_event(ADMISSION, plan(source), seen(usage=USAGE, terminal=True))
    assert event.data.quantities == {"m": "15"}
    assert event.data.dimensions == {"input": 10, "output": 5}


def test_a_quantity_that_cannot_be_computed_is_named_not_zero() -> None:
    event = usage_event(ADMISSION, plan('double(response.headers["x-cpu"])'), seen(usage=USAGE, terminal=True))
    assert event.data.quantities == {}
    assert "x-cpu" in event.data.unmetered["m"]


def test_a_negative_quantity_is_refused() -> None:
    assert "not negative" in plan("0 - 5").measure(USAGE, {}, CallVariables(200)).unmetered["m"]


def test_a_false_condition_counts_nothing() -> None:
    assert plan("1").measure(USAGE, {}, CallVariables(404)).quantities == {}


def test_the_default_condition_bills_successes() -> None:
    default = "response.statusCode >= 200 && response.statusCode < 300"
    assert plan("1", default).measure(None, {}, CallVariables(204)).quantities
    assert not plan("1", default).measure(None, {}, CallVariables(500)).quantities


def test_an_unknown_endpoint_keeps_the_usage_and_says_so() -> None:
    event = usage_event(ADMISSION, None, seen(usage=USAGE, terminal=True))
    assert event.data.quantities == {}
    assert "in no known catalog" in event.data.unmetered["*"]


def test_events_are_cloudevents_and_survive_a_round_trip() -> None:
    event = usage_event(ADMISSION, plan("usage().total"), seen(usage=USAGE, terminal=True))
    assert UsageEvent.decode(event.encode()) == event
    assert (event.specversion, event.id, event.subject) == ("1.0", "id-1", "sub")
    assert event.time == rfc3339(ADMISSION.started_ms)


@given(
    st.builds(Admission, st.text(), *[st.integers(0, 2**53)] * 2, *[st.text()] * 7, st.booleans(), st.integers(0, 99))
)
def test_admission_records_survive_a_round_trip(admission: Admission) -> None:
    assert Admission.decode(admission.encode()) == admission


def test_equal_catalogs_have_equal_hashes() -> None:
    one, two = Catalog(), Catalog(metrics=(Metric(name="m", unit="u", usage=()),))
    assert content_hash(one.encode()) == content_hash(Catalog.decode(one.encode()).encode())
    assert content_hash(one.encode()) != content_hash(two.encode())


def test_a_condition_that_is_no_bool_is_named_not_false() -> None:
    found = plan("1", 'response.headers["x-bill"]').measure(USAGE, {}, CallVariables(200, {"x-bill": "true"}))
    assert "must give a bool" in found.unmetered["m"]
