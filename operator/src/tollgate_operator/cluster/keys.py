"""API keys of declared Subscriptions, put into Secrets that these own.

The Secret is written first and billing is told after, with the same words again and again until it answers: whatever
dies in between, the key in the Secret is the one that works. Each process tells billing once of every key, whatever the
Secret says that billing knows: a ledger can have been restored, and a new pepper makes every key unknown.
"""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import httpx
import structlog

from tollgate_core.api_keys import is_well_formed, make_api_key
from tollgate_core.manifests import SECRET_KEY, Subscription
from tollgate_core.quantity import parse_duration_ms
from tollgate_operator.cluster.client import ConflictError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import BY_NAME, SECRET
from tollgate_operator.cluster.store import Observed
from tollgate_operator.reconcile import Condition

_log = structlog.get_logger("keys")
_ROTATED = "tollgate.dev/rotated-for"
_KEY_ID = "tollgate.dev/key-id"


class KeyKeeper:
    """``sync`` brings one Subscription's Secret and billing together; ``problems`` is what is not well."""

    def __init__(self, client: KubernetesClient, billing: httpx.AsyncClient) -> None:
        self._client = client
        self._billing = billing
        self._known: dict[str, tuple[str, str, str]] = {}
        #: Whose key this process has told billing of.
        self._told: set[str] = set()
        self.problems: dict[str, Condition] = {}

    def key_id(self, observed: Observed) -> str:
        """Of the key that works; empty while there is none."""
        known = self._known.get(observed.uid)
        return known[2] if known else ""

    def is_done(self, observed: Observed, subscription: Subscription) -> bool:
        """Whether nothing is left to do for it."""
        known = self._known.get(observed.uid)
        told = observed.uid in self._told
        return told and known is not None and known[:2] == (subscription.spec.secret_name, observed.rotation)

    def lost(self, uid: str) -> None:
        """Its Secret went or was changed: look again."""
        self._known.pop(uid, None)
        self._told.discard(uid)

    async def sync(self, observed: Observed, subscription: Subscription) -> None:
        """Raises KubernetesError or httpx.HTTPError; asking again is safe."""
        name = subscription.spec.secret_name
        assert name is not None  # noqa: S101
        secret = await self._secret(observed, name)
        if secret is None:
            return
        annotations: Mapping[str, str] = secret["metadata"].get("annotations") or {}
        rotated = annotations.get(_ROTATED, "") != observed.rotation
        data: dict[str, str] = secret.get("data") or {}
        key = base64.b64decode(data.get(SECRET_KEY, "")).decode(errors="replace")
        if rotated or not is_well_formed(key):  # a Secret can be edited by hand
            self._told.discard(observed.uid)
            key = make_api_key(secrets.token_bytes(24))
            secret = await self._merge(secret, self._content(observed, key), observed)
            annotations = secret["metadata"].get("annotations") or {}
        key_id = annotations.get(_KEY_ID, "")
        if key_id:
            self._known[observed.uid] = (name, observed.rotation, key_id)
        if not key_id or observed.uid not in self._told:
            answer = await self._register(observed, subscription, name, key)
            if not answer:
                self._known.pop(observed.uid, None)
                return
            if answer != key_id:
                await self._merge(secret, {"metadata": {"annotations": {_KEY_ID: answer}}}, observed)
            key_id = answer
        self._told.add(observed.uid)
        self._known[observed.uid] = (name, observed.rotation, key_id)
        self.problems.pop(observed.uid, None)

    async def _merge(self, secret: Mapping[str, Any], patch: Mapping[str, Any], observed: Observed) -> dict[str, Any]:
        """Only where it is as it was read: of two that make a key at once, the one in the Secret must be the last that
        billing hears of."""
        metadata = {**patch["metadata"], "resourceVersion": secret["metadata"]["resourceVersion"]}
        body = {**patch, "metadata": metadata}
        return await self._client.merge(SECRET, secret["metadata"]["name"], body, observed.namespace)

    async def _secret(self, observed: Observed, name: str) -> dict[str, Any] | None:
        """Ours, made if it is not there; None where it belongs to somebody else."""
        try:
            secret = await self._client.get(SECRET, name, observed.namespace)
        except NotFoundError:
            body = self._content(observed, make_api_key(secrets.token_bytes(24)))
            body["metadata"] |= {"name": name, "ownerReferences": [self._owner(observed)]}
            try:
                return await self._client.create(SECRET, {"type": "Opaque", **body}, observed.namespace)
            except ConflictError:
                secret = await self._client.get(SECRET, name, observed.namespace)
        owners: list[dict[str, Any]] = secret["metadata"].get("ownerReferences") or []
        if observed.uid not in [owner["uid"] for owner in owners]:
            message = f"spec.secretName: Secret {name!r} is there and not ours; delete it or choose another name"
            self.problems[observed.uid] = Condition("Programmed", False, "SecretNotOwned", message)
            return None
        return secret

    def _content(self, observed: Observed, key: str) -> dict[str, Any]:
        annotations = {_ROTATED: observed.rotation, _KEY_ID: ""}
        metadata: dict[str, Any] = {"annotations": annotations, "labels": {"tollgate.dev/subscription": observed.name}}
        return {"metadata": metadata, "data": {SECRET_KEY: base64.b64encode(key.encode()).decode()}}

    def _owner(self, observed: Observed) -> dict[str, Any]:
        kind = BY_NAME[observed.key[0]]
        return {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": observed.name,
            "uid": observed.uid,
            "controller": True,
        }

    async def _register(self, observed: Observed, subscription: Subscription, secret: str, key: str) -> str:
        """The id of the key at billing, which may have had it already; empty where billing will not have it."""
        path = f"/v1/subscriptions/{observed.key[1].replace('/', '%2F')}/keys"
        overlap = parse_duration_ms(subscription.spec.key_rotation_overlap) // 1000
        body = {"key": key, "label": f"secret/{secret}", "overlap_seconds": overlap}
        response = await self._billing.put(path, json=body)
        if response.status_code == 409:
            message = f"spec.secretName: billing refuses its key: {response.json()['detail']}"
            self.problems[observed.uid] = Condition("Programmed", False, "KeyRefused", message)
            return ""
        response.raise_for_status()
        return str(response.json()["id"])
