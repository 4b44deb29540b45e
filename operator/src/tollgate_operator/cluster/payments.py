"""Payment providers: their keys go to billing, and what billing finds out about them comes back. The leader's work."""

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog

from tollgate_operator.cluster.accounts import Accounts
from tollgate_operator.cluster.client import KubernetesError
from tollgate_operator.cluster.payment_secret import PaymentSecret
from tollgate_operator.control_loop import State

_log = structlog.get_logger("payments")
#: How often billing is asked, and while it is about to find something out or does not answer.
_ASK_SECONDS, _ASK_SOON_SECONDS = 30.0, 2.0
#: How long it is asked soon after keys were handed over: a kubelet takes about a minute to bring them to billing.
_UNDER_WAY_SECONDS = 120.0
#: How often the Secret is looked at where nothing changed: somebody else may have changed it.
_LOOK_SECONDS = 300.0


class Payments:
    """``changed`` is to be called for every new state."""

    def __init__(self, secret: PaymentSecret, accounts: Accounts) -> None:
        self.accounts = accounts
        self._secret = secret
        self._due = asyncio.Event()
        self._written: dict[str, str] | None = None
        self._looked = 0.0
        self._arrives = 0.0

    def changed(self) -> None:
        """There is something new to hand over, or to ask for."""
        self._due.set()

    async def run(
        self, state: Callable[[], State | None], leads: Callable[[], bool], judge: Callable[[], None]
    ) -> None:
        """For ever. ``judge`` is called where billing says something new."""
        pause = _ASK_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), pause)
            self._due.clear()
            now = state()
            if now is None or not leads():
                self._written = None  # somebody else's work: who comes to lead again looks first
                self.accounts.forget()
                continue
            handed = await self._hand_over(now)
            if now.catalog.payment_providers and await self.accounts.ask():
                judge()
            pause = _ASK_SECONDS if handed and not self._expects_news(now) else _ASK_SOON_SECONDS

    def _expects_news(self, state: State) -> bool:
        if not state.catalog.payment_providers:
            return False
        return time.monotonic() < self._arrives or not self.accounts.answers or self.accounts.wait(state)

    async def _hand_over(self, state: State) -> bool:
        """False where it has to be tried again."""
        files = dict(state.payment_keys.files)
        if files == self._written and time.monotonic() - self._looked < _LOOK_SECONDS:
            return True
        try:
            if await self._secret.sync(files):
                self._arrives = time.monotonic() + _UNDER_WAY_SECONDS
        except KubernetesError as error:
            _log.warning("keys of payment providers wait for the API server", error=type(error).__name__)
            return False
        self._written, self._looked = files, time.monotonic()
        return True
