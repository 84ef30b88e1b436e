#!/usr/bin/env bash
# Make the environment that trains the session encoder: PyTorch beside the project's own packages, in FOLDER.
# Usage: infra/trainer.sh [FOLDER]; then FOLDER/bin/python -m benchmarks.encoder clicks
set -euo pipefail
cd "$(dirname "$0")/.."
FOLDER=${1:-var/trainer}
BIN=.venv/bin

wanted=$(cksum <requirements/trainer.txt)
[ -f "$FOLDER/.ready" ] && [ "$(cat "$FOLDER/.ready")" = "$wanted" ] && exit 0
"$BIN/python" -c 'import venv, sys; venv.create(sys.argv[1], with_pip=True, clear=True)' "$FOLDER"
"$BIN/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
  >"$("$FOLDER/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/headrace.pth"
"$FOLDER/bin/pip" install --quiet -r requirements/trainer.txt
echo "$wanted" >"$FOLDER/.ready"
