#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest whose hot set outruns the wire. It is slowed by a cap, and has its
# speed back when the migration is cancelled; by pauses, and runs on when the
# save helper is killed; and then it moves by pauses, within the downtime that
# was asked for.
# Usage: case-throttle.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

# 730 pages/s on the wire, up to 3070 pages/s dirtied over 4096 pages: left
# alone, the set takes 5.6 s in the final pass, also if the emulated guest
# writes at a quarter of that rate. Suspending takes 100 to 250 ms under
# emulation, in which its kernel writes some 300 pages.
limits="--compress 0 --max-rate 24Mbit --rate-policy fixed --suspend-cost 250ms"
max_downtime_ms=2500

guest_cap() { # HOST
    tb_run "$1" "xl sched-credit2 -d g1 | sed -n 's/.*Cap: *//p; \$s/.* //p' |
        tail -n 1"
}

wait_in_dom0() { # WHAT COMMAND
    TB_TIMEOUT=170 tb_run 1 "end=\$((\$(date +%s) + 150))
until $2; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.1
done" || tb_fail "$1"
}

is_capped="xl sched-credit2 -d g1 | tail -n 1 | grep -qv ' 0\$'"
is_slowed="grep -q 'guest slowed' /var/log/tb/migrate"
is_paused="xl list g1 | tail -n 1 | grep -q ' --*p--* '"

ended_while() { # WAY SLOWED-TEST ACTION STATUS
    local status=0 target

    target=$(tb_target_kib 1 g1)
    # Few pages fit this downtime, so the guest is slowed more and more, for
    # as many rounds as it takes to see it.
    # shellcheck disable=SC2086
    tb_live_begin g1 $limits --suspend-pages 0 --max-downtime 300ms \
        --stall-rounds 0 --max-rounds 10000 --throttle "$1"
    wait_in_dom0 "the guest was not slowed ($1)" "$2"
    tb_run 1 "$3"
    tb_move_end 2>/dev/null || status=$?
    [ "$status" = "$4" ] || tb_fail "$1: exit status $status, not $4"
    tb_target_empty
    tb_stayed g1 "$target"
    [ "$(guest_cap 1)" = 0 ] || tb_fail "$1: it is still capped"
    wait_in_dom0 "$1: it is still paused" "! $is_paused"
    echo "throttle=$1: slowed, ended by '${3%% \$*}', and at its own speed"
}

case_body() {
    tb_boot 2
    tb_guest 1 g1 128 grow:32 hot:16:12
    tb_guest_wait 1 g1 'grew 32' 60
    ended_while cap "$is_capped" "kill -TERM \$(pidof aerostat-migrate)" 143
    ended_while pause "$is_slowed" \
        "kill -KILL \$(pidof aerostat-save-helper)" 1
    # shellcheck disable=SC2086
    tb_live_migrate g1 $limits --max-downtime ${max_downtime_ms}ms \
        --throttle pause --report /root/report.json ||
        tb_fail "migrate-live: exit status $?"
    tb_moved g1
    tb_report_move aerostat g1
    tb_get_report
    tb_report '"slowed by \(.slowed_mean_percent) % over \(.rounds | length) " +
        "rounds; engine downtime \(.downtime_ms.engine) ms, predicted " +
        "\(.rounds[-1].predicted_downtime_ms); \(.stop_reason)"'
    tb_report '.slowed_mean_percent > 0' >/dev/null || tb_fail "it was not slowed"
    # A suspend that took longer than the engine was told is the machine's.
    tb_report "([.downtime_ms.suspend, 250] | min) + .downtime_ms.last_pass <=
        $max_downtime_ms" >/dev/null ||
        tb_fail "the downtime is beyond its limit"
    [ "$(guest_cap 2)" = 0 ] || tb_fail "it is capped at the target"
}

tb_case throttle 600 "$@"
