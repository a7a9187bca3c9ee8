# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The testbed: real Xen hosts under QEMU's software emulation. Source this
# file, then tb_begin; README.md lists the functions. Needs bash, root, and
# Debian 12.

tb_say() { echo "testbed: $*" >&2; }

tb_die() {
    tb_say "$*"
    exit 1
}

# shellcheck source=tests/testbed/image.sh
. "$(dirname "${BASH_SOURCE[0]}")/image.sh"
# shellcheck source=tests/testbed/host.sh
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
# shellcheck source=tests/testbed/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

tb_pids=() # by host
tb_port=() # of a host's command server
tb_dir=    # this run's folder
tb_images= # the images it boots
tb_hypervisor= # booted in place of theirs

# Packages, images and this run's folder; hosts are stopped and the folder
# removed when the script ends (TB_KEEP=1 leaves it). TB_PREPARED: a folder
# that prepare.sh filled, for the hosts of another Debian.
tb_begin() { # DESTDIR
    tb_install_packages
    if [ -n "${TB_PREPARED:-}" ]; then
        tb_images=$TB_PREPARED
    else
        tb_image
    fi
    tb_dir=$(mktemp -d "${TMPDIR:-/tmp}/aerostat-testbed.XXXXXX")
    trap tb_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -n "${TB_PREPARED:-}" ]; then
        cp "$tb_images/overlay.img" "$tb_dir/"
    else
        tb_overlay "$1"
    fi
}

tb_end() {
    tb_stop
    if [ -n "${TB_KEEP:-}" ]; then
        tb_say "logs are in $tb_dir"
    else
        rm -rf "$tb_dir"
    fi
}
