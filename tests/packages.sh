# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What a bare Debian 12 needs, in one place. Source it.

# To build, and to run the tests that need no Xen.
# shellcheck disable=SC2034
aerostat_build_packages=(
    autoconf automake gcc libc6-dev make pkg-config
    libxen-dev libuv1-dev libyajl-dev libzstd-dev libcunit1-dev libsystemd-dev
    libmicrohttpd-dev libncurses-dev
    libxxhash-dev
)
# shellcheck disable=SC2034
aerostat_check_packages=(curl clang libclang-rt-14-dev mandoc valgrind xz-utils)

# Installs what is missing; needs root only then.
aerostat_install() { # PACKAGE...
    local missing=() package

    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
            grep -q '^install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "these packages are missing: ${missing[*]}" >&2
        echo "install them, or run this with sudo" >&2
        return 1
    fi
    echo "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null >/dev/null
    apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        </dev/null >/dev/null
}

# A build in a folder of its own, installed under DIR/root.
aerostat_build() { # SOURCE DIR [CONFIGURE OPTIONS...]
    local source=$1 dir=$2
    shift 2

    [ -x "$source/configure" ] || (cd "$source" && autoreconf -i >/dev/null)
    mkdir -p "$dir"
    (
        cd "$dir"
        "$source/configure" -q --prefix=/usr --libexecdir=/usr/libexec \
            --sysconfdir=/etc --localstatedir=/var --runstatedir=/run "$@"
        make -s -j"$(nproc)"
    ) >"$dir.log" 2>&1 || {
        tail -n 30 "$dir.log" >&2
        return 1
    }
}
