#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The writable working set of a guest that writes 16 MiB over and over, by
# both methods: they agree with what the guest says that it wrote, within
# their bounds, and cost no more than they may. Then log-dirty mode must end
# when the measurement is killed (the child, its parent, both) and by
# Ctrl-C. Usage: case-wws.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"

hot_pages=4096
own_pages=768 # the guest's kernel and what else runs there write less
domid=

# Under emulation each look takes long: more is allowed than by default.
wws() { # METHOD SECONDS
    tb_run 1 "xl-aerostat wws --method $1 --seconds $2 --max-cpu 30 \
        --max-pause 4 --json \
        --save /root/$1.wws --svg /root/$1.svg g1 >/root/$1.json"
}

# Pages a second that the guest wrote, by its ticks of the last N seconds.
guest_rate() { # N
    tb_guest_log 1 g1 | grep '^tick' | tail -n "$1" |
        sed 's/.*pages=\([0-9]*\).*/\1/' |
        awk '{ s += $1 } END { printf "%d", s / NR }'
}

# A bound of D(t) at T seconds, by straight lines.
curve() { # METHOD MEMBER T
    tb_get 1 "/root/$1.json" | jq --argjson t "$3" --arg m "$2" '
        [{ window_ns: 0, pages: 0, low: 0, high: 0 }] + .wws.points
        | map({ x: (.window_ns / 1e9), y: .[$m] }) as $p
        | [range(1; $p | length) | select($p[.].x >= $t)][0] as $i
        | if $i == null then $p[-1].y else
          $p[$i - 1].y + ($p[$i].y - $p[$i - 1].y) *
          ($t - $p[$i - 1].x) / ($p[$i].x - $p[$i - 1].x) end | floor'
}

# Within the bounds, but for what the guest writes beside its count.
check() { # METHOD T PAGES
    local low high mean

    low=$(curve "$1" low "$2")
    mean=$(curve "$1" pages "$2")
    high=$(curve "$1" high "$2")
    echo "$1: D($2 s) = $mean pages, $low to $high; the guest says $3"
    [ "$3" -le "$high" ] || tb_fail "$1: too few at $2 s"
    [ "$low" -le $(($3 + own_pages)) ] || tb_fail "$1: too many at $2 s"
}

cost() { # METHOD
    local cpu pause

    cpu=$(tb_get 1 "/root/$1.json" | jq '.cost | .cpu_ns / .elapsed_ns * 1e4 | floor')
    pause=$(tb_get 1 "/root/$1.json" | jq '.cost | .pause_ns / .elapsed_ns * 1e4 | floor')
    echo "$1: $cpu of 10000 of a CPU, the guest paused $pause of 10000," \
        "$(tb_get 1 "/root/$1.json" | jq '.cost.longest_pause_ns / 1e6') ms at once"
    [ "$cpu" -le 3100 ] || tb_fail "$1: more CPU than 30 %"
    [ "$pause" -le 420 ] || tb_fail "$1: more pause than 4 %"
}

measured() { # METHOD SECONDS
    local rate

    wws "$1" "$2" || tb_fail "wws --method $1: exit status $?"
    rate=$(guest_rate "$2")
    check "$1" 0.25 $((rate / 4))
    # In the longest window all of the hot set is written, as often as it is.
    check "$1" 99 "$hot_pages"
    cost "$1"
    tb_get 1 "/root/$1.svg" | grep -q '</svg>' || tb_fail "$1: no picture"
    tb_get 1 "/root/$1.wws" | jq -e '.points | length > 1' >/dev/null ||
        tb_fail "$1: no curve"
}

is_off() {
    tb_run 1 "logdirty $domid" || tb_fail "log-dirty mode is on: $1"
}

# To look for the mode is to turn it on for a moment, so not before it is.
begin_log() {
    tb_spawn 1 wws "exec xl-aerostat wws --method log-dirty --seconds 120 g1"
    tb_run 1 "sleep 4; ! logdirty $domid" ||
        tb_fail "log-dirty mode did not come on"
}

no_record() { # WHY
    tb_run 1 "end=\$((\$(date +%s) + 20))
while [ -e /run/aerostat/wws/$domid ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.2
done" || tb_fail "the record stays: $1"
}

killed() {
    begin_log
    tb_run 1 "kill -9 \$(cat /run/aerostat/wws/$domid)"
    ! tb_wait 1 wws 20 || tb_fail "a killed measurement says that all is well"
    is_off "the child was killed"
    no_record "the child was killed"

    begin_log
    tb_run 1 "kill -9 \$(cut -d' ' -f4 /proc/\$(cat /run/aerostat/wws/$domid)/stat)"
    no_record "the parent was killed"
    is_off "the parent was killed"

    begin_log
    tb_kill 1 wws KILL
    tb_run 1 "! logdirty $domid" || tb_fail "nobody was left, and it is off"
    tb_run 1 "/usr/libexec/aerostat/aerostat-migrate --repair"
    is_off "repaired"

    begin_log
    tb_kill 1 wws INT
    tb_wait 1 wws 20 || [ $? = 130 ] || tb_fail "Ctrl-C: exit status $?"
    is_off "Ctrl-C"
}

case_body() {
    tb_boot 1
    tb_guest 1 g1 128 grow:32 hot:16:16
    tb_guest_wait 1 g1 'grew 32' 60 >/dev/null
    domid=$(tb_run 1 "xl domid g1")
    measured sample 12
    measured log-dirty 12
    is_off "after measuring"
    killed
    tb_guest_verify 1 g1 || tb_fail "the guest's memory is damaged"
}

tb_case wws 300 "$@"
