"""The operator on Kubernetes: the same reconcile as on a laptop, with the API server as source and as reader.

Pure: ``store`` (what the API server said), ``programming`` (what Envoy runs), ``statuses``, ``judge``,
``finalizers``, ``admission`` and ``certificates``. Acting: ``client``, ``handlers`` (Kopf), ``lists``, ``leadership``,
``secret_values``, ``writer``, ``keys``, ``webhook``, ``http``, ``bootstrap``. ``operator`` is the loop, ``main`` wires
everything.
"""
