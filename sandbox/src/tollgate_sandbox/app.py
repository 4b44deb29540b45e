"""The ASGI application: every provider's paths, and the sandbox's own."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tollgate_sandbox.compute import Compute
from tollgate_sandbox.course import Holds
from tollgate_sandbox.endpoint import Endpoint, Shared
from tollgate_sandbox.formats.anthropic import Anthropic
from tollgate_sandbox.formats.deepseek import DeepSeek
from tollgate_sandbox.formats.gemini import Gemini
from tollgate_sandbox.formats.mistral import Mistral
from tollgate_sandbox.formats.ollama import Ollama
from tollgate_sandbox.formats.openai_chat import OpenAIChat
from tollgate_sandbox.formats.openai_responses import OpenAIResponses
from tollgate_sandbox.journal import Journal
from tollgate_sandbox.jsons import dumps
from tollgate_sandbox.other import Other
from tollgate_sandbox.settings import Settings


class SandboxApp(Starlette):
    """A sandbox; tests that run it in their own process read `journal` directly."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journal = Journal(settings.journal_size)
        self.holds = Holds()
        shared = Shared(settings, self.journal, self.holds)
        super().__init__(routes=[*_provider_routes(shared), *self._own_routes(), Mount("/", Other(shared))])

    def _own_routes(self) -> list[Route]:
        return [
            Route("/sandbox/journal", self._journal, methods=["GET", "DELETE"]),
            Route("/sandbox/totals", self._totals, methods=["GET"]),
            Route("/sandbox/release/{name}", self._release, methods=["POST"]),
        ]

    async def _journal(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.journal.clear()
            return Response(status_code=204)
        since = request.query_params.get("since", "0")
        if not since.isdigit():
            return _json({"error": "since must be a sequence number"}, 400)
        return _json(self.journal.since(int(since)))

    async def _totals(self, _request: Request) -> Response:
        return _json(self.journal.totals())

    async def _release(self, request: Request) -> Response:
        self.holds.release(request.path_params["name"])
        return Response(status_code=204)


def create_app(settings: Settings | None = None) -> SandboxApp:
    """A fresh sandbox with an empty journal."""
    return SandboxApp(settings or Settings())


def _provider_routes(shared: Shared) -> list[Route]:
    ollama, gemini, deepseek = Ollama(), Gemini(), DeepSeek()
    posts: dict[str, Endpoint] = {
        "/v1/chat/completions": Endpoint(OpenAIChat(), shared),
        "/v1/responses": Endpoint(OpenAIResponses(), shared),
        "/v1/messages": Endpoint(Anthropic(), shared),
        "/v1/models/{call:path}": Endpoint(gemini, shared),
        "/v1beta/models/{call:path}": Endpoint(gemini, shared),
        "/api/chat": Endpoint(ollama, shared, flavour="chat"),
        "/api/generate": Endpoint(ollama, shared, flavour="generate"),
        "/deepseek/chat/completions": Endpoint(deepseek, shared),
        "/deepseek/v1/chat/completions": Endpoint(deepseek, shared),
        "/mistral/v1/chat/completions": Endpoint(Mistral(), shared),
    }
    compute: Callable[..., object] = Compute(shared)
    return [
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()),
        Route("/v1/compute", compute, methods=["GET", "POST"]),
        Route("/v1/compute/{job}", compute, methods=["GET", "POST"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(dumps(value), status, media_type="application/json")
