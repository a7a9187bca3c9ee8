#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# aerostat-agent as README.md has it installed, in a plain Debian 12 guest with
# systemd: its unit starts it at boot, and the host knows what the guest needs;
# its sandbox lets it drop the page cache and goes on over a migration; when it
# is killed it is started again.
# Usage: case-agent.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/debian.sh
. "$(dirname "$0")/debian.sh"

destdir=${2:-}
TB_TIMEOUT=${TB_TIMEOUT:-150} # systemd does much, emulated
masked=
for unit in aerostatd tb-network tb-remote xen xendomains systemd-logind \
    serial-getty@hvc0; do
    masked+=" systemd.mask=$unit.service"
done

install_aerostat() {
    tar c -C "$destdir" . >"$tb_dir/installed.tar"
    tb_put 1 "$tb_dir/installed.tar" /root/installed.tar
    tb_put 1 "$tb_dir/debian-init.img" /boot/debian-init.img
    tb_run 1 "tar xf /root/installed.tar -C / --no-same-owner
rm /root/installed.tar
systemctl daemon-reload && systemctl enable --now aerostatd
ln -s /usr/libexec/aerostat/xl /usr/local/sbin/xl" ||
        tb_fail "aerostatd.service does not start"
}

# Its disk has what a Debian guest has, README's two files, and who tells us.
install_agent() {
    tb_put 1 "$tb_source/debian-watch" /root/watch
    tb_run 1 "mount /dev/vdc /mnt && cd /mnt || exit
cp /usr/sbin/aerostat-agent usr/sbin/
cp /usr/lib/systemd/system/aerostat-agent.service etc/systemd/system/
install -m 755 /root/watch usr/local/sbin/
cat >etc/systemd/system/watch.service <<'END'
[Service]
ExecStart=/usr/local/sbin/watch
[Install]
WantedBy=multi-user.target
END
cd / && systemctl --root=/mnt enable aerostat-agent watch && umount /mnt" ||
        tb_fail "the guest's disk cannot be made"
}

create_guest() {
    tb_run 1 "cat >/root/gd.cfg <<'END'
name = \"gd\"
type = \"pvh\"
kernel = \"/boot/vmlinux\"
ramdisk = \"/boot/debian-init.img\"
cmdline = \"$tb_cmdline systemd.show_status=0 root=/dev/xvda$masked\"
memory = 288
maxmem = 384
tsc_mode = \"native\"
disk = [\"phy:/dev/vdc,xvda,w\"]
END
xl create -q /root/gd.cfg" || tb_fail "no guest can be created"
    tb_guest_wait 1 gd '^watch .*ActiveState=active' 420 ||
        tb_fail "the agent is not active"
}

told() { # WHAT
    tb_run 1 "xl mem-status --json" | jq -r ".domains[] |
        select(.name == \"gd\") | \"\(.state) \(.source) \(.$1)\""
}

is_known() {
    [[ $(told demand_kib) = active\ agent\ [1-9]* ]]
}

case_late() {
    tb_run 1 "xl mem-status"
}

# The last value of one of the watch's words.
watched() { # WORD
    tb_guest_log 1 gd | sed -n "s/^watch .*$1\([0-9]*\) .*/\1/p" | tail -n 1
}

drops_cache() {
    local before key

    before=$(watched Cached:)
    key=$(tb_run 1 "xenstore-ls -f /local/domain/\$(xl domid gd)" |
        sed -n 's| = .*||; /aerostat\/request$/p')
    tb_run 1 "xenstore-write $key 'drop 7001'"
    tb_await 30 tb_run 1 "[ \"\$(xenstore-read ${key%request}done)\" = 7001 ]"
    sleep 5
    echo "page cache: $before MiB, and $(watched Cached:) after it was dropped"
    [ "$(watched Cached:)" -lt $((before - 5)) ] ||
        tb_fail "the agent may not drop the page cache"
}

# To the same host: another domain, another xenstore tree. What the old one
# said is in a log of its own, which is not to be taken for news.
moves() {
    local pid domid

    pid=$(watched MainPID=)
    domid=$(tb_run 1 "xl domid gd")
    TB_TIMEOUT=200 tb_run 1 "xl migrate -s '' gd 'xl migrate-receive'" ||
        tb_fail "it does not move"
    [ "$(tb_run 1 "xl domid gd")" != "$domid" ] || tb_fail "it did not move"
    tb_run 1 "rm /var/log/xen/console/guest-gd.log"
    tb_await 60 is_known
    tb_await 30 says_something
    [ "$(watched MainPID=)" = "$pid" ] || tb_fail "the agent was started anew"
    echo "moved: domain $(tb_run 1 "xl domid gd"), agent $pid as before," \
        "$(told demand_kib) KiB wanted"
}

says_something() {
    [ -n "$(watched MainPID=)" ]
}

is_restarted() { # PID
    [ "$(watched NRestarts=)" -ge 1 ] && [ "$(watched MainPID=)" -gt "$1" ]
}

comes_back() {
    local pid

    pid=$(watched MainPID=)
    tb_guest_cmd 1 gd "kill -9 $pid"
    tb_await 60 is_restarted "$pid"
    tb_await 60 is_known
    echo "killed: agent $(watched MainPID=) in the place of $pid"
}

case_body() {
    [ -d "$destdir" ] || tb_fail "usage: case-agent.sh DESTDIR"
    tb_debian_image
    tb_debian_boot
    install_aerostat
    install_agent
    create_guest
    tb_await 60 is_known
    echo "the host knows: $(told demand_kib) KiB wanted"
    drops_cache
    moves
    comes_back
}

tb_case agent 1200 "$@"
