"""Billing, as the operator calls it: with the admin token and the certificate authority that the Secrets hold now.

Both can be renewed while we run. They are read again when billing does not take them, or shows another certificate.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import structlog

from tollgate_operator.cluster.bootstrap import Bootstrap
from tollgate_operator.cluster.client import KubernetesError
from tollgate_operator.cluster.settings import Names

_log = structlog.get_logger("billing")


@dataclass(frozen=True)
class Access:
    """``authority`` is PEM; None where billing's certificate is of a public authority."""

    token: str = field(repr=False)
    authority: str | None

    def context(self) -> ssl.SSLContext:
        """Raises ssl.SSLError for an authority that is none."""
        context = ssl.create_default_context()
        if self.authority is not None:
            context.load_verify_locations(cadata=self.authority)
        return context


async def read_access(secrets: Bootstrap, names: Names) -> Access:
    """Raises KubernetesError, or KeyError for a Secret that lacks the token."""
    keys = await secrets.read(names.keys)
    tls = await secrets.read(names.tls("billing"))
    authority = tls["ca.crt"].decode() if "ca.crt" in tls else None
    return Access(keys["admin-token"].decode(), authority)


class RenewingTransport(httpx.AsyncBaseTransport):
    """Sends a request once more where ``read`` answers something new after a refusal."""

    def __init__(self, access: Access, read: Callable[[], Awaitable[Access]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._access = access
        self._transport = httpx.AsyncHTTPTransport(verify=access.context())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx wants it."""
        access = self._access
        try:
            response = await self._send(request)
        except httpx.ConnectError:  # an unknown authority is one of these
            if not await self._renewed(access):
                raise
            return await self._send(request)
        if response.status_code == 401 and await self._renewed(access):
            await response.aclose()
            return await self._send(request)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        request.headers["authorization"] = f"Bearer {self._access.token}"
        return await self._transport.handle_async_request(request)

    async def _renewed(self, refused: Access) -> bool:
        """Whether there is something else to try."""
        async with self._lock:
            if self._access is not refused:
                return True  # somebody else found it meanwhile
            try:
                access = await self._read()
                if access == refused:
                    return False
                transport = httpx.AsyncHTTPTransport(verify=access.context())
            except (KubernetesError, KeyError, ValueError, ssl.SSLError) as error:
                _log.warning("billing's secrets cannot be read again", error=f"{type(error).__name__}: {error}")
                return False
            before, self._transport, self._access = self._transport, transport, access
            await before.aclose()
            _log.info("billing's secrets were renewed")
            return True
