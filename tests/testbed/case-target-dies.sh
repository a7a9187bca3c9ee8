#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A migration whose target loses its power in the middle of pre-copy: the
# guest runs on at the source with its memory, and log-dirty mode is off.
# Usage: case-target-dies.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

case_body() {
    local status=0 target

    tb_boot 2
    tb_guest 1 g1 144 grow:48 hot:8:4
    tb_guest_wait 1 g1 'grew 48' 60
    target=$(tb_target_kib 1 g1)
    tb_live_begin g1 --max-rate 40Mbit --min-rate 40Mbit --compress 0
    tb_move_reaches $((24 << 20))
    tb_power_off 2
    TB_MIGRATE_LIMIT=90 tb_move_end || status=$?
    [ "$status" = 1 ] || tb_fail "exit status $status, not 1"
    tb_stayed g1 "$target"
    echo "ended after $tb_bytes bytes and $tb_seconds s," \
        "the guest runs at the source"
}

tb_case target-dies 360 "$@"
