"""The operator reaches billing with what the Secrets hold now, on real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from tollgate_cli.laptop.system import free_port
from tollgate_operator.cluster.billing import Access, RenewingTransport
from tollgate_operator.cluster.certificates import KeyPair, make_authority, make_certificate
from tollgate_operator.cluster.client import AwayError


@dataclass
class Billing:
    """Answers who knows ``token``; ``secrets`` is what the API server holds of it."""

    directory: Path
    port: int
    token: str = "first"
    secrets: Access | None = None
    reads: int = 0
    bodies: list[str] = field(default_factory=list[str])
    runner: web.AppRunner | None = None

    async def serve(self) -> KeyPair:
        """With a new authority."""
        if self.runner:
            await self.runner.cleanup()
        now = datetime.now(UTC)
        authority = make_authority("a", now)
        pair = make_certificate(authority, ["127.0.0.1"], now)
        certificate, key = self.directory / "crt", self.directory / "key"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        application = web.Application()
        application.router.add_put("/keys", self._answer)
        self.runner = web.AppRunner(application)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True).start()
        return authority

    async def _answer(self, request: web.Request) -> web.Response:
        if request.headers["authorization"] != f"Bearer {self.token}":
            return web.Response(status=401)
        self.bodies.append(await request.text())
        return web.Response(text="known")

    async def read(self) -> Access:
        self.reads += 1
        if self.secrets is None:
            raise AwayError("the API server is away")
        return self.secrets


@pytest.fixture
async def billing(tmp_path: Path) -> AsyncIterator[Billing]:
    made = Billing(tmp_path, free_port())
    authority = await made.serve()
    made.secrets = Access("first", authority.certificate.decode())
    yield made
    assert made.runner
    await made.runner.cleanup()


def client(billing: Billing) -> httpx.AsyncClient:
    assert billing.secrets
    transport = RenewingTransport(billing.secrets, billing.read)
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{billing.port}", transport=transport, timeout=10)


async def test_a_rotated_token_is_taken_up_without_a_restart(billing: Billing) -> None:
    async with client(billing) as calls:
        assert (await calls.put("/keys", json={"n": 1})).status_code == 200
        assert billing.reads == 0
        billing.token = "second"
        assert billing.secrets
        billing.secrets = Access("second", billing.secrets.authority)
        answers = await asyncio.gather(*(calls.put("/keys", json={"n": n}) for n in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert billing.reads == 1
    assert len(billing.bodies) == 6, "each request arrived whole"


async def test_a_renewed_authority_is_taken_up_without_a_restart(billing: Billing) -> None:
    async with client(billing) as calls:
        assert (await calls.put("/keys", json={})).status_code == 200
        authority = await billing.serve()
        with pytest.raises(httpx.ConnectError):
            await calls.put("/keys", json={})  # its Secret is not written yet
        billing.secrets = Access("first", authority.certificate.decode())
        assert (await calls.put("/keys", json={})).status_code == 200


async def test_what_is_not_renewed_stays_a_refusal(billing: Billing) -> None:
    async with client(billing) as calls:
        billing.token = "another"
        assert (await calls.put("/keys", json={})).status_code == 401
        billing.secrets = None
        assert (await calls.put("/keys", json={})).status_code == 401
        billing.secrets = Access("another", "no certificate")
        assert (await calls.put("/keys", json={})).status_code == 401
