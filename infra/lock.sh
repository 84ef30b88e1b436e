#!/usr/bin/env bash
# Compile requirements/*.in into pinned files with hashes: serving ⊂ inference, requirements.txt ⊂ dev.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
lock() { ../.venv/bin/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" "$@"; }
lock dev.in -o dev.txt
lock batch.in -c dev.txt -o ../requirements.txt
lock serving.in -c dev.txt -o serving.txt
lock inference.in -c dev.txt -o inference.txt
