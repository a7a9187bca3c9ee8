#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Migrations that are killed (kill -9), with their save helper, at several
# stages: while the page cache is freed, in pre-copy, with the guest suspended;
# and their receiver; one whose link is cut; one that is cancelled by verb. Each
# is repaired, by the daemon at once, by the daemon when it starts, or by hand:
# the guest runs once, at the source, with its memory, target and cap; log-dirty
# mode is off; the target has nothing. At last it moves, and who was to give it
# its memory back at the target is killed: a repair there does.
# Usage: case-repair.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

journals=$tb_journals
by_hand=$tb_repairer

no_journal() { # HOST SECONDS
    tb_run "$1" "end=\$((\$(date +%s) + $2))
while ls $journals/*.json >/dev/null 2>&1; do
    [ \$(date +%s) -lt \$end ] || exit 1
    usleep 200000
done" || tb_fail "host $1 still has a journal: $(tb_run "$1" "cat $journals/*")"
}

uncapped() {
    local cap

    cap=$(tb_run 1 "xl sched-credit2 -d g1" | awk 'END { print $4 }')
    [ "$cap" = 0 ] || tb_fail "g1 is capped at $cap"
}

as_before() { # WHAT
    no_journal 1 30
    tb_target_empty
    no_journal 2 30
    tb_stayed g1 "$target"
    uncapped
    echo "$1: repaired, the guest runs at the source"
}

begin() { # OPTIONS...
    tb_live_begin g1 --max-rate 40Mbit --min-rate 40Mbit --compress 0 "$@"
}

ended() {
    tb_move_end 2>/dev/null || true
}

kill_migrate="kill -KILL \$(pidof aerostat-migrate)"
kill_both="kill -KILL \$(pidof aerostat-migrate) \$(pidof aerostat-save-helper)"

# Runs a command in dom0 of host 2 when the guest runs there, and has yet to
# get its memory back.
settling() { # COMMAND
    TB_TIMEOUT=130 tb_run 2 "end=\$((\$(date +%s) + 120))
until grep -qs '\"settling\"' $journals/target-*.json; do
    [ \$(date +%s) -lt \$end ] || exit 124
    usleep 20000
done
$1"
}

small_at_target() {
    local now

    tb_moved g1
    now=$(tb_target_kib 2 g1)
    [ "$now" -lt "$target" ] || tb_fail "it came with $now KiB"
    tb_run 2 "$by_hand --repair | grep '^1 repaired'" ||
        tb_fail "--repair failed at the target"
    tb_given_back g1 "$target"
    no_journal 2 1
    echo "killed before it gave the memory back ($now KiB): repaired ($target)"
}

case_body() {
    tb_boot 2
    tb_guest 1 g1 128 grow:32 hot:8:4
    tb_guest_wait 1 g1 'grew 32' 60
    target=$(tb_target_kib 1 g1)

    begin
    tb_at_stage 'page cache' "sleep 1; $kill_migrate"
    ended
    tb_run 1 "$by_hand --repair" || tb_fail "--repair failed"
    as_before "killed while the page cache is freed, by hand"

    begin --no-page-cache --throttle cap
    tb_at_stage pre-copy "sleep 4; $kill_both"
    ended
    tb_run 1 "$by_hand --repair" || tb_fail "--repair failed"
    as_before "killed in pre-copy with its helper, by hand"

    begin --no-page-cache
    tb_at_stage pre-copy "sleep 2; xl-aerostat migrate-cancel g1" ||
        tb_fail "migrate-cancel failed"
    tb_move_end 2>/dev/null && tb_fail "it moved all the same"
    as_before "cancelled by its journal"

    # Nobody there notices: TCP would try for a quarter of an hour.
    wire=$tb_wire
    tb_wire=${tb_wire%,setsockopt*}
    begin --no-page-cache --stall-timeout 4s
    tb_wire=$wire
    tb_at_stage pre-copy "sleep 2; ip link set mig down"
    ended
    # xl too, or it would go on: it has not noticed anything.
    tb_run 2 "kill -KILL \$(pidof aerostat-receive) \$(pidof xl)
sleep 1
$by_hand --repair | grep '^1 repaired'" ||
        tb_fail "--repair failed at the target"
    tb_run 1 "ip link set mig up"
    as_before "link cut, receiver killed"

    tb_spawn 1 daemon "exec aerostatd"
    begin --no-page-cache --max-rounds 1
    tb_at_stage 'stop and copy' "$kill_both"
    ended
    as_before "killed with the guest suspended, by the daemon"

    begin --no-page-cache --max-rounds 1
    tb_at_stage 'stop and copy' "$kill_both; kill -KILL \$(pidof aerostatd)"
    ended
    tb_spawn 1 daemon "exec aerostatd"
    as_before "killed with the daemon, by the next daemon"

    tb_live_begin g1 --margin 8M
    settling "kill -KILL \$(pidof aerostat-receive)" ||
        tb_fail "nobody was to give its memory back"
    tb_move_end || tb_fail "it did not move: $?"
    small_at_target
}

tb_case repair 360 "$@"
