#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon on one host with three guests: two idle, one grows beyond what
# it has. Memory moves from the idle ones to it, as xenstore's targets say
# and as the guests see themselves, and nobody runs out of memory.
# Usage: case-balance.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"

guest_mib=160
grown_mib=110 # a guest of 160 MiB has room for about 70 beside its kernel

start_guests() {
    local name

    for name in idle1 idle2 grower; do
        TB_MAXMEM=288 tb_guest 1 "$name" "$guest_mib" grow:16
    done
    for name in idle1 idle2 grower; do
        tb_guest_wait 1 "$name" 'grew 16' 60 >/dev/null
    done
}

start_daemon() {
    tb_spawn 1 aerostatd "exec aerostatd"
    tb_run 1 "end=\$((\$(date +%s) + 40))
until xl-aerostat mem-status --json >/dev/null 2>&1; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.3
done" || tb_fail "the daemon does not answer"
}

target_mib() { # NAME
    echo $(($(tb_target_kib 1 "$1") / 1024))
}

show() {
    tb_run 1 "xl-aerostat mem-status"
}

check_idle() { # NAME
    local now

    now=$(target_mib "$1")
    echo "$1: target $guest_mib -> $now MiB"
    [ "$now" -lt "$guest_mib" ] || tb_fail "$1 gave nothing"
    tb_guest_ticks 1 "$1" || tb_fail "$1 does not run"
    tb_guest_verify 1 "$1" || tb_fail "$1's memory is damaged"
}

case_body() {
    local total now

    # Little is left for the grower but what the idle ones have.
    TB_MEM=1360 tb_boot 1
    start_guests
    start_daemon
    total=$(tb_guest_mem_mib 1 grower MemTotal)
    tb_guest_cmd 1 grower "grow $grown_mib"
    tb_guest_wait 1 grower "grew $grown_mib" 120 ||
        { show && tb_fail "the grower did not get its memory"; }
    show
    now=$(tb_guest_mem_mib 1 grower MemTotal)
    echo "grower: MemTotal $total -> $now MiB, target $(target_mib grower) MiB"
    [ "$now" -gt "$total" ] || tb_fail "the grower was given nothing"
    tb_guest_verify 1 grower || tb_fail "the grower's memory is damaged"
    check_idle idle1
    check_idle idle2
    for name in idle1 idle2 grower; do
        ! tb_guest_log 1 "$name" | grep -i 'out of memory' ||
            tb_fail "$name ran out of memory"
    done
    tb_kill 1 aerostatd TERM
    tb_wait 1 aerostatd 20 || tb_fail "the daemon ended with $?"
}

tb_case balance 420 "$@"
