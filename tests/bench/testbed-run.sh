# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work, out and ours_options are testbed.sh's
#
# One measured migration: a fresh guest with its load, moved by stock xl or by
# Aerostat; its figures as one JSON object.

guest_address=9 # 10.78.0.9
ping_ms=20
packed_options="--compress 1 --compress-window 64M"
plain_options="--compress 0"
capped_options="--max-rate 48Mbit --rate-policy fixed" # told to ours alone

# Starts a guest with a workload and waits until the load is on.
start_guest() { # WORKLOAD
    local mib load wait

    case $1 in
    idle) mib=192 load="grow:32" wait='grew 32' ;;
    cache) mib=480 load="grow:32 cache:352" wait='cached 352' ;;
    hot8) mib=160 load="grow:48 hot:8:8" wait='grew 48' ;;
    hot32) mib=160 load="grow:64 hot:32:16" wait='grew 64' ;;
    dense32) mib=160 load="fill:2 grow:64 hot:32:16" wait='grew 64' ;;
    writer) mib=208 load="grow:104 hot:104:16" wait='grew 104' ;;
    web) mib=160 load="grow:32" wait='grew 32' ;;
    esac
    # shellcheck disable=SC2086 # each command is a word
    TB_DISK=1 TB_NET=$guest_address tb_guest 1 g1 "$mib" $load || return
    tb_guest_wait 1 g1 "$wait" 90 >/dev/null || return
    [ "$1" != web ] || start_web
}

# The guest serves a file of 2 MB; a client at host 2 fetches it again and
# again.
start_web() {
    tb_guest_ask 1 g1 'sh httpd -h /usr/bin' 'sh exit 0' 20 || return
    tb_spawn 2 client "while :; do
wget -q -T 5 -O /dev/null http://10.78.0.$guest_address/busybox
sleep 0.2; done"
}

cap_link() { # RATE, or nothing
    tb_run 1 "/usr/bin/tc qdisc del dev mig root 2>/dev/null
        [ -z '$1' ] || /usr/bin/tc qdisc replace dev mig root \
            tbf rate $1 burst 256kb limit 2mb"
}

# Both hosts' clocks are the machine's, for the guest's downtime.
set_clocks() {
    local h

    [ -z "${TB_ICOUNT:-}" ] || return 0
    for h in 1 2; do
        timeout 30 "$tb_images/remote" --clock "${tb_port[h]}" || return
    done
}

# What both say is stamped with the time of host 1, whose ear hears host 2 over
# the guests' network: the hosts' clocks need not agree.
begin_move() { # SAVER LINK
    local receive="xl migrate-receive"
    local move="xl -vvv migrate -s '' g1 '$tb_wire'"

    if [ "$1" != stock ]; then
        receive=aerostat-receive
        move="xl-aerostat migrate-live -v -v --report /root/report.json"
        [ "$1" != packed ] || move+=" $packed_options"
        [ "$1" != plain ] || move+=" $plain_options"
        move+=" ${2:+$capped_options} $ours_options -s '' g1 '$tb_wire'"
    fi
    tb_spawn 1 hear "exec probe hear"
    tb_spawn 2 receive "socat TCP-LISTEN:8002,reuseaddr \
EXEC:'$receive',nofork 2>&1 | probe stamp 10.78.0.1"
    tb_run 2 'until netstat -ltn 2>/dev/null | grep -q :8002; do sleep 0.2; done'
    tb_move_begin "{ echo MOVE BEGINS; $move; echo MOVE ENDS \$?; } 2>&1 |
probe stamp"
}

# The stamp of the first line of a log that matches; fails without one.
stamp_of() { # FILE REGEX
    grep -m 1 -E "^[0-9]+ .*$2" "$1" | cut -d' ' -f1 | grep .
}

# What the pinger has seen so far, as "sent N answered N longest_ms N
# silent_ms N". It is asked, and says so in a line of its own.
ping_so_far() {
    # shellcheck disable=SC2016 # for the host's shell
    tb_run 2 'cd /var/log/tb || exit
said=$(wc -l <ping) tries=0
kill -USR1 "$(cat /run/ping.pid)" || exit
while [ "$(wc -l <ping)" = "$said" ]; do
    [ $((tries += 1)) -lt 50 ] || exit
    sleep 0.2
done
tail -n 1 ping'
}

# Pings the guest; it answers when this returns. The host may have to learn
# first that another guest has its address now, half a minute long.
start_ping() {
    local tries

    tb_spawn 2 ping "trap '' USR1 # until it is ready for it
echo \$\$ >/run/ping.pid
exec probe ping 10.78.0.$guest_address $ping_ms"
    tb_run 2 'until [ -s /run/ping.pid ]; do sleep 0.1; done'
    for ((tries = 0; tries < 30; tries++)); do
        [[ $(ping_so_far) != *" answered "[1-9]* ]] || return 0
        sleep 1
    done
    echo "the guest answers no ping" >&2
    return 1
}

# What a client saw, once the guest answers it again: with the answer that
# ends a silence the longest one is known.
client_ms() {
    local line tries

    for ((tries = 0; tries < 30; tries++)); do
        line=$(ping_so_far) && [ "${line##* }" -le 500 ] && break
        line=
        sleep 1
    done
    tb_kill 2 ping TERM
    tb_wait 2 ping 20 || return
    echo "ping: ${line:-the guest did not answer again}" >&2
    [[ $line =~ longest_ms\ ([0-9]+) ]] || return
    echo "${BASH_REMATCH[1]}"
}

# The figures of the move that just ended, from the logs; null where a log
# does not tell.
figures() { # CLIENT-MS
    local from=$work/migrate.log to=$work/receive.log guest=null
    local begin end request restored runs

    tb_get 1 /var/log/tb/migrate >"$from"
    tb_kill 1 hear TERM
    tb_get 1 /var/log/tb/hear >"$to"
    begin=$(stamp_of "$from" 'MOVE BEGINS') || return
    end=$(stamp_of "$from" 'MOVE ENDS 0') || {
        tail -n 4 "$from" >&2
        return 1
    }
    request=$(stamp_of "$from" 'issuing .* suspend request') || request=null
    restored=$(stamp_of "$to" 'Restore successful') || restored=null
    runs=$(stamp_of "$from" \
        'Target reports successful startup|says that the guest runs') ||
        runs=null
    [ -n "${TB_ICOUNT:-}" ] || guest=$(tb_guest_downtime_ms 2 g1)
    jq -cn "{ bytes: $tb_bytes, total_ms: ($end - $begin),
        engine_ms: (if $request == null or $restored == null then null
            else $restored - $request end),
        resumed_ms: (if $request == null or $runs == null then null
            else $runs - $request end),
        guest_ms: $guest, client_ms: ${1:-null} }"
}

# What ours tells of itself goes beside it, and its whole report to a file.
ours_figures() { # NAME
    local file n=1

    mkdir -p "$out/reports"
    while [ -e "$out/reports/$1-$n.json" ]; do n=$((n + 1)); done
    file=$out/reports/$1-$n.json
    tb_get 1 /root/report.json >"$file"
    jq -c '{ report: { engine_ms:
        .downtime_ms.engine, rounds: (.rounds | length), skipped_pages,
        moved_kib: .memory.moved_kib, stop_reason,
        stages_ms: (.stages | map({ (.stage): .duration_ms }) | add) } }' \
        "$file"
}

end_guest() {
    tb_run 2 "xl destroy g1; rm -f $(tb_log_of g1) /root/report.json
        [ ! -e /var/log/tb/client.pid ] || kill -KILL -\$(cat \
            /var/log/tb/client.pid); rm -f /var/log/tb/client.pid; true"
}

# Prints one line of JSON; fails if the guest did not arrive whole.
measure() { # WORKLOAD LINK SAVER
    local client one more='{}'

    start_guest "$1" >&2 || return
    cap_link "$2" >&2 || return
    set_clocks || return
    start_ping || return
    sleep 2 # of the load as it will be
    begin_move "$3" "$2" >&2 || return
    TB_MIGRATE_LIMIT=240 tb_move_end >&2 || return
    sleep 2
    client=$(client_ms) || return
    tb_guest_verify 2 g1 >&2 || return
    one=$(figures "$client") || return
    [ "$3" = stock ] || more=$(ours_figures "$3-$1${2:+@$2}") || return
    end_guest >&2
    cap_link '' >&2
    jq -cn --argjson one "$one" --argjson more "$more" --arg w "$1" \
        --arg l "${2:-none}" --arg s "$3" \
        '{ workload: $w, link: $l, saver: $s } + $one + $more |
            .total_ms -= (.report.stages_ms.watch // 0)'
}
