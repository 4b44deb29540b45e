"""The API server, in plain mappings: what Kopf does not do for us (lists, writes of our own objects).

One place translates the client library's errors: ``ConflictError`` (409), ``NotFoundError`` (404),
``ForbiddenError`` (403), ``RefusedError`` (any other answer) and ``AwayError`` (no answer).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import httpx2
from lightkube import ApiError, AsyncClient, generic_resource
from lightkube.types import PatchType

from tollgate_core.errors import TollgateError
from tollgate_operator.cluster.kinds import Kind

FIELD_MANAGER = "tollgate-operator"
_PAGE = 500


class KubernetesError(TollgateError):
    """Anything that went wrong with the API server."""


class AwayError(KubernetesError):
    """It did not answer, or said that it cannot now."""


class RefusedError(KubernetesError):
    """It answered with an error."""


class ConflictError(RefusedError):
    """The object exists already, or was changed meanwhile."""


class NotFoundError(RefusedError):
    """There is no such object, or no such kind."""


class ForbiddenError(RefusedError):
    """Our ServiceAccount may not do that."""


_BY_STATUS = {403: ForbiddenError, 404: NotFoundError, 409: ConflictError}


@cache
def _resource(kind: Kind) -> Any:
    generic: Any = generic_resource
    make = generic.create_namespaced_resource if kind.namespaced else generic.create_global_resource
    return make(kind.group, kind.version, kind.kind, kind.plural)


class KubernetesClient:
    """``namespace=None`` means all namespaces (lists) or a kind without namespaces."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: Any = client

    async def list(
        self, kind: Kind, namespace: str | None = None, trim: Callable[[dict[str, Any]], dict[str, Any]] = lambda o: o
    ) -> tuple[list[dict[str, Any]], int]:
        """(all objects, resource version of the list), in pages; ``trim`` says what is kept of each."""
        listed = self._client.list(_resource(kind), namespace=namespace or "*", chunk_size=_PAGE)
        try:
            items = [trim(cast("dict[str, Any]", item.to_dict())) async for item in listed]
        except (ApiError, httpx2.HTTPError) as error:
            raise _translated(error) from error
        return items, int(listed.resourceVersion or 0)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        return await self._do("get", kind, name, namespace=namespace)

    async def create(self, kind: Kind, body: Mapping[str, Any], namespace: str | None = None) -> dict[str, Any]:
        """Answers the object as it was stored."""
        full = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        try:
            made = await self._client.create(_resource(kind)(full), namespace=namespace, field_manager=FIELD_MANAGER)
        except (ApiError, httpx2.HTTPError) as error:
            raise _translated(error) from error
        return cast("dict[str, Any]", made.to_dict())

    async def merge(
        self, kind: Kind, name: str, patch: Mapping[str, Any], namespace: str | None = None, *, status: bool = False
    ) -> dict[str, Any]:
        """Merge-patch; with ``metadata.resourceVersion`` in it only where the object is as it was."""
        resource = _resource(kind)
        try:
            patched = await self._client.patch(
                resource.Status if status else resource,
                name,
                dict(patch),
                **({"namespace": namespace} if kind.namespaced else {}),
                patch_type=PatchType.MERGE,
                field_manager=FIELD_MANAGER,
            )
        except (ApiError, httpx2.HTTPError) as error:
            raise _translated(error) from error
        return cast("dict[str, Any]", patched.to_dict())

    async def _do(self, verb: str, kind: Kind, name: str, **more: Any) -> dict[str, Any]:
        if not kind.namespaced:
            more.pop("namespace")
        try:
            found = await getattr(self._client, verb)(_resource(kind), name, **more)
        except (ApiError, httpx2.HTTPError) as error:
            raise _translated(error) from error
        return cast("dict[str, Any]", found.to_dict())

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _translated(error: ApiError | httpx2.HTTPError) -> KubernetesError:
    # A kind that the API server does not know is a 404 without a Status.
    if isinstance(error, httpx2.HTTPStatusError):
        code = int((error.status.code if isinstance(error, ApiError) else 0) or error.response.status_code)
        if code == 429 or code >= 500:
            return AwayError(str(error))
        return _BY_STATUS.get(code, RefusedError)(str(error))
    return AwayError(f"{type(error).__name__}: {error}")
