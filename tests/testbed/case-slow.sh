#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Migrations while what they need is slow: over a link that crawls for a while
# and then carries nothing for longer than a round trip but less than TCP's
# limit; and with a xenstored that answers in bursts, at both ends. Both
# guests arrive, run once, and have their memory whole.
# Usage: case-slow.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

shape_link() { # TC-ARGUMENTS
    # By its path: busybox's shell has a tc of its own.
    tb_run 1 "/usr/bin/tc qdisc replace dev mig root $*"
}

slow_link() {
    tb_live_begin g1 --no-page-cache
    tb_move_reaches $((16 << 20))
    shape_link tbf rate 4mbit burst 128kb limit 1mb
    sleep 4
    shape_link netem loss 100%
    sleep 5
    shape_link pfifo
    tb_move_end || tb_fail "over a slow link: exit status $?"
    tb_moved g1
    tb_report_move "slow link" g1
}

# Answers for a third of the time only, until it is ended.
# shellcheck disable=SC2016 # dom0's shell expands it
slow_xenstored() { # HOST
    tb_spawn "$1" slow 'p=$(cat /run/xenstored.pid)
trap "kill -CONT $p; exit" TERM
while :; do
    kill -STOP $p; sleep 0.6
    kill -CONT $p; sleep 0.3
done'
}

slow_stores() {
    local h

    for h in 1 2; do slow_xenstored "$h"; done
    tb_live_begin g2 --no-page-cache
    tb_move_end || tb_fail "with a slow xenstored: exit status $?"
    for h in 1 2; do tb_kill "$h" slow TERM; done
    for h in 1 2; do tb_wait "$h" slow 20 || true; done # its status is TERM's
    tb_moved g2
    tb_report_move "slow xenstored" g2
}

case_body() {
    tb_boot 2
    tb_guest 1 g1 128 grow:32 hot:4:4
    tb_guest 1 g2 128 grow:32 hot:4:4
    tb_guest_wait 1 g2 'grew 32' 60
    slow_link
    slow_stores
}

tb_case slow 300 "$@"
