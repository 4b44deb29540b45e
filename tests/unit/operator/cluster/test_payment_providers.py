"""What becomes of keys and accounts of payment providers in a cluster, whatever billing and the API server do."""

import base64
from typing import Any

import httpx
import pytest

from tests.unit.operator.cluster.objects import observed
from tests.unit.operator.test_payment_keys import KEY, WEBHOOK, provider, run, secret
from tollgate_operator.cluster.accounts import Accounts
from tollgate_operator.cluster.client import ConflictError, NotFoundError
from tollgate_operator.cluster.kinds import Kind
from tollgate_operator.cluster.payment_secret import PaymentSecret
from tollgate_operator.control_loop import State

STATE = run(provider(), secret(key=KEY, webhook=WEBHOOK))
SPEC = STATE.catalog.payment_providers[0].digest()


class Billing:
    """Answers as it is told; None: not at all."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.client = httpx.AsyncClient(base_url="http://billing", transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/payment-providers"
        answer = self.answers.pop(0)
        if answer is None:
            raise httpx.ConnectError("away")
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json={"providers": answer})


def entry(reason: str, spec: str = SPEC, **more: Any) -> dict[str, Any]:
    said = {"name": "shop", "spec": spec, "synced": reason == "Synced", "reason": reason, "message": "because"}
    return {**said, "account": "acct_1", "mode": "test", **more}


def condition(accounts: Accounts, state: State = STATE) -> tuple[bool | None, str, str]:
    found = accounts.condition(observed(provider()), state)
    assert found
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("answer", "expected", "waits"),
    [
        ([entry("Synced")], (True, "Synced", "because"), False),
        ([entry("AccountChanged")], (False, "AccountChanged", "because"), False),
        ([entry("Pending")], (None, "Pending", "waiting for billing to ask the provider"), True),
        ([entry("Synced", "another")], (None, "Pending", "waiting for billing to ask the provider"), True),
        ([], (None, "Pending", "waiting for billing to ask the provider"), True),
        (None, (None, "BillingUnavailable", "billing does not answer the operator"), True),
        (httpx.Response(404), (None, "BillingUnavailable", "billing does not answer the operator"), True),
        ([{"name": "shop"}], (None, "BillingUnavailable", "billing does not answer the operator"), True),
    ],
)
async def test_what_billing_says_becomes_a_condition(answer: Any, expected: tuple[Any, ...], waits: bool) -> None:
    accounts = Accounts(Billing(answer).client)
    await accounts.ask()
    assert condition(accounts) == expected
    assert (accounts.wait(STATE) or not accounts.answers) is waits


async def test_what_has_no_keys_or_does_not_serve_is_not_asked_for() -> None:
    accounts = Accounts(Billing([entry("Synced")]).client)
    await accounts.ask()
    assert condition(accounts, run(provider())) == (False, "KeysMissing", "see ResolvedRefs")
    bad = provider()
    bad["spec"]["stripe"]["secretKeyRef"]["name"] = "nowhere"
    edited = run(bad, secret(key=KEY, webhook=WEBHOOK), last=STATE)
    assert condition(accounts, edited)[:2] == (False, "NotServing")


async def test_the_same_words_are_no_news() -> None:
    accounts = Accounts(Billing([entry("Synced")], [entry("Synced")], None, None, [entry("Synced")]).client)
    assert [await accounts.ask() for _ in range(5)] == [True, False, True, False, True]
    accounts.forget()
    assert condition(accounts)[1] == "Pending"


class Server:
    """One Secret, as an API server keeps it. ``rival`` is made by somebody else just before we make it."""

    def __init__(self, rival: dict[str, str] | None = None) -> None:
        self.rival = rival
        self.stored: dict[str, Any] | None = None
        self.writes = 0

    async def get(self, kind: Kind, name: str, namespace: str) -> dict[str, Any]:
        if self.stored is None:
            raise NotFoundError(name)
        return self.stored

    async def create(self, kind: Kind, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        if self.rival is not None:
            self.stored = {"metadata": {"resourceVersion": "1"}, "data": self.rival}
            raise ConflictError("there")
        self.writes += 1
        self.stored = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        return self.stored

    async def merge(self, kind: Kind, name: str, patch: dict[str, Any], namespace: str) -> dict[str, Any]:
        assert self.stored is not None
        assert patch["metadata"]["resourceVersion"] == self.stored["metadata"]["resourceVersion"]
        self.writes += 1
        merged = {**self.stored["data"], **patch["data"]}
        self.stored = {**self.stored, "data": {name: value for name, value in merged.items() if value is not None}}
        return self.stored

    def held(self) -> dict[str, str]:
        assert self.stored is not None
        return {name: base64.b64decode(value).decode() for name, value in self.stored["data"].items()}


async def no_owners() -> list[Any]:
    return []


@pytest.mark.parametrize("rival", [None, {"old.json": "b2xk"}])
async def test_the_secret_holds_what_is_wanted_and_nothing_else(rival: dict[str, str] | None) -> None:
    server = Server(rival)
    kept = PaymentSecret(server, "tollgate", "t-payment-keys", no_owners)  # type: ignore[arg-type]  # pyright: ignore
    assert not await kept.sync({})
    assert server.stored is None, "nothing is made before there are keys"
    for files in ({"a.json": "1"}, {"a.json": "2", "b.json": "3"}, {"b.json": "3"}, {}):
        assert [await kept.sync(files), await kept.sync(files)] == [True, False]
        assert server.held() == files
    assert server.writes == 4
