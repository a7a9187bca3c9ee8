#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves the testbed: stock xl moves a guest that writes memory between two
# hosts, and the guest's memory is whole. Usage: case-stock.sh [DESTDIR]
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

case_body() {
    tb_boot 2
    tb_guest 1 g1 144 grow:48 hot:8:8
    tb_guest_wait 1 g1 'grew 48' 60
    tb_xl_migrate g1 || tb_fail "xl migrate: exit status $?"
    tb_moved g1
    tb_report_move stock g1
}

tb_case stock 300 "$@"
