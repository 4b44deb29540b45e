"""Made-up usage, the same at each run."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tollgate_core.admission import PriceVersion
from tollgate_core.events import Usage, UsageEvent, rfc3339

#: 2026-03-01 and the length of March.
MARCH_MS, DAY_MS = 1_772_323_200_000, 86_400_000
_MODELS = ("small", "small", "small", "large-2", "medium")


def completed_event(
    name: str, subscription: str, at_ms: int, *, source: str, model: str, tokens: int, **fields: Any
) -> UsageEvent:
    """One exact call of ``tokens`` input tokens; ``fields`` are of the event's data."""
    data = {
        "customer": subscription,
        "product_version": "v",
        "catalog": "c",
        "outcome": "completed",
        "quality": "exact",
        "witness": "meter",
        "ended_at": rfc3339(at_ms),
        "requested_model": model,
        "served_model": model,
        "usage": {"total_tokens": tokens},
        "dimensions": {"input": tokens},
        **fields,
    }
    return UsageEvent(id=name, source=source, subject=subscription, time=rfc3339(at_ms), data=Usage(**data))


def chat_fields(tokens: int, answer: int) -> dict[str, Any]:
    """What a chat completion of OpenAI's format adds: its answer's tokens, and quantities of both."""
    return {
        "format": "openai_completions",
        "status_code": 200,
        "usage": {"prompt_tokens": tokens, "completion_tokens": answer, "total_tokens": tokens + answer},
        "dimensions": {"input": tokens, "output": answer},
        "quantities": {"input-tokens": str(tokens), "output-tokens": str(answer)},
    }


def made_up_event(number: int, count: int, subscriptions: int = 2, months: int = 1) -> UsageEvent:
    """Usage of the plans in ``docs/tools/manifests``, spread over whole months and all subscriptions."""
    names = ("acme", "beta") if subscriptions == 2 else ()
    index = number % subscriptions
    name = names[index] if names else f"bench-{index}"
    at_ms = MARCH_MS + number * months * 30 * DAY_MS // count
    tokens, answer = 20_000 + number * 7919 % 400_000, 1000 + number * 104_729 % 30_000
    return completed_event(
        f"req-{number}",
        name,
        at_ms,
        source="made-up",
        model=_MODELS[number * 31 % 97 % len(_MODELS)],
        tokens=tokens,
        customer={"beta": "beta-labs"}.get(name, name),
        product="team",
        endpoint="llm/chat",
        ended_at=rfc3339(at_ms + 900),
        streamed=number % 3 == 0,
        prices=(PriceVersion("input-tokens", "team-input", "v1"),),
        **chat_fields(tokens, answer),
    )


def write_usage(path: Path, events: Iterator[UsageEvent]) -> None:
    """One JSON per line; compressed where the name says so."""
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        for event in events:
            file.write(event.encode() + b"\n")
