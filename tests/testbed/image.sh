# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # tb_dir and tb_images are lib.sh's
#
# The testbed's images: Xen, a kernel, an initramfs for dom0 and one for
# guests, from Debian's packages; cached, since they change seldom. And the
# overlay: the programs under test, appended to both.

tb_cache=${AEROSTAT_TESTBED_CACHE:-/var/cache/aerostat-testbed}
tb_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

tb_host_packages=(qemu-system-x86 cpio kmod xz-utils busybox-static socat
    iproute2 jq gcc libc6-dev libxen-dev)

tb_dom0_modules=(xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
    virtio_pci virtio_net virtio_blk xen-netback xen-blkback bridge sch_tbf
    sch_netem)
tb_guest_modules=(xen-blkfront xen-netfront)

# What depends on the machine's own release of Xen, tb_xen, as in 4.17. Its
# libxen-dev must be installed: a bare Debian's apt knows of no package yet.
tb_find_xen() {
    tb_xen=$(dpkg-query -W -f '${Depends}' libxen-dev |
        grep -Eo 'libxenmisc[0-9.]+')
    tb_xen=${tb_xen#libxenmisc}
    tb_image_packages=("xen-hypervisor-$tb_xen-amd64" "xen-utils-$tb_xen"
        xen-utils-common xenstore-utils)
    tb_xen_bin=usr/lib/xen-$tb_xen/bin
    tb_dom0_programs=("$tb_xen_bin"/{xl,xenstored,xenconsoled,xenconsole}
        "$tb_xen_bin"/{libxl-save-helper,xen-init-dom0,xen-hvmctx,xentop})
}

tb_have_packages() {
    dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null |
        awk -v want=$# '$1 == "installed" { n++ } END { exit n != want }'
}

# Installs what is missing of some packages, if anything.
tb_install() { # PACKAGE...
    tb_have_packages "$@" && return
    tb_say "installing packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# What a bare Debian 12 lacks.
tb_install_packages() {
    tb_install "${tb_host_packages[@]}"
}

# The generic kernel's package: the cloud kernel has no dom0 support.
tb_kernel_package() {
    apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -n 1
}

tb_candidates() {
    apt-cache policy "$@" | awk '/^[^ ]/ { p = $1 } /Candidate:/ { print p $2 }'
}

# Everything an image depends on, hashed.
tb_image_key() {
    {
        tb_candidates "${tb_image_packages[@]}" "$(tb_kernel_package)"
        dpkg-query -W "${tb_host_packages[@]}" libc6 "libxenmisc$tb_xen"
        cat "$tb_source"/{image.sh,remote.c,work.c,logdirty.c} \
            "$tb_source"/rootfs/*
    } | sha256sum | cut -c 1-16
}

# Prepares the images unless they are in the cache; sets tb_images to their
# folder. Two runs at once share the work through a lock.
tb_image() {
    local begin=$SECONDS lock

    tb_find_xen
    [ -n "$(tb_kernel_package)" ] || apt-get update -qq
    tb_images=$tb_cache/$(tb_image_key)
    mkdir -p "$tb_cache"
    exec {lock}>"$tb_cache/lock"
    flock -w 600 "$lock"
    if [ ! -d "$tb_images" ]; then
        tb_say "building the testbed's images"
        rm -rf "$tb_cache"/build.*
        (tb_build_images "$(mktemp -d "$tb_cache/build.XXXXXX")")
        tb_say "images built in $((SECONDS - begin)) s"
    fi
    exec {lock}>&-
}

tb_build_images() { # BUILD
    cd "$1" || return
    tb_fetch_packages
    mkdir images
    zcat xen/boot/xen-"$tb_xen"*-amd64.gz >images/xen.elf
    tb_extract_vmlinux kernel/boot/vmlinuz-* >images/vmlinux
    cp kernel/boot/vmlinuz-* images/vmlinuz
    gcc -std=gnu11 -O2 -static -o remote "$tb_source/remote.c"
    gcc -std=gnu11 -O2 -static -o work "$tb_source/work.c"
    gcc -std=gnu11 -O2 -o logdirty "$tb_source/logdirty.c" -lxenctrl
    cp remote images/
    head -c 128M /dev/urandom >images/disk.raw
    tb_build_guest
    tb_build_dom0
    cp guest.img images/
    mv images "$tb_images"
    cd / && rm -rf "$1"
}

tb_fetch_packages() {
    local deb

    mkdir deb
    chmod 777 deb . # apt's own user writes here
    pushd deb >/dev/null || return
    apt-get download -qq "${tb_image_packages[@]}" "$(tb_kernel_package)"
    popd >/dev/null || return
    for deb in deb/xen*.deb; do dpkg -x "$deb" xen; done
    dpkg -x deb/linux-image-*.deb kernel
    [ -e kernel/lib ] || ln -s usr/lib kernel/lib # Debian 13 and later
}

# A bzImage holds its ELF as one stream, by xz in Debian 12, by zstd since;
# unpacked here, it saves each emulated machine about ten seconds.
tb_extract_vmlinux() { # BZIMAGE
    tb_unpack_at '\xFD7zXZ\x00' xz "$1" ||
        tb_unpack_at '\x28\xB5\x2F\xFD' zstd "$1" ||
        tb_die "no kernel packed by xz or zstd in $1"
}

# The ELF file that begins, packed, at one of the places of a mark.
tb_unpack_at() { # MARK PROGRAM FILE
    local at

    LC_ALL=C grep -aboP "$1" "$3" | cut -d: -f1 >streams || true
    while read -r at; do
        tail -c +$((at + 1)) "$3" | "$2" -dc 2>/dev/null >vmlinux.try || true
        if [ "$(head -c 4 vmlinux.try)" = $'\x7fELF' ]; then
            cat vmlinux.try
            return
        fi
    done <streams
    return 1
}

# The folders of an initramfs, merged as Debian's are, with busybox.
tb_root() { # ROOT
    local link applet

    mkdir -p "$1"/{proc,sys,dev,tmp,root,etc,run/lock} \
        "$1"/usr/{bin,sbin,lib,lib64} "$1"/var/{lib,log}
    ln -s ../run "$1/var/run"
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$1/$link"; done
    cp /bin/busybox "$1/usr/bin/"
    for applet in $(/bin/busybox --list | grep -vx busybox); do
        ln -s busybox "$1/usr/bin/$applet"
    done
}

tb_add_modules() { # ROOT MODULE...
    local root=$1 version file to
    shift

    version=$(ls kernel/lib/modules)
    [ -e "kernel/lib/modules/$version/modules.dep" ] ||
        depmod -b kernel "$version"
    for file in $(modprobe -d kernel -S "$version" -a --show-depends "$@" |
        awk '$1 == "insmod" { print $2 }' | sort -u); do
        to=$root/usr/lib/${file#*/kernel/lib/}
        mkdir -p "$(dirname "$to")"
        cp "$file" "$to"
    done
    cp kernel/lib/modules/"$version"/modules.{order,builtin,builtin.modinfo} \
        "$root/usr/lib/modules/$version/"
    depmod -b "$root" "$version"
}

# The shared libraries that programs need, at their place under usr/.
tb_libraries() { # PROGRAM...
    local program

    for program in "$@"; do
        ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true
    done | sort -u
}

tb_add_libraries() { # ROOT PROGRAM...
    local root=$1 library to
    shift

    for library in $(tb_libraries "$@"); do
        to=$root/usr/${library#/}
        to=${to/usr\/usr/usr}
        mkdir -p "$(dirname "$to")"
        [ -e "$to" ] || cp -L "$library" "$to"
    done
}

# Little compression would save little: memory is faster than inflating.
tb_pack() { # ROOT
    (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet)
}

tb_build_guest() {
    tb_root guest
    cp work guest/usr/bin/
    cp "$tb_source/rootfs/guest-init" guest/init
    tb_add_modules guest "${tb_guest_modules[@]}"
    tb_pack guest >guest.img
}

tb_build_dom0() {
    local program path

    tb_root dom0
    mkdir -p dom0/etc/xen/scripts dom0/boot dom0/var/lib/xen/dump \
        dom0/var/lib/xenstored dom0/var/log/{tb,xen/console} \
        dom0/run/{xen,xenstored} "dom0/$tb_xen_bin"
    for path in "${tb_dom0_programs[@]}"; do
        cp "xen/$path" "dom0/$path"
        ln -sf "/$path" "dom0/usr/sbin/${path##*/}"
    done
    cp -r "xen/usr/lib/xen-$tb_xen/boot" "dom0/usr/lib/xen-$tb_xen/"
    cp -a xen/usr/bin/xenstore* dom0/usr/bin/
    cp --remove-destination /usr/bin/socat "$(command -v tc)" logdirty \
        remote dom0/usr/bin/ # not through the links to busybox
    for program in dom0/usr/bin/{xenstore,socat,tc,logdirty}; do
        tb_add_libraries dom0 "$program"
    done
    tb_add_libraries dom0 dom0/"$tb_xen_bin"/* \
        /lib/x86_64-linux-gnu/libgcc_s.so.1
    cp -L /lib/x86_64-linux-gnu/libgcc_s.so.1 \
        dom0/usr/lib/x86_64-linux-gnu/ # pthread_cancel needs it
    echo 'autoballoon="off"' >dom0/etc/xen/xl.conf
    cp "$tb_source"/rootfs/{block,vif-bridge} dom0/etc/xen/scripts/
    cp "$tb_source/rootfs/dom0-init" dom0/init
    printf '%s\n' "${tb_dom0_modules[@]}" >dom0/etc/modules
    tb_add_modules dom0 "${tb_dom0_modules[@]}"
    cp images/vmlinux dom0/boot/vmlinux
    cp guest.img dom0/boot/guest-base.img
    tb_pack dom0 >images/dom0.img
}

# Makes the overlay of this run from a tree that "make install DESTDIR=" has
# filled, which may be empty: the tree and the libraries it needs for dom0,
# the agent for the guests. Later members of an initramfs win.
tb_overlay() { # DESTDIR
    local root=$tb_dir/overlay agent=$1/usr/sbin/aerostat-agent

    rm -rf "$root"
    mkdir -p "$root"
    [ ! -d "$1" ] || cp -a "$1/." "$root/"
    rm -rf "${root:?}"/usr/{share,lib/debug,include}
    find "$root" -type f -perm /111 -print0 |
        while IFS= read -r -d '' program; do
            tb_add_libraries "$root" "$program"
        done
    if [ -x "$agent" ]; then
        mkdir -p "$root/boot" "$tb_dir/extra/usr/sbin"
        cp "$agent" "$tb_dir/extra/usr/sbin/"
        tb_pack "$tb_dir/extra" >"$root/boot/guest-extra.img"
    fi
    tb_pack "$root" >"$tb_dir/overlay.img"
}
