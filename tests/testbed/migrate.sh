# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # tb_dir is lib.sh's
#
# What the migration cases share: a guest that moves from host 1 to host 2
# over TCP, by stock xl or by the programs under test.

tb_target=10.77.0.2

# Lets host 2 receive one domain with a command.
tb_receive() { # COMMAND
    tb_spawn 2 receive "exec socat TCP-LISTEN:8002,reuseaddr \
EXEC:'$1',nofork"
    tb_run 2 'until netstat -ltn 2>/dev/null | grep -q :8002; do sleep 0.2; done'
}

# Begins a move in dom0 of host 1, where it goes on by itself. The command
# has its output in /var/log/tb/migrate.
tb_move_begin() { # COMMAND
    tb_wire_before=$(tb_wire_bytes 1)
    tb_move_start=$(date +%s%N)
    tb_spawn 1 migrate "$1"
}

# Waits for its end and has its exit status; sets tb_seconds and tb_bytes.
tb_move_end() {
    local status=0

    tb_wait 1 migrate "${TB_MIGRATE_LIMIT:-180}" || status=$?
    tb_seconds=$((($(date +%s%N) - tb_move_start) / 1000000000))
    tb_bytes=$(($(tb_wire_bytes 1) - tb_wire_before))
    [ "$status" = 0 ] || tb_get 1 /var/log/tb/migrate | tail -n 20 >&2
    return "$status"
}

# TCP_USER_TIMEOUT (6:18) ends the connection 15 s after the target is gone;
# without it TCP tries for a quarter of an hour.
tb_wire="socat -b 262144 - TCP:$tb_target:8002,setsockopt-int=6:18:15000"

# Moves a guest by stock xl.
tb_xl_migrate() { # NAME [ENVIRONMENT] [OPTIONS]
    tb_receive "xl migrate-receive"
    tb_move_begin "${2:-} xl migrate ${3:-} -s '' $1 '$tb_wire'"
    tb_move_end
}

# Begins a move of a guest by the program under test.
tb_live_begin() { # NAME [OPTIONS...]
    local name=$1
    shift

    tb_receive aerostat-receive
    tb_move_begin "exec xl-aerostat migrate-live $* -s '' $name '$tb_wire'"
}

tb_live_migrate() { # NAME [OPTIONS...]
    tb_live_begin "$@"
    tb_move_end
}

# Waits until a move has sent this much: it is in the middle of pre-copy.
tb_move_reaches() { # BYTES
    local end=$((SECONDS + 60))

    until [ $(($(tb_wire_bytes 1) - tb_wire_before)) -ge "$1" ]; do
        [ "$SECONDS" -lt "$end" ] || tb_fail "nothing moves"
        sleep 0.5
    done
}

tb_journals=/run/aerostat/migrations
# shellcheck disable=SC2034 # the cases'
tb_repairer=/usr/libexec/aerostat/aerostat-migrate

# Runs a command in dom0 of host 1 as soon as the migration is at a stage.
tb_at_stage() { # STAGE COMMAND
    tb_run 1 "end=\$((\$(date +%s) + 50))
until grep -qs '\"stage\": \"$1\"' $tb_journals/source-*.json; do
    [ \$(date +%s) -lt \$end ] || exit 124
    usleep 20000
done
$2" || tb_fail "the migration never was at stage '$1'"
}

# Fails unless a guest runs on host 2, and only there, with its memory whole.
tb_moved() { # NAME
    tb_guest_is_there 2 "$1" || tb_fail "$1 is not on host 2"
    ! tb_guest_is_there 1 "$1" || tb_fail "$1 is still on host 1"
    tb_guest_ticks 2 "$1" || tb_fail "$1 does not run on host 2"
    tb_guest_verify 2 "$1" || tb_fail "$1's memory is damaged"
}

# Fails unless a guest on host 2 has a target, within a while: it gets what it
# came without a second after it began to run.
tb_given_back() { # NAME TARGET_KIB
    local end=$((SECONDS + 20)) target

    until target=$(tb_target_kib 2 "$1") && [ "$target" = "$2" ]; do
        [ "$SECONDS" -lt "$end" ] ||
            tb_fail "$1's target is $target KiB, was $2"
        sleep 0.5
    done
}

# Fails unless a guest runs on host 1 as before, and nothing is left over.
tb_stayed() { # NAME TARGET_KIB
    local target

    tb_guest_is_there 1 "$1" || tb_fail "$1 is not on host 1"
    tb_guest_ticks 1 "$1" || tb_fail "$1 does not run on host 1"
    tb_guest_verify 1 "$1" || tb_fail "$1's memory is damaged"
    target=$(tb_target_kib 1 "$1")
    [ "$target" = "$2" ] || tb_fail "$1's target is $target KiB, was $2"
    tb_run 1 "logdirty \$(xl domid $1)" || tb_fail "$1's log-dirty mode is on"
}

# Fails unless host 2 has no guest, nor part of one, within a while.
tb_target_empty() {
    TB_TIMEOUT=90 tb_run 2 "end=\$((\$(date +%s) + 60))
while [ \$(xl list | wc -l) -gt 2 ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.5
done" || tb_fail "host 2 still has a domain: $(tb_run 2 'xl list')"
}

# Fetches the report of a move that was told --report /root/report.json.
tb_get_report() {
    tb_get 1 /root/report.json >"$tb_dir/report.json"
}

# Asks it; fails where the answer is false or null.
tb_report() { # JQ-FILTER
    jq -er "$1" "$tb_dir/report.json"
}

tb_report_move() { # WHAT NAME
    echo "$1: $tb_bytes bytes on the wire, $tb_seconds s," \
        "$(tb_guest_downtime_ms 2 "$2") ms downtime in the guest"
}
