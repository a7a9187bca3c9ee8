#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon as a program, on a simulated host: its lock, its socket, what
# ends with a client's connection, and how it ends itself.
set -u

build=${top_builddir:-.}
dir=$(mktemp -d)
sock=$dir/sock
daemon=
holder=
passed=0
failed=0

finish()
{
    [ -z "$holder" ] || kill "$holder" 2>/dev/null
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    wait
    rm -rf "$dir"
}
trap finish EXIT

# check WHAT COMMAND...: notes whether it succeeds
check()
{
    what=$1
    shift
    if "$@" >"$dir/check" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        sed 's/^/    /' "$dir/check"
    fi
}

# until_true SECONDS COMMAND...: tries again until it succeeds
until_true()
{
    tries=$(($1 * 10))
    shift
    while [ "$tries" -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    "$@"
}

call()
{
    "$build/tests/rpc-call" "$sock" "$@"
}

# says WORDS METHOD PARAMS: whether the answer has the words
says()
{
    words=$1
    shift
    call "$@" | tee "$dir/says" | grep -q -F -e "$words" && return 0
    cat "$dir/says"
    return 1
}

start()
{
    "$build/aerostatd" --host "sim:$dir/host.json" --socket "$sock" \
        --pid-file "$dir/pid" --config "$dir/conf" --log-dir "$dir/logs" \
        "$@" 2>>"$dir/log" &
    daemon=$!
    until_true 30 call daemon.info '{}'
}

# stop: ends the daemon; its exit status
stop()
{
    kill -TERM "$daemon"
    wait "$daemon"
    status=$?
    daemon=
    return $status
}

# hold METHOD PARAMS: calls, and keeps the connection in the background
hold()
{
    rm -f "$dir/fifo"
    mkfifo "$dir/fifo"
    : >"$dir/held" # what the last one left is not this one's
    call "$@" hold '' <"$dir/fifo" >"$dir/held" &
    holder=$!
    exec 9>"$dir/fifo"
    until_true 30 grep -q '^held' "$dir/held"
}

# lose: the client dies without a word
lose()
{
    kill -KILL "$holder"
    wait "$holder" 2>/dev/null
    holder=
    exec 9>&-
}

cat >"$dir/host.json" <<'JSON'
{ "speed": 10,
  "host": { "total_kib": 4194304 },
  "guests": [
    { "name": "web", "memory_kib": 1048576, "report": "agent",
      "demand": [[0, 204800]] },
    { "name": "db", "memory_kib": 1048576 } ] }
JSON
port=$((20000 + $$ % 20000)) # another may have it: then that is not tried
cat >"$dir/conf" <<CONF
interval_ms = 200
metrics_file = "$dir/aerostat.prom"
metrics_listen = "127.0.0.1:$port"
domains = [ "name=db,min=512M,shares=300" ]
CONF

check "the settings are shown" \
    sh -c "'$build/aerostatd' --check-config --config '$dir/conf' 2>&1 |
        grep -q 'interval_ms = 200'"
echo 'interval_ms = 1' >"$dir/bad"
check "a wrong setting is named" \
    sh -c "! '$build/aerostatd' --check-config --config '$dir/bad' \
        >'$dir/out' 2>&1 && grep -q 'interval_ms' '$dir/out'"
echo 'socket_group = "no-such-group"' >"$dir/bad"
check "so is a group that is not there" \
    sh -c "! '$build/aerostatd' --check-config --config '$dir/bad' \
        >'$dir/out' 2>&1 &&
        grep -q '$dir/bad: socket_group: .*no-such-group' '$dir/out'"
echo 'metrics_listen = "127.0.0.1:70000"' >"$dir/bad"
check "and what cannot be listened on" \
    sh -c "! '$build/aerostatd' --check-config --config '$dir/bad' \
        >'$dir/out' 2>&1 &&
        grep -q '$dir/bad: metrics_listen: .*65535' '$dir/out'"

: >"$dir/pid"
chmod 644 "$dir/pid" # as an older one left it
check "it starts" start
check "nobody else can lock the pid file" \
    sh -c "[ \"\$(stat -c %a '$dir/pid')\" = 600 ]"
check "it says who it is" says '"host":"sim"' daemon.info '{}'
check "mem.status has the guests" says '"name":"web"' mem.status '{}'
check "it follows the file" says '"shares":300' mem.policy '{"domain":"db"}'
check "the socket is not for everybody" \
    sh -c "[ \"\$(stat -c %a '$sock')\" = 660 ]"

check "a second one refuses, and says who holds the lock" \
    sh -c "! '$build/aerostatd' --host 'sim:$dir/host.json' \
        --socket '$dir/sock2' --pid-file '$dir/pid' --config '$dir/conf' \
        2>'$dir/second' && grep -q 'process $daemon ' '$dir/second'"
echo kept >"$dir/kept"
ln -s kept "$dir/link"
check "a link is no pid file" \
    sh -c "! timeout 30 '$build/aerostatd' --host 'sim:$dir/host.json' \
        --socket '$dir/sock2' --pid-file '$dir/link' --config '$dir/conf' \
        2>'$dir/second' && grep -q '$dir/link' '$dir/second' &&
        grep -q kept '$dir/kept'"

if [ "$(id -u)" -eq 0 ]; then
    check "memory is reserved" hold mem.reserve '{"kib":204800,"timeout_ms":9000}'
    check "and held" says '"reserved_kib":204800' mem.status '{}'
    lose
    check "and freed when its client dies" \
        until_true 30 says '"reserved_kib":0' mem.status '{}'
    check "too much is refused, with what could be had" \
        says 'at most' mem.reserve '{"kib":9999999,"timeout_ms":9000}'

    check "a range gets what nobody needs" \
        sh -c "'$build/xl-aerostat' --socket '$sock' mem-reserve --json \
            16M..9G -- true | grep -q '\"kib\": [0-9]\{6\}'"
    check "a command runs while memory is held" \
        sh -c "'$build/xl-aerostat' --socket '$sock' mem-reserve \
            --domain next 200M -- '$build/tests/rpc-call' '$sock' \
            mem.status '{}' | grep -q '\"reserved_kib\":204800'"
    check "and it is free after that" \
        until_true 30 says '"reserved_kib":0' mem.status '{}'
    check "its status is the command's" \
        sh -c "'$build/xl-aerostat' --socket '$sock' mem-reserve 1M -- \
            sh -c 'exit 7'; [ \$? -eq 7 ]"
    check "what cannot be had runs no command" \
        sh -c "! '$build/xl-aerostat' --socket '$sock' mem-reserve 99G -- \
            touch '$dir/touched' && [ ! -e '$dir/touched' ]"
    check "follow needs a name" says 'follow needs' \
        mem.reserve '{"kib":4,"timeout_ms":1,"follow":true}'
    check "a range has an order" says 'max_kib must' \
        mem.reserve '{"kib":4,"max_kib":3,"timeout_ms":1}'

    check "a node must be there" says 'no NUMA node 1; it has one, 0' \
        mem.reserve '{"kib":4,"timeout_ms":1,"node":1}'

    check "a migration is announced" hold \
        migration.begin '{"domid":1,"to":"far","original_target_kib":1000000}' \
        migration.update '{"domid":1,"stage":"precopy"}'
    check "and listed" says '"stage":"precopy"' migration.list '{}'
    check "and the guest left alone" \
        until_true 30 says '"state":"migrating"' mem.status '{}'
    lose
    check "and undone when its client dies" \
        until_true 30 says '{"migrations":[]}' migration.list '{}'
    check "which the log tells" grep -q 'it goes on here' "$dir/log"
else
    check "others may only read" says "only root" \
        mem.reserve '{"kib":4,"timeout_ms":1}'
fi

if [ "$(id -u)" -eq 0 ]; then
    check "a guest is taken back from another balancer" \
        says '"name":"web"' mem.policy '{"domain":"web","take_back":true}'
    check "by a true word" says 'take_back must be true' \
        mem.policy '{"domain":"web","take_back":1}'
fi

check "who asks too fast is answered by and by" \
    sh -c "'$build/tests/rpc-call' '$sock' flood 60 >'$dir/flood' &&
        [ \"\$(grep -c '\"result\"' '$dir/flood')\" = 60 ]"

# One request of more than 16 KiB.
head -c 20000 /dev/zero | tr '\0' 'x' >"$dir/long"
check "a request that is too long ends the connection" \
    says 'went away' "$(cat "$dir/long")" '{}'
check "and the daemon goes on" says '"host":"sim"' daemon.info '{}'

# ---- metrics

check "metrics are in a file" until_true 30 grep -q \
    'guest_state_info{domid="1",domain="web",state="active"} 1' \
    "$dir/aerostat.prom"
check "that all may read" \
    sh -c "[ \"\$(stat -c %a '$dir/aerostat.prom')\" = 644 ]"
check "with nothing left beside it" \
    sh -c "[ \"\$(echo '$dir'/aerostat.prom*)\" = '$dir/aerostat.prom' ]"
if command -v promtool >/dev/null; then
    check "by the conventions" \
        sh -c "promtool check metrics <'$dir/aerostat.prom'"
fi
src=${top_srcdir:-.}
grep -o 'aerostat_[a-z_]*' "$src/docs/grafana/aerostat.json" | sort -u \
    >"$dir/names"
check "the dashboard asks for some" test -s "$dir/names"
while read -r name; do
    check "the dashboard's $name is there" \
        grep -q "^${name}[ {]" "$dir/aerostat.prom"
    check "and described" grep -q "$(echo "$name" |
        sed 's/_max_bytes$\|_available_bytes$/_/; s/_sum$\|_count$//')" \
        "$src/docs/metrics.md"
done <"$dir/names"
if command -v curl >/dev/null && ! grep -q 'cannot listen' "$dir/log"; then
    check "metrics by HTTP" sh -c "curl -sf http://127.0.0.1:$port/metrics |
        grep -q '^aerostat_ticks_total [1-9]'"
    check "and nothing else" sh -c "[ \"\$(curl -s -o '$dir/out' \
        -w '%{http_code}' http://127.0.0.1:$port/etc)\" = 404 ]"
    check "nor a change" sh -c "[ \"\$(curl -s -o '$dir/out' -X PUT -d x \
        -w '%{http_code}' http://127.0.0.1:$port/metrics)\" = 405 ]"
fi
echo 'metrics_listen = "0.0.0.0:9877"' >"$dir/bad"
check "metrics are not for the net" sh -c "! '$build/aerostatd' \
    --host 'sim:$dir/host.json' --socket '$dir/sock2' --pid-file '$dir/pid2' \
    --config '$dir/bad' 2>'$dir/second' && grep -q loopback '$dir/second'"

# ---- the settings, read again

# again LINE...: has it read these settings; waits until it says that it did
again()
{
    before=$(grep -c 'settings were read again\|hold on' "$dir/log")
    printf '%s\n' "$@" >"$dir/conf"
    kill -HUP "$daemon"
    until_true 30 sh -c "[ \"\$(grep -c \
        'settings were read again\|hold on' '$dir/log')\" -gt $before ]"
}

cp "$dir/conf" "$dir/conf.first"
cp "$dir/log" "$dir/first"
check "an address is written otherwise" again \
    "$(sed 's/"127\.0\.0\.1:/"127.1:/' "$dir/conf.first")"
if command -v curl >/dev/null && ! grep -q 'cannot listen' "$dir/first"; then
    check "and listened on all the same" \
        sh -c "curl -sf http://127.0.0.1:$port/metrics >'$dir/out'"
fi
check "settings are read again" again 'interval_ms = 300' \
    'migration_max_rate = "8MB"' "metrics_file = \"$dir/other.prom\"" \
    'domains = [ "name=db,min=256M,shares=400" ]'
check "what changed is told" \
    grep -q 'no more: *"*name=db,min=524288K' "$dir/log"
check "and holds" until_true 30 says '"shares":400' mem.policy '{"domain":"db"}'
check "so does the interval" says '"interval_ms":300' daemon.info '{}'
check "the rate" says '"max_rate_bps":8000000' migration.rate '{}'
check "the file for metrics" until_true 30 test -s "$dir/other.prom"
check "of which the old one goes" test ! -e "$dir/aerostat.prom"
if command -v curl >/dev/null; then
    check "and what it listened on is closed" \
        sh -c "! curl -sf http://127.0.0.1:$port/metrics >'$dir/out'"
fi
check "a wrong one is read" again 'interval_ms = 1'
check "refused, with what is wrong" grep -q 'interval_ms.*hold on' "$dir/log"
check "and changes nothing" says '"interval_ms":300' daemon.info '{}'
check "nor does a group that is not there" again 'interval_ms = 400' \
    'socket_group = "no-such-group"'
check "which is named" grep -q "no group 'no-such-group'.*hold on" "$dir/log"
check "all stays as it was" says '"interval_ms":300' daemon.info '{}'
check "nor what is for the net" again 'interval_ms = 400' \
    'metrics_listen = "0.0.0.0:9877"'
check "which is told" grep -q "loopback.*hold on" "$dir/log"
check "no log of decisions is kept" again 'decision_log_mib = 0'
check "and one again" again 'decision_log_mib = 64'
check "a second time nothing changes" again 'decision_log_mib = 64'
check "and that is said" grep -q 'read again; nothing changed' "$dir/log"
check "the first ones hold again" again "$(cat "$dir/conf.first")"
check "and the daemon listens again" until_true 30 says '"shares":300' \
    mem.policy '{"domain":"db"}'
check "a check says nothing where nothing is wrong" sh -c "[ -z \"\$( \
    '$build/aerostatd' -q --check-config --config '$dir/conf' 2>&1)\" ]"

check "a guest is explained" says '"reason":' mem.explain '{"domain":"web"}'
check "but none that is not there" says "no domain" \
    mem.explain '{"domain":"nobody"}'
check "it ends cleanly" stop
check "and takes its socket away" test ! -e "$sock"
check "it starts again after that" start
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
check "and after it was killed" start
check "and ends" stop

# closed WHAT REDIRECTIONS: it starts with these closed, keeps its pid file
# its own, and ends cleanly
closed()
{
    eval '"$build/aerostatd" --host "sim:$dir/host.json" --socket "$sock" \
        --pid-file "$dir/pid3" --config "$dir/none" --log-dir "$dir/logs3" \
        -v' "$2" '&'
    daemon=$!
    check "it starts with $1 closed" until_true 30 call daemon.info '{}'
    check "writes its pid, and no log there" \
        sh -c "[ \"\$(cat '$dir/pid3')\" = $daemon ]"
    check "and ends" stop
}

: >"$dir/none"
closed 'its errors' '2>&-'
closed 'all three' '<&- >&- 2>&-'

check "its decisions replay to the same" \
    "$build/xl-aerostat" mem-replay "$dir/logs/decisions.jsonl"
check "of all three daemons, of which one opened its log anew" \
    test "$(grep -c '^{"decisions"' "$dir/logs/decisions.jsonl")" = 4
check "and to others with another policy" sh -c "'$build/xl-aerostat' \
    mem-replay '$dir/logs/decisions.jsonl' --set movable=1 --set max=600M --json |
    grep -q '\"differ\": [1-9]'"

if [ "$(id -u)" -eq 0 ]; then
    sed -i 's/"total_kib": 4194304/&, "nodes": 2/' "$dir/host.json"
    check "it starts with two nodes" start
    check "what is free on a node is said" sh -c "'$build/xl-aerostat' \
        --socket '$sock' mem-reserve --node 1 1M -- true 2>&1 |
        grep -q '^node 1 has [0-9]*M free'"
    check "the last node is named" says 'node 2; the last one is 1' \
        mem.reserve '{"kib":4,"timeout_ms":1,"node":2}'
    check "and ends with them" stop
fi

[ "$failed" -eq 0 ] || { echo "the daemon's log:"; cat "$dir/log"; }
echo "daemon: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
