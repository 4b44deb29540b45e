"""The HTTPS endpoint that the API server asks before it stores one of our resources."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from tollgate_core.manifests.parse import Manifest
from tollgate_operator.cluster.admission import advice, review
from tollgate_operator.cluster.client import KubernetesClient
from tollgate_operator.cluster.kinds import WEBHOOK
from tollgate_operator.reconcile import ResourceKey, UpstreamPolicy

_log = structlog.get_logger("webhook")
_LARGEST_REVIEW = 8 << 20
PATH = "/validate"
#: What was applied a moment before, in the same file, is still on its way to us: no reason yet to call it missing.
_PATIENCE_SECONDS = 0.6
_LOOK_SECONDS = 0.05


def webhook_application(
    resources: Callable[[], Mapping[ResourceKey, Manifest]], changes: Callable[[], int], policy: UpstreamPolicy
) -> web.Application:
    """``resources`` answers all that are there now, ``changes`` a number that grows whenever that changed."""

    async def validate(request: web.Request) -> web.Response:
        try:
            document: dict[str, Any] = await request.json()
            answer = review(document["request"], resources(), policy)
            seen, deadline = changes(), time.monotonic() + _PATIENCE_SECONDS
            while (not answer["allowed"] or answer.get("warnings")) and time.monotonic() < deadline:
                await asyncio.sleep(_LOOK_SECONDS)
                if changes() != seen:
                    seen = changes()
                    answer = review(document["request"], resources(), policy)
            if answer["allowed"]:
                doubtful = advice(document["request"], resources(), time.time_ns() // 1_000_000)
                answer |= {"warnings": [*answer.get("warnings", []), *doubtful]} if doubtful else {}
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("not an AdmissionReview", error=type(error).__name__)
            raise web.HTTPBadRequest(text="not an AdmissionReview") from error
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})

    application = web.Application(client_max_size=_LARGEST_REVIEW)
    application.router.add_post(PATH, validate)
    return application


async def trust_webhook(client: KubernetesClient, name: str, authority: str) -> bool:
    """Tell the API server whose certificate to expect (base64 of PEM). False where it knew."""
    configuration = await client.get(WEBHOOK, name)
    webhooks: list[dict[str, Any]] = configuration.get("webhooks", [])
    if all(webhook["clientConfig"].get("caBundle") == authority for webhook in webhooks):
        return False
    for webhook in webhooks:
        webhook["clientConfig"]["caBundle"] = authority
    version = configuration["metadata"]["resourceVersion"]
    await client.merge(WEBHOOK, name, {"metadata": {"resourceVersion": version}, "webhooks": webhooks})
    return True
