"""What billing says of payment providers, as the condition Synced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog

from tollgate_core.manifests import PaymentProvider
from tollgate_core.payment_keys import keys_file
from tollgate_operator.cluster.store import Observed
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import Condition

_log = structlog.get_logger("payments")
_PENDING = Condition("Synced", None, "Pending", "waiting for billing to ask the provider")
_UNAVAILABLE = Condition("Synced", None, "BillingUnavailable", "billing does not answer the operator")
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Said:
    """Of one provider; ``spec`` names the content that it is about."""

    spec: str
    synced: bool
    reason: str
    message: str
    account: str
    mode: str


class Accounts:
    """``ask`` reads all, ``condition`` judges one by what was read last."""

    def __init__(self, billing: httpx.AsyncClient) -> None:
        self._billing = billing
        #: None while billing does not answer.
        self._said: Mapping[str, Said] | None = {}

    async def ask(self) -> bool:
        """Whether it says something else than before."""
        before = self._said
        try:
            response = await self._billing.get("/v1/payment-providers")
            response.raise_for_status()
            self._said = {str(one["name"]): _said(one) for one in response.json()["providers"]}
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            self._said = None
            if before is not None:
                _log.warning("billing does not answer", error=type(error).__name__)
        return self._said != before

    def forget(self) -> None:
        """Somebody else asks now."""
        self._said = {}

    @property
    def answers(self) -> bool:
        """Whether billing did the last time."""
        return self._said is not None

    def of(self, name: str, state: State) -> Said | None:
        """What is said of the spec that serves now."""
        record = next((p for p in state.catalog.payment_providers if p.name == name), None)
        said = (self._said or {}).get(name)
        return said if said is not None and record is not None and said.spec == record.digest() else None

    def condition(self, observed: Observed, state: State) -> Condition | None:
        """None for what has no account."""
        if not isinstance(observed.manifest, PaymentProvider):
            return None
        name = observed.key[1]
        if state.statuses[observed.key].serving != "current":
            return Condition("Synced", False, "NotServing", "see the other conditions")
        if observed.manifest.spec.kind != "manual" and keys_file(name) not in state.payment_keys.files:
            return Condition("Synced", False, "KeysMissing", "see ResolvedRefs")
        if self._said is None:
            return _UNAVAILABLE
        said = self.of(name, state)
        if said is None or said.reason == "Pending":
            return _PENDING
        return Condition("Synced", said.synced, said.reason, said.message)

    def wait(self, state: State) -> bool:
        """Whether billing is about to find something out."""
        return any(
            (said := self.of(p.name, state)) is None or said.reason == "Pending"
            for p in state.catalog.payment_providers
        )


def _said(one: Mapping[str, Any]) -> Said:
    return Said(
        spec=str(one["spec"]),
        synced=one["synced"] is True,
        reason=str(one["reason"]),
        message=str(one["message"])[:_LONGEST_MESSAGE],
        account=str(one["account"]),
        mode=str(one["mode"]),
    )
