#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Waldspurger's experiment with the idle memory tax (OSDI 2002, figure 7):
# two guests of equal shares, one idle, one that reads a set that does not
# fit into its part. First without tax, then with 75 %: the one that needs
# memory gets more of it, and does more.
# Usage: case-tax.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"

guest_mib=208
set_mib=160 # of the disk: half of a guest is its kernel's and the workload's
measured_s=20

# Balances by a tax until nothing moves any more, and measures the busy guest.
# Sets size (MiB), idle_size (MiB) and speed (KiB/s).
under_tax() { # TAX
    local from

    tb_run 1 "echo 'idle_tax = \"$1\"' >/etc/xen/aerostat.conf"
    tb_daemon 2
    sleep 15 # what it reads back shows in seconds, not at once
    tb_settle 90 || { tb_status; tb_fail "tax $1: does not settle"; }
    tb_status
    from=$(tb_guest_log 1 busy | wc -l)
    sleep "$measured_s"
    speed=$(tb_guest_log 1 busy | tail -n +$((from + 1)) |
        awk '$1 == "read" { n++; kib += $2 } END { print int(kib / n) }')
    size=$(tb_sizes | awk '$1 == "busy" { print $2 }')
    idle_size=$(tb_sizes | awk '$1 == "idle" { print $2 }')
    echo "tax $1: idle has $idle_size MiB, busy $size MiB and reads" \
        "$((speed / 1024)).$((speed % 1024 * 10 / 1024)) MiB/s," \
        "$(awk "BEGIN { printf \"%.2f\", $speed / 1024 / $set_mib }")" \
        "passes a second over $set_mib MiB"
    tb_daemon_end
}

case_body() {
    local size idle_size speed size_before speed_before

    TB_MEM=1300 TB_DISK_MIB=192 tb_boot 1
    TB_DISK=1 TB_MAXMEM=320 tb_guest 1 idle "$guest_mib" grow:16
    TB_DISK=1 TB_MAXMEM=320 tb_guest 1 busy "$guest_mib" grow:16
    # It has used its memory, and does no more: as a cache that nobody reads.
    tb_guest_ask 1 idle "cache 128" "^cached 128" 60
    tb_guest_cmd 1 busy "read $set_mib"
    under_tax 0
    size_before=$size
    speed_before=$speed
    under_tax 0.75
    echo "throughput with the tax: $(awk \
        "BEGIN { printf \"%.2f\", $speed / $speed_before }") times as much," \
        "with $((size - size_before)) MiB more"
    [ "$size" -ge $((size_before + 16)) ] ||
        tb_fail "the tax gave the busy guest no memory"
    [ "$speed" -gt "$speed_before" ] || tb_fail "the busy guest does no more"
    tb_check_no_oom idle busy
    for name in idle busy; do
        tb_guest_verify 1 "$name" || tb_fail "$name's memory is damaged"
    done
}

tb_case tax 480 "$@"
