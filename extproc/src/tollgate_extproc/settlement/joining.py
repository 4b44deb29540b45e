"""Two witnesses on one response that broke off: which word counts.

The access log knows how the response ended, the meter counted more finely what passed. So the outcome is always the
log's; usage is the log's where that is exact, else that of the better quality, the meter's at a tie.
"""

import msgspec

from tollgate_core.events import Quality, UsageEvent

_RANK: dict[Quality, int] = {"estimated": 0, "partial": 1, "exact": 2}


def join(log: UsageEvent, meter: UsageEvent) -> UsageEvent:
    """The event to record."""
    if log.data.quality == "exact" or _RANK[log.data.quality] > _RANK[meter.data.quality]:
        return log
    data = msgspec.structs.replace(
        meter.data, outcome=log.data.outcome, status_code=log.data.status_code, ended_at=log.data.ended_at
    )
    return msgspec.structs.replace(meter, data=data)
