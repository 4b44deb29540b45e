"""The second witness: tails Envoy's JSON access log, and finalises what no witness saw.

``line`` is pure; ``tail`` reads the file, ``sweep`` looks after expired holds, ``main`` wires. ``drain`` ends an Envoy
gently, when ``drain_request`` asked for it.
"""
