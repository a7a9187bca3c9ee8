# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Guests, with the workload of work.c on their console.

tb_cmdline="console=hvc0 quiet psi=1 net.ifnames=0 ipv6.disable=1"

# A guest's log: by its own name, and by the one it arrived under.
tb_log_of() { # NAME
    echo "/var/log/xen/console/guest-$1--incoming.log" \
        "/var/log/xen/console/guest-$1.log"
}

# Debian's Xen boots a PV or PVH guest's kernel itself; an HVM guest's would be
# handed over by QEMU byte by byte, so that it boots from a disk of its own.
tb_guest_boot() { # CMDLINE
    case ${TB_TYPE:-pvh} in
    hvm)
        printf '%s\n' 'vga = "none"' 'vnc = 0' 'usb = 0' 'hdtype = "ahci"' \
            "disk = [\"vdev=hda,backendtype=qdisk,target=/boot/hvm.img\"]"
        ;;
    *)
        printf '%s\n' 'kernel = "/boot/vmlinux"' \
            'ramdisk = "/boot/guest.img"' "cmdline = \"$tb_cmdline $1\""
        ;;
    esac
}

# Starts a guest and waits until it runs its workload. Each workload argument
# is a command with ':' for spaces, such as hot:8:16.
# TB_MAXMEM: MiB it may grow to. TB_DISK=1: the shared disk as xvda.
# TB_XL: the xl to create it with. TB_TYPE: pv, hvm or pvh (the default);
# kinds.sh has what the first two need.
# TB_AGENT=none: no agent runs in it. TB_EXTRA: more lines of its config file.
# TB_NET=N: a vif with the address 10.78.0.N; none: with no address. TB_VCPUS: 1.
tb_guest() { # HOST NAME MIB [WORKLOAD...]
    local host=$1 name=$2 mib=$3 more=${TB_AGENT:+agent=$TB_AGENT} work mac=
    shift 3

    # An address keeps its MAC, or hosts would look for the guest before.
    [ "${TB_NET:-none}" = none ] || {
        more+=" address=10.78.0.$TB_NET"
        mac=,mac=00:16:3e:00:00:$(printf %02x "$TB_NET")
    }
    tb_run "$host" "cat >/root/$name.cfg <<END_OF_CONFIG
name = \"$name\"
type = \"${TB_TYPE:-pvh}\"
$(tb_guest_boot "$more -- $*")
memory = $mib
maxmem = ${TB_MAXMEM:-$mib}
vcpus = ${TB_VCPUS:-1}
tsc_mode = \"native\"
on_crash = \"preserve\"
${TB_DISK:+disk = [\"phy:/dev/vda,xvda,w\"]}
${TB_NET:+vif = [\"bridge=xenbr0$mac\"]}
${TB_EXTRA:-}
END_OF_CONFIG
rm -f $(tb_log_of "$name"); ${TB_XL:-xl} create -q /root/$name.cfg" ||
        return 1
    tb_guest_wait "$host" "$name" 'GUEST UP' "${TB_GUEST_LIMIT:-90}" \
        >/dev/null || return 1
    [ "${TB_TYPE:-pvh}" = hvm ] || return 0
    for work; do tb_guest_cmd "$host" "$name" "${work//:/ }"; done
}

tb_guest_log() { # HOST NAME
    tb_run "$1" "cat $(tb_log_of "$2") 2>/dev/null | tr -d '\\r'"
}

# Waits until a line of the guest's log matches; prints the last that does.
tb_guest_wait() { # HOST NAME REGEX SECONDS
    tb_guest_wait_after "$1" "$2" 0 "$3" "$4"
}

# The same for the log from line AFTER + 1 on.
tb_guest_wait_after() { # HOST NAME AFTER REGEX SECONDS
    TB_TIMEOUT=$(($5 + 20)) tb_run "$1" "end=\$((\$(date +%s) + $5))
until cat $(tb_log_of "$2") 2>/dev/null | tail -n +$(($3 + 1)) |
    tr -d '\\r' | grep -E '$4' | tail -n 1 | grep .; do
    [ \$(date +%s) -lt \$end ] || exit 124
    sleep ${TB_POLL:-0.3}
done" || {
        echo "guest $2 on host $1: no '$4' within $5 s; its log ends:" >&2
        tb_guest_log "$1" "$2" | tail -n 5 >&2
        return 1
    }
}

# Types a line into a guest's console.
tb_guest_cmd() { # HOST NAME COMMAND
    tb_run "$1" "tty=\$(xenstore-read \
        /local/domain/\$(xl domid '$2')/console/tty) && echo '$3' >\$tty"
}

# Types a line and waits for an answer that matches.
tb_guest_ask() { # HOST NAME COMMAND REGEX SECONDS
    local lines

    lines=$(tb_guest_log "$1" "$2" | wc -l)
    tb_guest_cmd "$1" "$2" "$3"
    tb_guest_wait_after "$1" "$2" "$lines" "$4" "$5"
}

# Fails unless every page of a guest's workload is what was last written.
tb_guest_verify() { # HOST NAME
    local answer

    answer=$(tb_guest_ask "$1" "$2" verify '^VERIFY (OK|FAIL pages)' 60) ||
        return 1
    echo "$2 on host $1: $answer"
    [[ $answer = VERIFY\ OK*errors=0 ]]
}

# Fails unless a guest ticks: it runs, and its memory has no errors.
tb_guest_ticks() { # HOST NAME
    local lines answer

    lines=$(tb_guest_log "$1" "$2" | wc -l)
    answer=$(tb_guest_wait_after "$1" "$2" "$lines" '^tick ' 15) || return 1
    [[ $answer = *errors=0* ]]
}

# A guest's MemTotal or MemAvailable in MiB, as it says itself.
tb_guest_mem_mib() { # HOST NAME KEY
    local answer

    answer=$(tb_guest_ask "$1" "$2" mem '^mem ' 30)
    answer=${answer##*"$3="}
    echo $((${answer%% *} / 1024))
}

# What the toolstack wants a guest to have.
tb_target_kib() { # HOST NAME
    tb_run "$1" "xenstore-read /local/domain/\$(xl domid '$2')/memory/target"
}

tb_guest_is_there() { # HOST NAME
    tb_run "$1" "xl domid '$2' >/dev/null 2>&1"
}

# The longest suspension a guest noticed, in ms.
tb_guest_downtime_ms() { # HOST NAME
    tb_guest_log "$1" "$2" | awk '/^downtime/ && $2 > m { m = $2 } END { print m + 0 }'
}
