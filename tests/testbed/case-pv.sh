#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A PV guest. On Debian's Xen, which cannot log what it writes: it is balanced,
# and a migration is refused with the reason before anything is done to it. On
# one with shadow paging: a cancelled migration leaves it as it was, its writes
# are measured, and it moves. Usage: case-pv.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"
# shellcheck source=tests/testbed/kinds.sh
. "$(dirname "$0")/kinds.sh"

TB_TYPE=pv

refused() { # STATUS COMMAND
    local status=0 said

    said=$(tb_run 1 "$2 2>&1") || status=$?
    [ "$status" = "$1" ] || tb_fail "$2: exit status $status, not $1: $said"
    [[ $said = *"without shadow paging"* ]] ||
        tb_fail "$2 does not say why: $said"
}

on_stock_xen() {
    local target

    TB_MAXMEM=288 tb_guest 1 g1 160 grow:16
    target=$(tb_target_kib 1 g1)
    refused 1 "xl-aerostat migrate-live -s '' g1 false"
    refused 3 "xl-aerostat migrate-plan --no-target --wire-rate 1Gbit g1 host2"
    refused 1 "xl-aerostat wws --method log-dirty g1"
    [ "$(tb_target_kib 1 g1)" = "$target" ] || tb_fail "its target changed"
    tb_guest_ticks 1 g1 || tb_fail "g1 does not run after a refusal"
    tb_kind_balanced g1
}

# It rewrites 2048 pages at about 1000 a second; the longest window is 1.5 s.
measured() {
    local longest

    tb_run 1 "xl-aerostat wws --method log-dirty --seconds 12 --max-cpu 50 \
        --max-pause 20 --json g1" >"$tb_dir/wws.json" ||
        tb_fail "wws: exit status $?"
    longest=$(jq -c '.wws.points[-1] | [(.window_ns / 1e6 | round), .pages]' \
        "$tb_dir/wws.json")
    echo "wws: in a window of [ms, pages written]: $longest"
    jq -ne "$longest | .[1] > .[0] * 0.4 and .[1] < 2048 + 2048" >/dev/null ||
        tb_fail "that is not what it writes"
    tb_run 1 "logdirty \$(xl domid g1)" || tb_fail "log-dirty mode is on"
}

case_body() {
    tb_boot 1
    on_stock_xen
    tb_stop
    tb_use_shadow_xen
    tb_boot 2
    TB_DISK=1 tb_guest 1 g1 160 grow:32 hot:8:4 cache:32
    tb_guest_wait 1 g1 'grew 32' 60
    measured
    tb_kind_cancelled g1
    tb_kind_moved g1
}

tb_case pv 600 "$@"
