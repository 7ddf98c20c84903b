#!/bin/sh
# src/api/schema.ts, the shapes of what the server answers, from its OpenAPI: sh types.sh [FILE]
# PYTHON: one that can import verglas.
set -eu
cd "$(dirname "$0")"
told="$(mktemp)"
trap 'rm -f "$told"' EXIT
PYTHONPATH="$PWD/../src${PYTHONPATH:+:$PYTHONPATH}" "${PYTHON:-python3}" - "$told" <<'PYTHON'
import json
import sys
from pathlib import Path

from verglas.web.app import create_app
from verglas.web.settings import WebSettings

app = create_app(WebSettings((), needs_token=False, allowed_hosts=frozenset()))
Path(sys.argv[1]).write_text(json.dumps(app.openapi(), sort_keys=True))
PYTHON
npx openapi-typescript "$told" --output "${1:-src/api/schema.ts}" >/dev/null 2>&1
npx prettier --write --log-level error "${1:-src/api/schema.ts}"
