#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What balancing costs at 10 to 10000 simulated guests: time, instructions
# (valgrind), and the daemon's memory and system calls while nothing happens
# (strace). Run by `make bench-cost`.
#
#   cost.sh [-n "GUESTS..."] [-s SECONDS] BUILD-DIR
set -euo pipefail

sizes="10 100 1000 10000"
seconds=30
settle=20
while getopts n:s: option; do
    case $option in
    n) sizes=$OPTARG ;;
    s) seconds=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
build=${1:?usage: cost.sh [-n GUESTS] [-s SECONDS] BUILD-DIR}
dir=$(mktemp -d)
daemon=
cleanup() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

# collected TICKS LOAD GUESTS FUNCTION...: instructions of so many calls of the
# first function after those in which the guests settle, without what it calls
# of the others, by callgrind. LOAD is idle or busy. The C library clears memory with an instruction that
# callgrind would count once a byte.
collected() {
    local ticks=$1 guests=$3 load=()
    [ "$2" = idle ] || load=(--busy)
    shift 3
    GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=0x7fffffff \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "${@/#/--toggle-collect=}" \
        "$build/tests/bench-cost" --bare "${load[@]}" --ticks "$ticks" "$guests" 2>&1 |
        sed -n 's/.*Collected : //p'
}

# instructions LOAD GUESTS FUNCTION...: of one call, once the guests have
# settled.
instructions() {
    echo $((($(collected 20 "$@") - $(collected 10 "$@")) / 10))
}

# idle GUESTS: starts the daemon on so many idle guests, and looks at it.
idle() {
    local calls rss
    "$build/tests/bench-cost" --scenario "$1" >"$dir/host.json"
    : >"$dir/aerostat.conf"
    "$build/aerostatd" --host "sim:$dir/host.json" --socket "$dir/socket" \
        --pid-file "$dir/pid" --config "$dir/aerostat.conf" \
        --log-dir "$dir/log" -q -q 2>"$dir/stderr" &
    daemon=$!
    sleep "$settle"
    timeout "$seconds" strace -f -c -o "$dir/calls" -p "$daemon" \
        2>/dev/null || true
    rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status")
    calls=$(awk '$NF == "total" { print $4 }' "$dir/calls")
    kill "$daemon"
    wait "$daemon" || true
    daemon=
    printf '%-7s %12s %18s\n' "$1" "$rss" \
        "$(awk "BEGIN { printf \"%.2f\", ${calls:-0} / $seconds }")"
    rm -rf "$dir/log"
}

# shellcheck disable=SC2086 # a list of numbers
"$build/tests/bench-cost" --json "$build/bench-cost.json" $sizes

if command -v valgrind >/dev/null; then
    printf '\ninstructions\n%-7s %-5s %12s %12s\n' guests "" policy tick
    for n in $sizes; do
        [ "$n" -le 1000 ] || continue
        for load in idle busy; do
            printf '%-7s %-5s %12s %12s\n' "$n" "$load" \
                "$(instructions $load "$n" aero_policy_run)" \
                "$(instructions $load "$n" aero_balancer_tick 'timed_*')"
        done
    done
fi

if command -v strace >/dev/null && [ "$(id -u)" = 0 ]; then
    printf '\naerostatd while nothing happens, simulator included\n'
    printf '%-7s %12s %18s\n' guests "resident KiB" "system calls a s"
    for n in $sizes; do idle "$n"; done
fi
