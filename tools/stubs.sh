#!/usr/bin/env bash
# Generates the typed protobuf messages of the data path from our own subset of Envoy's ext_proc protocol.
# With --check: fails where the committed ones differ.
set -euo pipefail
cd "$(dirname "$0")/.."
wire=extproc/src/tollgate_extproc/wire
out=$wire
if [ "${1:-}" = --check ]; then out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
.venv/bin/python -m grpc_tools.protoc -I"$wire" --python_out="$out" --pyi_out="$out" ext_proc.proto
if [ "$out" != "$wire" ]; then diff -q "$out/ext_proc_pb2.py" "$wire/ext_proc_pb2.py"; diff -q "$out/ext_proc_pb2.pyi" "$wire/ext_proc_pb2.pyi"; fi
