"""Objects as an API server answers them."""

from typing import Any

from tests.support.manifests import Document, resource
from tollgate_operator.cluster.store import Observed, Store, observe

CREATED = "2026-11-22T08:00:00Z"
API_SPEC: dict[str, Any] = {
    "pathPrefix": "/x",
    "upstream": {"url": "http://upstream.example"},
    "endpoints": [{"name": "e", "path": "/e"}],
}


def stored(document: Document, version: int = 1, **metadata: Any) -> Document:
    """With what an API server adds."""
    name = document["metadata"]["name"]
    added = {
        "namespace": "default",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": CREATED,
    }
    return {**document, "metadata": {**added, **document["metadata"], **metadata}}


def product(name: str = "pro", version: int = 1, *, api: str = "a", status: Any = None, **metadata: Any) -> Document:
    """A Product that grants one API."""
    made = stored(resource("Product", name, endpoints=[{"api": api}]), version, **metadata)
    return made if status is None else {**made, "status": status}


def subscription(name: str, version: int = 1, *, to: str = "pro", **metadata: Any) -> Document:
    """A Subscription to a Product of its namespace."""
    return stored(resource("Subscription", name, product=to, customer={"id": "c"}), version, **metadata)


def price(name: str, version: int = 1, *, of: str = "pro", **metadata: Any) -> Document:
    """A fee."""
    return stored(resource("Price", name, product=of, currency="USD", model="flat", amount="1"), version, **metadata)


def api(name: str, version: int = 1, *, prefix: str = "", **metadata: Any) -> Document:
    """An API with one endpoint."""
    return stored(resource("API", name, **{**API_SPEC, "pathPrefix": prefix or f"/{name}"}), version, **metadata)


def observed(document: Document) -> Observed:
    """As the store has it."""
    found = observe(document)
    assert found is not None
    return found


def store_of(*documents: Document) -> Store:
    """A store that holds them, with the values of Secrets that are referred to."""
    store = Store()
    for document in sorted(documents, key=lambda d: d["kind"] == "Secret"):
        store.refer(store.references())
        store.apply("ADDED", document)
    return store
