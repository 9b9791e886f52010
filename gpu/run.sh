#!/usr/bin/env bash
# Runs parts on a machine with a GPU and without network: see gpu/README.md.
#
#     bash gpu/run.sh OUT PART... [--resume FOLDER] [--seconds 525]
#
# Packages that are missing on the machine are installed from the packed wheels into a temporary folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?the output folder} && shift
packed=${GPU_PACKED:-$here/packed}
python=${PYTHON:-python3}
if ! "$python" -c "from importlib.util import find_spec as f; exit(not f('keras_hub'))"; then
    site=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$packed"/wheels/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
export KERAS_BACKEND=${KERAS_BACKEND:-jax} PYTHONUNBUFFERED=1
# A second call on the same machine does not compile again.
export JAX_COMPILATION_CACHE_DIR=${JAX_COMPILATION_CACHE_DIR:-${TMPDIR:-/tmp}/jax_cache}
# Limits a call to nine minutes, even if a part exceeds its budget.
exec timeout "${GPU_CALL_SECONDS:-540}" "$python" "$here/run.py" --out "$out" "$@"
