"""The data path: ``gate`` admits requests, ``meter`` watches responses, ``witness`` reads Envoy's access log.

All three write usage events through ``settlement``. ``main`` wires gate and meter, ``witness.main`` the witness.
"""
