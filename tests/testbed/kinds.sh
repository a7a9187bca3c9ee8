# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # tb_dir, tb_cache and such are lib.sh's
#
# What guests of other kinds than PVH need of a host, over the default image:
# HVM guests a device model; PV guests that move a Xen with shadow paging.
# Both before tb_boot.

# QEMU as a device model, the firmware that it and hvmloader load, and a disk
# that boots the guests' kernel; one HVM guest a host can use that.
tb_add_hvm() {
    local root=$tb_dir/hvm dm=/usr/libexec/xen-qemu-system-i386

    tb_install "${tb_hvm_packages[@]}"
    mkdir -p "$root"/{boot,usr/libexec} \
        "$root"/usr/share/{qemu/keymaps,seabios}
    cp "$dm" "$root/usr/libexec/"
    cp -L /usr/share/seabios/bios-256k.bin "$root/usr/share/seabios/"
    cp /usr/share/qemu/keymaps/en-us "$root/usr/share/qemu/keymaps/"
    tb_boot_disk "$root/boot/hvm.img"
    tb_add_libraries "$root" "$dm"
    tb_pack "$root" >>"$tb_dir/overlay.img"
    rm -rf "$root"
}

tb_hvm_packages=(qemu-system-xen seabios qemu-system-data isolinux
    syslinux-common xorriso)

tb_boot_disk() { # FILE
    local cd=$tb_dir/cd

    mkdir -p "$cd"
    cp "$tb_images/vmlinuz" /usr/lib/ISOLINUX/isolinux.bin \
        /usr/lib/syslinux/modules/bios/ldlinux.c32 "$cd/"
    cat "$tb_images/guest.img" >"$cd/guest.img"
    [ ! -e "$tb_dir/overlay/boot/guest-extra.img" ] ||
        cat "$tb_dir/overlay/boot/guest-extra.img" >>"$cd/guest.img"
    printf '%s\n' 'DEFAULT guest' 'LABEL guest' 'KERNEL /vmlinuz' \
        'INITRD /guest.img' "APPEND $tb_cmdline" >"$cd/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$1" -b isolinux.bin -c boot.cat \
        -no-emul-boot -boot-load-size 4 -boot-info-table \
        -isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin "$cd" 2>/dev/null
    rm -rf "$cd"
}

# Boots hosts from here on with Debian's Xen built anew with shadow paging,
# which Debian leaves out. Built once, in a few minutes, and kept.
tb_use_shadow_xen() {
    local lock

    exec {lock}>"$tb_cache/lock-shadow"
    flock -w 900 "$lock"
    if [ ! -e "$tb_cache/xen-shadow-$tb_xen.elf" ]; then
        tb_say "building a Xen with shadow paging"
        rm -rf "$tb_cache"/shadow.*
        (tb_build_shadow_xen "$(mktemp -d "$tb_cache/shadow.XXXXXX")")
    fi
    exec {lock}>&-
    # shellcheck disable=SC2034 # host.sh's
    tb_hypervisor=$tb_cache/xen-shadow-$tb_xen.elf
}

tb_build_shadow_xen() { # BUILD
    local config

    cd "$1" || return
    chmod 777 . # apt's own user writes here
    tb_install bison flex gcc libc6-dev make python3 xz-utils
    apt-get download -qq "xen-hypervisor-$tb_xen-amd64"
    dpkg -x xen-hypervisor-*.deb package
    tb_fetch_xen_source
    config=$(echo package/boot/xen-*.config)
    {
        sed -i 's/# CONFIG_SHADOW_PAGING.*/CONFIG_SHADOW_PAGING=y/' "$config"
        cp "$config" source/xen/.config
        export PYTHON=/usr/bin/python3 XEN_TARGET_ARCH=x86_64
        make -C source/xen olddefconfig
        make -C source/xen -j"$(nproc)" build
    } >build.log 2>&1 || tb_die "Xen was not built: $(tail -n 3 build.log)"
    zcat source/xen/xen.gz >../xen-shadow.new
    mv ../xen-shadow.new "../xen-shadow-$tb_xen.elf"
    cd / && rm -rf "$1"
}

# The newest source package that the archive has, unpacked in source/. The
# machine's own list of sources is left as it is.
tb_fetch_xen_source() {
    local version

    mkdir -p parts lists/partial
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources \
        >parts/source.sources
    printf '%s\n' 'Dir::Etc::SourceList "/dev/null";' \
        "Dir::Etc::SourceParts \"$PWD/parts\";" \
        "Dir::State::Lists \"$PWD/lists\";" \
        'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' >apt.conf
    export APT_CONFIG=$PWD/apt.conf
    apt-get update -qq
    for version in $(apt-cache showsrc xen | awk '/^Version:/ { print $2 }' |
        sort -rV); do
        ! apt-get source -qq --download-only "xen=$version" \
            2>>source.log || break
    done
    mkdir source
    tar -x -J -f xen_*.orig.tar.xz -C source --strip-components=1
}

# ---- what has to hold for a guest of any kind (needs migrate.sh and
# balance.sh) ----

# Fails unless the daemon makes a guest larger and smaller, as it is told.
tb_kind_balanced() { # NAME
    tb_daemon 1
    tb_comes_to "$1" "--min 240M" 232 300
    tb_comes_to "$1" "--min 64M --max 144M" 64 152
    tb_daemon_end
    tb_guest_verify 1 "$1" || tb_fail "$1's memory is damaged by the balloon"
}

tb_comes_to() { # NAME POLICY LEAST-MIB MOST-MIB
    local mib end=$((SECONDS + 90))

    tb_run 1 "xl-aerostat mem-policy $1 $2" >/dev/null
    until mib=$(tb_sizes | awk -v n="$1" '$1 == n { print $2 }') &&
        [ "$mib" -ge "$3" ] && [ "$mib" -le "$4" ]; do
        [ "$SECONDS" -lt "$end" ] || {
            tb_status
            tb_fail "$1 has $mib MiB by the policy $2"
        }
        sleep 2
    done
    echo "$1: $mib MiB by the policy $2," \
        "MemTotal $(tb_guest_mem_mib 1 "$1" MemTotal) MiB"
}

# Fails unless a migration that is ended by Ctrl-C leaves a guest as it was.
tb_kind_cancelled() { # NAME
    local target status=0

    target=$(tb_target_kib 1 "$1")
    tb_live_begin "$1" --max-rate 40Mbit --min-rate 40Mbit --compress 0
    tb_move_reaches $((24 << 20))
    tb_kill 1 migrate INT
    tb_move_end 2>/dev/null || status=$?
    [ "$status" = 130 ] || tb_fail "cancelled: exit status $status, not 130"
    tb_target_empty
    tb_stayed "$1" "$target"
    echo "cancelled after $tb_bytes bytes: $1 runs at the source"
}

# Fails unless a guest moves, rate-limited, its pages that are written over
# and over left for later, and is whole.
tb_kind_moved() { # NAME
    local report=$tb_dir/report.json target

    target=$(tb_target_kib 1 "$1")
    tb_live_migrate "$1" --max-rate 48Mbit --min-rate 48Mbit --compress 0 \
        --report /root/report.json || tb_fail "migrate-live: exit status $?"
    tb_moved "$1"
    tb_report_move "moved" "$1"
    tb_given_back "$1" "$target"
    tb_get 1 /root/report.json >"$report"
    jq -er '"report: \(.rounds | length) rounds, \(.sent_pages) pages sent, " +
        "\(.skipped_pages) skipped, \(.stop_reason); downtime ms: " +
        (.downtime_ms | tojson)' "$report"
    jq -e '.outcome == "moved" and .skipped_pages > 0' "$report" >/dev/null ||
        tb_fail "no page was skipped"
}
