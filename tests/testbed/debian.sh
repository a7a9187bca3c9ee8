# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # other files' variables
#
# A dom0 as users have it: Debian 12 with systemd and Debian's own Xen
# scripts, on a disk. Built and cached when a case asks for it. Source it after
# case.sh.

tb_debian_base=(systemd-sysv dbus udev kmod iproute2 procps)
tb_debian_packages=(xen-utils-4.17 xenstore-utils bash-completion man-db
    libuv1 libyajl2 libxxhash0 libmicrohttpd12 libncursesw6)
tb_debian_modules=(virtio_pci virtio_blk xen-blkfront ext4 crc32c_generic)
tb_debian_dom0_modules=(xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
    virtio_net xen-netback xen-blkback bridge loop)
tb_debian_mib=1200

tb_debian_key() {
    {
        basename "$tb_images"
        tb_candidates "${tb_debian_base[@]}" "${tb_debian_packages[@]}"
        cat "$tb_source"/debian.sh "$tb_source"/debian/*
    } | sha256sum | cut -c 1-16
}

# The disk of such a dom0 and the initramfs that mounts it, as debian.raw and
# debian-init.img in tb_debian. Packages first: tb_begin has been called.
tb_debian_image() {
    local begin=$SECONDS lock

    tb_install debootstrap e2fsprogs
    tb_debian=$tb_cache/debian-$(tb_debian_key)
    exec {lock}>"$tb_cache/lock"
    flock -w 900 "$lock"
    if [ ! -d "$tb_debian" ]; then
        tb_say "building the Debian dom0"
        rm -rf "$tb_cache"/build.* "$tb_cache"/debian-*
        (tb_build_debian "$(mktemp -d "$tb_cache/build.XXXXXX")")
        tb_say "built in $((SECONDS - begin)) s"
    fi
    exec {lock}>&-
}

tb_build_debian() { # BUILD
    cd "$1" || return
    tb_fetch_packages
    mkdir images
    tb_debian_init
    tb_debian_tree
    tb_debian_fill
    mke2fs -q -t ext4 -L debian -d tree images/debian.raw \
        "${tb_debian_mib}M" >/dev/null
    mv images "$tb_debian"
    cd / && rm -rf "$1"
}

tb_debian_init() {
    tb_root init
    mkdir -p init/new
    tb_add_modules init "${tb_debian_modules[@]}"
    cp "$tb_source/debian/init" init/init
    tb_pack init >images/debian-init.img
}

# With the machine's own sources, so that Xen's tools are the hypervisor's.
tb_debian_tree() {
    local mirror

    # shellcheck disable=SC2016 # apt expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Codename: bookworm' | head -n 1)
    debootstrap --variant=minbase \
        --include="$(IFS=,; echo "${tb_debian_base[*]}")" bookworm tree \
        "${mirror:-http://deb.debian.org/debian}" >debootstrap.log 2>&1 ||
        tb_die "debootstrap: $(tail -n 5 debootstrap.log)"
    rm -f tree/etc/apt/sources.list
    cp -r /etc/apt/sources.list* tree/etc/apt/
    printf '#!/bin/sh\nexit 101\n' >tree/usr/sbin/policy-rc.d
    chmod +x tree/usr/sbin/policy-rc.d
    cp /etc/resolv.conf tree/etc/
    chroot tree sh -c "export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq \
            --no-install-recommends ${tb_debian_packages[*]}" \
        >apt.log 2>&1 </dev/null || tb_die "apt: $(tail -n 5 apt.log)"
    rm -rf tree/usr/sbin/policy-rc.d tree/var/cache/apt/*.bin \
        tree/var/cache/apt/archives/*.deb tree/var/lib/apt/lists/*
}

# What makes it a host of the testbed: a kernel's modules, the network, the
# command server, and what its guests boot.
tb_debian_fill() {
    local unit

    tb_add_modules tree "${tb_debian_modules[@]}" \
        "${tb_debian_dom0_modules[@]}" autofs4 binfmt_misc
    printf '%s\n' "${tb_debian_dom0_modules[@]}" \
        >tree/etc/modules-load.d/xen.conf
    echo 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"' \
        >>tree/etc/default/xen
    mkdir -p tree/var/log/xen/console tree/var/log/tb
    cp "$tb_images/remote" tree/usr/local/bin/
    cp "$tb_source/debian/network" tree/usr/local/sbin/tb-network
    for unit in tb-network tb-remote; do
        cp "$tb_source/debian/$unit.service" tree/etc/systemd/system/
        ln -s "../$unit.service" \
            tree/etc/systemd/system/multi-user.target.wants/
    done
    echo 'LABEL=debian / ext4 noatime 0 0' >tree/etc/fstab
    : >tree/etc/machine-id
    echo debian >tree/etc/hostname
    cp "$tb_images/vmlinux" tree/boot/
    cpio -i --quiet --to-stdout boot/guest-base.img <"$tb_images/dom0.img" \
        >tree/boot/guest-base.img
}

# Boots host 1 as such a dom0. Called again it boots the same disk again. Its
# /dev/vdc is another disk with the same on it, for a guest.
tb_debian_boot() {
    tb_dom0_image=$tb_dir/debian-init.img
    tb_dom0_args=root=/dev/vdb
    # shellcheck disable=SC2054 # QEMU's commas
    tb_more_drives=(
        -drive "file=$tb_dir/dom0.raw,format=raw,if=none,id=d2"
        -device virtio-blk-pci,drive=d2
        -drive "file=$tb_dir/guest.raw,format=raw,if=none,id=d3"
        -device virtio-blk-pci,drive=d3)
    if [ ! -e "$tb_dir/dom0.raw" ]; then
        cp "$tb_debian/debian-init.img" "$tb_dir/"
        cp --reflink=auto --sparse=always "$tb_debian/debian.raw" \
            "$tb_dir/dom0.raw"
        cp --reflink=auto --sparse=always "$tb_debian/debian.raw" \
            "$tb_dir/guest.raw"
    fi
    rm -f "$tb_dir"/host1.log "$tb_dir"/{monitor1,mig,lan}
    tb_boot 1
}
