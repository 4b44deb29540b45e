"""Draining an Envoy before its pod ends: no new connections, then wait for the last request.

Called by the pod's preStop hooks, before Envoy is told to end: so a stream that is open is finished, not cut.
"""

import time
from collections.abc import Callable
from http.client import HTTPException

import structlog

from tollgate_extproc.witness.admin import ask_envoy

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

    def run(self) -> str:
        """What happened."""
        started = self._clock()
        active, asked = 0, False
        while (passed := self._clock() - started) < self._seconds:
            try:
                if not asked:
                    ask_envoy(self._admin_url, "/healthcheck/fail", "POST")
                    ask_envoy(self._admin_url, "/drain_listeners?graceful&skip_exit", "POST")
                    asked = True
                active = self._active()
            except (OSError, HTTPException) as error:
                if _is_gone(error):
                    return "Envoy is gone\n"
                active = active or 1  # it is busy: nobody knows that nothing is active
                _log.info("Envoy does not answer; asking again", error=f"{type(error).__name__}: {error}")
            if not active and passed >= _AT_LEAST_SECONDS:
                break
            self._sleep(_POLL_SECONDS)
        if not active:
            return "drained\n"
        _log.warning("requests are cut off at the end of the drain", active=active)
        return f"{active} requests are still active after {self._seconds:.0f} s\n"

    def _active(self) -> int:
        text = ask_envoy(self._admin_url, f"/stats?filter=^{_ACTIVE}$", "GET")
        return sum(int(line.rpartition(":")[2]) for line in text.splitlines() if line.startswith(_ACTIVE))


def _is_gone(error: Exception) -> bool:
    """Whether nothing listens there any more; an answer that is late or an error says no such thing."""
    return isinstance(error, ConnectionRefusedError | FileNotFoundError)
