#!/bin/sh
# image-environment.sh COMPONENT DIRECTORY: the virtual environment that a component's image holds: its locked dependencies,
# the wheels of core and of itself, nothing else. Relocatable, so that the directory may be copied to another place.
# Environment: UV (the program; uv on PATH), PYTHON (the interpreter that the image has; python3), COMPILE=0 leaves out
# bytecode, which makes the first start slower.
set -eu
component=$1
directory=$2
uv=${UV:-uv}
compile=--compile-bytecode
if [ "${COMPILE:-1}" = 0 ]; then compile=; fi
cd "$(dirname "$0")/.."
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
members=$component
# The sandbox knows nothing of core.
if grep -q '"tollgate-core"' "$component/pyproject.toml"; then members="core $component"; fi
for member in $members; do
  "$uv" build -q --wheel --out-dir "$wheels" "./$member"
done
rm -rf "$directory"
"$uv" venv -q --relocatable --python "${PYTHON:-python3}" --no-project "$directory"
"$uv" pip install -q --python "$directory/bin/python" --require-hashes --only-binary :all: ${compile:+"$compile"} \
  -r "requirements/$component.txt"
"$uv" pip install -q --python "$directory/bin/python" --no-deps ${compile:+"$compile"} "$wheels"/*.whl
# Scripts of dependencies (uvicorn, alembic, …) are not what the image is for.
find "$directory/bin" -type f ! -name 'tollgate-*' ! -name 'python*' -delete
