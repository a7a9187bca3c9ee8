#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host with two NUMA nodes and an idle guest on each: what the daemon says of
# the nodes, of the guests', and of memory that is reserved of a node is what
# Xen says; memory that is wanted on a node comes from the guest there, is held
# when that node has it free, and the other guest keeps its own. A node that is
# not there, or could not have as much, is refused.
# Usage: case-numa.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/balance.sh
. "$(dirname "$0")/balance.sh"

guest_mib=200
beyond_mib=40   # reserved beyond what is free on the node

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

# On its node's processor, so that Xen gives it that node's memory: by soft
# affinity, too, which xl would otherwise set as it likes.
add_guest() { # NODE
    local before after

    read -r -a before <<<"$(nodes_free)"
    TB_EXTRA="cpus = \"node:$1\"
cpus_soft = \"node:$1\"" TB_MAXMEM=400 \
        tb_guest 1 "g$1" "$guest_mib" || tb_fail "g$1 does not come up"
    read -r -a after <<<"$(nodes_free)"
    echo "g$1: node $1 had ${before[$1]} MiB free and has ${after[$1]}"
    [ $((before[$1] - after[$1])) -ge $((guest_mib - 4)) ] ||
        tb_fail "node $1 did not give its memory"
}

check_guest() { # NODE
    local node

    node=$(tb_run 1 "xl-aerostat mem-status --json" | jq -r '.domains[] |
        select(.name == "g'"$1"'" and (.nodes | length) == 1) | .nodes[0]')
    [ "$node" = "$1" ] || tb_fail "g$1 is not said to be on node $1"
}

check_reservation() { # NODE
    local told mib off free

    told=$(tb_run 1 "xl-aerostat mem-reserve --node $1 2M -- true" 2>&1)
    mib=$(sed -n "s/^node $1 has \([0-9]*\)M free$/\1/p" <<<"$told")
    read -r -a free <<<"$xen"
    echo "${told//$'\n'/; }"
    off=$((${mib:-0} - free[$1]))
    [ "${off#-}" -le 1 ] ||
        tb_fail "it did not say what node $1 has: ${free[$1]} MiB"
}

# The guest there gives. The other one gives nothing by its right, and less
# where it is asked to for a moment, while the first is slow.
check_squeeze() { # NODE
    local mib lines was said before after other=$((1 - $1))

    read -r -a before <<<"$(nodes_free)"
    mib=$((before[$1] + beyond_mib))
    lines=$(tb_run 1 "wc -l </var/log/tb/aerostatd")
    was=$(tb_sizes)
    said=$(tb_run 1 "xl-aerostat mem-reserve --node $1 ${mib}M -- \
xl-aerostat mem-status --json") || tb_fail "$mib MiB were not reserved"
    read -r -a after <<<"$(jq -j '.host.nodes[] |
        "\(.free_kib / 1024 | floor) "' <<<"$said")"
    said=$(jq -r '.domains[] | select(.domid > 0) |
        "\(.name) \(.current_kib / 1024 | round)"' <<<"$said")
    echo "$mib MiB wanted on node $1, which had ${before[$1]} MiB free and" \
        "has ${after[$1]}: ${was//$'\n'/, } became ${said//$'\n'/, }"
    tb_run 1 "tail -n +$((lines + 1)) /var/log/tb/aerostatd | grep target"
    [ "${after[$1]}" -ge "$mib" ] ||
        tb_fail "it was held before node $1 had it free"
    awk -v donor="g$1" -v other="g$other" '{ gave[$1] = $2 - $4 }
        END { exit gave[donor] < 8 || gave[other] >= gave[donor] }' \
        <(paste -d ' ' <(echo "$was") <(echo "$said")) ||
        tb_fail "it did not come from the guest of node $1"
    ! tb_run 1 "tail -n +$((lines + 1)) /var/log/tb/aerostatd |
        grep '(g$other): target .*wanted on its NUMA node'" ||
        tb_fail "the guest of the other node was to give"
}

too_much() { # NODE
    local told

    ! told=$(tb_run 1 "xl-aerostat mem-reserve --node $1 2G -- true" 2>&1) ||
        tb_fail "a node gave more than it has"
    grep -q "cannot be had" <<<"$told" || tb_fail "refused, but: $told"
}

no_such_node() {
    ! tb_run 1 "xl-aerostat mem-reserve --node 2 1M -- true" \
        >"$tb_dir/node" 2>&1 || tb_fail "memory came from a node that is not"
    grep -q 'no NUMA node 2; the last one is 1' "$tb_dir/node" ||
        { cat "$tb_dir/node"; tb_fail "it did not say that there is no node"; }
}

case_body() {
    local xen said node

    TB_MEM=1090 TB_NUMA=560 tb_boot 1
    for node in 0 1; do add_guest "$node"; done
    tb_daemon 2
    for node in 0 1; do check_guest "$node"; done
    for node in 1 0; do
        tb_settle 60 || tb_fail "the guests do not come to rest"
        check_nodes
        check_reservation "$node"
        check_squeeze "$node"
        too_much "$node"
    done
    no_such_node
    for node in 0 1; do
        tb_guest_ticks 1 "g$node" || tb_fail "g$node does not run"
    done
    tb_daemon_end
}

tb_case numa 300 "$@"
