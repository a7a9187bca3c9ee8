#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests that say nothing, judged by the pages that they write: two without
# an agent, of which one writes most of its memory over and over. What
# somebody asks for comes from the idle one, the busy one keeps what it needs,
# and looking at pages costs no more than it may. Both were built with less
# than their maxmem, so that pages of them are populated on demand.
# Usage: case-samples.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"

guest_mib=256
max_mib=320
hot_mib=144
wanted_mib=160

start_daemon() {
    tb_run 1 "echo 'activity = \"samples\"
metrics_file = \"/tmp/metrics.prom\"' >/etc/xen/aerostat.conf"
    tb_spawn 1 aerostatd "exec aerostatd"
}

# A number that the daemon tells of a guest, KiB in MiB.
figure() { # NAME KEY
    tb_run 1 "xl-aerostat mem-status --json" |
        jq ".domains[] | select(.name == \"$1\") | .$2 / 1024 | round"
}

# Without reports a guest is let boot for a minute; pages take half of one.
wait_judged() {
    local end=$((SECONDS + 120))

    until [ "$(tb_run 1 "xl-aerostat mem-status" |
        grep -c ' active .*by the pages that it writes')" = 2 ]; do
        [ "$SECONDS" -lt "$end" ] || { tb_status
            tb_fail "the guests are not judged by their pages"; }
        sleep 2
    done
}

# Sets idle and busy, MiB.
check_demands() {
    idle=$(figure idle demand_kib)
    busy=$(figure busy demand_kib)
    echo "demand by pages written: idle $idle MiB," \
        "busy $busy MiB (it writes $hot_mib)"
    [ "$idle" -lt $((guest_mib / 4)) ] || tb_fail "idle wants too much"
    [ "$busy" -ge "$hot_mib" ] || tb_fail "busy wants less than it writes"
}

# What is there is first had from whoever gives soonest; who gave in another's
# place then has it back.
reserve() {
    tb_run 1 "xl-aerostat mem-reserve --timeout 50s ${wanted_mib}M -- \
sh -c 'sleep 10; xl-aerostat mem-status --json >/tmp/held.json'" || {
        tb_status
        tb_fail "the memory was not had"
    }
}

# Of what it had; MiB.
gave() { # NAME
    tb_get 1 /tmp/held.json | jq ".domains[] | select(.name == \"$1\") |
        $guest_mib - .current_kib / 1024 | round + 0"
}

check_donors() {
    local free idle_gave busy_gave

    free=$(tb_run 1 "xl info free_memory")
    [ "$free" -lt "$wanted_mib" ] || tb_fail "there is room anyway"
    reserve
    idle_gave=$(gave idle)
    busy_gave=$(gave busy)
    echo "$wanted_mib MiB reserved with $free free, of which some are kept:" \
        "idle gave $idle_gave MiB of $guest_mib, busy $busy_gave"
    [ "$idle_gave" -ge $((wanted_mib - free)) ] ||
        tb_fail "idle gave too little"
    [ "$idle_gave" -ge $((busy_gave * 3)) ] || tb_fail "busy gave too much"
    [ $((guest_mib - busy_gave)) -ge "$busy" ] ||
        tb_fail "busy gave what it needs"
}

# A hundredth of a CPU, and what the first tick and the last look may take
# beyond that; in ms, since the daemon began.
check_cost() {
    # shellcheck disable=SC2016 # dom0's shell expands it
    tb_run 1 'pid=$(cat /run/aerostat/aerostatd.pid)
read -r up rest </proc/uptime
awk -v up="$up" "
    /^aerostat_sampling_cpu/ { used = \$2 * 1000 }
    /^aerostat_sampling_looks/ { looks = \$2 }
    FILENAME ~ /stat/ { begun = \$22 * 10; cpu = (\$14 + \$15) * 10 }
    END {
        ms = up * 1000 - begun
        printf \"%d looks took %d ms of CPU in %d s: %.2f %%;\", looks, used,
            ms / 1000, used / ms * 100
        printf \" the daemon %.2f %% in all\n\", cpu / ms * 100
        exit !looks || used > ms / 100 + 20 + 10 * used / looks
    }" /tmp/metrics.prom "/proc/$pid/stat"' ||
    tb_fail "looking costs too much"
}

case_body() {
    local name idle busy

    TB_MEM=1420 tb_boot 1
    start_daemon
    TB_AGENT=none TB_MAXMEM=$max_mib tb_guest 1 idle "$guest_mib" grow:16
    TB_AGENT=none TB_MAXMEM=$max_mib tb_guest 1 busy "$guest_mib" \
        "grow:$hot_mib" "hot:$hot_mib:24"
    wait_judged
    tb_status
    check_demands
    check_donors
    check_cost
    for name in idle busy; do
        tb_guest_verify 1 "$name" || tb_fail "$name's memory is damaged"
    done
    tb_check_no_oom idle busy
    tb_daemon_end
}

tb_case samples 300 "$@"
