# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # tb_dir and tb_images are lib.sh's
#
# Emulated Xen hosts: start, command, stop.

# With avx or xsave programs in dom0 are corrupted at random, with smap or
# smep it crashes, with monitor Xen panics in its idle loop, with rdtscp
# guests fall over an intercept.
tb_cpu=EPYC,+svm,+npt,-monitor,-smap,-smep,-rdtscp,-avx,-avx2,-f16c,-fma
tb_cpu+=,-xsave,-xsaveopt,-xsavec,-xgetbv1

tb_faults='Triple fault|Panic on CPU|FATAL TRAP|FATAL PAGE FAULT|Kernel panic'
tb_faults+='|domain_crash called|Unexpected nested vmexit'
# The machine that emulates stood still, for seconds: guests starve then.
tb_faults+='|Platform timer appears to have unexpectedly wrapped'

tb_dom0_image= # in place of the testbed's own dom0 and its overlay
tb_dom0_args=  # more arguments of dom0's kernel
tb_more_drives=()

# Its processors and memory; TB_NUMA: MiB of a second node, with a processor.
# Were the two emulated in turn, guests would stand still after some seconds.
# As node 0 lies low, Xen would keep much of it for DMA and give away node 1
# first; as pages are scrubbed after boot, it would prefer clean ones of the
# other node.
# TB_ICOUNT counts time in instructions, which goes for one processor alone.
tb_machine() {
    local mib=${TB_MEM:-2048}

    if [ -n "${TB_ICOUNT:-}" ]; then
        echo -accel tcg,thread=single -icount "shift=$TB_ICOUNT" -m "$mib"
        return
    fi
    if [ -z "${TB_NUMA:-}" ]; then
        echo -accel tcg,thread=multi -smp "${TB_CPUS:-1}" -m "$mib"
        return
    fi
    echo -accel tcg,thread=multi -smp 2 -m $((mib + TB_NUMA)) \
        -object "memory-backend-ram,id=m0,size=${mib}M" \
        -object "memory-backend-ram,id=m1,size=${TB_NUMA}M" \
        -numa node,nodeid=0,cpus=0,memdev=m0 \
        -numa node,nodeid=1,cpus=1,memdev=m1 -numa dist,src=0,dst=1,val=20
}

tb_host_initrd() {
    if [ -n "$tb_dom0_image" ]; then
        cat "$tb_dom0_image"
    else
        cat "$tb_images/dom0.img" "$tb_dir/overlay.img"
    fi
}

# One host. Its life ends with this shell's, however that ends: timeout gets
# a signal when its parent dies, and kills QEMU.
tb_start_host() { # HOST
    local h=$1 peer=server=on

    [ "$h" = 1 ] || peer=server=off
    tb_host_initrd >"$tb_dir/dom0-$h.img"
    # shellcheck disable=SC2046 # one option a word
    setpriv --pdeathsig TERM timeout --kill-after=5 "${TB_LIFETIME:-1500}" \
        qemu-system-x86_64 -name "host$h" -machine q35 \
        $(tb_machine) -cpu "$tb_cpu" \
        -nodefaults -display none -no-reboot \
        -serial "file:$tb_dir/host$h.log" \
        -monitor "unix:$tb_dir/monitor$h,server=on,wait=off" \
        -kernel "${tb_hypervisor:-$tb_images/xen.elf}" \
        -append "console=com1 com1=115200,8n1 loglvl=warning \
guest_loglvl=warning dom0_mem=${TB_DOM0_MEM:-768M} dom0_max_vcpus=1 \
${TB_NUMA:+dom0_nodes=0 dma_bits=20 bootscrub=0}" \
        -initrd "$tb_images/vmlinux console=hvc0 quiet host=$h net.ifnames=0 \
ipv6.disable=1${tb_dom0_args:+ $tb_dom0_args},$tb_dir/dom0-$h.img" \
        -netdev "stream,id=n1,$peer,addr.type=unix,addr.path=$tb_dir/mig" \
        -device "virtio-net-pci,netdev=n1,mac=52:54:00:01:00:0$h" \
        -netdev "stream,id=n2,$peer,addr.type=unix,addr.path=$tb_dir/lan" \
        -device "virtio-net-pci,netdev=n2,mac=52:54:00:02:00:0$h" \
        -netdev "user,id=n3,restrict=on,hostfwd=tcp:127.0.0.1:0-:7000" \
        -device "virtio-net-pci,netdev=n3,mac=52:54:00:03:00:0$h" \
        -drive "file=$tb_dir/disk.raw,format=raw,if=none,id=d1,\
file.locking=off" -device "virtio-blk-pci,drive=d1,share-rw=on" \
        "${tb_more_drives[@]}" \
        </dev/null >"$tb_dir/qemu$h.log" 2>&1 &
    tb_pids[h]=$!
}

tb_monitor() { # HOST COMMAND
    echo "$2" | timeout 10 socat -t 2 - "UNIX-CONNECT:$tb_dir/monitor$1"
}

# Where the emulated machine's command server is reached.
tb_find_port() { # HOST
    tb_port[$1]=$(tb_monitor "$1" 'info usernet' |
        awk '/HOST_FORWARD/ { print $4; exit }')
    [ -n "${tb_port[$1]}" ] || tb_die "host $1: no control port"
}

tb_wait_ready() { # HOST SECONDS
    local end=$((SECONDS + $2))

    until grep -aq "DOM0 READY $1" "$tb_dir/host$1.log" 2>/dev/null; do
        tb_alive "$1" ||
            tb_die "host $1 ended: $(tail -n 5 "$tb_dir/qemu$1.log")"
        [ "$SECONDS" -lt "$end" ] ||
            tb_die "host $1 not ready after $2 s (see its log)"
        sleep 0.5
    done
    tb_find_port "$1"
    timeout 30 "$tb_images/remote" --clock "${tb_port[$1]}"
}

tb_alive() { # HOST
    kill -0 "${tb_pids[$1]}" 2>/dev/null
}

# Boots one or two hosts. Call from the script's own shell, not a subshell:
# the hosts end with the shell that started them.
tb_boot() { # HOSTS
    local h begin=$SECONDS

    rm -f "$tb_dir"/monitor? "$tb_dir"/host?.log # of an earlier boot
    [ -e "$tb_dir/overlay.img" ] || : >"$tb_dir/overlay.img"
    cp --reflink=auto "$tb_images/disk.raw" "$tb_dir/disk.raw"
    [ -z "${TB_DISK_MIB:-}" ] || tb_grow_disk "$TB_DISK_MIB"
    for ((h = 1; h <= $1; h++)); do
        tb_start_host "$h"
        tb_wait_file "$tb_dir/monitor$h" # a peer connects once it listens
    done
    for ((h = 1; h <= $1; h++)); do
        tb_wait_ready "$h" "${TB_BOOT_LIMIT:-180}"
    done
    tb_say "$1 host(s) ready in $((SECONDS - begin)) s"
}

# No zeros, which somebody might leave out.
tb_grow_disk() { # MIB
    local have=$(($(stat -c %s "$tb_dir/disk.raw") >> 20))

    head -c $(($1 - have))M /dev/urandom >>"$tb_dir/disk.raw"
}

tb_wait_file() { # FILE
    local tries

    for ((tries = 0; tries < 100; tries++)); do
        [ ! -e "$1" ] || return 0
        sleep 0.1
    done
    tb_die "QEMU did not start: $(cat "$tb_dir"/qemu*.log)"
}

# Runs a shell command in a dom0. Output, error output and exit status are
# the command's; 124 means that it took over TB_TIMEOUT seconds and was
# killed, 125 that dom0 did not answer.
tb_run() { # HOST COMMAND
    timeout --foreground --kill-after=5 "${TB_TIMEOUT:-60}" \
        "$tb_images/remote" "${tb_port[$1]}" "$2" </dev/null
}

# Copies a file into a dom0, or out of it to the standard output.
tb_put() { # HOST FILE PATH
    timeout --foreground "${TB_TIMEOUT:-60}" "$tb_images/remote" -i \
        "${tb_port[$1]}" "cat >'$3'" <"$2"
}

tb_get() { # HOST PATH
    tb_run "$1" "cat '$2'"
}

# Starts a command in a dom0 that goes on by itself, in a session of its own;
# its output is in /var/log/tb/NAME. tb_wait waits for its end and has its
# exit status. Without "&", after which a shell ignores SIGINT; the trap is
# the wrapper's own, so that a signal to the whole group leaves it alone. A
# pipe that the wrapper holds open tells tb_wait of its end: looking again and
# again would cost dom0 a twentieth of its processor, and what is measured
# meanwhile with it.
tb_spawn() { # HOST NAME COMMAND
    tb_run "$1" "cd /var/log/tb; rm -f $2.status $2.end
cat >$2.sh <<'END_OF_COMMAND'
$3
END_OF_COMMAND
mkfifo $2.end; exec 9<>$2.end
exec setsid sh -c 'trap : INT TERM HUP; echo \$\$ >$2.pid
sh $2.sh 9>&-; echo \$? >$2.status' >$2 2>&1 </dev/null"
}

tb_wait() { # HOST NAME SECONDS
    TB_TIMEOUT=$(($3 + 20)) tb_run "$1" "cd /var/log/tb
end=\$((\$(date +%s) + $3))
until [ -s $2.status ]; do
    left=\$((end - \$(date +%s)))
    [ \$left -gt 0 ] || exit 124
    # one that ended just now would never be told of
    { timeout \$((left < 10 ? left : 10)) cat $2.end; } 2>/dev/null
done
exit \$(cat $2.status)"
}

# Sends a signal to the whole group of a spawned command.
tb_kill() { # HOST NAME SIGNAL
    tb_run "$1" "kill -$3 -\$(cat /var/log/tb/$2.pid)"
}

# Bytes that left a host over the migration link since it booted.
tb_wire_bytes() { # HOST
    tb_get "$1" /sys/class/net/mig/statistics/tx_bytes
}

# Ends a host as a power cut would.
tb_power_off() { # HOST
    tb_monitor "$1" quit >/dev/null || true
    wait "${tb_pids[$1]}" 2>/dev/null || true
}

# Whether the emulation failed, not what ran in it: prints the lines.
tb_emulation_fault() {
    grep -aEH "$tb_faults" "$tb_dir"/host*.log
}

tb_stop() {
    local pid

    for pid in "${tb_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${tb_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    tb_pids=()
}
