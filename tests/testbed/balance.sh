# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # tb_dir is lib.sh's
#
# What the balancing cases share: the daemon on host 1, a trace of what it
# and Xen say of the guests, and figures from that. Sizes are in MiB.

# Each look costs the one processor that the guests have too.
# shellcheck disable=SC2034 # guest.sh's
TB_POLL=1

# Starts the daemon and waits until it knows what so many guests need.
tb_daemon() { # GUESTS
    tb_spawn 1 aerostatd "exec aerostatd"
    tb_active "$1" 60 || {
        tb_run 1 "xl-aerostat mem-status; tail -n 5 /var/log/tb/aerostatd"
        tb_fail "the daemon does not know its guests"
    }
}

# Guests that report settle within ten seconds.
tb_active() { # GUESTS SECONDS
    TB_TIMEOUT=$(($2 + 20)) tb_run 1 "end=\$((\$(date +%s) + $2))
until [ \"\$(xl-aerostat mem-status --json 2>/dev/null |
        grep -c '\"state\": *\"active\"')\" = $1 ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep $TB_POLL
done"
}

tb_daemon_end() {
    tb_kill 1 aerostatd TERM
    tb_wait 1 aerostatd 20 || tb_fail "the daemon ended with $?"
}

tb_status() {
    tb_run 1 "xl-aerostat mem-status"
}

# Begins to note what the daemon says, every second or two, with the time.
tb_trace_begin() {
    tb_run 1 'rm -f /tmp/trace.end'
    # shellcheck disable=SC2016 # dom0's shell expands it
    tb_spawn 1 trace 'until [ -e /tmp/trace.end ]; do
    cut -d " " -f 1 /proc/uptime
    xl-aerostat mem-status --json 2>/dev/null || echo null
    sleep 1
done'
}

# Ends it; the trace is then in $tb_dir/trace.json, as an array of
# { t, free, guests: { NAME: { now, target, min, state } } }.
tb_trace_end() {
    tb_run 1 'touch /tmp/trace.end'
    tb_wait 1 trace 20
    tb_get 1 /var/log/tb/trace | jq -s '[range(0; length; 2) as $i |
        select(.[$i + 1]) | .[$i] as $t | .[$i + 1] |
        { t: $t, free: (.host.free_kib / 1024),
          guests: (.domains | map(select(.domid > 0) | { key: .name,
            value: { now: (.current_kib / 1024), target: (.target_kib / 1024),
                     min: (.min_kib / 1024), state } }) | from_entries) }]' \
        >"$tb_dir/trace.json"
}

# Asks the trace; prints whole numbers.
tb_trace() { # JQ-FILTER
    jq -r "$1 | if type == \"number\" then round else . end" \
        "$tb_dir/trace.json"
}

# What guests were given, all together, while the trace ran.
tb_moved_mib() {
    # shellcheck disable=SC2016 # jq expands it
    tb_trace '[.[].guests | map_values(.now)] as $g |
        [range(1; $g | length) as $i | $g[$i] | keys[] |
            [$g[$i][.] - ($g[$i - 1][.] // $g[$i][.]), 0] | max] | add'
}

# Seconds until a guest had come within a tenth of a size, and stayed.
tb_seconds_to() { # NAME MIB
    tb_trace ". as \$all | [.[] | select((.guests[\"$1\"].now - $2) |
        fabs > $2 / 10) | .t] | (last // \$all[0].t) - \$all[0].t"
}

# Fails if a guest had, or was asked to have, less than its minimum.
tb_check_minima() {
    local below

    # shellcheck disable=SC2016 # jq expands it
    below=$(tb_trace '[.[] | .t as $t | .guests | to_entries[] |
        select(.value.now < .value.min or .value.target < .value.min) |
        "\(.key) at \($t): \(.value)"] | .[0] // ""')
    [ -z "$below" ] || tb_fail "below its minimum: $below"
}

tb_check_no_oom() { # NAME...
    local name

    for name in "$@"; do
        ! tb_guest_log 1 "$name" | grep -iE 'out of memory|oom-kill' ||
            tb_fail "$name ran out of memory"
    done
}

# What the guests have, as the daemon says: "NAME MIB" a line.
tb_sizes() {
    tb_run 1 "xl-aerostat mem-status --json" | jq -r '.domains[] |
        select(.domid > 0) | "\(.name) \(.current_kib / 1024 | round)"'
}

# The same, and for each guest that is named "NAME.area MIB".
tb_sizes_and_areas() { # [NAME...]
    local name

    tb_sizes
    for name in "$@"; do
        tb_guest_log 1 "$name" | awk -v name="$name" '$1 == "tick" {
            sub("area=", "", $NF); a = $NF } END { print name ".area", a + 0 }'
    done
}

# Waits until for ten seconds no guest's size has changed by more than 3 MiB,
# nor what those use that are named.
tb_settle() { # SECONDS [NAME...]
    local end=$((SECONDS + $1)) was now since=$SECONDS
    shift

    was=$(tb_sizes_and_areas "$@")
    while [ $((SECONDS - since)) -lt 10 ]; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 2
        now=$(tb_sizes_and_areas "$@")
        if ! paste -d ' ' <(echo "$was") <(echo "$now") | awk '
            $1 != $3 || $2 - $4 > 3 || $4 - $2 > 3 { exit 1 }'; then
            was=$now
            since=$SECONDS
        fi
    done
}
