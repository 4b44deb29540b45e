"""The time of day, injected so that tests can have their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """As Kubernetes writes a Time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def microtime(moment: datetime) -> str:
    """As Kubernetes writes a MicroTime."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
