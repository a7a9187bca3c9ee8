#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A migration that is ended in the middle of pre-copy: by Ctrl-C, by SIGTERM,
# by the loss of its transport, and by kill -9 of the save helper and of
# aerostat-migrate itself. Each time the guest runs on at the source with its
# memory, log-dirty mode is off, and the target has nothing.
# Usage: case-cancel.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

# Ctrl-C reaches the whole process group, as from a terminal.
ctrl_c() { tb_kill 1 migrate INT; }
terminate() { tb_run 1 "kill -TERM \$(pidof aerostat-migrate)"; }
kill_transport() { tb_run 1 "kill -KILL \$(pidof socat)"; }
kill_helper() { tb_run 1 "kill -KILL \$(pidof aerostat-save-helper)"; }
# The helper then cleans up by itself.
kill_migrate() {
    tb_run 1 "kill -KILL \$(pidof aerostat-migrate)
        while pidof aerostat-save-helper >/dev/null; do sleep 0.2; done"
}

ended_by() { # ACTION STATUS
    local action=$1 expected=$2 status=0 target

    target=$(tb_target_kib 1 g1)
    tb_live_begin g1 --max-rate 40Mbit --min-rate 40Mbit --compress 0
    tb_move_reaches $((24 << 20))
    "$action"
    tb_move_end 2>/dev/null || status=$?
    [ "$status" = "$expected" ] ||
        tb_fail "$action: exit status $status, not $expected"
    tb_target_empty
    tb_stayed g1 "$target"
    echo "$action: ended after $tb_bytes bytes and $tb_seconds s," \
        "the guest runs at the source"
}

case_body() {
    tb_boot 2
    tb_guest 1 g1 144 grow:48 hot:8:4
    tb_guest_wait 1 g1 'grew 48' 60
    ended_by ctrl_c 130
    ended_by terminate 143
    ended_by kill_transport 1
    ended_by kill_helper 1
    ended_by kill_migrate 137
    tb_live_migrate g1 || tb_fail "it does not move after that"
    tb_moved g1
}

tb_case cancel 480 "$@"
