"""What Envoy runs by now, resource by resource. Pure.

A resource is programmed once every Envoy has taken a snapshot made of it as it stands, after the gate got the catalog.
An edit of one resource changes nothing for the others, so a status is written for the one alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tollgate_core.manifests import API, qualified_name
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import Condition, ResourceKey
from tollgate_operator.reconcile.index import secret_references

_PROGRAMMED = Condition("Programmed", True, "Programmed")
_NO_GATEWAY = Condition("Programmed", False, "NoGateway", "no Envoy is connected")
_PENDING = Condition("Programmed", False, "Pending", "waiting for Envoy to acknowledge it")


@dataclass
class Programming:
    """``taken``: what Envoy runs. ``refused``: contents that it would not take, with its words; they serve no more.
    ``standing``: errors that are no resource's fault, as of the gateway's own certificate; no later edit is blamed."""

    taken: dict[ResourceKey, Manifest] = field(default_factory=dict[ResourceKey, Manifest])
    refused: dict[ResourceKey, tuple[Manifest, str]] = field(default_factory=dict[ResourceKey, tuple[Manifest, str]])
    standing: frozenset[str] = frozenset()

    def acknowledge(self, state: State) -> None:
        """All Envoys took the snapshot of ``state``."""
        self.taken, self.standing = dict(state.resources), frozenset()

    def refuse(self, state: State, errors: tuple[str, ...]) -> bool:
        """Envoy refused the snapshot of ``state``. Whether somebody is blamed who was not: then reconcile again."""
        text = "; ".join(errors)
        users = _users_of_secrets(state.resources)
        changed = [
            key
            for key, manifest in state.resources.items()
            if (key[0] in {"API", "BillableMetric"} or key in users) and self.taken.get(key) != manifest
        ]
        named = [
            key
            for key in changed
            if key[0] != "BillableMetric" and any(_names(text, api) for api in users.get(key, [key[1]]))
        ]
        suspects = named or (changed if set(errors) - self.standing else [])
        blamed = [key for key in suspects if not self.is_refused(key, state.resources[key])]
        for key in blamed:
            self.refused[key] = (state.resources[key], text)
        if not blamed:
            self.standing = frozenset(errors)
        return bool(blamed)

    def last_good(self, serving: Mapping[ResourceKey, Manifest]) -> dict[ResourceKey, Manifest]:
        """What may serve in place of something wrong: what served last, but nothing that Envoy refused."""
        good = dict(serving)
        for key, (manifest, _) in self.refused.items():
            if good.get(key) == manifest:
                if key in self.taken and self.taken[key] != manifest:
                    good[key] = self.taken[key]
                else:
                    del good[key]
        return good

    def is_refused(self, key: ResourceKey, manifest: Manifest | None) -> bool:
        """Whether Envoy refused this very content."""
        return manifest is not None and key in self.refused and self.refused[key][0] == manifest

    def quarantined(self, desired: Mapping[ResourceKey, Manifest]) -> dict[ResourceKey, str]:
        """Resources that are still as Envoy refused them, with its words. Others are forgiven."""
        self.refused = {key: found for key, found in self.refused.items() if desired.get(key) == found[0]}
        return {key: text for key, (_, text) in self.refused.items()}

    def _rejection(self, key: ResourceKey, state: State) -> str:
        for secret in _secrets_of(state.desired.get(key)):
            if secret in self.refused:
                return f"Envoy refused what Secret {secret[1]!r} holds: {self.refused[secret][1]}"
        return f"Envoy refused it: {self.refused[key][1]}" if key in self.refused else ""

    def condition(self, key: ResourceKey, state: State, envoys: int) -> Condition:
        """The Programmed condition; reason Pending and NoGateway may pass by themselves."""
        rejected = self._rejection(key, state)
        if rejected:
            return Condition("Programmed", False, "Rejected", rejected)
        serving = state.statuses[key].serving
        if serving != "current":
            kept = "; its last good version serves" if serving == "previous" else ""
            return Condition("Programmed", False, "NotServing", f"see the other conditions{kept}")
        manifest = state.resources[key]
        taken = self.taken.get(key)
        if taken is manifest or taken == manifest:
            return _PROGRAMMED
        if not envoys:
            return _NO_GATEWAY
        if self.standing:
            message = (
                f"waiting for Envoy, which refuses what is no resource's fault: {'; '.join(sorted(self.standing))}"
            )
            return Condition("Programmed", False, "Pending", message)
        return _PENDING


def _secrets_of(manifest: Manifest | None) -> list[ResourceKey]:
    if not isinstance(manifest, API):
        return []
    own = manifest.metadata.namespace
    return [("Secret", qualified_name(r.namespace or own, r.name)) for _, r in secret_references(manifest)]


def _users_of_secrets(resources: Mapping[ResourceKey, Manifest]) -> dict[ResourceKey, list[str]]:
    """The APIs that name each Secret."""
    users: dict[ResourceKey, list[str]] = {}
    for (kind, name), manifest in resources.items():
        if kind == "API":
            for secret in _secrets_of(manifest):
                users.setdefault(secret, []).append(name)
    return users


def _names(text: str, api: str) -> bool:
    """Whether Envoy speaks of an API's cluster, of a secret of it, or of one of its routes."""
    name = re.escape(api)
    return re.search(rf'(?<![\w/-])api/{name}(/credential|/ca)?(?![\w/-])|"{name}/[^/"]+"', text) is not None
