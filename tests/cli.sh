#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line as a shell sees it: xl-aerostat against a fake daemon
# (rpc_stub.c), the front against a fake xl, and the completion.
set -u

src=${top_srcdir:-.}
build=$(cd "${top_builddir:-.}" && pwd)
cli=$build/xl-aerostat
dir=$(mktemp -d) || exit 1
stub_pid=
passed=0
failed=0
LC_ALL=C.UTF-8
export LC_ALL
unset AEROSTAT_SOCKET AEROSTAT_XL AEROSTAT_LIBEXECDIR

end_stub() {
    [ -z "$stub_pid" ] && return
    kill "$stub_pid" 2>/dev/null
    wait "$stub_pid" 2>/dev/null
    stub_pid=
}
trap 'end_stub; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# ok NAME COMMAND...: passes where the command does.
ok() {
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "NOT OK - $name"
        echo "# status $status"
        sed 's/^/# out: /' "$dir/out"
        sed 's/^/# err: /' "$dir/err"
    fi
}

# run COMMAND...: leaves status, $dir/out and $dir/err.
run() {
    "$@" >"$dir/out" 2>"$dir/err" </dev/null
    status=$?
}

# Is the exit status $1, and does stderr hold $2?
says() {
    [ "$status" -eq "$1" ] && grep -qF -e "$2" "$dir/err"
}

# Is the exit status 0, stderr empty, and stdout what stdin says?
prints() {
    cat >"$dir/want"
    [ "$status" -eq 0 ] && ! [ -s "$dir/err" ] &&
        diff "$dir/want" "$dir/out"
}

# Is there no control character but the newline, neither an ASCII nor a C1 one
# (U+0080 to U+009F)?
is_clean() {
    [ "$(LC_ALL=C tr -d '\n -~\200-\377' <"$dir/$1" | wc -c)" -eq 0 ] &&
        ! LC_ALL=C grep -q "$(printf '\302[\200-\237]')" "$dir/$1"
}

# serve DIRECTIVE...: a daemon that answers so; requests go to $dir/asked.
serve() {
    end_stub
    rm -f "$dir/sock"
    : >"$dir/asked" # the last one's "ready" is not this one's
    printf '%s\n' "$@" >"$dir/script"
    "$build/tests/rpc-stub" "$dir/sock" "$dir/script" >"$dir/asked" &
    stub_pid=$!
    tries=0
    until grep -q ready "$dir/asked"; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && { echo "rpc-stub did not start"; exit 1; }
        sleep 0.1
    done
}

answer() {
    serve "send {\"jsonrpc\":\"2.0\",\"id\":@ID@,\"result\":$1}"
}

ask() {
    run "$cli" --socket "$dir/sock" "$@"
}

# ---- what needs no daemon

run "$cli"
ok 'no verb is a usage error' says 2 'Usage: xl-aerostat'
run "$cli" help
ok 'help lists the verbs' grep -q '^ mem-policy  *Show' "$dir/out"
run "$cli" help migrate-live
ok 'help VERB shows its options' grep -q -e '--max-rate RATE' "$dir/out"
run "$cli" mem-policy --help
ok 'VERB --help does too' grep -q -e '--shares N' "$dir/out"
run "$cli" mem-policy ideal --min 1G --help
ok 'also behind others' grep -q -e '--shares N' "$dir/out"
run "$cli" --socket "$dir/nobody" mem-reserve 1M -- ls --help
ok 'but not that of a command' says 1 'no aerostatd listens on'
run "$cli" help migrate-live
ok 'migrate-live can pack' grep -q -e '--compress LEVEL' "$dir/out"
run "$build/aerostatd" --help
for option in '-f, --foreground' '-v, --verbose' '-q, --quiet'; do
    ok "aerostatd's $option" grep -qF -e "$option" "$dir/out"
done
run "$cli" help nonsense
ok 'help of an unknown verb' says 2 "no verb 'nonsense'"
run "$cli" --version
ok 'version' grep -qx 'xl-aerostat [0-9.]*' "$dir/out"
run "$cli" mem-stats
ok 'an unknown verb is named' says 2 "no verb 'mem-stats'"
ok 'and the others are told' says 2 ' mem-status  '
run "$cli" "$(printf 'a\033[2Jb')"
ok 'an unknown verb is escaped' says 2 'a\x1b[2Jb'
run "$cli" mem-status --nope
ok 'an unknown option' says 2 "xl-aerostat mem-status: unrecognized option"
ok 'and where the known ones stand' says 2 "See 'xl-aerostat help mem-status'"
run "$cli" mem-policy a --min
ok 'a value that is missing, too' says 2 "See 'xl-aerostat help mem-policy'"
run "$cli" --nope
ok 'an unknown global option' says 2 "See 'xl-aerostat help'"
run "$cli" mem-status extra
ok 'a stray argument' says 2 "'extra'"
run "$cli" mem-policy
ok 'mem-policy without a domain' says 2 'give one domain'
run "$cli" mem-policy a b
ok 'mem-policy with two' says 2 'give one domain'
run "$cli" mem-policy a --min 4Q
ok 'a bad size' says 2 "'4Q' is not a size"
run "$cli" mem-policy a --shares -1
ok 'bad shares' says 2 '--shares: '
run "$cli" mem-policy a --shares 0
ok 'no shares' says 2 '--shares: '
run "$cli" mem-policy a --shares 100001
ok 'too many shares' says 2 '100000'
run "$cli" mem-policy a --min 2G --max 1G
ok 'min above max' says 2 '--min is above --max'
run "$cli" mem-reserve
ok 'mem-reserve without a size' says 2 'SIZE'
run "$cli" mem-reserve 2G..1G
ok 'mem-reserve with a range upside down' says 2 'below'
run "$cli" mem-reserve 1G true
ok 'mem-reserve with a stray word' says 2 'behind --'
run "$cli" mem-reserve 1G --
ok 'mem-reserve with no command' says 2 'no command'
run "$cli" mem-reserve --timeout 61m 1M
ok 'mem-reserve that would wait too long' says 2 'more than 60 minutes'
run "$cli" mem-reserve --for-create
ok 'mem-reserve for no create' says 2 'needs a command'
run "$cli" --socket "$dir/nobody" mem-reserve 1M -- true
ok 'mem-reserve with no daemon' says 1 'no aerostatd listens on'
run "$cli" -N mem-status
ok 'a dry run is refused' says 2 'dry run'
run "$cli" --socket "$dir/nobody" mem-status
ok 'no daemon' says 1 'no aerostatd listens on'
AEROSTAT_SOCKET=$dir/nobody2 run "$cli" migrate-status
ok 'the socket of the environment' says 1 nobody2

for program in aerostatd aerostat-receive aerostat-agent; do
    run "$build/$program" stray
    ok "$program and a stray argument" \
        says 2 "$program: takes no 'stray'; see $program --help"
done

run "$build/aerostat-receive" -t 1m
ok 'a target that waits too short' says 2 '--idle-timeout: 1m is less than'
AEROSTAT_IDLE_TIMEOUT=1m run "$build/aerostat-receive"
ok 'by the environment' says 2 'AEROSTAT_IDLE_TIMEOUT: 1m is less than'

# ---- answers

status_json='{"host":{"total_kib":8388608,"free_kib":831488,
"claimed_kib":0,"reserve_kib":204800,"reserved_kib":65536,
"state":"soft","spare_kib":307200},
"warnings":["xl'\''s autoballoon is on"],"domains":[
{"domid":1,"name":"web","uuid":"u","type":"pvh","state":"active",
"current_kib":524288,"target_kib":532480,"static_max_kib":2097152,
"min_kib":262144,"max_kib":2097152,"shares":1000,"demand_kib":500000,
"used_kib":410000,"available_kib":100000,"source":"agent",
"reason":"demand is below its share","age_ms":500},
{"domid":12,"name":"datenbänke","state":"stuck","current_kib":12582912,
"target_kib":12582912,"min_kib":96,"max_kib":16777216,"shares":50,
"demand_kib":null,"used_kib":null,"reason":"does not follow"}]}'
answer "$(printf %s "$status_json" | tr -d '\n')"
ask mem-status
ok 'mem-status' prints <<'TABLE'
DOMAIN      ID  STATE   CURRENT  TARGET   MIN     MAX  SHARES  USED  DEMAND  REASON
web          1  active     512M    520M  256M   2048M    1000  400M    488M  demand is below its share
datenbänke  12  stuck    12288M  12288M   96K  16384M      50     -       -  does not follow

Host: 8192 MiB in all, 812 MiB free, 0 KiB claimed by domains being built, 200 MiB kept in reserve, 64 MiB reserved for clients
State: soft, 300 MiB to spare
Warning: xl's autoballoon is on
TABLE
ok 'asks mem.status' grep -q '"method":"mem.status"' "$dir/asked"
ask mem-status --json
ok 'mem-status --json' grep -q '"name": "datenbänke"' "$dir/out"
ok 'and nothing else' [ "$(head -c 1 "$dir/out")" = '{' ]
LC_ALL=C ask mem-status
ok 'without UTF-8 bytes are escaped' grep -q '^datenb.xc3.xa4nke ' "$dir/out"

answer '{"domains":[{"name":"\u001b]0;x\u0007\u009b2J\u202ey","domid":-1,"state":7,"current_kib":1.5,"target_kib":"8","min_kib":{},"shares":1e40,"reason":"a\nb"},3,null,[]],"host":[],"warnings":["w\u001b[0m",5]}'
ask mem-status
ok 'wrong types read as unknown' prints <<'TABLE'
DOMAIN                         ID  STATE  CURRENT  TARGET  MIN  MAX  SHARES  USED  DEMAND  REASON
\x1b]0;x\x07\u{9b}2J\u{202e}y   -  -            -       -    -    -       -     -       -  a\x0ab
-                               -  -            -       -    -    -       -     -       -  -
-                               -  -            -       -    -    -       -     -       -  -
-                               -  -            -       -    -    -       -     -       -  -

Host: - in all, - free, - claimed by domains being built, - kept in reserve, - reserved for clients
State: -, - to spare
Warning: w\x1b[0m
TABLE
ok 'nothing of it reaches the terminal' is_clean out
ask mem-status --json
ok 'nor through --json' is_clean out
ok 'which keeps them' grep -q '\\u009b2J' "$dir/out"

# ---- mem-reserve

held='{"jsonrpc":"2.0","id":@ID@,"result":{"id":1,"kib":1024}}'
serve "early $held"
ask mem-reserve 1M -- true
ok 'what is free is reserved without more words' [ "$status" -eq 0 ]
ok 'but how much' [ "$(cat "$dir/err")" = 'reserved 1M' ]
serve "late $dir/err $held"
ask mem-reserve --domain web 1M -- true
ok 'what is not is waited for' \
    says 0 'waiting for 1 MiB of memory for web, up to 60 s'
ok 'until it is there' says 0 'reserved 1M'

# The command ends as it likes, and what is held for it with it, not before.
cat >"$dir/steady" <<'STEADY'
#!/bin/sh
trap 'echo TERM; terms=1' TERM
trap 'echo HUP; hups=1' HUP
terms= hups=
echo ready
until [ "$terms" ] && [ "$hups" ]; do sleep 0.1; done
exit 7
STEADY
chmod +x "$dir/steady"
: >"$dir/out"
# until_out WORD: waits until the command said it.
until_out() {
    tries=0
    until grep -q "$1" "$dir/out" || [ $tries -gt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
}
serve "early $held"
"$cli" --socket "$dir/sock" mem-reserve 1M -- "$dir/steady" >"$dir/out" \
    2>"$dir/err" &
reserve_pid=$!
until_out ready
kill $reserve_pid
until_out TERM
kill -HUP $reserve_pid
wait $reserve_pid
status=$?
ok 'signals are handed on to the command' grep -q HUP "$dir/out"
ok 'which is waited for' [ "$status" -eq 7 ]
serve "early $held"
# shellcheck disable=SC2016 # the inner shell's
ask mem-reserve 1M -- sh -c 'kill -TERM $$'
ok 'and gets them itself as before' [ "$status" -eq 143 ]

# ---- mem-top

answer "$(printf %s "$status_json" | tr -d '\n')"
ask mem-top --batch -n 1
sed -i '1s/^[-0-9]* [:0-9]*  //' "$dir/out"
ok 'mem-top --batch' prints <<'TABLE'
host soft: 812M of 8192M free, 300M to spare, 64M reserved
Warning: xl's autoballoon is on

DOMAIN         ID  STATE         HAS  TARGET     MIN     MAX  DEMAND    USED  0 .. MAX
web             1  active       512M    520M    256M   2048M    488M    400M  ###[#=|.................
datenbänke     12  stuck      12288M  12288M     96K  16384M       -       -  [=================|.....

TABLE
ask mem-top --json -n 2 -d 100ms
ok 'mem-top --json' [ "$(grep -c '"name": "web"' "$dir/out")" -eq 2 ]
"$cli" --socket "$dir/sock" mem-top -b -n 1 >&- 2>"$dir/err"
status=$?
ok 'mem-top whose output is closed' says 1 'standard output'
ask mem-top
ok 'mem-top without a terminal' says 1 'needs a terminal; --batch'
ask mem-top -d 1ms
ok 'too fast' says 2 'from 100ms'
ask mem-top -n 0
ok 'no count' says 2 '--count: '
ask mem-top x
ok 'mem-top takes no argument' says 2 "'x'"

# on_terminal TERM COMMAND: runs it on a terminal of its own, by util-linux.
on_terminal() {
    TERM=$1 script -qefc "$2" /dev/null >"$dir/out" 2>"$dir/err" </dev/null
    status=$?
}
if command -v script >/dev/null; then
    top="$cli --socket $dir/sock mem-top"
    on_terminal xterm "stty rows 24 cols 80; $top -n 2 -d 100ms"
    ok 'mem-top on a terminal' [ "$status" -eq 0 ]
    ok 'it draws' grep -q 'autoballoon is on' "$dir/out"
    escape=$(printf '\033')
    ok 'and gives the terminal back' \
        sh -c "tail -c 200 '$dir/out' | grep -qF '${escape}[?1049l'"
    # shellcheck disable=SC2016 # it is the inner shell's
    on_terminal xterm "$top </dev/tty & p=\$!
        until grep -q DOMAIN $dir/out; do sleep 0.1; done
        kill -TERM \$p; wait \$p; echo status \$?"
    ok 'also when it is ended by a signal' grep -q 'status 143' "$dir/out"
    ok 'it does' grep -qF "${escape}[?1049l" "$dir/out"
    on_terminal xterm "stty rows 24 cols 41; $top -n 1 -d 100ms"
    sed -i "s/${escape}[[(][0-9;?]*[A-Za-z]/ /g" "$dir/out"
    ok 'what does not fit is not cut to another size' \
        grep -q '512M  *…' "$dir/out"
    on_terminal dumb "$top"
    ok 'not on a dumb terminal' grep -q "'dumb' cannot move its" "$dir/out"
    end_stub
    on_terminal xterm "$top -n 2 -d 100ms"
    ok 'without a daemon it waits for one' \
        grep -q 'no aerostatd listens' "$dir/out"
    ok 'until its count is over' [ "$status" -eq 0 ]
fi

answer '{"domains":[{"name":"\u001b]0;x\u0007","domid":-1,"current_kib":1e40}],"host":[]}'
ask mem-top --batch -n 1
ok 'hostile names are escaped in mem-top' is_clean out
ok 'and shown' grep -qF '\x1b]0;x\x07' "$dir/out"

answer '{"domains":7}'
ask mem-status
ok 'no list of domains' says 1 'no list of domains'
answer '[1]'
ask mem-status
ok 'a result that is no object' says 1 'is an array, not an object'
serve 'send not json'
ask mem-status
ok 'not JSON' says 1 'not JSON'
serve 'send {"jsonrpc":"2.0","id":999,"result":{}}'
ask mem-status
ok "another request's answer" says 1 'not a JSON-RPC response'
serve 'send {"jsonrpc":"2.0","id":@ID@,"error":{"code":-32002,"message":"no\u001b[31mroot"}}'
ask mem-policy web --shares 5
ok "the daemon's error, escaped" says 1 'no\x1b[31mroot'
serve 'part {"jsonrpc":"2.0","id":@ID@,"resu'
ask mem-status
ok 'a truncated answer' says 1 'went away'
serve 'close'
ask mem-status
ok 'no answer' says 1 'went away'
serve 'long 20000000'
ask mem-status
ok 'an endless answer' says 1 'too long'

answer '{"domid":3,"name":"web","min_kib":262144,"max_kib":1049600,"shares":200}'
ask mem-policy web
ok 'mem-policy shows' prints <<'TEXT'
web (domain 3): min 256M, max 1025M, shares 200
TEXT
ok 'and asks for no change' grep -q '"params":{"domain":"web"}' "$dir/asked"
ask mem-policy web --min 256M --max=1025M --shares 200
ok 'mem-policy changes' [ "$status" -eq 0 ]
ok 'says that it lasts as the daemon does' \
    grep -q 'lasts until aerostatd or the domain ends' "$dir/out"
ok 'and what to write down' \
    grep -qxF '  "name=web,min=256M,max=1025M,shares=200",' "$dir/out"
ok 'it asks in KiB' grep -q \
    '"domain":"web","min_kib":262144,"max_kib":1049600,"shares":200}' \
    "$dir/asked"
ask mem-policy web --take-back
ok 'mem-policy --take-back' grep -q '"domain":"web","take_back":true}' \
    "$dir/asked"
answer '{"domid":3,"name":"a\",x=\u001b","shares":1}'
ask mem-policy 3 --shares 1
ok 'a name that the file cannot hold' grep -q 'cannot stand in' "$dir/out"
ok 'is escaped' is_clean out
answer '{}'
ask mem-policy 3
ok 'an empty policy' prints <<'TEXT'
- (domain -): min -, max -, shares -
TEXT

decision='"reserve_kib":65536,"host":{"free_kib":81920,"keep_free_kib":65536},
"host_facts":{"state":"high","total_kib":4194304,"spare_kib":1048576},
"in":{"min_kib":524288,"max_kib":2097152,"shares":100,"demand_kib":598485,
"demand_known":true,"held_kib":1335296,"why":"by its report"},
"facts":{"state":"active","source":"agent","age_ms":500,"target_kib":1349632,
"used_kib":474692,"available_kib":856508,"need_kib":478788,"swap_used_kib":0,
"psi_some_x100":250,"foreign_changes":2},
"out":{"target_kib":1400000,"goal_kib":1449632,"idle":551,"price":1.0163},
"written_kib":1349632,"reason":"wants it\u001b[2J"'
answer "$(printf '{"domid":3,"name":"web","decisions":[{"age_ms":300,%s},{"age_ms":61000,%s}]}' \
    "$decision" "$decision" | tr -d '\n')"
ask mem-explain web
ok 'mem-explain' prints <<'TEXT'
web (domain 3): active

Why       wants it\x1b[2J
Has       1304M; its target is 1318M, to come to 1416M
It says   uses 464M, 836M available, 0M in swap, waits for memory 2.5 % of the time (agent, changed 500 ms ago)
Demand    584M: it works with 468M, and a margin
Policy    min 512M, max 2048M, shares 100; 55 % idle, price 1.02 of the median
Host      80M free of 4096M, 64M to be kept free, 1024M to spare (high)
Others    changed its target 2 times

Decisions, newest first:

 AGO  STATE     HAD  USED  DEMAND  FREE  WANTED    SET  REASON
61 s  active  1304M  464M    584M   80M   1367M  1318M  wants it\x1b[2J
TEXT
ok 'it asks for the domain' \
    grep -q '"method":"mem.explain","params":{"domain":"web"}' "$dir/asked"
ask mem-explain web --json
ok 'mem-explain --json' grep -q '"spare_kib": 1048576' "$dir/out"
answer '{"decisions":[{},7]}'
ask mem-explain web
ok 'wrong types read as unknown here too' \
    grep -q '^Has *-; its target is -' "$dir/out"
answer '{"decisions":[]}'
ask mem-explain web
ok 'no decision yet' says 1 'decided nothing'
answer '{}'
ask mem-explain web
ok 'no list of decisions' says 1 'no list of decisions'
run "$cli" mem-explain
ok 'mem-explain without a domain' says 2 'give one domain'

answer '{"max_rate_bps":60000000,"note":"x"}'
ask migrate-rate 60MB
ok 'migrate-rate' prints <<'TEXT'
all migrations together: at most 60.0 MB/s
(lasts until aerostatd ends; to keep it: migration_max_rate = "60000000B")
TEXT
ok 'it asks for bytes a second' \
    grep -q '"params":{"max_rate_bps":60000000}' "$dir/asked"
answer '{"max_rate_bps":0,"note":"x"}'
ask migrate-rate none
ok 'no rate' prints <<'TEXT'
all migrations together: no limit
(lasts until aerostatd ends; to keep it: migration_max_rate = "none")
TEXT

run "$cli" migrate-rate 0Mbit
ok 'nothing a second is not no limit' says 2 'for no limit write none'

answer '{"migrations":[]}'
ask migrate-status
ok 'no migration' prints <<'TEXT'
no migration is running
TEXT
answer '{"migrations":[{"domid":4,"name":"db","to":"host-b","stage":"pre-copy","round":3,"remaining_pages":5120,"rate_bps":10485760,"dirty_pages_per_s":250.5,"predicted_downtime_ms":240,"started_s_ago":19.6},{"name":"x","rate_bps":-1,"remaining_pages":18446744073709551615,"predicted_downtime_ms":1e300,"stage":[]}]}'
ask migrate-status
ok 'migrate-status' prints <<'TABLE'
DOMAIN  ID  STAGE     ROUND  LEFT       RATE   DIRTIED  ROUND ENDS IN  DOWNTIME  RUNS FOR  TO
db       4  pre-copy      3   20M  10.5 MB/s  1.0 MB/s            2 s    240 ms      20 s  host-b
x        -  -             -     -          -         -              -         -         -  -
TABLE
answer '{"migrations":[{"name":"y","lost":true,"stage":"pre-copy"}]}'
ask migrate-status
ok 'a migration whose program died' grep -q 'died, being undone' "$dir/out"
answer '{"migrations":{}}'
ask migrate-status
ok 'no list of migrations' says 1 'no list of migrations'
if [ -w /dev/full ]; then
    answer '{"migrations":[]}'
    "$cli" --socket "$dir/sock" migrate-status >/dev/full 2>"$dir/err"
    status=$?
    ok 'a full disk is told' says 1 'standard output'
fi
end_stub

# ---- a migration of nobody

if [ ! -e /proc/xen/capabilities ]; then # else it might repair something
    run "$build/aerostat-migrate" --report "$dir/nobody.json" nobody far
    ok 'a migration of nobody fails' says 1 ''
    ok 'its report has the name' grep -q '"domain": "nobody"' "$dir/nobody.json"
    ok 'but no domain' grep -q '"domid": null' "$dir/nobody.json"
    ok 'and is not kept' grep -q '"id": null' "$dir/nobody.json"
    ok 'nor said to be' sh -c "! grep -q migrate-report '$dir/err'"
fi

# ---- the writable working set, on a simulated host

wws() { run "$cli" wws --host "sim:$src/docs/scenarios/migration.json" "$@"; }
all='--max-cpu 100 --max-pause 100' # a busy machine takes long for a look

# shellcheck disable=SC2086 # two options
wws --seconds 1 $all --svg "$dir/wws.svg" --save "$dir/wws.json" hot-set
ok 'wws' [ "$status" -eq 0 ]
ok 'wws: a table' grep -q 'WINDOW .* PAGES' "$dir/out"
ok 'wws: where in memory' grep -q '1024 MiB' "$dir/out"
ok 'wws: its cost' grep -q 'of a CPU' "$dir/out"
ok 'wws --svg' grep -q '^</svg>' "$dir/wws.svg"
ok 'its curve does not strike through a text' \
    sh -c "sed '/>hot set/q' '$dir/wws.svg' | grep -q 'path class=\"l1'"
ok 'wws --save' grep -q '"format": "aerostat-wws-1"' "$dir/wws.json"
# shellcheck disable=SC2086
wws --seconds 1 $all --method log-dirty --json hot-set
ok 'wws --json' grep -q '"method": "log-dirty"' "$dir/out"
ok 'wws --json: the pause' grep -q '"pause_ns"' "$dir/out"
wws --seconds 1 --method log-dirty passthrough
ok 'wws of a guest with a device' says 1 'PCI device'
wws --seconds 1 --method log-dirty --max-pause 0.01 --max-cpu 0.01 idle
ok 'wws on too small a budget' says 1 'do not fit'
wws --seconds 1 nobody
ok 'wws of nobody' says 1 "no domain is called 'nobody'"
wws --seconds 1 0
ok 'wws of dom0' says 1 'dom0'
wws
ok 'wws without a domain' says 2 'give one domain'
wws --seconds 0 web
ok 'wws --seconds' says 2 '0.5 to 3600'
wws --max-cpu x web
ok 'wws --max-cpu' says 2 'no percentage'
wws --method all web
ok 'wws --method' says 2 'neither sample nor log-dirty'
# shellcheck disable=SC2086
wws --seconds 1 $all --svg "$dir/none/x" idle
ok 'wws --svg that cannot be written' says 1 'cannot write'
# shellcheck disable=SC2086
piped=$(wws --seconds 1 $all --svg /dev/fd/3 --save /dev/fd/3 idle 3>&1 |
    grep -c -e '</svg>' -e '"points"')
ok 'wws --svg and --save to a pipe' [ "$piped" = 2 ]
"$cli" wws --host "sim:$src/docs/scenarios/migration.json" --seconds 60 idle \
    >"$dir/out" 2>"$dir/err" &
sleep 0.5
kill -TERM $!
wait $!
status=$?
ok 'wws ended by a signal' [ "$status" -eq 143 ]

# ---- reports

run "$cli" migrate-report --dir "$dir/runs"
ok 'no run yet' prints <<'TEXT'
no migration has left a report yet
TEXT
mkdir "$dir/runs"
cp "$src/tests/fuzz/seeds/report/run.json" \
    "$dir/runs/20251121-104000-web.json"
cat >"$dir/runs/20261121-143005-web.json" <<'JSON'
{"version":1,"outcome":"failed","error":"no\u001b[2J room <b>",
"domain":"w<eb>","to":"hostb","started_s":1795271405,"total_ms":120}
JSON
echo '{' >"$dir/runs/20261121-143006-db.json"
run "$cli" migrate-report --dir "$dir/runs"
ok 'lists runs' prints <<'TABLE'
RUN                  OUTCOME       TOOK    WIRE  ROUNDS  DOWNTIME  ENGINE'S  TO
20251121-104000-web  moved       6.39 s  238 MB       2    265 ms   81.9 ms  hostb
20261121-143005-web  failed      120 ms       -       0         -         -  hostb
20261121-143006-db   unreadable       -       -       -         -         -  -
TABLE
run "$cli" migrate-report --dir "$dir/runs" --last 2 --json
ok 'the last of them as JSON, without the unreadable' \
    [ "$(grep -c '"id": "20261121-143005-web"' "$dir/out")" -eq 1 ]
ok 'and no other' [ "$(grep -c '"id"' "$dir/out")" -eq 1 ]
mkdir "$dir/hostile"
sed 's/hostb/h\\u009b2J/' "$dir/runs/20261121-143005-web.json" \
    >"$dir/hostile/20261121-143005-web.json"
run "$cli" migrate-report --dir "$dir/hostile" --json
ok 'hostile names in the list as JSON' grep -q '"h\\u009b2J"' "$dir/out"
ok 'do not reach the terminal' is_clean out
run "$cli" migrate-report --dir "$dir/runs" web
ok "a domain's last run" prints <<'TEXT'
Run        -, 2026-11-21 14:30:05 UTC
Guest      w<eb> to hostb, by -
Outcome    failed: no\x1b[2J room <b>
In all     120 ms, - on the wire
Downtime   none: the guest was not suspended
TEXT
run "$cli" migrate-report --dir "$dir/runs" 20251121-104000-web
ok 'where the downtime went' grep -qF 'Downtime   265 ms: suspend 34.6 ms,' \
    "$dir/out"
ok 'what was predicted' \
    grep -qF "the engine's 81.9 ms; predicted 90.2 ms, allowed 300 ms" \
    "$dir/out"
ok 'each round' grep -qE '^1 +5.91 s +93.2 ms +1,750 +1,138 +612 ' "$dir/out"
slowing=$(grep -ci slowed "$dir/out")
ok 'no word of slowing where there was none' [ "$slowing" -eq 0 ]
cat >"$dir/slowed.json" <<'JSON'
{"version":1,"outcome":"moved","domain":"db","to":"hostb","precopy_ms":6000,
"limits":{"max_rate_bps":62500000,"max_downtime_ms":300,"throttle":"pause",
"throttle_max_percent":80,"downtime_limit_max_ms":900,"on_timeout":"force"},
"slowed_mean_percent":22.5,
"downtime_ms":{"suspend":30,"last_pass":400,"engine":430,"total":600},
"rounds":[
{"round":0,"final":false,"start_ms":0,"duration_ms":4000,"slowed_percent":0,
"dirty_pages":60000,"sent_pages":60000,"bytes":250000000,"rate_bps":62500000,
"downtime_limit_ms":300,"predicted_downtime_ms":2000},
{"round":1,"final":false,"start_ms":4000,"duration_ms":2000,
"slowed_percent":67.5,"dirty_pages":20000,"sent_pages":20000,"bytes":80000000,
"rate_bps":40000000,"downtime_limit_ms":600,"predicted_downtime_ms":420},
{"round":2,"final":true,"start_ms":6000,"duration_ms":400,"slowed_percent":0,
"dirty_pages":9000,"sent_pages":9000,"bytes":36000000,"rate_bps":90000000,
"downtime_limit_ms":600,"predicted_downtime_ms":420}]}
JSON
run "$cli" migrate-report "$dir/slowed.json"
ok 'how far it was slowed' grep -qF \
    'Slowed     by 22.5 % of its speed in the mean (pause, at most 80 % allowed)' \
    "$dir/out"
ok 'and how long' \
    grep -qF 'in rounds of 2 s out of 6 s, by up to 67.5 %' "$dir/out"
ok 'what was allowed in the end' \
    grep -qF 'predicted 420 ms, allowed 300 ms, relaxed to 600 ms' "$dir/out"
ok 'in which round' grep -qE '^1 +4 s .* 67.5 %$' "$dir/out"
run "$cli" migrate-report "$dir/slowed.json" --html "$dir/slowed.html"
ok 'a plot of it' grep -qF 'round 1: slowed by 67.5 % for 2 s' \
    "$dir/slowed.html"
ok 'in its row' grep -qF '<td>420 ms</td><td>67.5 %</td></tr>' \
    "$dir/slowed.html"
ok 'and the figures' grep -qF 'it was relaxed to 600 ms' "$dir/slowed.html"
run "$cli" migrate-report --dir "$dir/runs" --html "$dir/page.html" web
ok 'writes a page' [ "$status" -eq 0 ]
ok 'whole' [ "$(tail -n 1 "$dir/page.html")" = '</html>' ]
ok 'escaped' grep -qF '<title>Migration of w&lt;eb&gt;</title>' \
    "$dir/page.html"
run "$cli" migrate-report "$dir/runs/20261121-143005-web.json" --html -
ok 'to standard output' cmp -s "$dir/out" "$dir/page.html"
run "$cli" migrate-report --dir "$dir/runs" web --json
ok 'the report as JSON' grep -q '"domain": "w<eb>"' "$dir/out"
run "$cli" migrate-report --dir "$dir/runs" 20261121-143006-db
ok 'a damaged report' says 1 '143006-db.json: line 1: '
run "$cli" migrate-report --dir "$dir/runs" mail
ok 'no such run' says 1 "no run 'mail'"
run "$cli" migrate-report --html x
ok 'a page of what?' says 2 'of which run'
run "$cli" migrate-report --html x --json web
ok 'a page or JSON' says 2 'exclude each other'
run "$cli" migrate-report --last 0
ok 'no runs at all' says 2 '--last'
run "$cli" migrate-report --dir "$dir/runs" --html "$dir/none/x" web
ok 'nowhere to write' says 1 "none/x: No such file"
# ---- a replay, which asks nobody

cat >"$dir/log" <<'LOG'
{"decisions":1,"aerostat":"x"}
{"tick":5,"time_ms":1700000000000,"full":true,"guests":1,"lines":1,"gone":[],"reserve_kib":65536,"host":{"free_kib":409600,"keep_free_kib":65536,"change_kib":262144,"shrink_part":8,"dead_band_kib":4096,"slack_part":16,"tax":750,"missing_kib":0,"no_surplus":false,"short_nodes":0}}
{"domid":1,"name":"a\u001b","in":{"movable":true,"min_kib":65536,"max_kib":1048576,"min_is_set":false,"shares":100,"demand_kib":524288,"demand_known":true,"need_kib":400000,"rise_kib":0,"fresh_kib":524288,"keep_kib":0,"why":"x","target_kib":524288,"held_kib":524288,"floor_kib":0,"speed_kib_s":null,"stuck_shrink":false,"stuck_grow":false,"nodes":0},"out":{"target_kib":786432},"reason":"r"}
LOG
run "$cli" mem-replay "$dir/log"
ok 'a replay to the same' [ "$status" -eq 0 ]
ok 'says so' grep -q '^1 ticks .* 0 of 1 targets differ$' "$dir/out"
ok 'and is clean' is_clean out
sed 's/"out":{"target_kib":786432/"out":{"target_kib":700000/' \
    "$dir/log" >"$dir/log2"
run "$cli" mem-replay "$dir/log2"
ok 'a replay that differs' [ "$status" -eq 3 ]
ok 'lists it' grep -q ' 5  20.* a\\x1b  *684M  768M  +84M  ' "$dir/out"
run "$cli" mem-replay "$dir/log" --set "$(printf 'a\033').max=460M" --set 1.max=460M --set max=460M --json
ok 'a replay with something set' [ "$status" -eq 0 ]
ok 'in JSON' grep -q '"now_kib": 471040' "$dir/out"
run "$cli" mem-replay "$dir/log" --set b.max=460M
ok 'a guest that is not in the log' says 1 "log tells of no guest 'b'"
run "$cli" mem-replay "$dir/log" --set nothing=5
ok 'an unknown input' says 2 "no input 'nothing'"
run "$cli" mem-replay "$dir/log" --set tax=5000
ok 'a value that the policy does not take' \
    says 2 '--set: tax must be at most 999, in thousandths'
run "$cli" mem-replay "$dir/log" --set 1.min=2G
ok 'nor of a guest' says 2 '--set: min_kib is above max_kib (at line 3 of'
sed 's/"tax":750/"tax":5000/' "$dir/log" >"$dir/log3"
run "$cli" mem-replay "$dir/log3"
ok 'one that was logged so' says 1 'line 2: host: tax must be'
head -c 300 "$dir/log" >"$dir/log3"
run "$cli" mem-replay - <"$dir/log3"
ok 'nothing whole' says 1 'holds no whole tick'
echo '{"tick":7}' >>"$dir/log"
run "$cli" mem-replay "$dir/log"
ok 'a wrong line is named' says 1 'log: line 4: '
head -c 30000 /dev/zero | tr '\0' 'x' >"$dir/log"
echo >>"$dir/log"
run "$cli" mem-replay "$dir/log"
ok 'a line without end' says 1 'line 1: too long'
run "$cli" mem-replay "$dir/none"
ok 'no such log' says 1 'none: No such file'
run "$cli" mem-replay
ok 'no file' says 2 'give one file'

# ---- plans, of a guest on a simulated host that writes 4 MiB over and over

cat >"$dir/host.json" <<'JSON'
{ "host": {"total_kib": 4194304, "dom0_kib": 524288},
  "guests": [ { "name": "web", "memory_kib": 262144 } ] }
JSON
cat >"$dir/wws.json" <<'JSON'
{ "format": "aerostat-wws-1", "method": "sample", "domain_pages": 65536,
  "windows": 5, "spread": 0.01, "hot_pages": 1000, "points": [
  {"window_ns": 500000000, "pages": 1000, "low": 950, "high": 1050},
  {"window_ns": 5000000000, "pages": 1000, "low": 950, "high": 1050} ] }
JSON
plan() {
    run "$cli" migrate-plan --host "sim:$dir/host.json" "$@"
}
plan --wws "$dir/wws.json" --no-target --wire-rate 100MB web far
ok 'a plan' [ "$status" -eq 0 ]
ok 'in words' grep -q '^Move it: ' "$dir/out"
ok 'and a table' grep -q '^downtime  [0-9]* ms ([0-9]* ms to ' "$dir/out"
plan --wws "$dir/wws.json" --no-target --max-rate 2MB --no-skip web far
ok 'a plan that refuses' [ "$status" -eq 3 ]
ok 'says what could be had' grep -q 'the least there is' "$dir/out"
plan --wws "$dir/wws.json" --no-target --max-rate 200KB web far
ok 'a slow rate is packed for' grep -q '^packed to ' "$dir/out"
ok 'which it says' grep -q '^packing *fine .* a processor packs' "$dir/out"
plan --wws "$dir/wws.json" --no-target --max-rate 200KB --compress 0 web far
ok 'or not, as asked' grep -q '^packing *fine .* is not packed' "$dir/out"
answer '{"max_rate_bps":200000}'
ask migrate-plan --host "sim:$dir/host.json" --wws "$dir/wws.json" \
    --no-target --max-rate 100MB web far
ok "the host's rate counts" \
    grep -q "^rate: 200.0 KB/s, which is for all migrations" "$dir/out"
ok 'and is packed for' grep -q '^packed to ' "$dir/out"
plan --wws "$dir/wws.json" --no-target --wire-rate 100MB --json web far
ok 'a plan as JSON' grep -q '"can_move": true' "$dir/out"
plan --wws "$dir/wws.json" --no-target --wire-rate 100MB --json web \
    "$(printf 'h\302\2332J')"
ok 'and so is it to a hostile name' is_clean out
ok 'which it keeps' grep -q '"to": "h\\u009b2J"' "$dir/out"
plan --wws "$dir/wws.json" --measure-wire -s '' web \
    "exec $build/aerostat-receive 2>/dev/null"
ok 'the target is asked' grep -q '^memory *unknown ' "$dir/out"
ok 'and the wire measured' grep -q '^wire: .*, as measured$' "$dir/out"
plan --wws "$dir/wws.json" -s '' --wire-rate 1MB web 'echo no receiver'
ok 'no receiver' says 1 'did not start a receiver'
plan --wws "$dir/wws.json" --no-target web far
ok 'an unknown wire' says 1 'add --measure-wire'
plan --wws "$dir/host.json" --no-target --wire-rate 1MB web far
ok 'another file' says 1 'not a working set'
plan --no-target --wire-rate 1MB nobody far
ok 'no such domain' says 1 'nobody'
sed 's/"guests": \[/&{"name": "away", "memory_kib": 4096, "migrating": true},\
    {"name": "pci", "memory_kib": 4096, "passthrough": true},/' \
    "$dir/host.json" >"$dir/unmovable.json"
for case in 'Domain-0 dom0' 'away migrated' 'pci PCI'; do
    run "$cli" migrate-plan --host "sim:$dir/unmovable.json" \
        --wws "$dir/wws.json" --no-target --wire-rate 1MB "${case% *}" far
    ok "no plan for what cannot be moved: ${case% *}" says 3 "${case#* }"
done
plan web
ok 'a plan needs a target' says 2 'takes a DOMAIN and a HOST'
plan --measure-wire --no-target web far
ok 'which is to be asked' says 2 'needs the target'
plan --max-rate 1 web far
ok 'limits are checked' says 2 'max-rate'
plan --duration 0 web far
ok 'how long it is watched' says 2 "--duration: must be from 1s to 60m, not '0'"
plan --wire-rate 0MB web far
ok 'how fast the wire is' says 2 "--wire-rate: rate '0MB' is less than a byte"
plan --margin 4Q web far
ok 'what it is left' says 2 "--margin: '4Q'"
plan --method magic web far
ok 'and the method' says 2 'neither sample nor log-dirty'

# ---- the front

# A fake xl that shows its arguments, one a line in brackets, and does what
# FAKE says.
mkdir "$dir/bin" "$dir/front" "$dir/libexec" "$dir/a b"
cat >"$dir/bin/xl" <<'FAKE'
#!/bin/sh
for a do printf '[%s]\n' "$a"; done
case ${FAKE:-} in
    cat) cat ;;
    term) kill -TERM $$ ;;
    [0-9]*) exit "$FAKE" ;;
esac
FAKE
sed 's/\[%s\]/<%s>/' "$dir/bin/xl" >"$dir/libexec/aerostat-migrate"
chmod +x "$dir/bin/xl" "$dir/libexec/aerostat-migrate"
cp "$dir/bin/xl" "$dir/a b/xl"
cp "$build/plugin/xl" "$dir/front/xl"
AEROSTAT_CLI=$cli
AEROSTAT_LIBEXECDIR=$dir/libexec
path=$PATH
PATH=$dir/front:$dir/bin:$path
export PATH AEROSTAT_CLI AEROSTAT_LIBEXECDIR

run xl list -l 'a b' '' "$(printf 'x\ny')" '*' "\$HOME" '-v'
ok 'arguments arrive unchanged' prints <<'ARGS'
[list]
[-l]
[a b]
[]
[x
y]
[*]
[$HOME]
[-v]
ARGS
run xl -vf -N create 'dom mem-status'
ok "xl's global options arrive too" prints <<'ARGS'
[-vf]
[-N]
[create]
[dom mem-status]
ARGS
run xl
ok 'no argument at all' prints </dev/null
run xl '' mem-status
ok 'an empty verb is xl'\''s' prints <<'ARGS'
[]
[mem-status]
ARGS
run xl --long mem-status
ok 'an option that xl does not have is xl'\''s to refuse' prints <<'ARGS'
[--long]
[mem-status]
ARGS
run xl vcpu-list mem-status
ok 'our verb as an argument of theirs' prints <<'ARGS'
[vcpu-list]
[mem-status]
ARGS
FAKE=37 run xl list
ok 'the exit status' [ "$status" -eq 37 ]
FAKE=term run xl list
ok 'death by a signal' [ "$status" -eq 143 ]
printf 'a\nb' | FAKE='cat' xl restore >"$dir/out"
ok 'standard input' [ "$(cat "$dir/out")" = "$(printf '[restore]\na\nb')" ]

# SIGTERM reaches the real xl and not a shell in front of it.
cat >"$dir/bin/xl" <<'FAKE'
#!/bin/sh
trap 'echo caught; exit 5' TERM
echo $$
while :; do sleep 0.1; done
FAKE
: >"$dir/out" # what the last one left is not this one's
xl list >"$dir/out" 2>"$dir/err" &
front_pid=$!
tries=0
until grep -q . "$dir/out" || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
ok 'the front becomes xl' [ "$(cat "$dir/out")" = $front_pid ]
kill $front_pid
wait $front_pid
status=$?
ok 'which gets the signals' [ "$status" -eq 5 ]
cp "$dir/a b/xl" "$dir/bin/xl"

AEROSTAT_XL="$dir/a b/xl" PATH=$dir/front:$path run xl info
ok 'the real xl by AEROSTAT_XL' prints <<'ARGS'
[info]
ARGS
PATH="$dir/front:$dir/a b:$path" run xl info
ok 'by a PATH with a space' prints <<'ARGS'
[info]
ARGS
ln -s "$dir/front/xl" "$dir/libexec/xl"
PATH=$dir/front:$dir/libexec:$dir/bin:$path run xl info
ok 'not a link to the front' prints <<'ARGS'
[info]
ARGS
rm "$dir/libexec/xl"
cp "$dir/front/xl" "$dir/libexec/xl"
PATH=$dir/front:$dir/libexec:$dir/bin:$path run xl info
ok 'nor a second front' prints <<'ARGS'
[info]
ARGS
AEROSTAT_XL=$dir/libexec/xl run xl info
ok 'no xl at all' says 127 'AEROSTAT_XL'

run xl create dom.cfg 'name="a b"'
ok 'create where no daemon runs' prints <<'ARGS'
[create]
[dom.cfg]
[name="a b"]
ARGS
if [ "$(id -u)" = 0 ]; then
    answer '{}' # for its socket
    AEROSTAT_SOCKET=$dir/sock run xl create dom.cfg
    ok 'create whose need nobody knows' says 0 'without a reservation'
    ok 'is created all the same' grep -qx '\[dom.cfg\]' "$dir/out"
    AEROSTAT_SOCKET=$dir/sock AEROSTAT_RESERVE=no run xl create dom.cfg
    ok 'create told not to reserve' [ ! -s "$dir/err" ]
    AEROSTAT_SOCKET=$dir/sock run xl create -n dom.cfg
    ok 'create as a dry run' [ ! -s "$dir/err" ]
fi

run xl mem-status
ok 'our verb goes to xl-aerostat' says 1 'aerostatd'
run xl -N mem-policy a --shares 7
ok 'with its global options' says 2 'dry run'
run xl migrate-live -s 'a b' --max-rate '' dom host
ok 'migrate-live becomes aerostat-migrate' prints <<'ARGS'
<-s>
<a b>
<--max-rate>
<>
<dom>
<host>
ARGS
run xl migrate-cancel --json dom
ok 'migrate-cancel does too' prints <<'ARGS'
<--cancel>
<--json>
<dom>
ARGS
FAKE=3 run xl -v migrate-live a b
ok 'with its exit status' [ "$status" -eq 3 ]
ok 'and -v' grep -qx '<-v>' "$dir/out"
FAKE=term run xl migrate-live a b
ok 'and its death' [ "$status" -eq 143 ]
AEROSTAT_LIBEXECDIR=$dir/none run "$cli" migrate-live a b
ok 'no aerostat-migrate' says 1 'none/aerostat-migrate: No such file'

run xl help
ok 'help is the stock one' [ "$(head -n 1 "$dir/out")" = '[help]' ]
ok 'and ours' grep -q '^ migrate-live  *Move' "$dir/out"
FAKE=4 run xl help
ok 'unless that failed' [ "$status" -eq 4 ]
run xl help create
ok 'help of their verb' prints <<'ARGS'
[help]
[create]
ARGS
run xl help mem-policy
ok 'help of ours' grep -q 'Usage: xl-aerostat mem-policy' "$dir/out"

# The verbs stand in the front as well: it must know the table's, all of them.
"$cli" --list-verbs | awk '{ print $1 }' >"$dir/verbs"
run cat "$dir/verbs"
ok 'there are verbs' [ -s "$dir/verbs" ]
while read -r verb; do
    run xl "$verb" --help
    ok "the front knows $verb" grep -q "Usage: xl-aerostat $verb" "$dir/out"
    run grep -qw -e "$verb" "$src/plugin/completion.bash"
    ok "the completion knows $verb" [ "$status" -eq 0 ]
    run cat "$src/docs/man/xl-$verb.1"
    ok "$verb has a page" [ "$status" -eq 0 ]
done <"$dir/verbs"
if command -v mandoc >/dev/null; then
    run mandoc -Tlint -W warning "$src"/docs/man/*.[158]
    ok 'the pages are well formed' [ "$status" -eq 0 ]
fi
for page in "$src"/docs/man/*.[158]; do
    run grep -F "${page##*/}" "$src/docs/local.mk"
    ok "${page##*/} is installed" [ "$status" -eq 0 ]
done

# ---- the completion

# complete WORD...: what the last word may become, one a line.
complete_words() {
    bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        case $1 in
            xl) _xl_front ;;
            *) _xl_aerostat ;;
        esac 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' \
        bash "$src/plugin/completion.bash" "$@" >"$dir/out" 2>"$dir/err"
    status=$?
}
if command -v bash >/dev/null; then
    AEROSTAT_COMPLETIONS=$dir/none
    export AEROSTAT_COMPLETIONS
    ln -sf "$cli" "$dir/bin/xl-aerostat"
    complete_words xl-aerostat mem-
    ok 'completes verbs' prints <<'WORDS'
mem-status
mem-top
mem-policy
mem-explain
mem-replay
mem-reserve
WORDS
    complete_words xl -v migrate-s
    ok 'under xl too' prints <<'WORDS'
migrate-status
WORDS
    while read -r verb; do
        complete_words xl "$verb" -
        ok "completes $verb --help" grep -qx -e --help "$dir/out"
        complete_words xl "$verb" --j
        ok "completes $verb --json" grep -qx -e --json "$dir/out"
    done <"$dir/verbs"
    mkdir "$dir/list"
    printf '#!/bin/sh\nprintf "Name ID\\nmail 1\\n"\n' >"$dir/list/xl"
    chmod +x "$dir/list/xl"
    PATH=$dir/list:$PATH AEROSTAT_SOCKET=$dir/nobody \
        complete_words xl mem-policy ''
    ok 'without a daemon it asks xl for names' prints <<'WORDS'
mail
WORDS
    complete_words xl migrate-live --max-
    ok 'completes options' prints <<'WORDS'
--max-rate
--max-downtime
--max-rounds
WORDS
    complete_words xl migrate-live --
    while read -r option; do
        run grep -qF -e " \\-${option#--}" "$src/docs/man/aerostat-migrate.8"
        ok "$option is documented" [ "$status" -eq 0 ]
    done <<OPTIONS
$(cat "$dir/out")
OPTIONS
    complete_words xl-aerostat migrate-live --rate-policy ''
    ok 'completes values' prints <<'WORDS'
clark
fixed
WORDS
    complete_words xl-aerostat migrate-live --rate-policy =
    ok 'behind = too' prints <<'WORDS'
clark
fixed
WORDS
    complete_words xl-aerostat migrate-live --rate-policy = f
    ok 'and where they are begun' prints <<'WORDS'
fixed
WORDS
    # shellcheck disable=SC2016 # the name is not to be expanded, ever
    serve 'send {"jsonrpc":"2.0","id":@ID@,"result":{"domains":[{"name":"web"},{"name":"$(touch '"$dir"'/owned)"},{"name":"w;x"},{"name":"wiki"}]}}'
    AEROSTAT_SOCKET=$dir/sock
    export AEROSTAT_SOCKET
    complete_words xl mem-policy w
    ok 'completes names' prints <<'WORDS'
web
wiki
WORDS
    complete_words xl migrate-live --max-rate = 500Mbit ''
    ok 'also where = joins them' prints <<'WORDS'
web
wiki
WORDS
    complete_words xl mem-policy --max = 500M web ''
    ok 'and no second name' prints <<'WORDS'

WORDS
    complete_words xl migrate-live --max-rate 5MB ''
    ok 'behind options and their values' prints <<'WORDS'
web
wiki
WORDS
    "$build/aerostat-migrate" --help >"$dir/help"
    while read -r option; do
        complete_words xl migrate-live "$option" 5 wik
        ok "$option has a value" grep -qx wiki "$dir/out"
    done <<OPTIONS
$(sed -n 's/^ *\(-., \)*\(--[a-z-]*\) [A-Z].*/\2/p' "$dir/help")
OPTIONS
    ok 'and runs no name' [ ! -e "$dir/owned" ]
    unset AEROSTAT_SOCKET
    end_stub
    printf '_xl() { COMPREPLY=("list " "mem-max "); }\n' >"$dir/bin/xl.comp"
    mkdir "$dir/comp"
    mv "$dir/bin/xl.comp" "$dir/comp/xl"
    AEROSTAT_COMPLETIONS=$dir/comp complete_words xl m
    ok 'adds to the stock completion' prints <<'WORDS'
list
mem-max
mem-status
mem-top
mem-policy
mem-explain
mem-replay
mem-reserve
migrate-plan
migrate-live
migrate-cancel
migrate-rate
migrate-status
migrate-report
WORDS
fi

echo "cli: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
