"""When a subscription's books are closed: wherever anything of it becomes due. Pure."""

from collections.abc import Iterable, Iterator

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_core.pricing import Account, Pin, terms_of


def next_moment(account: Account, row: Subscription, others: Iterable[int], after_ms: int) -> int | None:
    """The first moment after ``after_ms``; None where nothing will become due any more. ``others`` are the moments of
    what is no price's period: charges, pins that were put into the past, usage that came after the end."""
    candidates = [moment for pin in account.pins for moment in _of_pin(account, pin, after_ms)]
    candidates += [account.calendar.anchor_ms, *([row.ended_ms] if row.ended_ms is not None else [])]
    candidates += others
    return min((moment for moment in candidates if moment > after_ms), default=None)


def _of_pin(account: Account, pin: Pin, after_ms: int) -> Iterator[int]:
    yield pin.since_ms
    if pin.until_ms is not None:
        yield pin.until_ms
    if pin.price.one_off:
        return
    billing = terms_of(pin.price).billing
    if pin.until_ms is not None and pin.until_ms <= max(after_ms, pin.since_ms):
        # Where another version goes on, what this one charges is due at the end of its own last period.
        yield account.calendar.at(billing, max(pin.since_ms, pin.until_ms - 1)).end_ms
        return
    end = account.calendar.at(billing, max(after_ms, pin.since_ms)).end_ms
    yield end if pin.until_ms is None else min(end, pin.until_ms)
