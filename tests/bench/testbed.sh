#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Measures migrations against stock `xl migrate` on the testbed: the same
# guest, load and link, stock and ours in turns.
#
# Usage: testbed.sh [-n RUNS] [-o FOLDER] [-s SAVERS] [-a OPTIONS] DESTDIR
#                   [CASE...]
#   CASE        a workload (idle, cache, hot8, hot32, dense32, writer, web),
#               with an "@RATE" for a link that is capped, as in hot32@50mbit
#   -n RUNS     of each saver in each case (3)
#   -o FOLDER   where results.json and results.md go (a new one)
#   -s SAVERS   of stock, ours, and ours with a stream that is packed in any
#               case, or in none: packed, plain ("stock ours")
#   -a OPTIONS  more options for ours; with --plan each of its migrations is
#               foretold, and results.md compares that with what came
#
# TB_ICOUNT=2 counts time in instructions (../testbed/README.md), so that it
# repeats.
#
# What is measured:
#   bytes       that left host 1 over the migration link
#   total       from the command's start to its end, but for the time for
#               which --plan watches the guest first
#   engine      from libxl's suspend request at the source to the end of the
#               restore at the target, by what libxl and libxc log
#   resumed     from that request until the source is told that the guest runs
#   guest       the jump of the guest's wall clock against its monotonic one;
#               not with TB_ICOUNT, since the hosts' clocks go apart then
#   network     the longest time between two answers to a ping every 20 ms,
#               sent by the other host's dom0
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/testbed/lib.sh
. "$here/../testbed/lib.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$here/../testbed/migrate.sh"
# shellcheck source=tests/bench/testbed-run.sh
. "$here/testbed-run.sh"

default_cases=(idle cache hot8 hot32 writer web
    hot8@50mbit hot32@50mbit writer@50mbit)
seconds_a_run=75 # as seen; for the estimate before there is a better one
runs=3
out=
ours_options=
savers=(stock ours)

usage() {
    sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
    exit 2
}

parse() { # ARGUMENT...
    local opt

    while getopts n:o:s:a:h opt; do
        case $opt in
        n) runs=$OPTARG ;;
        o) out=$OPTARG ;;
        s) read -ra savers <<<"$OPTARG" ;;
        a) ours_options=$OPTARG ;;
        *) usage ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# -ge 1 ] || usage
    [[ $runs =~ ^[1-9][0-9]*$ ]] || usage
    [[ ${savers[*]} =~ ^((stock|ours|packed|plain)( |$))+$ ]] || usage
    destdir=$1
    shift
    cases=("$@")
    [ $# -gt 0 ] || cases=("${default_cases[@]}")
    for one in "${cases[@]}"; do
        [[ $one =~ ^(idle|cache|hot8|hot32|dense32|writer|web)(@[0-9]+[km]bit)?$ ]] ||
            usage
    done
}

say() { echo "bench: $*" >&2; }

estimate() { # DONE ALL SINCE
    local each=$seconds_a_run

    [ "$1" = 0 ] || each=$(((SECONDS - $3) / $1))
    echo "$((each * ($2 - $1) / 60)) min left"
}

# Fresh hosts for each case, with the probe.
boot() {
    tb_stop
    TB_LIFETIME=14400 TB_DISK_MIB=384 tb_boot 2
    for h in 1 2; do
        tb_put "$h" "$work/probe" /usr/bin/probe
        tb_run "$h" 'chmod +x /usr/bin/probe'
    done
}

# While it counts instructions, an emulated machine takes an interrupt now and
# then that its guest has disabled; the guest then spins for ever, most often
# in its kernel's clock as it suspends or resumes.
guest_spins() { # HOST
    local before after

    [ -n "${TB_ICOUNT:-}" ] || return
    before=$(cpu_seconds_of_guest "$1") || return
    sleep 5
    after=$(cpu_seconds_of_guest "$1") || return
    [ "$before" != "$after" ] && ! tb_guest_ticks "$1" g1 &&
        echo "the guest spins" >&2
}

cpu_seconds_of_guest() { # HOST
    tb_run "$1" 'xl list g1' | awk 'NR == 2 { print $NF; found = 1 }
        END { exit !found }'
}

# One run; once more on fresh hosts if the emulated machine failed. Appends
# to results.jsonl.
one_run() { # WORKLOAD LINK SAVER
    local try line why

    for try in 1 2; do
        if line=$(measure "$@" 2>"$work/run.log"); then
            jq -c '. + { ok: true }' <<<"$line" >>"$out/results.jsonl"
            return
        fi
        why=$(grep -v '^$' "$work/run.log" | tail -n 1)
        tail -n 20 "$work/run.log" >&2
        tb_emulation_fault >&2 || guest_spins 1 || guest_spins 2 || break
        say "the emulated machine failed, not what ran in it: once more"
        [ "$try" = 2 ] || boot
    done
    jq -cn --arg w "$1" --arg l "${2:-none}" --arg s "$3" --arg why "$why" \
        '{ workload: $w, link: $l, saver: $s, ok: false, why: $why }' \
        >>"$out/results.jsonl"
    boot # what a failure leaves behind shall not fail the next one
}

run_case() { # CASE
    local workload=${1%@*} link='' i saver

    [[ $1 != *@* ]] || link=${1#*@}
    boot
    for ((i = 1; i <= runs; i++)); do
        for saver in "${savers[@]}"; do
            say "$1, $saver, run $i of $runs;" \
                "$(estimate "$done_runs" "$all_runs" "$began")"
            one_run "$workload" "$link" "$saver"
            tail -n 1 "$out/results.jsonl" >&2
            done_runs=$((done_runs + 1))
        done
    done
}

# Where and when, beside the figures.
machine() {
    jq -n --arg cpu "$(sed -n 's/^model name.*: //p;T;q' /proc/cpuinfo)" \
        --argjson cpus "$(nproc)" --arg date "$(date -u +%F)" \
        --arg command "${TB_ICOUNT:+TB_ICOUNT=$TB_ICOUNT }tests/bench/testbed.sh $arguments" \
        --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" \
        --arg qemu "$(qemu-system-x86_64 --version | head -n 1)" \
        '{ cpu: $cpu, cpus: $cpus, date: $date, command: $command,
           load_at_start: $load, qemu: $qemu }'
}

write_results() {
    jq -s --argjson machine "$machine" '{ machine: $machine, runs: . }' \
        "$out/results.jsonl" >"$out/results.json"
    jq -r -f "$here/testbed-table.jq" "$out/results.json" >"$out/results.md"
    if compgen -G "$out/reports/*.json" >/dev/null; then
        jq -rn -f "$here/foretold.jq" "$out"/reports/*.json >>"$out/results.md"
    fi
    rm "$out/results.jsonl"
}

main() {
    arguments=$*
    parse "$@"
    tb_begin "$destdir"
    out=${out:-$(mktemp -d "${TMPDIR:-/tmp}/aerostat-bench.XXXXXX")}
    mkdir -p "$out"
    : >"$out/results.jsonl"
    work=$tb_dir/bench
    mkdir "$work"
    gcc -std=gnu11 -O2 -static -Wall -Wextra -o "$work/probe" "$here/probe.c"
    machine=$(machine)
    all_runs=$((${#cases[@]} * runs * ${#savers[@]}))
    done_runs=0
    began=$SECONDS
    say "$all_runs runs, about $((all_runs * seconds_a_run / 60)) minutes"
    for one in "${cases[@]}"; do
        run_case "$one"
    done
    write_results
    cat "$out/results.md"
    say "results are in $out"
    jq -e 'all(.runs[]; .ok)' "$out/results.json" >/dev/null
}

main "$@"
