#!/usr/bin/env bash
# Writes requirements/*.txt: every dependency pinned with hashes, with no download host in them.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
compile() { "$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url "$@"; }
members="core operator extproc billing sandbox cli"
exclude=$(for m in $members; do printf -- '--no-emit-package tollgate-%s ' "$m"; done)
printf 'uv>=0.9\n' | compile - -o requirements/uv.txt
# shellcheck disable=SC2086,SC2046
compile $(printf '%s/pyproject.toml ' $members) pyproject.toml --group test --group lint --group types $exclude -o requirements/dev.txt
for m in $members; do
  # shellcheck disable=SC2086
  compile "$m/pyproject.toml" $exclude -c requirements/dev.txt -o "requirements/$m.txt"
done
# shellcheck disable=SC2086,SC2046
compile $(printf '%s/pyproject.toml ' $members) $exclude -c requirements/dev.txt -o requirements/runtime.txt
