"""The ledger against the upstream's own count, request by request."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from tollgate_cli.laptop import loopback


@dataclass
class EndpointCount:
    """One endpoint: requests, tokens as the upstream counted them and as the ledger holds them."""

    requests: int = 0
    upstream_tokens: int = 0
    ledger_tokens: int = 0
    differences: list[str] = field(default_factory=list[str])


def upstream_journal(sandbox_url: str) -> list[dict[str, Any]]:
    """What the simulated upstream says it produced."""
    entries: list[dict[str, Any]] = loopback.get(f"{sandbox_url}/sandbox/journal", timeout=30).json()
    return [entry for entry in entries if (entry["status"] or 599) < 300 and entry["ids"].get("x-billing-request-id")]


def compare(journal: Iterable[dict[str, Any]], events: Iterable[dict[str, Any]]) -> dict[str, EndpointCount]:
    """By endpoint. A difference names the request: missing, doubled, or another usage than the upstream's."""
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        by_id[event["id"]].append(event)
    counts: dict[str, EndpointCount] = defaultdict(EndpointCount)
    for entry in journal:
        request = entry["ids"]["x-billing-request-id"]
        found = by_id.get(request, [])
        name = found[0]["data"]["endpoint"] if found else entry["path"]
        count = counts[name]
        count.requests += 1
        count.upstream_tokens += _tokens(entry["usage"])
        if len(found) != 1:
            count.differences.append(f"{request}: {len(found)} events in the ledger")
            continue
        data = found[0]["data"]
        usage: dict[str, Any] = data.get("usage") or {}
        count.ledger_tokens += _tokens(usage)
        if entry["complete"] and data.get("format") and not _covers(usage, entry["usage"]):
            count.differences.append(f"{request}: the ledger holds {usage}, the upstream counted {entry['usage']}")
    return dict(counts)


_INPUT = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count")


def _tokens(usage: dict[str, Any]) -> int:
    return sum(int(usage.get(name) or 0) for name in (*_INPUT, *_OUTPUT))


def _covers(recorded: dict[str, Any], counted: dict[str, Any]) -> bool:
    """Every number that the upstream counted is recorded as such (an absent one is zero)."""
    for name, value in counted.items():
        if isinstance(value, dict):
            inner: Any = recorded.get(name)
            within = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
            if not _covers(within, cast("dict[str, Any]", value)):
                return False
        elif isinstance(value, int | float) and (recorded.get(name) or 0) != value:
            return False
    return True
