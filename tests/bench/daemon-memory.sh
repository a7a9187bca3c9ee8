#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# How much memory aerostatd takes, with one simulated guest and with many: the
# most that was resident in 20 s at ten times the speed of real time. The
# simulated host is within the daemon, and counts. Usage: daemon-memory.sh
# AEROSTATD [GUESTS]
set -eu

daemon=$1
many=${2:-1000}
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT

scenario()
{
    awk -v n="$1" 'BEGIN {
        printf "{\"speed\": 10, \"host\": {\"total_kib\": %d}, \"guests\": [",
            1048576 + n * 393216
        for (i = 1; i <= n; i++)
            printf "%s{\"name\": \"g%d\", \"memory_kib\": 262144, " \
                "\"static_max_kib\": 524288, \"report\": \"agent\", " \
                "\"balloon_kib_s\": 102400, \"page_cache_kib\": 65536, " \
                "\"demand\": [[0, 65536], [%d, %d]]}", (i > 1 ? ", " : ""), i,
                10 + i % 100, 65536 + i % 7 * 32768
        print "]}"
    }'
}

# measure GUESTS
measure()
{
    scenario "$1" >"$dir/scenario.json"
    "$daemon" --host "sim:$dir/scenario.json" --config /dev/null \
        --socket "$dir/sock" --pid-file "$dir/pid" --log-dir "$dir" -q \
        2>"$dir/errors" &
    pid=$!
    sleep 20
    if ! awk -v n="$1" '/^VmHWM/ { peak = $2 } /^RssAnon/ { own = $2 }
        END { printf "%-22s %9d %12.1f %12.1f\n", "aerostatd", n,
            own / 1024, peak / 1024 }' "/proc/$pid/status"; then
        cat "$dir/errors" >&2
        exit 1
    fi
    kill "$pid"
    wait "$pid" || true
    pid=
}

printf 'Memory of the daemon, MiB\n\n%-22s %9s %12s %12s\n' '' guests \
    'its own' 'with files'
measure 1
measure "$many"
echo
