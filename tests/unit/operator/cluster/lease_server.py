"""A stand-in that behaves like the API server for Leases, on a real socket: versions, conflicts, merge patches."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

_PATH = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


@dataclass
class LeaseServer:
    """``away``: every request is answered 503."""

    leases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    requests: list[str] = field(default_factory=list[str])
    away: bool = False
    version: int = 0

    def serve(self) -> TestServer:
        """To be started by who asks."""
        application = web.Application(middlewares=[self._watch])
        application.router.add_get(_PATH + "/{name}", self._get)
        application.router.add_post(_PATH, self._create)
        application.router.add_patch(_PATH + "/{name}", self._patch)
        return TestServer(application)

    def spec(self, name: str = "lease") -> dict[str, Any]:
        """Of a stored Lease."""
        found: dict[str, Any] = self.leases[name]["spec"]
        return found

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request.method)
        if self.away:
            return _refusal(503, "ServiceUnavailable")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _get(self, request: web.Request) -> web.Response:
        found = self.leases.get(request.match_info["name"])
        return web.json_response(found) if found else _refusal(404, "NotFound")

    async def _create(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        name = body["metadata"]["name"]
        if name in self.leases:
            return _refusal(409, "AlreadyExists")
        return self._store(name, body)

    async def _patch(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/merge-patch+json"
        name, patch = request.match_info["name"], await request.json()
        before = self.leases.get(name)
        if before is None:
            return _refusal(404, "NotFound")
        wanted = patch.get("metadata", {}).get("resourceVersion")
        if wanted not in {None, before["metadata"]["resourceVersion"]}:
            return _refusal(409, "Conflict")
        return self._store(name, {**before, "spec": {**before["spec"], **patch["spec"]}})

    def _store(self, name: str, lease: dict[str, Any]) -> web.Response:
        self.version += 1
        metadata = {**lease["metadata"], "name": name, "resourceVersion": str(self.version)}
        self.leases[name] = {**lease, "metadata": metadata}
        return web.json_response(self.leases[name])


def _refusal(code: int, reason: str) -> web.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": reason,
    }
    return web.json_response(status, status=code)
