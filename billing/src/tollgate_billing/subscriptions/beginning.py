"""When a subscription begins, and where its periods are anchored. Pure."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from tollgate_billing.clock import parse_rfc3339, to_datetime, to_milliseconds
from tollgate_billing.ledger.subscriptions import State, Subscription, Value
from tollgate_core.catalog import Product
from tollgate_core.catalog import Subscription as Declared


def state_of(started_ms: int, now_ms: int, *, suspended: bool = False) -> State:
    """Before its start a subscription's calls are refused."""
    if suspended:
        return "suspended"
    return "pending" if started_ms > now_ms else "active"


def after_closing(row: Subscription, now_ms: int) -> int:
    """When a change takes effect: after what is on statements already, so that nothing billed loses its time."""
    return max(now_ms, row.closed_ms + 1)


def beginning(declared: Declared, product: Product | None, now_ms: int) -> dict[str, Value]:
    """The anchor is the end of the trial: so many days later on the calendar of the zone. Without a declared start it
    is when the subscription was first seen, for good."""
    started_ms = parse_rfc3339(declared.starts_at) if declared.starts_at else now_ms
    zone = declared.time_zone or (product.time_zone if product else "") or "UTC"
    local = to_datetime(started_ms).astimezone(ZoneInfo(zone))
    return {
        "time_zone": zone,
        "created_ms": now_ms,
        "started_ms": started_ms,
        "anchor_ms": to_milliseconds(local + timedelta(days=product.trial_days if product else 0)),
        "closed_ms": started_ms - 1,
        "cut_ms": started_ms - 1,
    }
