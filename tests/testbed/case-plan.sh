#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a migration was said to cost, and what it cost: a guest with a hot set
# is planned for and moved, after an idle one has taught the host its costs.
# Only bounds that an emulated machine keeps are asserted; the figures are
# printed.
# Usage: case-plan.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

limits="--max-rate 32Mbit --min-rate 32Mbit --compress 0 --no-page-cache"

plan() { # JQ-FILTER
    jq -er "$1" "$tb_dir/plan.json"
}

# Asks for a plan over the migration's own wire; has its exit status.
tb_plan() { # NAME OPTIONS
    local name=$1 status=0
    shift

    tb_receive aerostat-receive
    tb_run 1 "xl-aerostat migrate-plan $* --json -s '' $name '$tb_wire' \
        >/root/plan.new; s=\$?; mv /root/plan.new /root/plan.json; exit \$s" ||
        status=$?
    tb_get 1 /root/plan.json >"$tb_dir/plan.json"
    return "$status"
}

check_plan() {
    plan .can_move >/dev/null || tb_fail "it cannot be moved: $(plan .advice)"
    for what in downtime memory CPU name Xen; do
        plan ".findings[] | select(.what == \"$what\") |
            .level != \"refused\" and (.level != \"unknown\")" >/dev/null ||
            tb_fail "$what: $(plan ".findings[] | select(.what == \"$what\")")"
    done
    plan '.costs_learnt_from == 1' >/dev/null || tb_fail "nothing was learnt"
    plan '"plan: " + .advice'
}

# Predicted by the plan, by the migration itself just before it, and actual.
compare() { # FIGURE
    local planned predicted actual

    planned=$(jq -er ".asked.$1 | \"\(.expected | round) (\(.low | round)\" +
        \" to \(.high | round))\"" "$tb_dir/planned.json")
    predicted=$(tb_report ".prediction.predicted.$1.expected | round")
    actual=$(tb_report ".prediction.actual.$1 | round")
    echo "$1: planned $planned, predicted $predicted, actual $actual"
}

check_report() {
    tb_get_report
    for figure in rounds bytes total_ms downtime_ms; do
        compare "$figure"
    done
    tb_report '"error: total \(.prediction.error.total * 100 | round) %, " +
        "downtime \(.prediction.error.downtime * 100 | round) %"'
    tb_report '.prediction.error.total | . > -0.5 and . < 1' >/dev/null ||
        tb_fail "the time was predicted badly"
    tb_report '.prediction.error.downtime | . > -0.8 and . < 4' >/dev/null ||
        tb_fail "the downtime was predicted badly"
}

case_body() {
    tb_boot 2
    tb_guest 1 idle 96
    tb_guest 1 hot 128 grow:32 hot:8:4
    tb_guest_wait 1 hot 'hot 8 4' 60
    tb_live_migrate idle --no-page-cache ||
        tb_fail "the first migration: status $?"
    tb_plan hot "$limits" --max-downtime 3s --duration 10s ||
        tb_fail "no plan: $(tb_get 1 /root/plan.json)"
    check_plan
    cp "$tb_dir/plan.json" "$tb_dir/planned.json"
    ! tb_plan hot "$limits" --max-downtime 20ms --measure-wire \
        --wws /root/plan.json || tb_fail "a downtime of 20 ms was promised"
    plan '"measured wire: \(.wire_bps / 1e5 | round / 10) MB/s; \(.advice)"'
    # shellcheck disable=SC2086
    tb_live_migrate hot $limits --max-downtime 3s --plan \
        --report /root/report.json || tb_fail "migrate-live: exit status $?"
    tb_moved hot
    check_report
}

tb_case plan 400 "$@"
