#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 'xl create' by the front on a host that is full: the memory is squeezed out
# of idle guests first, and the domain that is built takes it. Then what
# cannot be had: refused at once, and the command not run.
# Usage: case-reserve.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"

new_mib=160

start_daemon() {
    tb_spawn 1 aerostatd "exec aerostatd"
    # Guests that report settle within ten seconds.
    tb_run 1 "end=\$((\$(date +%s) + 60))
until [ \"\$(xl-aerostat mem-status 2>/dev/null | grep -c 'idle.* active ')\" = 2 ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.5
done" || { tb_run 1 "xl-aerostat mem-status"; tb_fail "no guest settles"; }
}

free_mib() {
    tb_run 1 "xl info free_memory"
}

case_body() {
    local name before

    TB_MEM=1360 tb_boot 1
    for name in idle1 idle2; do
        tb_guest 1 "$name" 232 grow:16
    done
    before=$(free_mib)
    echo "free: $before MiB, for a guest of $new_mib"
    [ "$before" -lt "$new_mib" ] || tb_fail "there is room anyway"
    start_daemon
    TB_XL=/usr/libexec/aerostat/xl tb_guest 1 new "$new_mib" grow:16 \
        >"$tb_dir/create" 2>&1 || { cat "$tb_dir/create"
            tb_run 1 "xl-aerostat mem-status"
            tb_fail "the guest was not created"; }
    cat "$tb_dir/create"
    grep -q 'reserved ' "$tb_dir/create" || tb_fail "nothing was reserved"
    tb_run 1 "xl-aerostat mem-status; xl-aerostat mem-status --json |
        grep -q '\"reserved_kib\": 0'" || tb_fail "the reservation stayed"
    ! tb_run 1 "xl-aerostat mem-reserve 4G -- touch /root/ran" ||
        tb_fail "more was reserved than there is"
    ! tb_run 1 "xl-aerostat mem-reserve --node 1 1M -- touch /root/ran" \
        >"$tb_dir/node" 2>&1 || tb_fail "memory came from a node that is not"
    grep -q 'this host has no NUMA node 1; it has one, 0' "$tb_dir/node" ||
        { cat "$tb_dir/node"; tb_fail "it did not say that there is no node"; }
    ! tb_run 1 "ls /root/ran 2>/dev/null" || tb_fail "the command was run"
    for name in idle1 idle2 new; do
        tb_guest_verify 1 "$name" || tb_fail "$name's memory is damaged"
    done
    tb_kill 1 aerostatd TERM
    tb_wait 1 aerostatd 20 || tb_fail "the daemon ended with $?"
}

tb_case reserve 420 "$@"
