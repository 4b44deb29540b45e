"""Which resources must not go while customers use them. Pure."""

from collections import defaultdict
from collections.abc import Mapping

from tollgate_core.manifests import Price, Subscription, qualified_name
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.cluster.store import Store
from tollgate_operator.reconcile.catalog_builder import subscribed_product

FINALIZER = "tollgate.dev/in-use"
Key = tuple[str, str]


def users(serving: Mapping[Key, Manifest], store: Store) -> dict[Key, list[str]]:
    """For each Product, and each Price of it, the Subscriptions that use it and are not being deleted. What serves
    counts, not what is wished: without a ReferenceGrant nobody holds on to another namespace's Product."""
    by_product: defaultdict[str, list[str]] = defaultdict(list)
    for observed in store.of_kind("Subscription"):
        subscription = serving.get(observed.key)
        if isinstance(subscription, Subscription) and not observed.deleting:
            by_product[subscribed_product(subscription)].append(observed.key[1])
    used: dict[Key, list[str]] = {("Product", name): sorted(names) for name, names in by_product.items()}
    for observed in store.of_kind("Price"):
        price = observed.manifest
        if isinstance(price, Price):
            product = qualified_name(price.metadata.namespace, price.spec.product)
            if product in by_product:
                used[observed.key] = sorted(by_product[product])
    return used


def wanted_finalizers(store: Store, used: Mapping[Key, list[str]]) -> dict[Key, tuple[str, ...]]:
    """The finalizers of those whose list must change."""
    changes: dict[Key, tuple[str, ...]] = {}
    for kind in ("Product", "Price"):
        for observed in store.of_kind(kind):
            has, needs = FINALIZER in observed.finalizers, observed.key in used
            if needs and not has and not observed.deleting:
                changes[observed.key] = (*observed.finalizers, FINALIZER)
            elif has and not needs:
                changes[observed.key] = tuple(name for name in observed.finalizers if name != FINALIZER)
    return changes
