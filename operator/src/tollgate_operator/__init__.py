"""The control plane: manifests in; a catalog, Envoy's configuration and statuses out.

``reconcile`` and ``envoy`` decide and are pure; ``sources``, ``xds`` and ``publish`` act. ``main`` wires them.
"""
