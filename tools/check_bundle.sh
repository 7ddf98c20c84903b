#!/bin/sh
# The committed pages are what frontend/ builds: rebuilds them elsewhere and compares. Needs node and npm.
set -eu
cd "$(dirname "$0")/../frontend"
[ -d node_modules ] || npm ci --no-audit --no-fund
built="$(mktemp -d)"
trap 'rm -rf "$built"' EXIT
npm run --silent check
npx vite build --outDir "$built/static" --emptyOutDir --logLevel error
diff -r "$built/static" ../src/verglas/web/static || {
  echo "the pages are not what frontend/ builds: run npm run build in frontend/ and commit" >&2
  exit 1
}
echo "the committed pages are what frontend/ builds"
