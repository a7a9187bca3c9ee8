#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How soon memory comes to who needs it, and what must not stop it: a guest
# whose balloon is deaf, a xenstored that answers in bursts, and a daemon that
# is killed in the middle of a move and started again.
# Usage: case-react.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"

names=(g1 g2 g3)
idle_mib=8
jump_mib=120
deaf_mib=144 # more than one guest gives, so that the deaf one is asked too
max_mib=384
min_mib=$((max_mib / 4)) # where nothing else says so

idle() { # NAME
    tb_guest_ask 1 "$1" "shrink $idle_mib" "^shrunk $idle_mib" 20 >/dev/null
}

# One guest needs much at once; sets answer to what it says when it has it.
jump() { # NAME SECONDS [MIB]
    local mib=${3:-$jump_mib}

    answer=$(tb_guest_ask 1 "$1" "grow $mib" "^grew $mib " "$2") || {
        tb_status
        tb_fail "$1 did not get its memory"
    }
}

figure() { # KEY
    answer=${answer#*"$1="}
    echo "${answer%% *}"
}

# How long a jump took, and for how much of it there was no memory.
times() {
    echo "all after $(figure ms) ms, without memory $(figure waited) ms"
}

# min/median/max of numbers of ms, in seconds.
spread() {
    [ $# -gt 0 ] || { echo "-"; return; }
    tr ' ' '\n' <<<"$*" | sort -n | awk '{ v[NR] = $1 / 1000 }
        END { printf "%.1f/%.1f/%.1f s\n", v[1], v[int((NR + 1) / 2)], v[NR] }'
}

# Two guests in turn: what one has freed must come to the other.
reaction() {
    local name first=() all=() waited=() answer whole ms

    for name in g1 g2 g1 g2 g1; do
        jump "$name" 90
        whole=$answer
        ms=$(answer=$whole figure first)
        [ "$ms" -lt 0 ] || first+=("$ms") # it may have had enough already
        all+=("$(answer=$whole figure ms)")
        waited+=("$(answer=$whole figure waited)")
        idle "$name"
    done
    echo "jumps to $jump_mib MiB, min/median/max of ${#all[@]}:" \
        "first MiB of ${#first[@]} after $(spread "${first[@]}")," \
        "all after $(spread "${all[@]}")," \
        "without memory $(spread "${waited[@]}")"
}

state_of() { # NAME
    tb_run 1 "xl-aerostat mem-status --json" |
        jq -r ".domains[] | select(.name == \"$1\") | .state"
}

wait_state() { # NAME STATE SECONDS
    local end=$((SECONDS + $3))

    until [ "$(state_of "$1")" = "$2" ]; do
        [ "$SECONDS" -lt "$end" ] || { tb_status; tb_fail "$1 is not $2"; }
        sleep 1
    done
}

# A guest may not read its target, and so hears of no change.
target_access() { # NAME MODE
    tb_run 1 "d=\$(xl domid $1) && xenstore-chmod \
/local/domain/\$d/memory/target n0 $2\$d"
}

deaf() {
    local answer before

    before=$(tb_sizes | awk '$1 == "g3" { print $2 }')
    target_access g3 n
    jump g2 120 "$deaf_mib"
    echo "beside a deaf guest: $(times)"
    wait_state g3 stuck 60
    [ "$(tb_sizes | awk '$1 == "g3" { print $2 }')" = "$before" ] ||
        tb_fail "g3 was not deaf"
    tb_run 1 "xl-aerostat mem-status | grep '^g3'"
    idle g2
    jump g1 90
    echo "once it is known to be stuck: $(times)"
    idle g1
    target_access g3 r
}

# Answers for a third of the time only, until it is ended.
slow_xenstored() {
    local answer

    # shellcheck disable=SC2016 # dom0's shell expands it
    tb_spawn 1 slow 'p=$(cat /run/xenstored.pid)
trap "kill -CONT $p; exit" TERM
while :; do
    kill -STOP $p; sleep 0.6
    kill -CONT $p; sleep 0.3
done'
    # Typing asks xenstored too.
    jump g2 150
    echo "with a xenstored that answers in bursts: $(times)"
    tb_kill 1 slow TERM
    tb_wait 1 slow 20 || true # its status is TERM's
    idle g2
    jump g1 90
    echo "afterwards: $(times)"
    idle g1
}

# A shell function for dom0: the targets of some guests.
# shellcheck disable=SC2016 # dom0's shell expands it
targets='targets() {
    for name; do
        xenstore-read "/local/domain/$(xl domid "$name")/memory/target"
    done
}'

targets() {
    tb_run 1 "$targets; targets ${names[*]}"
}

# Kills the daemon as soon as a guest that shall give has been told so.
kill_in_move() { # DONOR...
    tb_run 1 "$targets
before=\$(targets $*)
tty=\$(xenstore-read /local/domain/\$(xl domid g2)/console/tty)
echo 'grow $jump_mib' >\$tty
end=\$((\$(date +%s) + 40))
while [ \"\$(targets $*)\" = \"\$before\" ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.1
done
kill -KILL -\$(cat /var/log/tb/aerostatd.pid)
xl list" || tb_fail "no move began"
}

# What guests have been promised beyond what they hold is free.
check_promises() {
    local name promised=0 free target now

    free=$(($(tb_run 1 "xl info free_memory") * 1024))
    for name in "${names[@]}"; do
        target=$(tb_target_kib 1 "$name")
        now=$(($(tb_run 1 "xl list $name" | awk 'NR == 2 { print $3 }') * 1024))
        [ "$target" -le "$now" ] || promised=$((promised + target - now))
        [ "$target" -ge $((min_mib << 10)) ] || tb_fail "$name's target is $target"
    done
    echo "after the kill: $free KiB free, $promised promised"
    [ "$promised" -le "$free" ] || tb_fail "more is promised than is free"
}

killed() {
    local lines before now answer

    lines=$(tb_guest_log 1 g2 | wc -l)
    kill_in_move g1 g3
    check_promises
    tb_daemon 3
    answer=$(tb_guest_wait_after 1 g2 "$lines" "^grew $jump_mib " 90) ||
        { tb_status; tb_fail "g2 did not get its memory after the kill"; }
    echo "killed in the middle of a move: $(times)"
    tb_settle 60 || tb_fail "does not settle"
    tb_kill 1 aerostatd KILL
    before=$(targets) # only now nobody changes them any more
    tb_daemon 3
    sleep 10
    now=$(targets)
    [ "$now" = "$before" ] || { tb_status
        tb_fail "started again, it moved what need not move:" "$before" to "$now"; }
    echo "killed and started again while nothing is needed: nothing moved"
}

case_body() {
    local name

    TB_MEM=1430 tb_boot 1
    for name in "${names[@]}"; do
        TB_GUEST_LIMIT=150 TB_MAXMEM=$max_mib tb_guest 1 "$name" 184 \
            "grow:$idle_mib"
    done
    tb_daemon 3
    deaf
    reaction
    slow_xenstored
    killed
    wait_state g3 active 120
    tb_check_no_oom "${names[@]}"
    for name in "${names[@]}"; do
        tb_guest_verify 1 "$name" || tb_fail "$name's memory is damaged"
    done
    tb_daemon_end
}

tb_case react 900 "$@"
