#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A live migration by aerostat-migrate between two hosts, rate-limited, of a
# guest with a hot working set and some page cache: the guest keeps running,
# its memory is whole, it has its memory back, and the report tells so.
# Usage: case-migrate.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

max_rate_bps=6000000 # 48Mbit: less than the emulated hosts can do
worst_allowed=0.1    # above the limit, over a whole round

# By how much the rate of any live round was above its limit.
round_error() {
    tb_report '[.rounds[] | select((.final | not) and .limit_bps > 0
        and .duration_ms > 1000) | .rate_bps / .limit_bps - 1] | max // 0'
}

check_report() {
    tb_get_report
    tb_report .outcome >/dev/null || tb_fail "the report is not valid JSON"
    [ "$(tb_report .outcome)" = moved ] || tb_fail "outcome $(tb_report .outcome)"
    tb_report '.skipped_pages > 0' >/dev/null || tb_fail "no page was skipped"
    tb_report ".limits.max_rate_bps == $max_rate_bps" >/dev/null ||
        tb_fail "the report has other limits"
    tb_report '.memory.moved_kib < .memory.before_kib' >/dev/null ||
        tb_fail "its page cache came along: $(tb_report .memory)"
    tb_report ".wire_bytes <= $tb_bytes" >/dev/null ||
        tb_fail "the report tells of more bytes than the wire carried"
    tb_report '.sent_pages * 4096 <= .stream_bytes' >/dev/null ||
        tb_fail "the report's pages and bytes disagree"
    echo "limiter: mean error $(tb_report .limiter.mean_error)," \
        "worst $(tb_report .limiter.worst_error), by round $(round_error)"
    tb_report "$(round_error) < $worst_allowed" >/dev/null ||
        tb_fail "a round was sent faster than its limit"
    tb_report '"memory: \(.memory.before_kib) KiB, moved with \(.memory.moved_kib)"'
    tb_report '"report: \(.rounds | length) rounds, \(.sent_pages) pages sent, " +
        "\(.skipped_pages) skipped, \(.stop_reason); downtime ms: " +
        (.downtime_ms | tojson)'
}

case_body() {
    local target

    tb_boot 2
    TB_DISK=1 tb_guest 1 g1 224 grow:48 hot:8:4 cache:64
    tb_guest_wait 1 g1 'grew 48' 60
    target=$(tb_target_kib 1 g1)
    tb_live_migrate g1 --max-rate 48Mbit --min-rate 48Mbit --compress 0 \
        --report /root/report.json || tb_fail "migrate-live: exit status $?"
    tb_moved g1
    tb_report_move aerostat g1
    tb_given_back g1 "$target"
    check_report
}

tb_case migrate 420 "$@"
