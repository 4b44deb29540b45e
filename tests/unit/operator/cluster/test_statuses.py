"""What is written about a resource: nothing where it is said already, and never over what others wrote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operator.cluster.objects import observed, product
from tollgate_operator.cluster.statuses import is_said, verdict
from tollgate_operator.cluster.store import Observed
from tollgate_operator.reconcile import Condition

NOW, LATER = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
ACCEPTED = Condition("Accepted", True, "Accepted")
PROGRAMMED = Condition("Programmed", True, "Programmed")
REJECTED = Condition("Programmed", False, "Rejected", "Envoy refused it: x")
IN_USE = Condition("Deletable", False, "InUse", "used")
FOREIGN = {"type": "Audited", "status": "True", "reason": "ByThem", "message": "", "lastTransitionTime": NOW}


def with_status(status: Any, **metadata: Any) -> Observed:
    return observed(product(status=status, **metadata))


def after(conditions: list[Condition], before: Any = None, now: str = NOW, **metadata: Any) -> dict[str, Any]:
    """The status as the API server has it once the verdict was merged."""
    seen = with_status(before or {}, **metadata)
    found = verdict(seen, conditions, {"serving": "current"}, now)
    assert found
    return {name: value for name, value in {**seen.status, **found.body}.items() if value is not None}


def test_what_is_said_already_is_not_written_again() -> None:
    said = after([ACCEPTED, PROGRAMMED])
    assert verdict(with_status(said), [ACCEPTED, PROGRAMMED], {"serving": "current"}, LATER) is None


def test_a_new_generation_is_written_and_keeps_the_time_of_the_transition() -> None:
    said = after([ACCEPTED, PROGRAMMED], after([ACCEPTED, PROGRAMMED]), LATER, generation=2)
    assert said["observedGeneration"] == 2
    assert {c["observedGeneration"] for c in said["conditions"]} == {2}
    assert {c["lastTransitionTime"] for c in said["conditions"]} == {NOW}


def test_another_reason_is_no_transition_but_another_status_is() -> None:
    first = after([REJECTED])
    reason = after([Condition("Programmed", False, "NotServing")], first, LATER)
    assert reason["conditions"][0]["lastTransitionTime"] == NOW
    right = after([PROGRAMMED], first, LATER)
    assert right["conditions"][0]["lastTransitionTime"] == LATER


@pytest.mark.parametrize(("condition", "count"), [(PROGRAMMED, 1), (REJECTED, 0)])
def test_transitions_are_those_whose_status_or_reason_changed(condition: Condition, count: int) -> None:
    found = verdict(with_status(after([ACCEPTED, REJECTED])), [ACCEPTED, condition], {"serving": "none"}, LATER)
    assert found
    assert list(found.transitions) == [condition][:count]


def test_conditions_of_others_are_kept_and_ours_that_no_longer_apply_go() -> None:
    said = after([ACCEPTED, IN_USE], {"conditions": [FOREIGN]})
    assert FOREIGN in said["conditions"]
    again = after([ACCEPTED], said)
    assert [c["type"] for c in again["conditions"]] == ["Accepted", "Audited"]


def test_a_field_that_vanished_is_removed_with_null() -> None:
    found = verdict(with_status({"keyId": "k", "serving": "current"}), [ACCEPTED], {"serving": "current"}, NOW)
    assert found
    assert found.body["keyId"] is None


@pytest.mark.parametrize("status", [{"conditions": None}, {"conditions": ["x", 5]}, {"conditions": {}}, {}])
def test_a_status_that_somebody_garbled_is_put_right(status: Any) -> None:
    assert [c["type"] for c in after([ACCEPTED], status)["conditions"]] == ["Accepted"]


def test_a_message_fits_what_the_api_server_takes() -> None:
    long = Condition("Accepted", False, "Invalid", "x" * 100_000)
    said = after([long])
    assert len(said["conditions"][0]["message"]) <= 32_768
    assert verdict(with_status(said), [long], {"serving": "current"}, LATER) is None


@pytest.mark.parametrize(
    ("condition", "generation", "said"), [(PROGRAMMED, 1, True), (PROGRAMMED, 2, False), (REJECTED, 1, False)]
)
def test_what_is_said_holds_for_the_spec_as_it_is(condition: Condition, generation: int, said: bool) -> None:
    assert is_said(with_status(after([condition]), generation=generation), "Programmed") is said


CONDITIONS = st.lists(
    st.builds(
        Condition,
        st.sampled_from(["Accepted", "ResolvedRefs", "Programmed", "Deletable"]),
        st.booleans(),
        st.sampled_from(["A", "B"]),
        st.text(max_size=5),
    ),
    unique_by=lambda c: c.type,
    max_size=4,
)


@given(CONDITIONS, CONDITIONS, st.lists(st.just(FOREIGN), max_size=1))
def test_a_second_look_never_writes(first: list[Condition], second: list[Condition], foreign: list[Any]) -> None:
    said = after(first, {"conditions": foreign} if foreign else {})
    found = verdict(with_status(said), second, {"serving": "current"}, LATER)
    if found:
        said = after(second, said, LATER)
    assert verdict(with_status(said), second, {"serving": "current"}, LATER) is None
    assert [c for c in said["conditions"] if c["type"] == "Audited"] == foreign
