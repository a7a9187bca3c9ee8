#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the test programs that draw at random again and again, each time with
# another seed, and stops at the first that fails.
#
# Usage: tests/seeds.sh SECONDS PROGRAM...
set -eu

[ $# -ge 2 ] || { echo "usage: $0 SECONDS PROGRAM..." >&2; exit 2; }
end=$(($(date +%s) + $1))
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rounds=0
AEROSTAT_SEED=random
export AEROSTAT_SEED

while [ "$(date +%s)" -lt "$end" ]; do
    for program in "$@"; do
        if ! "$program" >"$log" 2>&1; then
            cat "$log"
            echo "FAILED: $program, with the seed above"
            exit 1
        fi
    done
    rounds=$((rounds + 1))
done
echo "$rounds rounds of $# programs: all passed"
