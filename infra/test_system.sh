#!/usr/bin/env bash
# Run the system tests: what needs root or Debian packages. As root on Debian what is missing is installed, without
# starting its services. A row that could not run is printed as NOT RUN and fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.."
BIN=.venv/bin
POLICY=/usr/sbin/policy-rc.d
REPORT=$(mktemp)
not_run=0

finish() { rm -f "$REPORT" "${POLICY_MADE:-}"; }
trap finish EXIT

say_not_run() { echo "NOT RUN: $1"; not_run=$((not_run + 1)); }

# Row, the program that it needs, the Debian package that has it.
ROWS=(
  "the UI in a real browser|chromium|chromium"
  "Debian's Redis server|redis-server|redis-server"
  "Redis behind TLS|openssl|openssl"
  "look-ups under load|wrk|wrk"
  "profiles in PostgreSQL|psql|postgresql"
)

install() { # install PACKAGE...: on Debian, as root, without starting services
  [ "$#" -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "to install $* this must be root on Debian" >&2
    return 1
  fi
  if [ ! -e "$POLICY" ]; then
    POLICY_MADE=$POLICY
    printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod +x "$POLICY"
  fi
  echo "installing $*"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing=()
for row in "${ROWS[@]}"; do
  IFS='|' read -r _ program package <<<"$row"
  command -v "$program" >/dev/null || missing+=("$package")
done
install "${missing[@]}"
for row in "${ROWS[@]}"; do
  IFS='|' read -r what program package <<<"$row"
  command -v "$program" >/dev/null || say_not_run "$what: $program is missing; on Debian: apt-get install $package"
done
[ "$(id -u)" = 0 ] || say_not_run "rows that need root: this is $(id -un)"

"$BIN/python" -m pytest -m system --override-ini addopts='-ra --strict-markers --strict-config --import-mode=importlib' \
  "$@" 2>&1 | tee "$REPORT"
status=${PIPESTATUS[0]}
[ "$status" = 5 ] && say_not_run "every system test: pytest found none"
while IFS= read -r line; do say_not_run "$line"; done < <(grep -E '^(SKIPPED|XFAIL)' "$REPORT")

[ "$not_run" = 0 ] || echo "$not_run rows were NOT RUN"
[ "$status" = 0 ] && [ "$not_run" = 0 ]
