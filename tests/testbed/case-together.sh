#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two migrations at once share one rate by weight; it is kept on the wire, and
# changed while they run. The network then knows where the guests are: one
# says so itself, with a gratuitous ARP; for one without an address, which has
# nothing to say, dom0 does. Last, a guest asks to be moved: it is refused,
# then it is tried.
# Usage: case-together.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

rate=5000000 # bytes/s, of both together

move() { # NAME PORT WEIGHT
    tb_spawn 2 "receive-$1" "exec socat TCP-LISTEN:$2,reuseaddr \
EXEC:'aerostat-receive',nofork"
    tb_run 2 "until netstat -ltn 2>/dev/null | grep -q :$2; do sleep 0.2; done"
    tb_spawn 1 "migrate-$1" "exec xl-aerostat migrate-live --no-page-cache \
--weight $3 --max-rounds 2 --compress 0 -s '' $1 'socat -b 262144 - TCP:$tb_target:$2'"
}

both_send() {
    tb_run 1 "end=\$((\$(date +%s) + 60))
until [ \$(xl-aerostat migrate-status --json |
    grep -c '\"max_rate_bps\": [1-9]') = 2 ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    usleep 200000
done" || tb_fail "the two never sent together"
}

# What both may send by the daemon's word, and its parts.
shares() {
    tb_run 1 "xl-aerostat migrate-status --json" |
        sed -n 's/.*"max_rate_bps": \([0-9]*\).*/\1/p' | xargs
}

# Bytes/s on the wire over some seconds of dom0's own clock.
wire_rate() { # SECONDS
    local from to

    from=$(tb_run 1 "echo \$(cat /sys/class/net/mig/statistics/tx_bytes \
        /proc/uptime)")
    sleep "$1"
    to=$(tb_run 1 "echo \$(cat /sys/class/net/mig/statistics/tx_bytes \
        /proc/uptime)")
    echo "$from $to" | awk '{ printf "%d", ($4 - $1) / ($5 - $2) }'
}

share_a_rate() {
    local parts seen

    move g1 8002 100
    move g2 8003 300
    both_send
    parts=$(shares)
    seen=$(wire_rate 6)
    echo "parts: $parts bytes/s; on the wire: $seen bytes/s"
    awk -v all="$rate" '{ exit !(NF == 2 && $1 + $2 <= all) }' <<<"$parts" ||
        tb_fail "parts of $rate bytes/s: $parts"
    # Headers of TCP and Ethernet come on top.
    [ "$seen" -lt $((rate * 108 / 100)) ] ||
        tb_fail "$seen bytes/s on the wire, with a rate of $rate"
    [ "$seen" -gt $((rate / 3)) ] || tb_fail "only $seen bytes/s on the wire"
    tb_run 1 "xl-aerostat migrate-rate none"
    tb_wait 1 migrate-g1 120 || tb_fail "g1 did not move"
    tb_wait 1 migrate-g2 120 || tb_fail "g2 did not move"
}

mac_of() { # HOST NAME
    tb_run "$1" "xenstore-read /local/domain/\$(xl domid $2)/device/vif/0/mac"
}

# Fails unless host 1 learns within a while that a guest is behind its wire.
network_knows() { # COMMAND WHAT
    tb_run 1 "end=\$((\$(date +%s) + 15))
until $1; do
    [ \$(date +%s) -lt \$end ] || exit 1
    usleep 300000
done" || tb_fail "$2"
}

asks_to_move() { # ANSWER
    tb_run 2 "id=\$(xl domid g1) now=\$(date +%s)
xenstore-write /local/domain/\$id/data/aerostat/move \"\$now host1\"
end=\$((now + 30))
until xenstore-read /local/domain/\$id/data/aerostat/moved 2>/dev/null |
    grep \"^\$now $1\"; do
    [ \$(date +%s) -lt \$end ] || exit 1
    usleep 300000
done" || tb_fail "no answer '$1' to a guest that asks to be moved"
}

case_body() {
    local mac1 mac2

    tb_boot 2
    TB_NET=11 tb_guest 1 g1 128 grow:24
    TB_NET=none tb_guest 1 g2 128 grow:24
    tb_guest_wait 1 g1 'grew 24' 60
    tb_guest_wait 1 g2 'grew 24' 60
    mac1=$(mac_of 1 g1)
    mac2=$(mac_of 1 g2)
    # An ARP that nobody asked for makes an entry, which nothing else does.
    tb_run 1 "echo 1 >/proc/sys/net/ipv4/conf/xenbr0/arp_accept
ip neigh flush dev xenbr0
echo 'migration_max_rate = \"${rate}B\"' >/etc/xen/aerostat.conf"
    tb_spawn 1 daemon "exec aerostatd"
    share_a_rate
    tb_moved g1
    tb_moved g2
    network_knows "grep -q '^10.78.0.11 .*$mac1' /proc/net/arp" \
        "g1 sent no gratuitous ARP"
    # As the bridge has it: the address, a port, and 00 for one that it learnt.
    network_knows "hexdump -v -e '16/1 \"%02x \" \"\\n\"' \
        /sys/class/net/xenbr0/brforward | grep -q '^${mac2//:/ } .. 00'" \
        "nobody announced g2"
    echo "the network knows both"

    tb_spawn 2 daemon "exec aerostatd"
    asks_to_move refused
    tb_run 2 "kill \$(pidof aerostatd)
echo 'self_migration = [ \"g1=host1\" ]' >/etc/xen/aerostat.conf"
    tb_wait 2 daemon 20
    tb_spawn 2 daemon "exec aerostatd"
    asks_to_move failed # it was tried, and there is no ssh
    tb_guest_ticks 2 g1 || tb_fail "g1 does not run after it asked to move"
}

tb_case together 420 "$@"
