#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the benchmark on the testbed measures with, on this machine: lines are
# stamped, heard over UDP, and a ping's answers counted (which takes root).
# Usage: probe.sh, in the build folder
set -eu

probe=./tests/bench/probe
dir=$(mktemp -d)
pid=
trap '' USR1 # it is asked before it is ready for it, perhaps
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :; rm -rf "$dir"' EXIT

fail() {
    echo "FAIL: $*" >&2
    cat "$dir"/* >&2
    exit 1
}

start() { # NAME ARGUMENT...
    out=$dir/$1
    shift
    : >"$out"
    : >"$out.err"
    "$probe" "$@" >"$out" 2>"$out.err" &
    pid=$!
}

# Ends by the signal, at once; says its exit status.
end() {
    kill -TERM "$pid"
    status=0
    wait "$pid" 2>/dev/null || status=$?
    pid=
}

tries=0
again() { # WHAT
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "$1"
    kill -0 "$pid" 2>/dev/null || fail "$1: it has ended"
    sleep 0.1
}

printf 'one\r\n\ntwo\n' | "$probe" stamp >"$dir/stamped"
[ "$(grep -cE '^[0-9]{13} (one|two)?$' "$dir/stamped")" = 3 ] ||
    fail "lines are not stamped"
[ "$(cut -d' ' -f2 "$dir/stamped" | tr '\n' ,)" = one,,two, ] ||
    fail "lines are not as they were"

start heard hear
until grep -qE '^[0-9]{13} over the wire$' "$dir/heard"; do
    ! grep -q 'in use' "$dir/heard.err" || break # by somebody else here
    echo 'over the wire' | "$probe" stamp 127.0.0.1 >/dev/null
    again "nothing is heard"
done
if [ ! -s "$dir/heard.err" ]; then
    end
    [ "$status" = 143 ] || fail "hear ended with $status"
fi

if [ "$(id -u)" = 0 ]; then
    start pings ping 127.0.0.1 5
    until grep -qE '^sent [0-9]+ answered [1-9]' "$dir/pings"; do
        ! grep -q 'not permitted' "$dir/pings.err" || exit 0 # a container
        kill -USR1 "$pid" 2>/dev/null || :
        again "no answer to a ping"
    done
    end
    [ "$status" = 0 ] || fail "ping ended with $status"
    tail -n 1 "$dir/pings" | grep -qE \
        '^sent [0-9]+ answered [1-9][0-9]* longest_ms [0-9]+ silent_ms [0-9]+$' ||
        fail "what it says at its end"
fi
! "$probe" ping nowhere 5 2>"$dir/err" || fail "nowhere is an address"
grep -q 'nowhere is no address' "$dir/err" || fail "it does not say which"
