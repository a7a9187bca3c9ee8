#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An HVM guest, with QEMU in dom0 as its device model: it is balanced, a
# migration that is cancelled, or loses its save helper or all but that, leaves
# it as it was, QEMU and its own log of its writes included, and it moves, with
# QEMU's state.
# Usage: case-hvm.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"
# shellcheck source=tests/testbed/kinds.sh
. "$(dirname "$0")/kinds.sh"

TB_TYPE=hvm
TB_DOM0_MEM=1024M # its initramfs is larger
TB_GUEST_LIMIT=150

helper_killed() {
    local target

    target=$(tb_target_kib 1 g1)
    tb_live_begin g1 --max-rate 40Mbit --min-rate 40Mbit --compress 0
    tb_move_reaches 30000000
    tb_run 1 "kill -KILL \$(pidof aerostat-save-helper)"
    ! tb_move_end 2>/dev/null || tb_fail "it moved without its helper"
    ! tb_get 1 /var/log/tb/migrate | grep "QEMU may still log" ||
        tb_fail "QEMU was not asked to end its log"
    tb_stayed g1 "$target"
    tb_target_empty
    echo "helper killed: the guest is as before"
}

qemu_runs() {
    tb_run 1 "printf '%s\n' '{\"execute\":\"qmp_capabilities\"}' \
        '{\"execute\":\"query-status\"}' |
        socat -t 3 - UNIX-CONNECT:/run/xen/qmp-libxl-\$(xl domid g1) |
        grep '\"status\": *\"running\"'"
}

# Nobody is left but the save helper to let the guest, and QEMU, go on.
migrate_killed() {
    local target

    target=$(tb_target_kib 1 g1)
    tb_live_begin g1 --no-page-cache --max-rate 40Mbit --min-rate 40Mbit \
        --compress 0 --max-rounds 1
    tb_at_stage 'stop and copy' "kill -KILL \$(pidof aerostat-migrate)"
    ! tb_move_end 2>/dev/null || tb_fail "it moved without aerostat-migrate"
    tb_run 1 "$tb_repairer --repair" || tb_fail "--repair failed"
    tb_stayed g1 "$target"
    qemu_runs || tb_fail "QEMU still stands"
    tb_target_empty
    echo "aerostat-migrate killed: the guest and QEMU go on"
}

case_body() {
    tb_add_hvm
    tb_boot 2
    TB_MAXMEM=288 tb_guest 1 g1 160 grow:32 hot:8:4
    tb_guest_wait 1 g1 'grew 32' 60
    tb_kind_balanced g1
    tb_kind_cancelled g1
    helper_killed
    migrate_killed
    tb_kind_moved g1
}

tb_case hvm 600 "$@"
