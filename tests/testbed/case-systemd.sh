#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Aerostat as README.md has it installed, on a plain Debian 12 with systemd,
# Debian's Xen scripts and oxenstored: aerostatd.service needs no settings and
# is not hindered by its sandbox, comes back when it is killed and when it
# hangs, leaves the guests well when it is stopped, and comes up with the host
# before what starts the guests.
# Usage: case-systemd.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/debian.sh
. "$(dirname "$0")/debian.sh"

destdir=${2:-}
grown_mib=110 # more than a guest of 160 MiB has room for

# What `make install` puts there, and README's two steps after it.
install_aerostat() {
    tar c -C "$destdir" . >"$tb_dir/installed.tar"
    tb_put 1 "$tb_dir/installed.tar" /root/installed.tar
    tb_put 1 "$tb_dir/overlay/boot/guest-extra.img" /boot/guest-extra.img
    tb_run 1 "tar xf /root/installed.tar -C / --no-same-owner
rm /root/installed.tar /etc/xen/aerostat.conf # none of them is needed
cat /boot/guest-base.img /boot/guest-extra.img >/boot/guest.img
systemctl daemon-reload && systemctl enable --now aerostatd
ln -s /usr/libexec/aerostat/xl /usr/local/sbin/xl" ||
        tb_fail "aerostatd.service does not start"
    await 10 answers
    tb_run 1 "systemctl show -p SubState -p StatusText aerostatd"
}

answers() {
    tb_run 1 "systemctl is-active -q aerostatd &&
        xl mem-status --json >/dev/null 2>&1"
}

await() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift

    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || {
            tb_run 1 "systemctl status --no-pager -l aerostatd"
            tb_fail "not within its time: $*"
        }
        sleep 1
    done
}

# As a login shell of root's has them, with no setting of its own.
shell_knows_it() {
    local verbs

    tb_run 1 "man -w xl-mem-status aerostatd aerostat.conf >/dev/null" ||
        tb_fail "man does not find the pages"
    verbs=$(tb_run 1 "HOME=/root bash -lic '
COMP_WORDS=(xl mem-s) COMP_CWORD=1 COMP_LINE=\"xl mem-s\" COMP_POINT=8
eval \"\$(complete -p xl | sed \"s/.*-F \\([^ ]*\\).*/\\1/\")\"
echo \${COMPREPLY[@]}' 2>/dev/null")
    echo "xl mem-s<TAB>: $verbs"
    [[ " $verbs " == *" mem-set "* && " $verbs " == *" mem-status "* ]] ||
        tb_fail "completion lacks the stock verbs or ours"
    tb_run 1 "xl list && xl mem-status" || tb_fail "xl is not the front"
}

state_of() { # NAME
    tb_run 1 "xl mem-status --json" |
        jq -r ".domains[] | select(.name == \"$1\") | .state"
}

is_active() { # GUEST
    [ "$(state_of "$1")" = active ]
}

# Devices by Debian's own hotplug scripts, and memory that it did not boot with.
guest_is_balanced() {
    await 40 is_active g1
    tb_guest_cmd 1 g1 "grow $grown_mib"
    tb_guest_wait 1 g1 "grew $grown_mib" 60 || tb_fail "g1 got no memory"
    tb_run 1 "xl mem-status | grep ^g1; ip -br link show vif1.0; ls -d \
/sys/bus/xen-backend/devices/v*" || tb_fail "g1 lacks a device"
}

# The daemon's own lines, by how serious they are.
journal_is_clear() {
    tb_run 1 "journalctl -q --no-pager -o cat _SYSTEMD_UNIT=aerostatd.service |
tail -n 4"
    tb_run 1 "journalctl -q --no-pager _SYSTEMD_UNIT=aerostatd.service |
        grep -q 'domain . (g1): '" || tb_fail "the journal does not name g1"
    ! tb_run 1 "journalctl -q --no-pager -p warning \
_SYSTEMD_UNIT=aerostatd.service | grep -v 'a tick took'" ||
        tb_fail "it warned of something" # but that emulation is slow
}

is_restarted() { # PID
    local now

    now=$(tb_run 1 "systemctl show -p MainPID --value aerostatd")
    [ "$now" != 0 ] && [ "$now" != "$1" ] && answers
}

signal_it() { # SIGNAL
    tb_run 1 "p=\$(systemctl show -p MainPID --value aerostatd)
        kill -$1 \$p && echo \$p"
}

killed_and_hung() {
    local pid

    pid=$(signal_it KILL)
    await 30 is_restarted "$pid"
    tb_run 1 "d=/run/systemd/system/aerostatd.service.d && mkdir -p \$d &&
printf '[Service]\nWatchdogSec=12\n' >\$d/soon.conf &&
systemctl daemon-reload && systemctl restart aerostatd"
    await 10 answers
    pid=$(signal_it STOP)
    await 60 is_restarted "$pid"
    tb_run 1 "journalctl -q --no-pager -o cat -u aerostatd | grep -E \
'watchdog|SIGKILL|signal'" || true
    await 40 is_active g1
    echo "killed, and stopped with SIGSTOP: each time started again"
}

# No guest is asked for more than it can have, nor left below its minimum.
stopped() {
    local target now free

    tb_run 1 "systemctl stop aerostatd" || tb_fail "it does not stop"
    target=$(tb_target_kib 1 g1)
    now=$(($(tb_run 1 "xl list g1" | awk 'NR == 2 { print $3 }') * 1024))
    free=$(($(tb_run 1 "xl info free_memory") * 1024))
    echo "stopped: g1's target is $target KiB, it has $now"
    if [ "$target" -lt $((grown_mib * 1024)) ] ||
        [ "$target" -gt $((now + free)) ]; then
        tb_fail "that target is not safe, with $free KiB free"
    fi
    ! tb_run 1 "systemctl is-failed aerostatd" || tb_fail "it ended as failed"
    tb_guest_ticks 1 g1 || tb_fail "g1 does not run"
}

is_off() {
    ! tb_alive 1
}

monotonic() { # UNIT
    tb_run 1 "systemctl show -p ActiveEnterTimestampMonotonic --value $1"
}

rebooted() {
    local xen ours guests

    tb_run 1 "systemctl start aerostatd && xl destroy g1" ||
        tb_fail "g1 cannot be destroyed"
    await 20 has_no_vif
    reboot
    xen=$(monotonic xen) ours=$(monotonic aerostatd)
    guests=$(monotonic xendomains)
    echo "after a reboot: xen at $xen us, aerostatd $ours, xendomains $guests"
    ((xen < ours && ours < guests)) || tb_fail "started in the wrong order"
}

reboot() {
    tb_run 1 "systemctl --no-block reboot"
    await 120 is_off
    tb_debian_boot
    await 60 answers
}

has_no_vif() {
    ! tb_run 1 "ls -d /sys/class/net/vif* 2>/dev/null"
}

case_body() {
    [ -d "$destdir" ] || tb_fail "usage: case-systemd.sh DESTDIR"
    tb_debian_image
    tb_debian_boot
    install_aerostat
    shell_knows_it
    TB_GUEST_LIMIT=150 TB_MAXMEM=288 TB_DISK=1 TB_NET=11 \
        tb_guest 1 g1 160 grow:16 || tb_fail "g1 does not come up"
    guest_is_balanced
    journal_is_clear
    killed_and_hung
    stopped
    rebooted
}

tb_case systemd 900 "$@"
