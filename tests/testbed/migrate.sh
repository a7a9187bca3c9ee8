# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
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

# Moves a guest by stock xl; sets tb_seconds and tb_bytes.
tb_xl_migrate() { # NAME [ENVIRONMENT] [OPTIONS]
    local before status=0 begin

    tb_receive "xl migrate-receive"
    before=$(tb_wire_bytes 1)
    begin=$(date +%s%N)
    tb_spawn 1 migrate "${2:-} xl migrate ${3:-} -s '' $1 \
'socat -b 262144 - TCP:$tb_target:8002'"
    tb_wait 1 migrate "${TB_MIGRATE_LIMIT:-180}" || status=$?
    tb_seconds=$((($(date +%s%N) - begin) / 1000000000))
    tb_bytes=$(($(tb_wire_bytes 1) - before))
    [ "$status" = 0 ] || tb_get 1 /var/log/tb/migrate >&2
    return "$status"
}

# Fails unless a guest runs on host 2, and only there, with its memory whole.
tb_moved() { # NAME
    tb_guest_is_there 2 "$1" || tb_fail "$1 is not on host 2"
    ! tb_guest_is_there 1 "$1" || tb_fail "$1 is still on host 1"
    tb_guest_ticks 2 "$1" || tb_fail "$1 does not run on host 2"
    tb_guest_verify 2 "$1" || tb_fail "$1's memory is damaged"
}

# Fails unless a guest runs on host 1 as before, and nothing is left over.
tb_stayed() { # NAME TARGET_KIB
    local domid target

    tb_guest_is_there 1 "$1" || tb_fail "$1 is not on host 1"
    tb_guest_ticks 1 "$1" || tb_fail "$1 does not run on host 1"
    tb_guest_verify 1 "$1" || tb_fail "$1's memory is damaged"
    domid=$(tb_run 1 "xl domid $1")
    target=$(tb_run 1 "xenstore-read /local/domain/$domid/memory/target")
    [ "$target" = "$2" ] || tb_fail "$1's target is $target KiB, was $2"
    tb_run 1 "logdirty $domid" || tb_fail "$1's log-dirty mode is on"
}

tb_memory_target_kib() { # HOST NAME
    tb_run "$1" "xenstore-read /local/domain/\$(xl domid $2)/memory/target"
}

tb_report_move() { # WHAT NAME
    echo "$1: $tb_bytes bytes on the wire, $tb_seconds s," \
        "$(tb_guest_downtime_ms 2 "$2") ms downtime in the guest"
}
