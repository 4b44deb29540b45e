"""API keys of declared Subscriptions, put into Secrets that these own.

The Secret is written first and billing is told after, with the same words again and again until it answers: whatever
dies in between, the key in the Secret is the one that works.
"""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import httpx
import structlog

from tollgate_core.api_keys import is_well_formed, make_api_key
from tollgate_core.manifests import Subscription
from tollgate_core.quantity import parse_duration_ms
from tollgate_operator.cluster.client import ConflictError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import OWN, SECRET
from tollgate_operator.cluster.store import Observed
from tollgate_operator.reconcile import Condition

_log = structlog.get_logger("keys")
KEY = "api-key"
_ROTATED = "tollgate.dev/rotated-for"
_KEY_ID = "tollgate.dev/key-id"


class KeyKeeper:
    """``sync`` brings one Subscription's Secret and billing together; ``conditions`` is what is not well."""

    def __init__(self, client: KubernetesClient, billing: httpx.AsyncClient) -> None:
        self._client = client
        self._billing = billing
        self._known: dict[str, tuple[str, str, str]] = {}
        self.problems: dict[str, Condition] = {}

    def key_id(self, observed: Observed) -> str:
        """Of the key that works; empty while there is none."""
        known = self._known.get(observed.uid)
        return known[2] if known else ""

    def is_done(self, observed: Observed, subscription: Subscription) -> bool:
        """Whether nothing is left to do for it."""
        known = self._known.get(observed.uid)
        return known is not None and known[:2] == (subscription.spec.secret_name, observed.rotation)

    def lost(self, uid: str) -> None:
        """Its Secret went or was changed: look again."""
        self._known.pop(uid, None)

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
        key = base64.b64decode(data.get(KEY, "")).decode(errors="replace")
        if rotated or not is_well_formed(key):  # a Secret can be edited by hand
            key = make_api_key(secrets.token_bytes(24))
            secret = await self._client.merge(SECRET, name, self._content(observed, key), observed.namespace)
            annotations = secret["metadata"].get("annotations") or {}
        key_id = annotations.get(_KEY_ID, "")
        if not key_id:
            key_id = await self._register(observed, subscription, name, key)
            if not key_id:
                return
            await self._client.merge(SECRET, name, {"metadata": {"annotations": {_KEY_ID: key_id}}}, observed.namespace)
        self._known[observed.uid] = (name, observed.rotation, key_id)
        self.problems.pop(observed.uid, None)

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
        return {"metadata": metadata, "data": {KEY: base64.b64encode(key.encode()).decode()}}

    def _owner(self, observed: Observed) -> dict[str, Any]:
        kind = next(kind for kind in OWN if kind.kind == observed.key[0])
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
