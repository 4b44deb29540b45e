"""Which dimensions no metric counts."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.test_metering import plan
from tollgate_core.metering import CallVariables, uncounted_dimensions

PARTS = {"fresh": "input", "cached": "cache_read", "said": "output", "thought": "reasoning"}
_USAGE = st.fixed_dictionaries(dict.fromkeys(PARTS, st.integers(0, 10**6)))


def raw(fresh: int, cached: int, said: int, thought: int) -> dict[str, object]:
    return {
        "prompt_tokens": fresh + cached,
        "completion_tokens": said + thought,
        "total_tokens": fresh + cached + said + thought,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def uncounted(quantity: str, usage: dict[str, object]) -> set[str]:
    return set(uncounted_dimensions(plan(quantity), usage, {}, CallVariables(200)))


@given(st.sets(st.sampled_from(sorted(PARTS.values())), min_size=1), _USAGE)
def test_exactly_the_used_dimensions_that_no_quantity_names(named: set[str], parts: dict[str, int]) -> None:
    used = {PARTS[part] for part, tokens in parts.items() if tokens}
    quantity = " + ".join(f"usage().{name}" for name in sorted(named))
    assert uncounted(quantity, raw(**parts)) == used - named
    assert uncounted(f"({quantity}) * 3 + 7", raw(**parts)) == used - named


@given(_USAGE)
def test_a_total_a_fixed_price_and_the_provider_s_own_fields_leave_nothing_out(parts: dict[str, int]) -> None:
    for quantity in ("usage().total", "1", "openai_completions_usage().prompt_tokens"):
        assert uncounted(quantity, raw(**parts)) == set()


@given(_USAGE)
def test_a_threshold_that_is_not_reached_still_counts(parts: dict[str, int]) -> None:
    quantity = "usage().input + usage().output + (usage().cache_read > 100000000 ? 1 : 0) + usage().reasoning"
    assert uncounted(quantity, raw(**parts)) == set()
