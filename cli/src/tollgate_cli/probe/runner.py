"""All test calls, one after the other: an upstream is not to be surprised."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from tollgate_cli.probe import bodies
from tollgate_cli.probe.call import perform
from tollgate_cli.probe.cases import Case
from tollgate_cli.probe.gate import ClientCall, ProbeGate, not_counted
from tollgate_cli.probe.naming import path_of
from tollgate_cli.probe.target import Target
from tollgate_cli.probe.verdict import CallResult, Verdict, judge_case
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.meter.watch import ResponseWatch
from tollgate_extproc.metrics import Metrics


@dataclass(frozen=True)
class Settings:
    """How calls are made. ``models`` are by endpoint; ``patch`` changes every body (RFC 7396)."""

    models: Mapping[str, str]
    timeout: float
    now_ms: Callable[[], int]
    patch: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CaseResult:
    """One case of one endpoint."""

    target: Target
    case: Case
    verdict: Verdict


class Prober:
    """Makes the calls of one catalog."""

    def __init__(self, settings: Settings, expressions: Expressions, catalog: str) -> None:
        self._settings = settings
        self._gate = ProbeGate(expressions, catalog, settings.now_ms)

    async def run(self, plan: Sequence[tuple[Target, Case, bool]], say: Callable[[str], None]) -> list[CaseResult]:
        """``say`` is told of every case before it begins. An upstream that cannot be reached, or that refuses the
        credential, is not called again."""
        results: list[CaseResult] = []
        given_up: dict[str, str] = {}
        async with contextlib.AsyncExitStack() as stack:
            clients: dict[str, httpx.AsyncClient] = {}
            for target, case, streams in plan:
                api = target.api.qualified_name
                if api in given_up:
                    results.append(CaseResult(target, case, Verdict("unknown", f"not called: {given_up[api]}")))
                    continue
                say(f"{target.name}: {case.name}, {case.about}")
                if api not in clients:
                    clients[api] = await stack.enter_async_context(_client(target, self._settings.timeout))
                calls = [await self._call(target, case, streams, clients[api]) for _ in range(case.calls)]
                verdict = judge_case(case, target, calls, self._settings.ignored)
                results.append(CaseResult(target, case, verdict))
                if not all(call.reading.reached for call in calls) or _is_refused(calls):
                    given_up[api] = verdict.reason
        return results

    async def _call(self, target: Target, case: Case, streams: bool, client: httpx.AsyncClient) -> CallResult:
        admitted = await self._gate.admit(target, self._client_call(target, case, streams))
        if isinstance(admitted, Denial):
            return CallResult({"streamed": streams}, denial=admitted)

        def watch(headers: dict[str, str]) -> ResponseWatch:
            return ResponseWatch(admitted.admission, target.plan, headers)

        reading = await perform(client, admitted.outgoing, watch, self._settings.now_ms, case.leaves)
        event = await self._gate.event(target, admitted.admission, reading)
        uncounted = not_counted(target, admitted.admission, reading, event) if event else ()
        return CallResult(admitted.sent, reading, event, uncounted=uncounted)

    def _client_call(self, target: Target, case: Case, streams: bool) -> ClientCall:
        settings, fmt = self._settings, target.plan.format
        model = settings.models[target.name]
        path = path_of(target, model, settings.parameters, unknown=case.unknown_model)
        body: dict[str, Any] = {}
        if fmt is not None:
            body = bodies.body_of(fmt.name, target.plan.endpoint.path, bodies.ask(case, model, streams))
            if streams and case.asks_usage:
                body = fmt.force_usage(body) or body
        name = fmt.name if fmt else None
        headers = {**bodies.headers_of(name), **{n.lower(): v for n, v in settings.headers.items()}}
        query = {**bodies.query_of(name, streams), **settings.query}
        return ClientCall(path, query, headers, bodies.merge_patch(body, settings.patch), case.gzip)


def _is_refused(calls: Sequence[CallResult]) -> bool:
    return any(call.event is not None and call.event.data.status_code in {401, 403} for call in calls)


def _client(target: Target, timeout: float) -> httpx.AsyncClient:
    upstream = target.upstream
    return httpx.AsyncClient(
        verify=upstream.trust or True,
        timeout=timeout,
        trust_env=not upstream.simulated,
        headers={"accept": "*/*"},
    )


@asynccontextmanager
async def prober(settings: Settings, catalog: str) -> AsyncGenerator[Prober]:
    """With the workers that evaluate what is costly."""
    expressions = Expressions(Budget(), Metrics())
    try:
        yield Prober(settings, expressions, catalog)
    finally:
        await expressions.close()


def redirected(target: Target, simulated_url: str) -> Target:
    """With the simulated provider's real address in place of its name."""
    upstream = target.upstream
    if not upstream.simulated:
        return target
    path = upstream.base.partition("://")[2].partition("/")[2]
    return replace(target, upstream=replace(upstream, base=f"{simulated_url}/{path}".rstrip("/")))
