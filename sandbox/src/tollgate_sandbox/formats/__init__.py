"""One module per wire format. Each says how its provider reads a request and writes an answer, and does no I/O."""
