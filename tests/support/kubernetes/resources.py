"""Sending manifests to an API server by the hundred, without a kubectl for each."""

import json
from typing import Any

import httpx

from tests.support.kubernetes.apiserver import ApiServer
from tests.support.manifests import Document
from tollgate_core.manifests.crds import CUSTOM_KINDS, GROUP, VERSION

_PLURALS = {kind.name: kind.plural for kind in CUSTOM_KINDS}


class Resources:
    """Our resources in one namespace. ``validation`` is as strict as kubectl's. Use as a context manager."""

    def __init__(self, server: ApiServer, namespace: str, group: str = GROUP) -> None:
        self._http = server.client()
        self._namespace = namespace
        self._group = group

    def __enter__(self) -> "Resources":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def create(self, document: Document, *, dry_run: bool = False) -> httpx.Response:
        """The API server's answer."""
        body = {**document, "apiVersion": f"{self._group}/{VERSION}"}
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._http.post(self._path(document["kind"]), json=body, params=query)

    def refusal(self, document: Document) -> str:
        """Why it would be refused; empty where it would be accepted."""
        answer = self.create(document, dry_run=True)
        return "" if answer.is_success else str(answer.json()["message"])

    def get(self, kind: str, name: str) -> Document:
        """As it is stored, with defaults."""
        answer = self._http.get(f"{self._path(kind)}/{name}")
        answer.raise_for_status()
        document: Document = answer.json()
        return document

    def merge(self, kind: str, name: str, patch: Any, subresource: str = "") -> httpx.Response:
        """A JSON merge patch."""
        return self._patch(kind, name, subresource, patch, "application/merge-patch+json", {})

    def apply(self, document: Document, manager: str) -> Document:
        """Server-side apply."""
        body = {**document, "apiVersion": f"{self._group}/{VERSION}"}
        kind, name = document["kind"], document["metadata"]["name"]
        answer = self._patch(kind, name, "", body, "application/apply-patch+yaml", {"fieldManager": manager})
        assert answer.is_success, answer.text
        merged: Document = answer.json()
        return merged

    def _patch(
        self, kind: str, name: str, subresource: str, body: Any, media: str, query: dict[str, str]
    ) -> httpx.Response:
        path = "/".join(part for part in (self._path(kind), name, subresource) if part)
        headers = {"content-type": media}
        return self._http.patch(
            path, content=json.dumps(body), headers=headers, params={"fieldValidation": "Strict", **query}
        )

    def _path(self, kind: str) -> str:
        return f"/apis/{self._group}/{VERSION}/namespaces/{self._namespace}/{_PLURALS[kind]}"
