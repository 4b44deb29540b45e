"""Composition root of the operator on Kubernetes, and its command: ``tollgate-operator [serve | bootstrap]``."""

import argparse
import asyncio
import base64
import contextlib
import logging
import signal
import ssl
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import structlog
from aiohttp import web
from lightkube import AsyncClient
from redis.asyncio import Redis

from tollgate_core.logs import configure_logging
from tollgate_operator.cluster.accounts import Accounts
from tollgate_operator.cluster.billing import RenewingTransport, read_access
from tollgate_operator.cluster.bootstrap import Bootstrap
from tollgate_operator.cluster.client import KubernetesClient, KubernetesError
from tollgate_operator.cluster.clock import Clock, system_clock
from tollgate_operator.cluster.handlers import Watches
from tollgate_operator.cluster.http import health_application, serve
from tollgate_operator.cluster.keys import KeyKeeper
from tollgate_operator.cluster.leadership import Leadership
from tollgate_operator.cluster.memory import Memory
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.operator import ClusterOperator
from tollgate_operator.cluster.payment_secret import PaymentSecret
from tollgate_operator.cluster.payments import Payments
from tollgate_operator.cluster.peers import Peers
from tollgate_operator.cluster.settings import BootstrapSettings, ClusterSettings
from tollgate_operator.cluster.store import Store
from tollgate_operator.cluster.tls import ServerCertificate
from tollgate_operator.cluster.webhook import trust_webhook, webhook_application
from tollgate_operator.cluster.writer import Writer
from tollgate_operator.publish import CatalogPublisher
from tollgate_operator.xds import AdsServer, SnapshotCache

_log = structlog.get_logger("operator")
_RENEW_SECONDS = 600.0
_RETRY_SECONDS = 2.0
_IDLE_SECONDS = 60.0
#: The certificate of the gateway's listener is somebody else's to renew; this soon it is noticed.
_GATEWAY_SECONDS = 10.0


async def bootstrap(settings: BootstrapSettings, clock: Clock = system_clock) -> None:
    """Make the Secrets that are missing; waits for an API server that is away."""
    client = KubernetesClient(AsyncClient())
    try:
        while True:
            try:
                await Bootstrap(client, settings, clock).ensure()
            except KubernetesError as error:
                _log.warning("waiting", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
    finally:
        await client.close()


class Cluster:
    """All parts of one replica, wired but not started."""

    def __init__(
        self,
        settings: ClusterSettings,
        client: KubernetesClient,
        redis: "Redis",
        billing: httpx.AsyncClient,
        owners: list[dict[str, Any]],
        clock: Clock,
    ) -> None:
        names = settings.names
        self.settings = settings
        self.client = client
        self.metrics = Metrics()
        self.cache = SnapshotCache()
        self.store = Store()
        self.peers = Peers(redis, settings.pod_name, clock)
        self.bootstrap = Bootstrap(client, settings.bootstrap, clock)
        self.leadership = Leadership(client, names.namespace, names.lease, settings.pod_name, owners, clock)
        self.operator = ClusterOperator(
            client=client,
            namespaces=settings.watch_namespaces,
            gateway=settings.gateway,
            store=self.store,
            cache=self.cache,
            publisher=CatalogPublisher(redis),
            peers=self.peers,
            leadership=self.leadership,
            writer=Writer(client, self.store, settings.pod_name, clock, self.metrics),
            keys=KeyKeeper(client, billing),
            memory=Memory(client, names.namespace, names.last_good, owners),
            payments=Payments(
                PaymentSecret(client, names.namespace, names.payment_keys, self.bootstrap.owners), Accounts(billing)
            ),
            clock=clock,
            metrics=self.metrics,
        )

    async def watch(self) -> None:
        """From the moment when every kind could be listed, so that its CRD is there; again when the namespaces that are
        there have become others: a watch in one that is gone would end all."""
        await self.operator.synced.wait()
        lists = self.operator.lists
        while True:
            lists.moved.clear()
            present = lists.present
            moved = asyncio.create_task(lists.moved.wait())
            watching = asyncio.create_task(self._watch(present))
            try:
                await asyncio.wait({moved, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    await lists.look_at_present()
                    if lists.present == present:
                        await watching
            finally:
                moved.cancel()
                watching.cancel()

    async def _watch(self, present: tuple[str, ...]) -> None:
        while self.settings.watch_namespaces and not present:
            # Also a thread that is just ending may have said that it lives.
            self.operator.liveness.beat("watches", _IDLE_SECONDS)
            await asyncio.sleep(_IDLE_SECONDS / 4)
        await Watches(present, self.operator.observe, self.operator.liveness).run()

    async def keep_certificates(self, certificate: ServerCertificate) -> None:
        """Renew (the leader), take what was renewed (all), and tell the API server whom to trust."""
        while True:
            pause = _RENEW_SECONDS
            try:
                if self.leadership.leads:
                    await self.bootstrap.ensure()
                certificate.update(await self.bootstrap.read(self.settings.names.tls("operator")))
                if self.settings.gateway_tls_secret:
                    pause = _GATEWAY_SECONDS
                    found = await self.bootstrap.read(self.settings.gateway_tls_secret)
                    self.operator.use_certificate((found["tls.crt"].decode(), found["tls.key"].decode()))
                if self.leadership.leads and self.settings.webhook_listen:
                    authority = base64.b64encode(certificate.authority).decode()
                    if await trust_webhook(self.client, self.settings.names.webhook, authority):
                        _log.info("webhook trusted")
                elif not self.leadership.leads:
                    pause = 10 * _RETRY_SECONDS
            except (KubernetesError, KeyError, ValueError, ssl.SSLError) as error:
                # Also a Secret of somebody else's that lacks a key, or holds no certificate: nothing to end for.
                _log.warning("certificates wait", error=f"{type(error).__name__}: {error}")
                pause = _RETRY_SECONDS
            if self.leadership.leads:
                await asyncio.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):  # a new leader's webhook is to be trusted at once
                await asyncio.wait_for(self.leadership.leading.wait(), pause)


async def run(settings: ClusterSettings, clock: Clock = system_clock) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await bootstrap(settings.bootstrap, clock)
    client = KubernetesClient(AsyncClient())
    redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        settings.redis_url, socket_timeout=2, socket_connect_timeout=2
    )
    reader = Bootstrap(client, settings.bootstrap, clock)
    certificate = ServerCertificate(await reader.read(settings.names.tls("operator")))
    async with _billing(settings, reader) as billing:
        cluster = Cluster(settings, client, redis, billing, await reader.owners(), clock)
        server = AdsServer(cluster.cache, settings.ads_listen, certificate.grpc_credentials())
        runners = [await serve(health_application(cluster.operator, cluster.metrics), settings.health_listen)]
        if settings.webhook_listen:
            policy = settings.gateway.upstreams
            application = webhook_application(cluster.operator.resources, lambda: cluster.operator.changes, policy)
            runners.append(await serve(application, settings.webhook_listen, certificate.context))
        await server.start()
        _log.info("serving", ads=settings.ads_listen, namespaces=settings.watch_namespaces or "all")
        try:
            await _until(
                stop,
                cluster.operator.run(),
                cluster.leadership.run(),
                cluster.watch(),
                cluster.keep_certificates(certificate),
            )
        finally:
            await _leave(cluster, server, runners)
            await redis.aclose()
            await client.close()


async def _until(stop: asyncio.Event, *coroutines: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    waiter = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, waiter):
        task.cancel()
    await asyncio.wait([*tasks, waiter], timeout=5)
    for task in done - {waiter}:
        task.result()


async def _leave(cluster: Cluster, server: AdsServer, runners: list[web.AppRunner]) -> None:
    with contextlib.suppress(Exception):
        await cluster.peers.leave()
    await cluster.leadership.release()
    await server.stop()
    for runner in runners:
        await runner.cleanup()


@asynccontextmanager
async def _billing(settings: ClusterSettings, reader: Bootstrap) -> AsyncGenerator[httpx.AsyncClient]:
    """A client with the admin token, which trusts our private authority."""
    read = partial(read_access, reader, settings.names)
    transport = RenewingTransport(await read(), read)
    async with httpx.AsyncClient(base_url=settings.billing_url, transport=transport, timeout=10) as client:
        yield client


def main() -> None:
    """Exit code 2 where a setting is missing."""
    parser = argparse.ArgumentParser(prog="tollgate-operator", description="Tollgate's control plane on Kubernetes.")
    parser.add_argument("command", nargs="?", default="serve", choices=["serve", "bootstrap"])
    command = parser.parse_args().command
    configure_logging()
    logging.getLogger("kopf").setLevel(logging.ERROR)
    try:
        if command == "bootstrap":
            work = bootstrap(BootstrapSettings.from_environment())
        else:
            work = run(ClusterSettings.from_environment())
    except (KeyError, ValueError) as error:
        sys.stderr.write(f"setting missing or not usable: {error}\n")
        sys.exit(2)
    asyncio.run(work)
