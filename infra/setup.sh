#!/usr/bin/env bash
# Make .venv from the pinned requirements. Needs CPython 3.11, Java 17+ and libgomp;
# as root on Debian what is missing is installed, otherwise one sentence names it.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3.11}

need() { # need WHAT DEBIAN_PACKAGE TEST...
  local what=$1 package=$2; shift 2
  "$@" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $package (for $what)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    "$@" >/dev/null 2>&1 && return
  fi
  echo "headrace needs $what, and it is not here: install it (on Debian: apt-get install $package) and run make again." >&2
  exit 1
}
java_17() { local v; v=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;q'); [ "${v:-0}" -ge 17 ]; }

need "CPython 3.11" python3.11 "$PYTHON" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))'
need "the venv module of CPython 3.11" python3.11-venv "$PYTHON" -c 'import ensurepip, venv'
need "a Java runtime (17 or newer)" openjdk-17-jre-headless java_17
need "libgomp (OpenMP, used by LightGBM)" libgomp1 "$PYTHON" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")'

[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
uv_pin=$(mktemp); trap 'rm -f "$uv_pin"' EXIT
sed -n '/^uv==/,/[^\\]$/p' requirements/dev.txt > "$uv_pin"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$uv_pin"
# A company's own certificate is in the system's store, not in the one that uv carries.
[ -s /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=1
echo "installing pinned packages into .venv (about a minute)"
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/dev.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
