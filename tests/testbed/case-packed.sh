#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A migration whose stream is packed: a stock receiver is not tried, a guest
# whose stream breaks off in the unpacker stays, and one whose stream does not
# arrives whole with fewer bytes on the wire than its stream has, as foretold.
# One that is packed where that pays is, at a low rate, but not for a target
# that cannot unpack.
# Usage: case-packed.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

options="--compress 1 --compress-window 64M"

refused_by_stock() {
    tb_receive "xl migrate-receive"
    tb_move_begin "exec xl-aerostat migrate-live $options -s '' g1 '$tb_wire'"
    ! tb_move_end 2>/dev/null || tb_fail "a stock receiver was sent a guest"
    tb_get 1 /var/log/tb/migrate | grep 'leave out --compress' ||
        tb_fail "it was not said that the target cannot unpack"
    tb_stayed g1 "$1"
    tb_target_empty
}

unpacker_killed() {
    tb_live_begin g1 "$options --max-rate 16Mbit --min-rate 16Mbit"
    tb_move_reaches 3000000
    # shellcheck disable=SC2016 # dom0's shell expands it
    tb_run 2 'for pid in $(pidof aerostat-receive); do
    parent=$(sed -n "s/^PPid:.//p" /proc/$pid/status)
    grep -q aerostat-receiv /proc/$parent/comm && exec kill -9 $pid
done; pidof aerostat-receive; exit 1' || tb_fail "there is no unpacker"
    ! tb_move_end 2>/dev/null || tb_fail "it moved without an unpacker"
    tb_stayed g1 "$1"
    tb_target_empty
}

# Where it is left to us: to a target that can, and to one that cannot.
moved_packed() {
    tb_live_migrate g1 --max-rate 16Mbit --plan --report /root/report.json ||
        tb_fail "migrate-live: exit status $?"
    tb_moved g1
    tb_report_move packed g1
    tb_get_report
    tb_report '"stream: \(.stream_bytes) bytes in \(.waits_ms.packing) ms"'
    tb_report '"sample: \(.packing | map_values(. * 10 | round / 10))"'
    tb_report '.prediction | "foretold \(.predicted.wire_bytes | map_values(
        round)) bytes, \(.predicted.total_ms | map_values(round)) ms; came " +
        "\(.actual.wire_bytes) bytes, \(.actual.total_ms | round) ms"'
    tb_report '.limits.compress_auto and .limits.compress_level == 1 and
        .packing.ratio > 1.5' >/dev/null || tb_fail "it was not packed"
    # shellcheck disable=SC2016 # jq's variable
    tb_report '.prediction | .actual.wire_bytes as $came |
        .predicted.wire_bytes | .low / 2 < $came and $came < .high * 2' \
        >/dev/null || tb_fail "the bytes were foretold badly"
    tb_report ".wire_bytes <= $tb_bytes and $tb_bytes < .stream_bytes / 2" \
        >/dev/null || tb_fail "the wire carried $tb_bytes bytes"
    tb_run 1 "xl-aerostat migrate-report '$(tb_report .id)' | grep '^Packed'" ||
        tb_fail "migrate-report does not tell of it"
}

moved_unpacked() {
    tb_receive "xl migrate-receive"
    tb_move_begin "exec xl-aerostat migrate-live -v --max-rate 16Mbit \
        --report /root/report.json -s '' g2 '$tb_wire'"
    tb_move_end || tb_fail "migrate-live to a stock receiver: exit status $?"
    tb_moved g2
    tb_get_report
    tb_report '.limits.compress_level == 0 and .packing == null and
        .wire_bytes >= .stream_bytes' >/dev/null ||
        tb_fail "a stock receiver was sent a packed stream"
    tb_get 1 /var/log/tb/migrate | grep 'not packed: the target cannot' ||
        tb_fail "it was not said why it is not packed"
}

case_body() {
    local target

    tb_boot 2
    tb_guest 1 g1 160 grow:48 hot:8:4
    tb_guest_wait 1 g1 'grew 48' 60
    target=$(tb_target_kib 1 g1)
    refused_by_stock "$target"
    unpacker_killed "$target"
    moved_packed
    tb_guest 1 g2 96 grow:16
    tb_guest_wait 1 g2 'grew 16' 60
    moved_unpacked
}

tb_case packed 420 "$@"
