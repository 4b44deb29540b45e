"""The way to Redis: plain commands as tuples, one at a time or pipelined, on one server or on Redis Cluster.

Scripts are sent with EVAL: they are short, the server caches them by content, and a server that came back empty needs
no second attempt. Commands are not retried here; the loops above decide what to do when Redis is away.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

Argument = str | bytes | int
Command = tuple[Argument, ...]
_CLUSTER_SCHEME = "redis+cluster://"


class RedisLink:
    """Connections are made when needed and shared between threads."""

    def __init__(self, url: str, timeout_seconds: float = 5.0) -> None:
        self._cluster = url.startswith(_CLUSTER_SCHEME)
        kind: Any = RedisCluster if self._cluster else Redis
        plain = url.replace(_CLUSTER_SCHEME, "redis://", 1)
        self._client: Any = kind.from_url(
            plain,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )

    def call(self, *command: Argument) -> Any:
        """One command. Raises RedisError."""
        return self._client.execute_command(*command)

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Many commands in one round trip per server; a command that failed has its exception as its answer."""
        if not commands:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers

    def pipeline_or_raise(self, commands: Sequence[Command]) -> list[Any]:
        """The same, raising the first failure."""
        answers = self.pipeline(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def server_ids(self) -> frozenset[str]:
        """Which server processes answer now: another set means that a server was restarted or replaced."""
        if not self._cluster:
            return frozenset({str(self.call("INFO", "server")["run_id"])})
        infos: dict[str, Any] = self._client.info("server", target_nodes="primaries")
        return frozenset(str(info["run_id"]) for info in infos.values())

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
