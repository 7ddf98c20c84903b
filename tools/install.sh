#!/bin/sh
# Make $VENV and install verglas with everything its tests need. torch comes first and alone, so that a
# machine without an NVIDIA GPU gets a CPU build and nothing pulls several GB of CUDA libraries.
set -eu
VENV=${VENV:-.venv}
find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"; return
        fi
    done
    echo "verglas needs Python 3.11 or newer (looked for ${PYTHON:-python3}, python3.13 ... python3.11)" >&2
    exit 1
}
[ -x "$VENV/bin/python" ] || "$(find_python)" -m venv "$VENV"
PIP="$VENV/bin/python -m pip install --quiet --disable-pip-version-check"
TORCH=$(grep '^torch==' requirements-torch.txt)
$PIP --upgrade pip
if ! "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
    if command -v nvidia-smi >/dev/null 2>&1; then
        $PIP "$TORCH"
    else  # the plain index may hold a CPU build; else the public CPU index; else whatever there is
        $PIP --no-deps --dry-run "$TORCH+cpu" >/dev/null 2>&1 && TORCH="$TORCH+cpu" && $PIP "$TORCH" \
            || $PIP "$TORCH" --index-url https://download.pytorch.org/whl/cpu --extra-index-url https://pypi.org/simple 2>/dev/null \
            || $PIP "$TORCH"
    fi
fi
$PIP -e '.[gui,mpi,dev]'
