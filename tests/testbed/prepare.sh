#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes what the hosts of the testbed boot, from the Xen and the kernel of the
# Debian that it runs in, for a testbed elsewhere: QEMU must be Debian 12's,
# but the hosts need not be. Run it in a tree of, say, Debian 13 in which
# Aerostat was built and installed to DESTDIR; then, outside,
#   TB_PREPARED=FOLDER tests/testbed/case-migrate.sh
# Usage: prepare.sh DESTDIR FOLDER
set -euo pipefail
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# = 2 ] || tb_die "usage: prepare.sh DESTDIR FOLDER"
# It does not run QEMU, and later kernels are packed by zstd.
tb_host_packages=("${tb_host_packages[@]/qemu-system-x86/zstd}")
tb_install_packages
tb_image
tb_dir=$(mktemp -d "${TMPDIR:-/tmp}/aerostat-prepare.XXXXXX")
trap 'rm -rf "$tb_dir"' EXIT
tb_overlay "$1"
mkdir -p "$2"
cp "$tb_images"/* "$tb_dir/overlay.img" "$2/"
