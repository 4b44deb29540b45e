"""Looking resources up by kind and name, within a namespace."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from tollgate_core.manifests import (
    API,
    EndpointSelector,
    PaymentProvider,
    Price,
    Product,
    Secret,
    SecretKeyRef,
    qualified_name,
)
from tollgate_core.manifests.crds import GROUP
from tollgate_core.manifests.kubernetes import ReferenceGrant, Service
from tollgate_core.manifests.parse import Manifest

ManifestT = TypeVar("ManifestT", bound=Manifest)


class Index:
    """A set of resources by (kind, qualified name). ``unusable`` are there too, and do not serve for errors of their
    own."""

    def __init__(
        self, resources: Mapping[tuple[str, str], Manifest], unusable: Collection[tuple[str, str]] = frozenset()
    ) -> None:
        self._resources = resources
        self._unusable = unusable
        self._kinds: defaultdict[str, list[Manifest]] = defaultdict(list)
        for (kind, _), resource in sorted(resources.items()):
            self._kinds[kind].append(resource)
        #: Prices by namespace, product and metric.
        self._prices: defaultdict[tuple[str, str, str | None], list[Price]] = defaultdict(list)
        self._of_product: defaultdict[tuple[str, str], list[Price]] = defaultdict(list)
        for price in self.of_kind(Price):
            self._prices[price.metadata.namespace, price.spec.product, price.spec.metric].append(price)
            self._of_product[price.metadata.namespace, price.spec.product].append(price)

    @cached_property
    def namespaces_with_services(self) -> frozenset[str]:
        """Those in which a Service can be meant."""
        return frozenset(service.metadata.namespace for service in self.of_kind(Service))

    def of_kind(self, kind: type[ManifestT]) -> Iterator[ManifestT]:
        """All of one kind, by name."""
        for resource in self._kinds[kind.__name__]:
            if isinstance(resource, kind):
                yield resource

    def rivals(self, price: Price) -> list[Price]:
        """All prices of the same metric of the same product, itself among them, by name."""
        return self._prices[price.metadata.namespace, price.spec.product, price.spec.metric]

    def prices(self, product: Product) -> list[Price]:
        """All prices of a product, by name."""
        return self._of_product[product.metadata.namespace, product.metadata.name]

    def find(self, kind: type[ManifestT], namespace: str, name: str) -> ManifestT | None:
        """One resource, or None."""
        found = self._resources.get((kind.__name__, qualified_name(namespace, name)))
        return found if isinstance(found, kind) else None

    def is_unusable(self, kind: type[Manifest], namespace: str, name: str) -> bool:
        """Whether it is there, and is not found because it is wrong itself."""
        return (kind.__name__, qualified_name(namespace, name)) in self._unusable

    def permits(self, owner: Manifest, kind: type[Manifest], namespace: str, name: str) -> bool:
        """Whether ``owner`` may refer to an object: in its own namespace always, in another one where a ReferenceGrant
        there says so."""
        if namespace == owner.metadata.namespace:
            return True
        group = "" if kind in {Secret, Service} else GROUP
        return any(
            grant.metadata.namespace == namespace
            and grant.allows(GROUP, owner.kind, owner.metadata.namespace, group, kind.__name__, name)
            for grant in self.of_kind(ReferenceGrant)
        )

    def selected(self, owner: Manifest, selector: EndpointSelector) -> API | None:
        """The API of a selector, where there is one and ``owner`` may refer to it."""
        namespace = selector.namespace or owner.metadata.namespace
        api = self.find(API, namespace, selector.api)
        return api if api is not None and self.permits(owner, API, namespace, selector.api) else None

    def names(self, kind: type[Manifest], namespace: str) -> list[str]:
        """Names within a namespace, for "did you mean"."""
        return [r.metadata.name for r in self.of_kind(kind) if r.metadata.namespace == namespace]

    def secret_value(self, owner: Manifest, reference: SecretKeyRef) -> str | None:
        """A Secret's value, or None where Secret or key is missing, or ``owner`` may not refer to it."""
        namespace = reference.namespace or owner.metadata.namespace
        secret = self.find(Secret, namespace, reference.name)
        if secret is None or not self.permits(owner, Secret, namespace, reference.name):
            return None
        return secret.value(reference.key)

    def endpoint_ids(self, owner: Manifest, selectors: list[EndpointSelector] | None) -> tuple[str, ...]:
        """Ids of all endpoints that the selectors name; what cannot be resolved is left out."""
        ids: dict[str, None] = {}
        for selector in selectors or []:
            api = self.selected(owner, selector)
            for endpoint in api.spec.endpoints if api else []:
                if selector.endpoints is None or endpoint.name in selector.endpoints:
                    ids[endpoint_id(api.qualified_name if api else "", endpoint.name)] = None
        return tuple(ids)


def endpoint_id(api: str, endpoint: str) -> str:
    """The name of an endpoint everywhere: in the catalog, in Envoy's routes, in events."""
    return f"{api}/{endpoint}"


def age(resource: Manifest) -> tuple[bool, datetime, str]:
    """Sorts the older first, then by name; what has no age, as on a laptop, by name alone."""
    created = resource.metadata.creation_timestamp
    return created is None, created or datetime.min.replace(tzinfo=UTC), resource.qualified_name


def secret_references(api: API) -> Iterator[tuple[str, SecretKeyRef]]:
    """(field, reference) for each Secret that an API names."""
    if api.spec.credential:
        yield "spec.credential.secretKeyRef", api.spec.credential.secret_key_ref
    if api.spec.upstream.tls.ca_secret_key_ref:
        yield "spec.upstream.tls.caSecretKeyRef", api.spec.upstream.tls.ca_secret_key_ref


def provider_references(provider: PaymentProvider) -> Iterator[tuple[str, SecretKeyRef, bool]]:
    """(field, reference, whether it cannot do without) for each Secret that a PaymentProvider names: first that of its
    key, then those of its webhook, the newest first."""
    for kind, options in (("stripe", provider.spec.stripe), ("paddle", provider.spec.paddle)):
        if options is not None:
            yield f"spec.{kind}.secretKeyRef", options.secret_key_ref, True
            yield f"spec.{kind}.webhookSecretKeyRef", options.webhook_secret_key_ref, True
            if options.previous_webhook_secret_key_ref is not None:
                yield f"spec.{kind}.previousWebhookSecretKeyRef", options.previous_webhook_secret_key_ref, False
