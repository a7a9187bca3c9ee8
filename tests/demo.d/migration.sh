# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work, front and testbed variables
#
# One guest, moved by stock xl, then a fresh one with the same load by ours.

guest_mib=224
cache_mib=88
load="grow:32 hot:8:4 cache:$cache_mib"
link=50mbit   # what tc lets through, for both
limit=48Mbit  # what ours is told

start_load() {
    local cached

    step "creating shop: $guest_mib MiB, 8 of them hot, page cache full"
    # By its path: busybox's shell has a tc of its own.
    tb_run 1 "/usr/bin/tc qdisc replace dev mig root \
        tbf rate $link burst 256kb limit 2mb"
    # shellcheck disable=SC2086 # each command is a word
    TB_DISK=1 tb_guest 1 shop "$guest_mib" $load
    tb_guest_wait 1 shop 'grew 32' 60
    tb_guest_wait 1 shop "cached $cache_mib" 60
    cached=$(tb_guest_mem_mib 1 shop Cached)
    [ "$cached" -ge $((cache_mib - 8)) ] ||
        fail "shop has only $cached MiB of page cache"
    step_done
}

# Shows how far a move is until it ends, with what a command in dom0 says.
watch_move() { # COMMAND
    local state due n=0

    while :; do
        state=$(tb_run 1 "cat /sys/class/net/mig/statistics/tx_bytes
            [ ! -s /var/log/tb/migrate.status ] || echo ended
            $1")
        [[ $state != *$'\n'ended* ]] || break
        state=$(progress_text "$state")
        due=
        if [ $((n++ % 4)) = 3 ]; then due=1; fi
        redraw "$state" "$due"
        sleep 2
    done
    redraw_ends
}

progress_text() { # STATE
    local bytes=${1%%$'\n'*} more=

    [[ $1 != *$'\n'* ]] || more=$'\n'${1#*$'\n'}
    printf '%3d s  %4d MB sent%s\n' \
        $((($(date +%s%N) - tb_move_start) / 1000000000)) \
        $(((bytes - tb_wire_before) / 1000000)) "$more"
}

# What was measured, for the table: seconds, bytes, downtime in ms.
note_move() { # WHO
    local seconds=$(((tb_ended - tb_move_start) / 100000000))

    echo "$1_ds=$seconds $1_bytes=$tb_bytes" \
        "$1_ms=$(tb_guest_downtime_ms 2 shop)" >"$work/$1.figures"
}

check_arrival() {
    step "checking every page of its memory at host 2"
    tb_guest_is_there 2 shop || fail "shop is not on host 2"
    ! tb_guest_is_there 1 shop || fail "shop is still on host 1"
    tb_guest_ticks 2 shop || fail "shop does not run on host 2"
    tb_guest_verify 2 shop || fail "shop's memory is damaged"
    step_done
}

end_move() { # WHAT
    tb_ended=$(date +%s%N)
    tb_move_end || fail "$1 failed; its output is in the log"
    tb_get 1 /var/log/tb/migrate
}

clear_away() {
    tb_run 2 "xl destroy shop; rm -f $(tb_log_of shop)"
}

move_by_stock() {
    title "Migration by stock xl: host 1 to host 2, a link of $link"
    start_load
    step_open "xl migrate shop host2"
    tb_receive "xl migrate-receive"
    tb_move_begin "xl migrate -s '' shop '$tb_wire'"
    watch_move :
    end_move "xl migrate"
    check_arrival
    note_move stock
    clear_away
}

move_by_aerostat() {
    local report=$work/report.json

    title "Migration by Aerostat: a guest like that, the same link"
    step "starting aerostatd on both hosts"
    start_daemon 1
    start_daemon 2
    step_done
    start_load
    step_open "xl migrate-live --max-rate $limit shop host2"
    tb_receive aerostat-receive
    tb_move_begin "$front; export PATH
exec xl migrate-live --max-rate $limit --rate-policy fixed \
--report /root/report.json -s '' shop '$tb_wire'"
    watch_move "$front; xl migrate-status"
    end_move "xl migrate-live"
    tb_get 1 /var/log/tb/migrate | indented >&3
    check_arrival
    tb_get 1 /root/report.json >"$report"
    jq -e '.outcome == "moved"' "$report" || fail "the report says otherwise"
    note_move ours
    clear_away
    stop_daemon 1
    stop_daemon 2
}

row() { # WHAT STOCK OURS DECIMALS
    awk -v what="$1" -v a="$2" -v b="$3" -v d="$4" 'BEGIN {
        printf "  %-30s %12.*f %12.*f %8.2f\n", what, d, a, d, b, b / a }' >&3
}

from_report() { # LABEL FILTER
    say "  $(printf '%-30s' "$1") $(jq -r "$2" "$work/report.json")"
}

show_table() {
    local stock_ds stock_bytes stock_ms ours_ds ours_bytes ours_ms

    # shellcheck disable=SC1091 # made by note_move
    . "$work/stock.figures" && . "$work/ours.figures"
    title "What this run measured"
    printf '  %-30s %12s %12s %8s\n' '' 'stock xl' 'aerostat' 'ratio' >&3
    row "MB on the wire" "${stock_bytes}e-6" "${ours_bytes}e-6" 1
    row "seconds in all" "${stock_ds}e-1" "${ours_ds}e-1" 1
    row "downtime in the guest, ms" "$stock_ms" "$ours_ms" 0
    printf '  %-30s %12s %12s\n' 'memory whole at the target' yes yes >&3
    say ""
    from_report "page cache left behind" \
        '"\((.memory.before_kib - .memory.moved_kib) / 1024 | round) MiB"'
    from_report "held for it at the target" \
        '"\(.memory.reserved_at_target_kib / 1024 | round) MiB"'
    from_report "pages left for later" \
        '"\(.skipped_pages), in \(.rounds | length) rounds"'
    from_report "packed on its way" 'if .limits.compress_level == 0 then "no"
        else "\(.stream_bytes / .wire_bytes * 10 | round / 10) to 1, as that " +
        "pays at this rate" end'
    from_report "rate limiter's error" 'def percent: . * 10000 | round / 100;
        if .limiter.seconds == 0 then "was never the limit" else
        "mean \(.limiter.mean_error | percent) %, worst " +
        "\(.limiter.worst_error | percent) %, over " +
        "\(.limiter.seconds) s" end'
    from_report "aerostat's downtime" '.downtime_ms |
        "\(.engine | round) ms the engine, \(.device + .resume | round) ms " +
        "the target and its toolstack"'
    say "  Most of the downtime is the toolstack's own under emulation, and" \
        "  fixed: both pay it."
}
