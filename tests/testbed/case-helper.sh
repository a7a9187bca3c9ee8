#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Our save helper under a plain xl migrate: first unlimited, then back with a
# rate limit and xl's own comparison of every page (--debug), for which the
# restorer logs each page that differs. Usage: case-helper.sh DESTDIR
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

case_body() {
    tb_boot 2
    plain
    compared
}

tb_case helper 420 "$@"
