#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emulated Xen hosts by hand: boots them and reads commands for their dom0s.
#   shell.sh [HOSTS [DESTDIR]]
# At the prompt: a line runs in dom0 of the current host; "1" or "2" changes
# the host; "log" shows its console log; Ctrl-D ends everything.
set -euo pipefail
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

hosts=${1:-1}
host=1
tb_begin "${2:-}"
tb_boot "$hosts"
while IFS= read -r -e -p "dom0-$host# " line; do
    case $line in
    '') ;;
    [12]) [ "$line" -gt "$hosts" ] || host=$line ;;
    log) tail -n 40 "$tb_dir/host$host.log" ;;
    *) TB_TIMEOUT=3600 tb_run "$host" "$line" || echo "exit status $?" ;;
    esac
done
