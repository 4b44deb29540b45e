"""What Envoy runs by now, resource by resource. Pure.

A resource is programmed once every Envoy has taken a snapshot made of it as it stands, after the gate got the catalog.
An edit of one resource changes nothing for the others, so a status is written for the one alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tollgate_core.manifests.parse import Manifest
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import Condition, ResourceKey

#: Kinds that Envoy's configuration is made of: only they can be what it refused.
_IN_ENVOY = frozenset({"API", "BillableMetric"})


@dataclass
class Programming:
    """``taken``: what Envoy runs. ``refused``: contents that it would not take, with its words; they serve no more."""

    taken: dict[ResourceKey, Manifest] = field(default_factory=dict[ResourceKey, Manifest])
    refused: dict[ResourceKey, tuple[Manifest, str]] = field(default_factory=dict[ResourceKey, tuple[Manifest, str]])

    def acknowledge(self, state: State) -> None:
        """All Envoys took the snapshot of ``state``."""
        self.taken = dict(state.resources)

    def refuse(self, state: State, errors: tuple[str, ...]) -> bool:
        """Envoy refused the snapshot of ``state``. Whether somebody could be blamed: then reconcile again without."""
        text = "; ".join(errors)
        changed = [
            key for key, manifest in state.resources.items() if key[0] in _IN_ENVOY and self.taken.get(key) != manifest
        ]
        named = [key for key in changed if f"api/{key[1]}" in text or f'"{key[1]}/' in text]
        blamed = named or changed
        for key in blamed:
            self.refused[key] = (state.resources[key], text)
        return bool(blamed)

    def quarantined(self, desired: Mapping[ResourceKey, Manifest]) -> dict[ResourceKey, str]:
        """Resources that are still as Envoy refused them, with its words. Others are forgiven."""
        self.refused = {key: found for key, found in self.refused.items() if desired.get(key) == found[0]}
        return {key: text for key, (_, text) in self.refused.items()}

    def condition(self, key: ResourceKey, state: State, envoys: int) -> Condition:
        """The Programmed condition; reason Pending and NoGateway may pass by themselves."""
        if key in self.refused:
            return Condition("Programmed", False, "Rejected", f"Envoy refused it: {self.refused[key][1]}")
        serving = state.statuses[key].serving
        if serving != "current":
            kept = "; its last good version serves" if serving == "previous" else ""
            return Condition("Programmed", False, "NotServing", f"see the other conditions{kept}")
        manifest = state.resources[key]
        taken = self.taken.get(key)
        if taken is manifest or taken == manifest:
            return Condition("Programmed", True, "Programmed")
        if not envoys:
            return Condition("Programmed", False, "NoGateway", "no Envoy is connected")
        return Condition("Programmed", False, "Pending", "waiting for Envoy to acknowledge it")
