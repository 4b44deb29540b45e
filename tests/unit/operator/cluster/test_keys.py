"""Keys of declared Subscriptions: the one in the Secret is the one that billing accepts."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.manifests import resource
from tests.unit.operator.cluster.objects import observed, stored
from tollgate_core.manifests import Subscription
from tollgate_operator.cluster.client import ConflictError, NotFoundError
from tollgate_operator.cluster.keys import KeyKeeper
from tollgate_operator.cluster.kinds import Kind


class Secrets:
    """As the API server keeps them: a merge with another version than the stored one is a conflict."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.version = 0

    async def get(self, kind: Kind, name: str, namespace: str) -> dict[str, Any]:
        if name not in self.stored:
            raise NotFoundError(name)
        return json.loads(json.dumps(self.stored[name]))  # type: ignore[no-any-return]

    async def create(self, kind: Kind, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        self._keep(body["metadata"]["name"], body)
        return await self.get(kind, body["metadata"]["name"], namespace)

    async def merge(self, kind: Kind, name: str, patch: dict[str, Any], namespace: str) -> dict[str, Any]:
        there, metadata = self.stored[name], patch["metadata"]
        if (
            metadata.get("resourceVersion", there["metadata"]["resourceVersion"])
            != there["metadata"]["resourceVersion"]
        ):
            raise ConflictError(name)
        annotations = {**there["metadata"]["annotations"], **metadata.get("annotations", {})}
        merged = {**there["metadata"], **metadata, "annotations": annotations}
        self._keep(name, {**there, **patch, "metadata": merged})
        return await self.get(kind, name, namespace)

    def _keep(self, name: str, body: dict[str, Any]) -> None:
        self.version += 1
        self.stored[name] = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}

    def key(self, name: str = "s") -> str:
        return base64.b64decode(self.stored[name]["data"]["api-key"]).decode()


class Billing:
    """Knows keys by their text; ``restored`` forgets all, as a ledger from a copy, or one with another pepper, does."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.asked = 0
        self.refuses = False

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://billing")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.refuses:
            return httpx.Response(409, json={"detail": "this key was revoked"})
        key = json.loads(request.content)["key"]
        return httpx.Response(200, json={"id": self.keys.setdefault(key, f"k{self.asked}")})


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def billing() -> Billing:
    return Billing()


def declared(**metadata: Any) -> tuple[Any, Subscription]:
    document = resource("Subscription", "one", product="p", customer={"id": "c"}, secretName="s")
    found = observed(stored(document, **metadata))
    assert isinstance(found.manifest, Subscription)
    return found, found.manifest


async def test_a_key_that_billing_lost_is_told_again_by_the_next_process(secrets: Secrets, billing: Billing) -> None:
    one, subscription = declared()
    first = KeyKeeper(secrets, billing.client())  # type: ignore[arg-type]
    await first.sync(one, subscription)
    assert first.is_done(one, subscription)
    await first.sync(one, subscription)
    assert billing.asked == 1
    billing.keys.clear()
    next_one = KeyKeeper(secrets, billing.client())  # type: ignore[arg-type]
    assert not next_one.is_done(one, subscription)
    await next_one.sync(one, subscription)
    assert list(billing.keys) == [secrets.key()]
    assert next_one.key_id(one) == billing.keys[secrets.key()]
    assert secrets.stored["s"]["metadata"]["annotations"]["tollgate.dev/key-id"] == next_one.key_id(one)


async def test_a_key_that_billing_refuses_is_not_called_working(secrets: Secrets, billing: Billing) -> None:
    one, subscription = declared()
    await KeyKeeper(secrets, billing.client()).sync(one, subscription)  # type: ignore[arg-type]
    billing.refuses = True
    keeper = KeyKeeper(secrets, billing.client())  # type: ignore[arg-type]
    await keeper.sync(one, subscription)
    assert (keeper.key_id(one), keeper.problems[one.uid].reason) == ("", "KeyRefused")


async def test_a_billing_that_is_away_takes_no_key_for_lost(secrets: Secrets, billing: Billing) -> None:
    one, subscription = declared()
    await KeyKeeper(secrets, billing.client()).sync(one, subscription)  # type: ignore[arg-type]
    away = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)), base_url="http://billing")
    keeper = KeyKeeper(secrets, away)  # type: ignore[arg-type]
    with pytest.raises(httpx.HTTPError):
        await keeper.sync(one, subscription)
    assert keeper.key_id(one)
    assert not keeper.is_done(one, subscription)


async def test_of_two_that_rotate_at_once_one_gives_way(secrets: Secrets, billing: Billing) -> None:
    """Else billing could hear last of a key that is not the one in the Secret, and let that one run out."""
    one, subscription = declared()
    await KeyKeeper(secrets, billing.client()).sync(one, subscription)  # type: ignore[arg-type]
    rotated, _ = declared(annotations={"tollgate.dev/rotate-key": "2"})
    read = secrets.get

    async def read_and_be_overtaken(kind: Kind, name: str, namespace: str) -> dict[str, Any]:
        found = await read(kind, name, namespace)
        secrets.get = read  # type: ignore[method-assign]
        await KeyKeeper(secrets, billing.client()).sync(rotated, subscription)  # type: ignore[arg-type]
        return found

    secrets.get = read_and_be_overtaken  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        await KeyKeeper(secrets, billing.client()).sync(rotated, subscription)  # type: ignore[arg-type]
    assert list(billing.keys)[-1] == secrets.key()
