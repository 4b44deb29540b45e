"""The Secrets that a release needs and nobody should have to make: keys, a private authority, certificates.

Safe to run at any time and at the same time: what is there and fits stays, and of two that create one loses and reads.
A Secret that an administrator put there is left alone where it is complete. One that the settings name as his own is
never written: somebody else fills and renews it. Ours belong to several Deployments, so that one that is deleted and
made again takes no pepper with it.
"""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from tollgate_operator.cluster.certificates import KeyPair, is_fresh, is_signed_by, make_authority, make_certificate
from tollgate_operator.cluster.client import ConflictError, ForbiddenError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.clock import Clock
from tollgate_operator.cluster.kinds import DEPLOYMENT, SECRET
from tollgate_operator.cluster.settings import BootstrapSettings

_log = structlog.get_logger("bootstrap")
_TLS = "kubernetes.io/tls"
#: Of what we made.
LABELS = {"app.kubernetes.io/name": "tollgate", "app.kubernetes.io/managed-by": "tollgate-operator"}
Data = dict[str, bytes]


class Bootstrap:
    """``ensure`` makes what is missing and renews what expires."""

    def __init__(self, client: KubernetesClient, settings: BootstrapSettings, clock: Clock) -> None:
        self._client = client
        self._names = settings.names
        self._deployments = settings.deployments
        self._retain_keys = settings.retain_keys
        self._clock = clock

    async def ensure(self) -> None:
        """Raises KubernetesError, also where a Secret that an administrator brings is not there yet; asking again is
        safe."""
        now, existing = self._clock(), self._names.existing
        owners = await self.owners()
        if "keys" in existing:
            await self.read(self._names.keys)
        else:
            await self._ensure(self._names.keys, "Opaque", _complete_keys, [] if self._retain_keys else owners)
        parts = ("operator", "gateway", "billing")
        await self._ensure(self._names.payment_keys, "Opaque", _nothing, owners)
        for part in existing.keys() & parts:
            await self.read(self._names.tls(part))
        if existing.keys() >= set(parts):
            return
        authority = await self._ensure(self._names.authority, _TLS, partial(self._authority, now=now), owners)
        signer = KeyPair(authority["tls.crt"], authority["tls.key"])
        for part in parts:
            if part in existing:
                continue
            missing = partial(self._certificate, part=part, signer=signer, now=now)
            await self._ensure(self._names.tls(part), _TLS, missing, owners)

    async def read(self, name: str) -> Data:
        """A Secret's values."""
        return _values(await self._client.get(SECRET, name, self._names.namespace))

    def _authority(self, data: Data, now: datetime) -> Data:
        if data.get("tls.key") and is_fresh(data.get("tls.crt", b""), now):
            return {}
        made = make_authority(f"{self._names.fullname} private authority", now)
        return {"tls.crt": made.certificate, "tls.key": made.key}

    def _certificate(self, data: Data, part: str, signer: KeyPair, now: datetime) -> Data:
        certificate, authority = data.get("tls.crt", b""), data.get("ca.crt", b"")
        ours = authority == signer.certificate or not authority
        if data.get("tls.key") and is_fresh(certificate, now) and (not ours or is_signed_by(certificate, authority)):
            return {}
        made = make_certificate(signer, self._names.dns_names(part), now, client=part == "gateway")
        return {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": signer.certificate}

    async def _ensure(
        self,
        name: str,
        secret_type: str,
        missing: Callable[[Data], Mapping[str, bytes]],
        owners: Sequence[Mapping[str, Any]],
    ) -> Data:
        """``missing`` says which values are to be written, given those that are there."""
        while True:
            found = await self._find(name)
            data = _values(found) if found else {}
            written = missing(data)
            if not written:
                break
            encoded = {key: base64.b64encode(value).decode() for key, value in written.items()}
            try:
                if found:
                    found = await self._client.merge(SECRET, name, {"data": encoded}, self._names.namespace)
                else:
                    metadata = {"name": name, "labels": LABELS, "ownerReferences": owners}
                    body = {"metadata": metadata, "type": secret_type, "data": encoded}
                    await self._client.create(SECRET, body, self._names.namespace)
            except ConflictError:
                continue
            _log.info("secret written", name=name, keys=sorted(written))
            data |= written
            break
        if found:
            await self._mend_owners(name, found["metadata"], owners)
        return data

    async def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(SECRET, name, self._names.namespace)
        except NotFoundError:
            return None

    async def _mend_owners(self, name: str, metadata: Mapping[str, Any], owners: Sequence[Mapping[str, Any]]) -> None:
        """Of a Secret that we made before: under another setting, or for a Deployment that was made again since."""
        if not LABELS.items() <= (metadata.get("labels") or {}).items():
            return  # an administrator's
        before: list[dict[str, Any]] = metadata.get("ownerReferences") or []
        others = [o for o in before if not (o["kind"] == "Deployment" and o["name"] in self._deployments)]
        wanted = [*others, *owners]
        if _uids(before) == _uids(wanted):
            return
        # With the version, so that an owner of somebody else is not lost.
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "ownerReferences": wanted}}
        try:
            await self._client.merge(SECRET, name, patch, self._names.namespace)
        except (ConflictError, ForbiddenError) as error:  # nothing to keep a release from starting
            _log.warning("owners of a secret not changed", name=name, error=str(error))
            return
        _log.info("owners of a secret changed", name=name, owners=[owner["name"] for owner in wanted])

    async def owners(self) -> list[dict[str, Any]]:
        """References to the Deployments that there are, so that what was made for them goes with the last."""
        found: list[dict[str, Any]] = []
        for name in self._deployments:
            try:
                deployment = await self._client.get(DEPLOYMENT, name, self._names.namespace)
            except NotFoundError:
                continue  # made a moment later, or deleted: mended in the next round
            uid = deployment["metadata"]["uid"]
            found.append({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid})
        if self._deployments and not found:
            raise NotFoundError(f"none of the Deployments {', '.join(self._deployments)} is there")
        return found


def _values(secret: Mapping[str, Any]) -> Data:
    data: dict[str, str] = secret.get("data") or {}
    return {key: base64.b64decode(value) for key, value in data.items()}


def _uids(owners: Sequence[Mapping[str, Any]]) -> set[str]:
    return {owner["uid"] for owner in owners}


def _nothing(data: Data) -> Data:
    """It is made with the first keys; here only its owners are looked at."""
    del data
    return {}


def _complete_keys(data: Data) -> Data:
    wanted = ("key-pepper", "admin-token", "redis-password")
    return {name: secrets.token_urlsafe(32).encode() for name in wanted if not data.get(name)}
