"""The Secrets that a release needs and nobody should have to make: keys, a private authority, certificates.

Safe to run at any time and at the same time: what is there and fits stays, and of two that create one loses and reads.
A Secret that an administrator put there is left alone where it is complete. One that the settings name as his own is
never written: somebody else fills and renews it.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from tollgate_operator.cluster.certificates import KeyPair, is_fresh, is_signed_by, make_authority, make_certificate
from tollgate_operator.cluster.client import ConflictError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.clock import Clock
from tollgate_operator.cluster.kinds import DEPLOYMENT, SECRET
from tollgate_operator.cluster.settings import BootstrapSettings

_log = structlog.get_logger("bootstrap")
_TLS = "kubernetes.io/tls"
Data = dict[str, bytes]


class Bootstrap:
    """``ensure`` makes what is missing and renews what expires."""

    def __init__(self, client: KubernetesClient, settings: BootstrapSettings, clock: Clock) -> None:
        self._client = client
        self._names = settings.names
        self._deployment = settings.deployment
        self._clock = clock
        self._owners: list[dict[str, Any]] | None = None

    async def ensure(self) -> None:
        """Raises KubernetesError, also where a Secret that an administrator brings is not there yet; asking again is
        safe."""
        now, existing = self._clock(), self._names.existing
        if "keys" in existing:
            await self.read(self._names.keys)
        else:
            await self._ensure(self._names.keys, "Opaque", _complete_keys)
        parts = ("operator", "gateway", "billing")
        for part in existing.keys() & parts:
            await self.read(self._names.tls(part))
        if existing.keys() >= set(parts):
            return
        authority = await self._ensure(self._names.authority, _TLS, partial(self._authority, now=now))
        signer = KeyPair(authority["tls.crt"], authority["tls.key"])
        for part in parts:
            if part in existing:
                continue
            missing = partial(self._certificate, part=part, signer=signer, now=now)
            await self._ensure(self._names.tls(part), _TLS, missing)

    async def read(self, name: str) -> Data:
        """A Secret's values."""
        found = await self._client.get(SECRET, name, self._names.namespace)
        data: dict[str, str] = found.get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}

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

    async def _ensure(self, name: str, secret_type: str, missing: Callable[[Data], Mapping[str, bytes]]) -> Data:
        """``missing`` says which values are to be written, given those that are there."""
        while True:
            try:
                data, there = await self.read(name), True
            except NotFoundError:
                data, there = {}, False
            written = missing(data)
            if not written:
                return data
            encoded = {key: base64.b64encode(value).decode() for key, value in written.items()}
            try:
                if there:
                    await self._client.merge(SECRET, name, {"data": encoded}, self._names.namespace)
                else:
                    metadata = {"name": name, "labels": self._labels(), "ownerReferences": await self.owners()}
                    body = {"metadata": metadata, "type": secret_type, "data": encoded}
                    await self._client.create(SECRET, body, self._names.namespace)
            except ConflictError:
                continue
            _log.info("secret written", name=name, keys=sorted(written))
            return {**data, **written}

    def _labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": "tollgate", "app.kubernetes.io/managed-by": "tollgate-operator"}

    async def owners(self) -> list[dict[str, Any]]:
        """References to the Deployment, so that what was made for it goes with it."""
        if self._owners is None:
            self._owners = []
            if self._deployment:
                found = await self._client.get(DEPLOYMENT, self._deployment, self._names.namespace)
                uid = found["metadata"]["uid"]
                self._owners = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": self._deployment, "uid": uid}]
        return self._owners


def _complete_keys(data: Data) -> Data:
    wanted = ("key-pepper", "admin-token", "redis-password")
    return {name: secrets.token_urlsafe(32).encode() for name in wanted if not data.get(name)}
