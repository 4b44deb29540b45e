"""Billing periods on the calendar."""

from datetime import UTC, datetime

_DAYS = {"day": 1, "week": 7}


def later(start: int, interval: str, count: int) -> int:
    """So many days, weeks, months or years after a time; a day that the month has not becomes its last."""
    if interval in _DAYS:
        return start + count * _DAYS[interval] * 24 * 3600
    begin = datetime.fromtimestamp(start, UTC)
    months = begin.month - 1 + count * (12 if interval == "year" else 1)
    year, month = begin.year + months // 12, months % 12 + 1
    for day in range(begin.day, 27, -1):
        try:
            return int(begin.replace(year=year, month=month, day=day).timestamp())
        except ValueError:
            continue
    return int(begin.replace(year=year, month=month).timestamp())
