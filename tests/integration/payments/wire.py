"""The line between an official SDK and a provider: what went over it is written down, and a process can end at any
request."""

import re
from collections.abc import Callable
from typing import Any

import requests
import stripe
from requests.adapters import HTTPAdapter

from tests.integration.payments.account import (
    PADDLE_KEY,
    PADDLE_SECRET,
    SECRET_KEY,
    WEBHOOK_SECRET,
    PaddleAccount,
    StripeAccount,
)
from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client

_ID = re.compile(r"/[a-z]+_(?=\w*[0-9A-Z])\w+(?=/|$)")


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


class Wire(HTTPAdapter):
    """``calls``: method and path of every request, ids as stars. Asked to, the process ends before the request with
    this number is sent, or when it was answered; or ``watch`` is asked before it is sent."""

    def __init__(
        self,
        kill_before: int | None = None,
        kill_after: int | None = None,
        watch: tuple[int, Callable[[], object]] | None = None,
    ) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.seen: object = None
        self._before, self._after, self._watch = kill_before, kill_after, watch

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        number = len(self.calls)
        path = (request.url or "").partition("?")[0].partition("//")[2].partition("/")[2]
        self.calls.append(f"{request.method} {_ID.sub('/*', f'/{path}')}")
        if self._watch and number == self._watch[0]:
            self.seen = self._watch[1]()
        if number == self._before:
            raise KilledError
        answer = super().send(request, *args, **more)
        if number == self._after:
            raise KilledError
        return answer


def wired(account: StripeAccount | PaddleAccount, wire: HTTPAdapter, timeout: float = 20) -> ProviderPort:
    """A port that speaks over it."""
    if isinstance(account, PaddleAccount):
        paddle = paddle_client(PADDLE_KEY, api_url=account.url)
        paddle.client.mount("http://", wire)
        paddle.timeout = timeout
        return PaddlePort(paddle, (PADDLE_SECRET,))
    session = requests.Session()
    session.mount("http://", wire)
    http = stripe.RequestsClient(timeout=timeout, session=session)
    return StripePort(stripe_client(SECRET_KEY, account.url, http=http), (WEBHOOK_SECRET,))
