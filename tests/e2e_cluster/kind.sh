#!/usr/bin/env bash
# kind.sh: a kind cluster with this checkout's images, and the suite of this folder against it. Needs docker, kind, kubectl
# and helm on PATH. KIND_CLUSTER names the cluster (tollgate); KEEP=1 leaves it running.
set -euo pipefail
cd "$(dirname "$0")/../.."
cluster=${KIND_CLUSTER:-tollgate}
for program in docker kind kubectl helm; do
  command -v "$program" >/dev/null || { echo "$program is not on PATH; make kind needs docker, kind, kubectl and helm" >&2; exit 1; }
done

kubeconfig=$(mktemp)
finish() {
  if [ "${KEEP:-0}" != 1 ]; then kind delete cluster --name "$cluster" >/dev/null 2>&1 || true; fi
  rm -f "$kubeconfig"
}
trap finish EXIT

kind get clusters | grep -qx "$cluster" || kind create cluster --name "$cluster" --wait 120s
kind get kubeconfig --name "$cluster" >"$kubeconfig"

while read -r component name; do
  case $component in
    envoy | valkey) docker pull -q "$name" ;;
    *) docker build -q --target "$component" --build-arg REVISION="$(git rev-parse HEAD)" -t "$name" . ;;
  esac
  kind load docker-image --name "$cluster" "$name"
done < <(.venv/bin/python tests/e2e_cluster/image_names.py)

KUBECONFIG=$kubeconfig TOLLGATE_E2E=1 .venv/bin/python -m pytest tests/e2e_cluster "$@"
