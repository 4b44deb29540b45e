"""What the API server said, in the order of its resource versions. Pure: no I/O, no clock.

Watches lose events (a connection that breaks, 410 Gone), so whole lists come in between: an entry of a list never
overwrites what a later event said, and what a list does not hold is gone unless an event made it after the list. An
event from before a list is no news: the list knew it.

Of a Secret that no manifest refers to only the names of its keys are kept, not the values: these are nobody's here.
``refer`` says whose values are wanted, and which of these are not there; whoever reconciles gets them first (``fill``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tollgate_core.errors import ManifestError, Problem
from tollgate_core.manifests import (
    API,
    ROTATE_ANNOTATION,
    PaymentProvider,
    Portal,
    Secret,
    SecretKeyRef,
    qualified_name,
)
from tollgate_core.manifests.base import Metadata
from tollgate_core.manifests.parse import Manifest, parse_manifest
from tollgate_operator.cluster.kinds import BY_NAME
from tollgate_operator.reconcile.index import provider_references, secret_references
from tollgate_operator.sources import Loaded

Key = tuple[str, str]
"""(kind, qualified name)"""
Change = Literal["none", "status", "content"]

#: Secrets that no manifest can mean; Helm's hold whole releases.
_IGNORED_SECRET_TYPES = ("helm.sh/", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/")
#: In an object whose values were taken out: the names of its keys.
_TRIMMED = "keysOnly"
#: What of an object's metadata is ours to know; the rest (the last applied text, managed fields) is only large.
_METADATA = ("name", "namespace", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Observed:
    """One object. Exactly one of ``manifest``, ``problems`` and ``keys`` is there; ``keys`` of a Secret without its
    values."""

    key: Key
    namespace: str
    name: str
    uid: str
    version: int
    generation: int
    created: str
    deleting: bool
    finalizers: tuple[str, ...]
    rotation: str
    status: Mapping[str, Any]
    manifest: Manifest | None
    problems: tuple[Problem, ...]
    content: Mapping[str, Any] = field(repr=False)
    keys: frozenset[str] | None = None


def observe(raw: Mapping[str, Any], before: Observed | None = None) -> Observed | None:
    """None for an object that cannot matter. What did not change since ``before`` is the same object as there."""
    kind, metadata = str(raw["kind"]), raw["metadata"]
    if str(raw.get("type", "")).startswith(_IGNORED_SECRET_TYPES):
        return None
    namespace, name = metadata.get("namespace", "default"), metadata["name"]
    content = {part: raw[part] for part in ("spec", "data", "stringData") if part in raw}
    manifest: Manifest | None = None
    problems: tuple[Problem, ...] = ()
    keys = _trimmed_keys(raw)
    if keys is not None:
        content = {}
    elif before is not None and before.uid == metadata["uid"] and before.content == content and before.keys is None:
        manifest, problems, content = before.manifest, before.problems, dict(before.content)
    else:
        manifest, problems = _parse(raw)
    return Observed(
        key=(kind, qualified_name(namespace, name)),
        namespace=namespace,
        name=name,
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        generation=metadata.get("generation", 1),
        created=metadata.get("creationTimestamp") or "",
        deleting="deletionTimestamp" in metadata,
        finalizers=tuple(metadata.get("finalizers", ())),
        rotation=_annotations(metadata).get(ROTATE_ANNOTATION, ""),
        status=raw.get("status") or {},
        manifest=manifest,
        problems=problems,
        content=content,
        keys=keys,
    )


def _trimmed_keys(raw: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(raw[_TRIMMED]) if _TRIMMED in raw else None


def _annotations(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata.get("annotations") or {}


def _parse(raw: Mapping[str, Any]) -> tuple[Manifest | None, tuple[Problem, ...]]:
    metadata = {name: raw["metadata"][name] for name in _METADATA if name in raw["metadata"]}
    try:
        return parse_manifest(
            {name: value for name, value in raw.items() if name != "status"} | {"metadata": metadata}
        ), ()
    except ManifestError as error:
        return None, tuple(error.problems)


class Store:
    """All objects by key, and what is known of those that are not there."""

    def __init__(self) -> None:
        self._objects: dict[Key, Observed] = {}
        #: When objects went, after the last list.
        self._tombs: dict[Key, int] = {}
        #: The versions of the last lists, by kind and namespace (None: all).
        self._listed: dict[tuple[str, str | None], int] = {}
        #: Secrets whose values are kept.
        self.referred: frozenset[Key] = frozenset()

    def __iter__(self) -> Iterator[Observed]:
        return iter(self._objects.values())

    def get(self, key: Key) -> Observed | None:
        """One object."""
        return self._objects.get(key)

    def of_kind(self, kind: str) -> list[Observed]:
        """All of one kind."""
        return [observed for (name, _), observed in self._objects.items() if name == kind]

    def references(self) -> frozenset[Key]:
        """Secrets that the manifests which are here refer to."""
        return referred_secrets(observed.manifest for observed in self._objects.values())

    def refer(self, secrets: frozenset[Key]) -> list[Key]:
        """Keep the values of these Secrets and of no others. Those of which only the names of the keys are here."""
        for key in self.referred - secrets:
            held = self._objects.get(key)
            if held is not None and held.keys is None:
                keys = frozenset(name for values in held.content.values() for name in values or ())
                self._objects[key] = replace(held, manifest=None, problems=(), content={}, keys=keys)
        self.referred = secrets
        found = ((key, self._objects.get(key)) for key in sorted(secrets))
        return [key for key, held in found if held is not None and held.keys is not None]

    def trim(self, raw: dict[str, Any]) -> dict[str, Any]:
        """A Secret as it is kept."""
        if _key({"kind": "Secret", **raw}) in self.referred:
            return raw
        bare = {name: value for name, value in raw.items() if name not in {"data", "stringData"}}
        return {**bare, _TRIMMED: [*(raw.get("data") or {}), *(raw.get("stringData") or {})]}

    def fill(self, raw: Mapping[str, Any]) -> Change:
        """A Secret with its values, which were not here; one that has gone meanwhile stays gone."""
        if self._objects.get(_key({"kind": "Secret", **raw})) is None:
            return "none"
        return self._take(None, {"kind": "Secret", "apiVersion": "v1", **raw})

    def forget(self, namespace: str) -> Change:
        """All of a namespace that is gone."""
        gone = [key for key, observed in self._objects.items() if observed.namespace == namespace]
        for key in gone:
            del self._objects[key]
        return "content" if gone else "none"

    def apply(self, event: str | None, raw: Mapping[str, Any]) -> Change:
        """One event of a watch: ADDED, MODIFIED, DELETED, or None for an entry of its first list."""
        kind, namespace = str(raw["kind"]), raw["metadata"].get("namespace", "default")
        listed = max(self._listed.get((kind, None), 0), self._listed.get((kind, namespace), 0))
        if int(raw["metadata"]["resourceVersion"]) <= listed:
            return "none"
        return self._take(event, raw)

    def _take(self, event: str | None, raw: Mapping[str, Any]) -> Change:
        key = _key(raw)
        if key[0] == "Secret" and _TRIMMED not in raw:
            raw = self.trim(dict(raw))
        version, before = int(raw["metadata"]["resourceVersion"]), self._objects.get(key)
        fills = before is not None and before.version == version and before.keys is not None and _TRIMMED not in raw
        if not fills and version <= max(before.version if before else 0, self._tombs.get(key, 0)):
            return "none"
        observed = None if event == "DELETED" else observe(raw, before)
        if observed is None:
            self._tombs[key] = version
            return "content" if self._objects.pop(key, None) else "none"
        self._objects[key] = observed
        return difference(before, observed)

    def replace(
        self, kind: str, items: Iterable[Mapping[str, Any]], version: int, namespace: str | None = None
    ) -> Change:
        """A whole list of a kind (in one namespace), as it was at ``version``; what events said after that stands."""
        changes: set[Change] = set()
        listed: set[Key] = set()
        for item in items:
            raw: dict[str, Any] = {"kind": kind, "apiVersion": BY_NAME[kind].api_version, **item}
            changes.add(self._take(None, raw))
            listed.add(_key(raw))
        for observed in self.of_kind(kind):
            if namespace not in {None, observed.namespace}:
                continue
            if observed.key not in listed and observed.version <= version:
                del self._objects[observed.key]
                changes.add("content")
        self._listed[kind, namespace] = max(version, self._listed.get((kind, namespace), 0))
        self._tombs = {key: at for key, at in self._tombs.items() if at > version or not _is_in(key, kind, namespace)}
        return "content" if "content" in changes else "status" if "status" in changes else "none"

    def loaded(self) -> Loaded:
        """What reconcile wants."""
        resources = {key: o.manifest for key, o in self._objects.items() if o.manifest is not None}
        broken = {key: list(o.problems) for key, o in self._objects.items() if o.manifest is None and o.keys is None}
        return Loaded(resources, broken)

    def known(self) -> dict[Key, Manifest]:
        """What a manifest may refer to: also Secrets whose values are not here, with empty ones."""
        known: dict[Key, Manifest] = {}
        for key, observed in self._objects.items():
            if observed.manifest is not None:
                known[key] = observed.manifest
            elif observed.keys is not None:
                metadata = Metadata.model_construct(name=observed.name, namespace=observed.namespace)
                known[key] = Secret.model_construct(metadata=metadata, data=dict.fromkeys(observed.keys, ""))
        return known


def referred_secrets(manifests: Iterable[Manifest | None]) -> frozenset[Key]:
    """Secrets whose values they refer to."""
    return frozenset(
        ("Secret", qualified_name(reference.namespace or manifest.metadata.namespace, reference.name))
        for manifest in manifests
        if manifest is not None
        for reference in _references(manifest)
    )


def _references(manifest: Manifest) -> Iterator[SecretKeyRef]:
    match manifest:
        case API():
            yield from (reference for _, reference in secret_references(manifest))
        case PaymentProvider():
            yield from (reference for _, reference, _ in provider_references(manifest))
        case Portal(spec=spec) if spec.oidc is not None:
            yield spec.oidc.client_secret_key_ref
        case _:
            return


def _key(raw: Mapping[str, Any]) -> Key:
    metadata = raw["metadata"]
    return str(raw["kind"]), qualified_name(metadata.get("namespace", "default"), metadata["name"])


def _is_in(key: Key, kind: str, namespace: str | None) -> bool:
    there, _, _ = key[1].rpartition("/")
    return key[0] == kind and namespace in {None, there or "default"}


def difference(before: Observed | None, after: Observed) -> Change:
    """``content`` where reconcile must look again, ``status`` where only what was written about it changed."""
    if before is None or before.uid != after.uid:
        return "content"
    same = before.manifest is after.manifest and before.problems == after.problems and before.keys == after.keys
    if not same or (before.deleting, before.rotation) != (after.deleting, after.rotation):
        return "content"
    other = (before.status, before.finalizers, before.generation) != (after.status, after.finalizers, after.generation)
    return "status" if other else "none"
