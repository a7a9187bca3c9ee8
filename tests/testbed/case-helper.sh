#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Our save helper under a plain xl migrate: first unlimited, then back with a
# rate limit and xl's own comparison of every page (--debug), for which the
# restorer logs each page that differs. A second one of the same guest is
# refused while the first one runs. Usage: case-helper.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

helper=LIBXL_SAVE_HELPER=/usr/libexec/aerostat/aerostat-save-helper

plain() {
    tb_guest 1 g1 144 grow:48 hot:8:8
    tb_guest_wait 1 g1 'grew 48' 60
    tb_xl_migrate g1 "$helper" || tb_fail "xl migrate: exit status $?"
    tb_moved g1
    tb_report_move helper g1
    tb_run 2 "xl destroy g1"
}

compared() {
    local differ

    tb_guest 1 g2 144 grow:48 hot:8:8
    tb_guest_wait 1 g2 'grew 48' 60
    tb_xl_migrate g2 "$helper AEROSTAT_MIGRATE='max-rate=160Mbit'" --debug ||
        tb_fail "xl migrate --debug: exit status $?"
    [ "$tb_bytes" -gt $((192 << 20)) ] ||
        tb_fail "$tb_bytes bytes: no second copy was sent to compare"
    differ=$(tb_get 2 /var/log/tb/receive | grep -c 'verify pfn' || true)
    [ "$differ" = 0 ] || tb_fail "the restorer found $differ pages that differ"
    tb_moved g2
    tb_report_move "helper, 160 Mbit/s, compared" g2
}

# The second one's receiver takes all that comes.
second_refused() {
    tb_run 2 "xl destroy g2"
    tb_guest 1 g3 112 grow:16 hot:8:8
    tb_guest_wait 1 g3 'grew 16' 60
    tb_receive "xl migrate-receive"
    tb_move_begin "exec env $helper AEROSTAT_MIGRATE='max-rate=40Mbit' \
        xl migrate -s '' g3 '$tb_wire'"
    tb_move_reaches 4000000
    ! tb_run 1 "env $helper xl migrate -s '' g3 'echo \"xl migration receiver \
ready, send binary domain data.\"; exec cat >/dev/null' \
        >/root/second 2>&1" || tb_fail "the second migration said it moved g3"
    tb_get 1 /root/second | grep 'saved or migrated by somebody else' ||
        tb_fail "the second was not refused: $(tb_get 1 /root/second)"
    tb_move_end || tb_fail "the first xl migrate: exit status $?"
    tb_moved g3
}

case_body() {
    tb_boot 2
    plain
    compared
    second_refused
}

tb_case helper 420 "$@"
