"""HTTP for the official SDKs, at the pace that the provider allows."""

import re
import time
from typing import Any

from requests import PreparedRequest, RequestException, Response, Session
from requests.adapters import HTTPAdapter

from tollgate_billing.payments.lease import may_send
from tollgate_billing.payments.pace import LIMITS, Pace

_ID = re.compile(r"/[a-z]+_(?=\w*[0-9A-Z])\w+(?=/|$)")
_CONNECTIONS = 16
_TOO_MANY = 429
_LONGEST_HOLD_SECONDS = 60


class PacedAdapter(HTTPAdapter):
    """Tries nothing twice by itself."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        self._pace = pace

    def send(self, request: PreparedRequest, *args: Any, **more: Any) -> Response:
        """When it is its turn. Raises RequestException where that is too late."""
        path = _ID.sub("/*", (request.url or "").partition("?")[0])
        self._pace.wait(f"{request.method} {path}")
        if not may_send():
            raise RequestException("somebody else may be sending it by now")
        answer = super().send(request, *args, **more)
        if answer.status_code == _TOO_MANY:
            text = answer.headers.get("retry-after", "")
            self._pace.hold(min(int(text), _LONGEST_HOLD_SECONDS) if text.isascii() and text.isdigit() else 1)
        return answer


def paced(session: Session, kind: str) -> Session:
    """From now on."""
    adapter = PacedAdapter(Pace(*LIMITS[kind], time.monotonic, time.sleep))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
