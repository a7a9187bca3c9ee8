#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A memory coordinator's three classic tests, with three guests on one host:
#   T1  one guest grows until no more comes, the others are idle
#   T2  all grow at once to the same size, more than the host has for all
#   T3  two grow to the same size; then one frees what it has, and the other
#       grows on
# Targets are followed, nobody falls below its minimum or runs out of memory,
# and no memory is damaged.
# Usage: case-coordinate.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"

names=(g1 g2 g3)
idle_mib=8

now() { # NAME
    tb_trace ".[-1].guests.$1.now"
}

report() { # TEST
    echo "$1: $(tb_moved_mib) MiB moved;" \
        "at the end $(tb_trace '.[-1].guests | map_values(.now | round) |
            to_entries | map("\(.key) \(.value)") | join(", ")')" \
        "and $(tb_trace '.[-1].free') free"
}

check_all() {
    local name far

    far=$(tb_trace '[.[-1].guests | to_entries[] | select(.value |
        (.now - .target | fabs) > 6) | .key] | join(" ")')
    [ -z "$far" ] || { tb_status; tb_fail "did not follow: $far"; }
    tb_check_minima
    tb_check_no_oom "${names[@]}"
    for name in "${names[@]}"; do
        tb_guest_verify 1 "$name" || tb_fail "$name's memory is damaged"
    done
}

all_shrink() {
    local name

    for name in "${names[@]}"; do
        tb_guest_ask 1 "$name" "shrink $idle_mib" "^shrunk $idle_mib" 20
    done >/dev/null
}

one_grows() {
    tb_trace_begin
    tb_guest_cmd 1 g1 "grow 320"
    tb_settle 120 g1 || tb_fail "T1: no end"
    tb_trace_end
    report T1
    echo "T1: g1 within a tenth of its end after" \
        "$(tb_seconds_to g1 "$(now g1)") s"
    check_all
}

all_grow() {
    local name fair

    all_shrink
    tb_trace_begin
    for name in "${names[@]}"; do tb_guest_cmd 1 "$name" "grow 120"; done
    tb_settle 150 "${names[@]}" || tb_fail "T2: no end"
    tb_trace_end
    report T2
    fair=$(tb_trace '.[-1].guests | [.[].now] | add / length')
    for name in "${names[@]}"; do
        echo "T2: $name within a tenth of $fair MiB after" \
            "$(tb_seconds_to "$name" "$fair") s"
        # Who lacks some of its margin stays (docs/policy.md).
        [ "$(tb_trace ".[-1].guests.$name.now - $fair | fabs")" -le \
            $((fair / 5)) ] || tb_fail "T2: $name has not what the others have"
    done
    check_all
}

one_frees() {
    all_shrink
    tb_trace_begin
    tb_guest_cmd 1 g1 "grow 100"
    tb_guest_cmd 1 g2 "grow 100"
    tb_guest_wait 1 g1 "grew 100" 60
    tb_guest_wait 1 g2 "grew 100" 60
    tb_guest_cmd 1 g1 "shrink $idle_mib"
    tb_guest_cmd 1 g2 "grow 190"
    tb_guest_wait 1 g2 "grew 190" 120 ||
        { tb_status; tb_fail "T3: what g1 freed does not come"; }
    tb_settle 60 || tb_fail "T3: no end"
    tb_trace_end
    report T3
    check_all
}

case_body() {
    local name

    TB_MEM=1500 tb_boot 1
    for name in "${names[@]}"; do
        TB_GUEST_LIMIT=150 TB_MAXMEM=384 tb_guest 1 "$name" 176 "grow:$idle_mib"
        tb_guest_cmd 1 "$name" "sh dmesg -n 5"
    done
    tb_daemon 3
    tb_settle 60 || tb_fail "does not settle"
    tb_status
    one_grows
    all_grow
    one_frees
    tb_daemon_end
}

tb_case coordinate 600 "$@"
