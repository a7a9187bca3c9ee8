#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A link that is cut for good, without a word, in pre-copy: the source gives up
# and has its guest as before; the target, which nothing tells, not even TCP,
# gives up when nothing came for as long as --idle-timeout says, and removes
# the half-received guest.
# Usage: case-idle.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

# Two sockets and a socat between TCP and the receiver, which so has no TCP of
# its own to ask whether the peer lives, as behind sshd.
receive() {
    tb_spawn 2 receive "exec socat TCP-LISTEN:8002,reuseaddr \
EXEC:'aerostat-receive --idle-timeout 3m'"
    tb_run 2 'until netstat -ltn | grep -q :8002; do sleep 0.2; done'
}

half_there() {
    tb_run 2 "xl list | grep -q -- --incoming"
}

case_body() {
    local target cut

    tb_boot 2
    tb_guest 1 g1 128 grow:32 hot:8:4
    tb_guest_wait 1 g1 'grew 32' 60
    target=$(tb_target_kib 1 g1)
    receive
    tb_move_begin "exec xl-aerostat migrate-live --no-page-cache --max-rate \
40Mbit --min-rate 40Mbit --compress 0 --stall-timeout 4s -s '' g1 '$tb_wire'"
    tb_move_reaches $((16 << 20))
    half_there || tb_fail "host 2 receives nothing"
    tb_run 1 "ip link set mig down"
    cut=$SECONDS
    ! tb_move_end 2>/dev/null || tb_fail "it moved all the same"
    tb_stayed g1 "$target"
    echo "cut: the source has its guest again after $((SECONDS - cut)) s"
    half_there || tb_fail "host 2 noticed by itself: this proves nothing"
    TB_TIMEOUT=400 tb_run 2 "end=\$((\$(date +%s) + 360))
while xl list | grep -q -- --incoming; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 1
done" || tb_fail "host 2 still has half a guest: $(tb_run 2 'xl list')"
    echo "and the target has nothing of it after $((SECONDS - cut)) s"
    [ $((SECONDS - cut)) -ge 170 ] || tb_fail "that was not the time-out"
    tb_run 2 "grep 'gave up' /var/log/tb/receive | tail -n 2"
    tb_run 2 "! ls /run/aerostat/migrations/*.json 2>/dev/null" ||
        tb_fail "host 2 still has a journal"
    tb_stayed g1 "$target"
}

tb_case idle 540 "$@"
