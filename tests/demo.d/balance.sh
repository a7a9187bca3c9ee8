# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and front are demo's
#
# Three guests on one host, of which one grows beyond what it has.

balance_mib=160
grown_mib=110 # a guest of 160 MiB has room for about 70 beside its kernel

start_daemon() { # HOST
    cat >"$work/aerostat.conf" <<END
interval_ms = 1000
host_reserve = "16M"
domains = [ "name=web,min=64M,shares=100",
            "name=mail,min=64M,shares=100",
            "name=db,min=96M,shares=200" ]
END
    tb_put "$1" "$work/aerostat.conf" /etc/xen/aerostat.conf
    tb_spawn "$1" aerostatd "exec aerostatd"
    tb_run "$1" "end=\$((\$(date +%s) + 40))
until xl-aerostat mem-status --json >/dev/null 2>&1; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.3
done" || fail "aerostatd on host $1 does not answer"
}

stop_daemon() { # HOST
    tb_kill "$1" aerostatd TERM
    tb_wait "$1" aerostatd 20 || fail "aerostatd on host $1 ended with $?"
}

start_guests() {
    local name

    for name in web mail db; do
        TB_MAXMEM=288 tb_guest 1 "$name" "$balance_mib" grow:16
    done
    for name in web mail db; do
        tb_guest_wait 1 "$name" 'grew 16' 60
    done
}

# The daemon leaves a guest alone until its boot has settled.
wait_active() {
    tb_run 1 "end=\$((\$(date +%s) + 50))
until [ \$(xl-aerostat mem-status | grep -c ' active ') = 3 ]; do
    [ \$(date +%s) -lt \$end ] || exit 1
    sleep 0.5
done" || fail "the daemon does not balance all three guests"
}

targets() {
    tb_run 1 "for d in web mail db; do
xenstore-read /local/domain/\$(xl domid \$d)/memory/target; done" |
        awk '{ printf "%s%d", sep, $1 / 1024; sep = " " }'
}

mem_status() {
    tb_run 1 "$front; xl mem-status" | sed '/^$/d; s/ free, .*/ free/'
}

# Shows the table every three seconds until db has what it asked for.
watch_growth() {
    local end=$((SECONDS + 120)) n=0 due grew=

    until [ -n "$grew" ]; do
        [ "$SECONDS" -lt "$end" ] || fail "db did not get its memory in 120 s"
        grew=$(tb_guest_log 1 db | grep "^grew $grown_mib" || true)
        due=
        if [ $((n++ % 2)) = 0 ] || [ -n "$grew" ]; then due=1; fi
        redraw "$(mem_status)" "$due"
        [ -n "$grew" ] || sleep 3
    done
    redraw_ends
}

show_balancing() {
    local before after name

    title "Balancing: three guests on host 1, memory is short"
    step "creating web, mail and db, $balance_mib MiB each"
    start_guests
    step_done
    step "starting aerostatd"
    start_daemon 1
    wait_active
    step_done
    before=$(targets)
    step_open "db begins to need $((grown_mib - 16)) MiB more; xl mem-status:"
    tb_guest_cmd 1 db "grow $grown_mib"
    watch_growth
    after=$(targets)
    for name in web mail db; do
        tb_guest_verify 1 "$name" || fail "$name's memory is damaged"
        ! tb_guest_log 1 "$name" | grep -i 'out of memory' ||
            fail "$name ran out of memory"
    done
    say "  $(moved "$before" "$after") after $((SECONDS - step_began)) s;" \
        "  nobody ran out of memory, no page was damaged"
    [ "${after##* }" -gt "${before##* }" ] || fail "db was given nothing"
    stop_daemon 1
    tb_run 1 "for d in web mail db; do xl destroy \$d; done"
}

moved() { # BEFORE AFTER
    local b a

    read -r -a b <<<"$1"
    read -r -a a <<<"$2"
    echo "MiB: web ${b[0]} -> ${a[0]}, mail ${b[1]} -> ${a[1]}," \
        "db ${b[2]} -> ${a[2]}"
}
