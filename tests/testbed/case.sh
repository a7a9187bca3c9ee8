# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the cases share. A case defines case_body and calls
#
#   tb_case NAME SECONDS "$@"
#
# which runs it within the limit, with DESTDIR as its argument, and prints
# PASS or FAIL. It may define case_late, which shows why tb_await waited too
# long. A failure together with an emulation fault says nothing about
# the programs under test: such a run is reported as void and made once more.

# shellcheck source=tests/testbed/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tb_void=75

tb_case() { # NAME SECONDS [DESTDIR]
    local name=$1 limit=$2 status=0 try
    shift 2

    if [ "${1:-}" = --inner ]; then
        tb_case_inner "$name" "${2:-}"
        return
    fi
    TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/aerostat-case.XXXXXX")
    export TMPDIR # removed here even where the inner script is killed
    for try in 1 2; do
        status=0
        timeout --foreground --kill-after=15 "$limit" \
            bash "$0" --inner "${1:-}" || status=$?
        [ "$status$try" = "${tb_void}1" ] || break
        echo "VOID $name: the emulated machine failed, once more"
    done
    case $status in
    0) echo "PASS $name" ;;
    124) echo "FAIL $name: not done within $limit s" ;;
    137) echo "FAIL $name: killed" ;;
    "$tb_void") echo "FAIL $name: the emulated machine failed twice" ;;
    esac
    [ -n "${TB_KEEP:-}" ] || rm -rf "$TMPDIR"
    [ "$status" = 0 ]
}

# Says why the case fails, and ends it.
tb_fail() {
    tb_why=$*
    exit 1
}

# Waits until a command succeeds; the case fails where it does not in time.
tb_await() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift

    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || {
            ! declare -F case_late >/dev/null || case_late
            tb_fail "not within its time: $*"
        }
        sleep 1
    done
}

# The case's own line that led to a failure, and the command that failed.
tb_where() { # COMMAND
    local i

    for ((i = 1; i < ${#BASH_SOURCE[@]} - 1; i++)); do
        [ "${BASH_SOURCE[i]}" != "$0" ] || break
    done
    echo "${BASH_SOURCE[i]##*/} line ${BASH_LINENO[i - 1]}: $1"
}

tb_case_inner() { # NAME DESTDIR
    tb_name=$1
    tb_why=
    tb_signalled=
    set -E
    trap 'tb_why=${tb_why:-$(tb_where "$BASH_COMMAND")}' ERR
    tb_begin "$2"
    trap tb_case_end EXIT
    trap 'tb_signalled=1; exit 130' INT
    trap 'tb_signalled=1; exit 143' TERM HUP
    case_body
}

tb_case_end() {
    local status=$?

    trap - ERR EXIT
    set +e
    if [ "$status" != 0 ]; then
        tb_case_logs >&2
        if tb_emulation_fault >&2; then
            status=$tb_void
        elif [ -z "$tb_signalled" ]; then
            echo "FAIL $tb_name: ${tb_why:-exit status $status}"
            status=1
        fi
    fi
    tb_end
    exit "$status"
}

# The ends of all logs, for a failure.
tb_case_logs() {
    local h

    for h in "${!tb_pids[@]}"; do
        echo "--- host $h: Xen and dom0"
        tail -n 5 "$tb_dir/host$h.log"
        tb_alive "$h" || continue
        TB_TIMEOUT=20 tb_run "$h" "xl list
            tail -n 12 /var/log/tb/* /var/log/xen/*.log \
            /var/log/xen/console/*"
    done
}
