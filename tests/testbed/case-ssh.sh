#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Migrations over a real ssh, as the defaults have it but for the client's
# name: to aerostat-receive, which is found by itself, and to the stock
# `xl migrate-receive`. Usage: case-ssh.sh DESTDIR
set -euo pipefail
# shellcheck source=tests/packages.sh
. "$(dirname "$0")/../packages.sh"
# shellcheck source=tests/testbed/case.sh
. "$(dirname "$0")/case.sh"
# shellcheck source=tests/testbed/migrate.sh
. "$(dirname "$0")/migrate.sh"

# The programs under test, with dropbear beside them.
with_dropbear() { # DESTDIR NEW
    aerostat_install dropbear-bin >&2
    cp -a "$1/." "$2/"
    mkdir -p "$2"/usr/{bin,sbin}
    cp /usr/bin/{dbclient,dropbearkey} "$2/usr/bin/"
    cp /usr/sbin/dropbear "$2/usr/sbin/"
}

prepare_ssh() {
    tb_run 1 "mkdir -p /root/.ssh
        dropbearkey -t ed25519 -f /root/.ssh/id_dropbear 2>&1" |
        grep '^ssh-' >"$tb_dir/key"
    tb_put 2 "$tb_dir/key" /root/authorized_keys
    tb_run 2 "mkdir -p /root/.ssh /etc/dropbear
        mv /root/authorized_keys /root/.ssh/authorized_keys
        chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/authorized_keys
        grep -q '^root:' /etc/passwd 2>/dev/null ||
            echo 'root:x:0:0:root:/root:/bin/sh' >>/etc/passwd
        echo /bin/sh >>/etc/shells
        dropbear -R -s"
}

moves() { # NAME RECEIVER [OPTIONS...]
    local name=$1 receiver=$2
    shift 2

    tb_guest 1 "$name" 128 grow:32 hot:8:4
    tb_guest_wait 1 "$name" 'grew 32' 60
    tb_move_begin "xl-aerostat migrate-live -s 'dbclient -y -i /root/.ssh/id_dropbear -l root' \
--report /root/report.json $* $name $tb_target"
    tb_move_end || tb_fail "migrate-live over ssh: exit status $?"
    tb_moved "$name"
    tb_get 1 /root/report.json >"$tb_dir/report.json"
    [ "$(jq -r .receiver "$tb_dir/report.json")" = "$receiver" ] ||
        tb_fail "$(jq -r .receiver "$tb_dir/report.json") received it"
    tb_report_move "over ssh to $receiver" "$name"
    tb_run 2 "xl destroy $name"
}

case_body() {
    tb_boot 2
    prepare_ssh
    moves g1 aerostat-receive
    moves g2 xl --receiver xl
}

if [ "${1:-}" = --inner ]; then
    tb_case ssh 420 "$@"
else
    dest=$(mktemp -d "${TMPDIR:-/tmp}/aerostat-ssh.XXXXXX")
    trap 'rm -rf "$dest"' EXIT
    with_dropbear "${1:-/nonexistent}" "$dest"
    tb_case ssh 420 "$dest"
fi
