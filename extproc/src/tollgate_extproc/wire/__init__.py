"""Generated protobuf messages of Envoy's ext_proc protocol (``make stubs``), on protobuf's C runtime: the hot path."""
