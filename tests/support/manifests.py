"""Directories of manifests for tests: the examples, in one metering mode, with changes."""

from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
Document = dict[str, Any]


def example_documents(mode: str | None = None, *, payments: bool = False) -> list[Document]:
    """All examples; with ``mode`` every API is metered that way. Without ``payments`` nobody collects, and no simulator
    has to be started for it."""
    documents = [d for f in sorted(EXAMPLES.glob("*.yaml")) for d in yaml.safe_load_all(f.read_text()) if d]
    if not payments:
        documents = [d for d in documents if d["kind"] != "PaymentProvider"]
        for product in (d for d in documents if d["kind"] == "Product"):
            product["spec"].pop("paymentProvider", None)
            product["spec"].pop("dunning", None)
    for document in documents:
        if mode and document["kind"] == "API":
            document["spec"].setdefault("metering", {})["mode"] = mode
    return documents


def find(documents: list[Document], kind: str, name: str) -> Document:
    """One document, to be changed in place."""
    return next(d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)


def resource(kind: str, name: str, **spec: Any) -> Document:
    """A resource of ours."""
    return {"apiVersion": "tollgate.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def write(directory: Path, documents: list[Document]) -> Path:
    """One file of all documents, replaced atomically."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / "all.tmp"
    temporary.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    temporary.rename(directory / "all.yaml")
    return directory
