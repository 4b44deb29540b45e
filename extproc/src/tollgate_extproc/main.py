"""Composition root of gate and meter: one process of one core; run several for more cores."""

import uvloop

from tollgate_core.logs import configure_logging
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import system_clock
from tollgate_extproc.gate.admit import Admitter
from tollgate_extproc.gate.compiled import GateRules
from tollgate_extproc.gate.service import Gate
from tollgate_extproc.gate.subscriptions import Subscriptions
from tollgate_extproc.health import HealthServer
from tollgate_extproc.lifecycle import run_until_stopped
from tollgate_extproc.meter.handler import Meter
from tollgate_extproc.meter.server import MeterServer
from tollgate_extproc.metrics import Metrics
from tollgate_extproc.redis_client import connect
from tollgate_extproc.server import make_server
from tollgate_extproc.settings import Settings, settings_or_exit
from tollgate_extproc.settlement import Settler, Spool

_DRAIN_SECONDS = 3.0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    redis = connect(settings.redis_url)
    catalogs = CatalogCache(redis)
    metrics = Metrics()
    expressions = Expressions(settings.budget, metrics)
    settler = Settler(
        redis,
        catalogs,
        system_clock,
        join_grace_seconds=settings.join_grace_seconds,
        metrics=metrics,
        expressions=expressions,
        spool=Spool(settings.state_dir / "settlements.spool"),
    )
    gate = Gate(
        catalogs,
        Subscriptions(redis, settings.key_pepper),
        Admitter.over(redis),
        GateRules(expressions),
        system_clock,
        settings.hold_seconds,
        metrics,
    )
    meter = Meter(catalogs, settler, system_clock)
    server = make_server(gate, settings.listen)
    await server.start()
    meter_server = MeterServer(meter.receiver)
    await meter_server.start(settings.meter_listen)
    health = HealthServer(settings.health_listen, metrics, catalogs.problems)
    try:
        await run_until_stopped(catalogs.follow(), settler.run())
    finally:
        health.stop()
        await server.stop(grace=_DRAIN_SECONDS)
        meter_server.stop()
        await settler.drain(_DRAIN_SECONDS)
        await expressions.close()
        await redis.aclose()


def main() -> None:
    """Entry point of ``tollgate-extproc`` and ``python -m tollgate_extproc``."""
    configure_logging()
    uvloop.run(run(settings_or_exit("TOLLGATE_EXTPROC_LISTEN", "TOLLGATE_METER_LISTEN")))
