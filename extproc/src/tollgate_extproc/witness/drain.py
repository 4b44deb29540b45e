"""Draining an Envoy before its pod ends: no new connections, then wait for the last request.

Called as the pod's preStop hook, before Envoy is told to end: so a stream that is open is finished, not cut.
"""

import time
import urllib.request
from collections.abc import Callable

import structlog

_log = structlog.get_logger("drain")
_POLL_SECONDS = 0.5
#: The cluster takes a moment to stop sending new connections here.
_AT_LEAST_SECONDS = 5.0
_ACTIVE = "http.gateway.downstream_rq_active"


class Drain:
    """``run`` blocks until no request is active, or ``seconds`` have passed."""

    def __init__(
        self,
        admin_url: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._admin_url = admin_url
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def run(self) -> tuple[int, str]:
        """(HTTP status, what happened)."""
        started = self._clock()
        active = 0
        try:
            self._ask("/healthcheck/fail", "POST")
            self._ask("/drain_listeners?graceful&skip_exit", "POST")
            while (passed := self._clock() - started) < self._seconds:
                active = self._active()
                if not active and passed >= _AT_LEAST_SECONDS:
                    return 200, "drained\n"
                self._sleep(_POLL_SECONDS)
        except OSError as error:
            return 200, f"Envoy does not answer: {type(error).__name__}\n"
        _log.warning("requests are cut off at the end of the drain", active=active)
        return 200, f"{active} requests are still active after {self._seconds:.0f} s\n"

    def _active(self) -> int:
        text = self._ask(f"/stats?filter=^{_ACTIVE}$", "GET")
        return sum(int(line.rpartition(":")[2]) for line in text.splitlines() if line.startswith(_ACTIVE))

    def _ask(self, path: str, method: str) -> str:
        request = urllib.request.Request(f"{self._admin_url}{path}", method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return str(answer.read().decode())
