"""The Redis client of this component, made by its composition roots only."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect(url: str) -> "Redis":
    """Fails fast: who calls decides what a Redis that is away means."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url, socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1), max_connections=256
    )
