#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Aerostat as README.md has it installed, on a plain Debian 12 with systemd,
# Debian's Xen scripts and oxenstored: aerostatd.service needs no settings,
# takes some when it is told to, and keeps those of before where they are wrong;
# its sandbox lets it destroy a half-received guest with all its devices; it
# comes back when it is killed and when it hangs, leaves the guests well when it
# is stopped, and comes up with the host before what starts the guests.
# Usage: case-systemd.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/debian.sh
. "$(dirname "$0")/debian.sh"

destdir=${2:-}
TB_TIMEOUT=${TB_TIMEOUT:-150} # systemd does much, emulated
metrics=/var/lib/prometheus/node-exporter
grown_mib=110 # more than a guest of 160 MiB has room for

# What `make install` puts there, and README's two steps after it.
install_aerostat() {
    tar c -C "$destdir" . >"$tb_dir/installed.tar"
    tb_put 1 "$tb_dir/installed.tar" /root/installed.tar
    tb_put 1 "$tb_dir/overlay/boot/guest-extra.img" /boot/guest-extra.img
    tb_run 1 "mkdir -p $metrics
tar xf /root/installed.tar -C / --no-same-owner
rm /root/installed.tar /etc/xen/aerostat.conf # none of them is needed
cat /boot/guest-base.img /boot/guest-extra.img >/boot/guest.img
systemctl daemon-reload && systemctl enable --now aerostatd
ln -s /usr/libexec/aerostat/xl /usr/local/sbin/xl" ||
        tb_fail "aerostatd.service does not start"
    tb_await 10 answers
    tb_run 1 "systemctl show -p SubState -p StatusText aerostatd"
}

answers() {
    tb_run 1 "systemctl is-active -q aerostatd &&
        xl mem-status --json >/dev/null 2>&1"
}

case_late() {
    tb_run 1 "systemctl status --no-pager -l aerostatd"
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
    tb_await 40 is_active g1
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

journal_has() { # TEXT [OPTIONS]
    tb_run 1 "journalctl -q --no-pager -o cat ${2:-} -u aerostatd |
        grep -qF -e '$1'"
}

settings() { # LINE...
    tb_run 1 "cat >/etc/xen/aerostat.conf <<'END'
$(printf '%s\n' "$@")
END
systemctl reload aerostatd"
}

reloaded() {
    local pid

    pid=$(tb_run 1 "systemctl show -p MainPID --value aerostatd")
    settings 'interval_ms = 1500' "metrics_file = \"$metrics/a.prom\"" \
        'metrics_listen = "127.0.0.1:9877"' || tb_fail "it does not reload"
    tb_await 20 journal_has 'holds now: interval_ms = 1500'
    tb_await 20 tb_run 1 "grep -q '^aerostat_ticks_total' $metrics/a.prom"
    tb_await 20 tb_run 1 "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9877
printf \"GET /metrics HTTP/1.0\r\n\r\n\" >&3
grep -q ^aerostat_ticks_total <&3'"
    ! settings 'interval_ms = 1' 2>/dev/null || tb_fail "a bad file is taken"
    journal_has 'interval_ms: 1 is not' '-p err' ||
        tb_fail "the journal does not say what is wrong"
    settings 'socket_group = "nobody-here"' || tb_fail "it does not reload"
    tb_await 20 journal_has 'the settings of before hold on' '-p err'
    answers || tb_fail "it did not go on"
    [ "$(tb_run 1 "systemctl show -p MainPID --value aerostatd")" = "$pid" ] ||
        tb_fail "it was started again"
    tb_run 1 "rm /etc/xen/aerostat.conf; systemctl reload aerostatd"
    tb_await 20 journal_has 'no more: interval_ms = 1500'
    echo "settings taken, bad ones refused, and taken back"
}

# As a receiver leaves it that is killed: a domain with all its devices, paused
# under xl's name for it, and the journal of a process that is no more.
half_received() {
    tb_run 1 "head -c 4M /dev/zero >/root/half.img
cat >/root/half.cfg <<'END'
name = \"half--incoming\"
type = \"pvh\"
kernel = \"/boot/vmlinux\"
memory = 96
disk = [\"/root/half.img,raw,xvda,w\"]
vif = [\"bridge=xenbr0\"]
END
xl create -q -p /root/half.cfg && losetup -a | grep -q half.img &&
    ls -d /sys/class/net/vif\$(xl domid half--incoming).0
sh -c 'exit 0' & dead=\$!; wait
uuid=\$(xenstore-read /local/domain/\$(xl domid half--incoming)/vm)
cd /run/aerostat; mkdir -p -m 700 migrations
cat >migrations/new <<END
{ \"version\": 1, \"role\": \"target\", \"state\": \"open\",
  \"owner\": { \"pid\": \$dead, \"start_ticks\": 1 },
  \"domid\": \$(xl domid half--incoming), \"uuid\": \"\${uuid#/vm/}\",
  \"name\": \"half\", \"to\": \"\", \"stage\": \"receive\",
  \"saving\": false, \"may_pause\": false, \"renamed\": false }
END
mv migrations/new migrations/target-\$dead-1.json"
}

nothing_of_half() {
    ! tb_run 1 "xl list half--incoming 2>/dev/null ||
losetup -a | grep half.img || ls /run/aerostat/migrations/*.json 2>/dev/null ||
[ \$(ls -d /sys/class/net/vif* | wc -l) -gt 1 ]" >/dev/null
}

repaired() {
    half_received || tb_fail "no half-received guest can be made"
    tb_await 60 nothing_of_half
    journal_has 'destroying domain' || tb_fail "it was not the daemon"
    echo "a half-received guest destroyed: domain, loop device, vif, journal"
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
    tb_await 30 is_restarted "$pid"
    tb_run 1 "d=/run/systemd/system/aerostatd.service.d && mkdir -p \$d &&
printf '[Service]\nWatchdogSec=12\n' >\$d/soon.conf &&
systemctl daemon-reload && systemctl restart aerostatd"
    tb_await 10 answers
    pid=$(signal_it STOP)
    tb_await 60 is_restarted "$pid"
    tb_run 1 "journalctl -q --no-pager -o cat -u aerostatd | grep -E \
'watchdog|SIGKILL|signal'" || true
    tb_await 40 is_active g1
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
    tb_await 20 has_no_vif
    reboot
    xen=$(monotonic xen) ours=$(monotonic aerostatd)
    guests=$(monotonic xendomains)
    echo "after a reboot: xen at $xen us, aerostatd $ours, xendomains $guests"
    ((xen < ours && ours < guests)) || tb_fail "started in the wrong order"
}

reboot() {
    tb_run 1 "systemctl --no-block reboot"
    tb_await 120 is_off
    tb_debian_boot
    tb_await 60 answers
    tb_await 90 is_started xendomains
}

is_started() { # UNIT
    [ "$(monotonic "$1")" -gt 0 ]
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
    repaired
    reloaded
    killed_and_hung
    stopped
    rebooted
}

tb_case systemd 1200 "$@"
