"""Looking resources up by kind and name, within a namespace."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from tollgate_core.manifests import API, EndpointSelector, Secret, SecretKeyRef, qualified_name
from tollgate_core.manifests.parse import Manifest

ManifestT = TypeVar("ManifestT", bound=Manifest)


class Index:
    """A set of resources by (kind, qualified name)."""

    def __init__(self, resources: Mapping[tuple[str, str], Manifest]) -> None:
        self._resources = resources

    def of_kind(self, kind: type[ManifestT]) -> Iterator[ManifestT]:
        """All of one kind, by name."""
        for _, resource in sorted(self._resources.items()):
            if isinstance(resource, kind):
                yield resource

    def find(self, kind: type[ManifestT], namespace: str, name: str) -> ManifestT | None:
        """One resource, or None."""
        found = self._resources.get((kind.__name__, qualified_name(namespace, name)))
        return found if isinstance(found, kind) else None

    def names(self, kind: type[Manifest], namespace: str) -> list[str]:
        """Names within a namespace, for "did you mean"."""
        return [r.metadata.name for r in self.of_kind(kind) if r.metadata.namespace == namespace]

    def secret_value(self, namespace: str, reference: SecretKeyRef) -> str | None:
        """A Secret's value, or None where Secret or key is missing."""
        secret = self.find(Secret, namespace, reference.name)
        return secret.value(reference.key) if secret else None

    def endpoint_ids(self, owner: Manifest, selectors: list[EndpointSelector] | None) -> tuple[str, ...]:
        """Ids of all endpoints that the selectors name; what cannot be resolved is left out."""
        ids: dict[str, None] = {}
        for selector in selectors or []:
            api = self.find(API, owner.metadata.namespace, selector.api)
            for endpoint in api.spec.endpoints if api else []:
                if selector.endpoints is None or endpoint.name in selector.endpoints:
                    ids[endpoint_id(api.qualified_name if api else "", endpoint.name)] = None
        return tuple(ids)


def endpoint_id(api: str, endpoint: str) -> str:
    """The name of an endpoint everywhere: in the catalog, in Envoy's routes, in events."""
    return f"{api}/{endpoint}"
