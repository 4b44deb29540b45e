"""One turn of the control plane: loaded manifests in; catalog, snapshot and statuses out."""

from collections.abc import Mapping
from dataclasses import dataclass

from tollgate_core.catalog import Catalog, content_hash
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.envoy import GatewaySettings, Inputs, Resources, build_resources, gateway_inputs
from tollgate_operator.reconcile import ResourceKey, Status, build_catalog, resolve
from tollgate_operator.reconcile.index import Index
from tollgate_operator.reconcile.payment_keys import KeyFiles, key_files, say_left_out
from tollgate_operator.sources import Loaded


@dataclass(frozen=True)
class State:
    """A state of the world: ``desired`` is what was asked for, ``resources`` what serves; ``encoded`` is the catalog's
    canonical JSON."""

    desired: dict[ResourceKey, Manifest]
    resources: dict[ResourceKey, Manifest]
    statuses: dict[ResourceKey, Status]
    files: dict[str, str]
    catalog: Catalog
    catalog_hash: str
    encoded: bytes
    payment_keys: KeyFiles
    inputs: Inputs
    settings: GatewaySettings
    envoy: Resources


def reconcile(
    loaded: Loaded,
    last: State | None,
    settings: GatewaySettings,
    last_good: Mapping[ResourceKey, Manifest] | None = None,
) -> State:
    """Pure. What was right serves on wherever ``loaded`` is wrong: ``last_good`` says what that was, without it all of
    ``last``."""
    if last_good is None:
        last_good = last.resources if last else {}
    effective = resolve(loaded.resources, last_good, loaded.broken, settings.upstreams)
    index = Index(effective.resources)
    catalog = build_catalog(index)
    payment_keys = key_files(index)
    encoded = catalog.encode()
    inputs = gateway_inputs(index)
    same = last is not None and last.inputs == inputs and last.settings == settings
    return State(
        desired=dict(loaded.resources),
        resources=dict(effective.resources),
        statuses={**effective.statuses, **dict(say_left_out(effective.statuses, payment_keys))},
        files=dict(loaded.files),
        catalog=catalog,
        catalog_hash=content_hash(encoded),
        encoded=encoded,
        payment_keys=payment_keys,
        inputs=inputs,
        settings=settings,
        envoy=last.envoy if last and same else build_resources(index, settings, last.envoy if last else None),
    )
