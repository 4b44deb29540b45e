"""Watching responses in Envoy's observability mode: nothing here can delay or change what a client gets."""
