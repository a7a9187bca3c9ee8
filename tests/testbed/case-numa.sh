#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host with two NUMA nodes, and a guest that xl places on one: what
# the daemon says of the nodes, of the guest's, and of memory that is reserved
# of a node is what Xen says. A node that is not there is refused.
# Guests are built and not run: see TB_NUMA in README.md.
# Usage: case-numa.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"

guest_mib=224

# MiB free on each node, as Xen says: "FREE0 FREE1 ".
nodes_free() {
    tb_run 1 "xl info -n" | awk '/^node:/ { on = 1; next }
        on && $1 ~ /^[0-9]+:$/ { printf "%s ", $3; next } { on = 0 }'
}

# The same, as the daemon says, once it has looked again.
nodes_said() {
    tb_run 1 "sleep 5; xl-aerostat mem-status --json" |
        jq -j '.host.nodes[] | "\(.free_kib / 1024 | floor) "'
}

# Sets xen and said.
check_nodes() {
    xen=$(nodes_free)
    said=$(nodes_said)
    echo "MiB free on the nodes: $xen by xl info, $said by mem-status"
    awk -v a="$xen" -v b="$said" 'BEGIN {
        n = split(a, x); m = split(b, y)
        for (i = 1; i <= n; i++)
            bad += x[i] - y[i] > 1 || y[i] - x[i] > 1
        exit n != 2 || m != 2 || bad }' ||
        tb_fail "mem-status and xl info do not agree"
}

# Paused from the start.
build_guest() {
    tb_run 1 "cat >/root/g1.cfg <<END
name = \"g1\"
type = \"pvh\"
kernel = \"/boot/vmlinux\"
memory = $guest_mib
END
xl create -q -p /root/g1.cfg"
}

check_guest() {
    local before after node

    read -r -a before <<<"$said"
    build_guest
    check_nodes
    read -r -a after <<<"$said"
    node=$(tb_run 1 "xl-aerostat mem-status --json" | jq -r '.domains[] |
        select(.name == "g1" and (.nodes | length) == 1) | .nodes[0]')
    [ -n "$node" ] || tb_fail "the guest is not said to be on one node"
    echo "a guest of $guest_mib MiB on node $node," \
        "which had ${before[node]} MiB free and has ${after[node]}"
    [ $((before[node] - after[node])) -ge $((guest_mib - 4)) ] ||
        tb_fail "node $node did not give its memory"
}

check_reservation() {
    local node told mib off

    for node in 0 1; do
        told=$(tb_run 1 "xl-aerostat mem-reserve --node $node 12M -- true" 2>&1)
        mib=$(sed -n "s/^node $node has \([0-9]*\)M free$/\1/p" <<<"$told")
        read -r -a free <<<"$xen"
        echo "${told//$'\n'/; }"
        off=$((${mib:-0} - free[node]))
        [ "${off#-}" -le 1 ] ||
            tb_fail "it did not say what node $node has: ${free[node]} MiB"
    done
    ! tb_run 1 "xl-aerostat mem-reserve --node 2 1M -- true" \
        >"$tb_dir/node" 2>&1 || tb_fail "memory came from a node that is not"
    grep -q 'no NUMA node 2; the last one is 1' "$tb_dir/node" ||
        { cat "$tb_dir/node"; tb_fail "it did not say that there is no node"; }
}

case_body() {
    local xen said free

    TB_MEM=1090 TB_NUMA=460 tb_boot 1
    tb_spawn 1 aerostatd "exec aerostatd"
    tb_run 1 "end=\$((\$(date +%s) + 30))
until xl-aerostat mem-status >/dev/null 2>&1; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.5
done" || tb_fail "the daemon does not answer"
    check_nodes
    check_guest
    check_reservation
    tb_kill 1 aerostatd TERM
    tb_wait 1 aerostatd 20 || tb_fail "the daemon ended with $?"
}

tb_case numa 120 "$@"
