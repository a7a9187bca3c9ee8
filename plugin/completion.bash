# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Bash completion for xl-aerostat, and for Aerostat's verbs under xl: where
# the verb is none of ours, the stock completion of xl does its work.
#
# Words are compared one by one and never go through compgen -W, which would
# expand what a domain's name holds.

_aerostat_offer() { # words to offer, where they begin with $cur
    local word
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

# A daemon or a toolstack that hangs does not hang the shell.
_aerostat_domains() {
    local name
    while read -r name _; do
        [[ $name =~ ^[A-Za-z0-9_][A-Za-z0-9_.+-]*$ ]] &&
            _aerostat_offer "$name"
    done < <({ timeout 3 xl-aerostat mem-status ||
        timeout 3 xl list; } 2>/dev/null | sed -e 1d -e '/^$/,$d')
}

_aerostat_verbs() {
    local verb
    while read -r verb _; do
        _aerostat_offer "$verb"
    done < <(xl-aerostat --list-verbs 2>/dev/null)
}

_aerostat_runs() {
    local run
    while read -r run _; do
        [[ $run =~ ^[0-9]{8}-[0-9]{6}-[A-Za-z0-9_.+-]+$ ]] &&
            _aerostat_offer "$run"
    done < <(xl-aerostat migrate-report 2>/dev/null)
}

_aerostat_migrate_options='-s --transport --max-rate --min-rate --rate-policy
    --max-downtime --downtime-limit-max --suspend-cost --suspend-pages
    --last-cost --stall-rounds --max-rounds --timeout
    --on-timeout --throttle --throttle-max --weight --stall-timeout --no-skip
    --compress --compress-window --no-page-cache --margin --plan --wws
    --report --json --receiver --verify -q --quiet -v --verbose
    -h --help -V --version'

_aerostat_plan_options='-s --transport --max-rate --min-rate --rate-policy
    --max-downtime --downtime-limit-max --suspend-cost --suspend-pages
    --last-cost --stall-rounds --max-rounds --timeout
    --on-timeout --no-skip --compress --compress-window --no-page-cache
    --margin --wws --method --duration
    --wire-rate --measure-wire --no-target --host --json'

_aerostat_hosts() {
    local host
    while read -r host _; do
        [[ $host =~ ^[A-Za-z0-9][A-Za-z0-9.:-]*$ ]] && _aerostat_offer "$host"
    done < <({ getent hosts | tr -s ' \t' ' ' | cut -d' ' -f2-
        cut -d' ' -f1 ~/.ssh/known_hosts 2>/dev/null; } | tr ' ,' '\n')
}

# Whether an option takes a value in the next word.
_aerostat_takes_value() {
    case $1 in
        -s|--transport|--max-rate|--min-rate|--rate-policy|\
            --max-downtime|--downtime-limit-max|--suspend-cost|--suspend-pages|\
            --last-cost|--stall-rounds|--max-rounds|\
            --timeout|--on-timeout|--throttle|--throttle-max|--weight|\
            --compress|--compress-window|--stall-timeout|--margin|--report|--receiver|--min|--max|--shares|\
            --set|--delay|-d|--count|-n|--socket|--domain|--node|--html|--last|--dir|\
            --wws|--method|--duration|--wire-rate|--host) return 0 ;;
        --seconds|--max-cpu|--max-pause|--svg|--save) return 0 ;;
    esac
    return 1
}

# Sets given to how many arguments stand before the cursor that are neither
# options nor their values. $1 is where the verb stands.
_aerostat_count_given() {
    local i
    given=0
    for ((i = $1 + 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == = ]]; then
            ((i++)) # --option = value
        elif [[ ${COMP_WORDS[i]} != -* ]]; then
            _aerostat_takes_value "${COMP_WORDS[i - 1]}" || ((given++))
        fi
    done
}

# The words of a verb; $1 is where the verb stands in COMP_WORDS. Bash makes
# three words of --option=value, and the second is what is being typed where
# there is no value yet.
_aerostat_verb() {
    local verb=${COMP_WORDS[$1]} prev=${COMP_WORDS[COMP_CWORD - 1]} given
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
        --rate-policy) _aerostat_offer clark fixed; return ;;
        --throttle) _aerostat_offer none cap pause; return ;;
        --on-timeout) _aerostat_offer force abort; return ;;
        --receiver) _aerostat_offer auto aerostat xl; return ;;
        --svg|--save) compopt -o default; return ;;
        --method) _aerostat_offer sample log-dirty; return ;;
        --report|--html|--dir|--wws) compopt -o default; return ;;
    esac
    _aerostat_takes_value "$prev" && return
    _aerostat_count_given "$1"
    [[ $cur == -* && $verb != migrate-live ]] &&
        ((COMP_CWORD == $1 + 1)) && _aerostat_offer --help
    case $verb:$cur in
        mem-status:*|migrate-status:*) _aerostat_offer --json ;;
        mem-reserve:-*) _aerostat_offer --timeout --domain --node --for-create --json ;;
        mem-policy:-*) _aerostat_offer --min --max --shares --take-back --json ;;
        migrate-live:-*)
            # shellcheck disable=SC2086
            _aerostat_offer $_aerostat_migrate_options ;;
        migrate-plan:-*)
            # shellcheck disable=SC2086
            _aerostat_offer $_aerostat_plan_options ;;
        migrate-cancel:-*|migrate-rate:*) _aerostat_offer --json ;;
        migrate-report:-*) _aerostat_offer --html --json --last --dir ;;
        migrate-report:*) ((given)) || _aerostat_runs ;;
        mem-explain:-*) _aerostat_offer --json ;;
        mem-top:*) _aerostat_offer --delay --count --batch --json ;;
        mem-replay:-*) _aerostat_offer --set --all --json ;;
        mem-replay:*) ((given)) || compopt -o default ;;
        mem-policy:*|mem-explain:*|migrate-cancel:*)
            ((given)) || _aerostat_domains ;;
        migrate-plan:*|migrate-live:*)
            ((given == 0)) && _aerostat_domains
            ((given == 1)) && _aerostat_hosts ;;
        wws:-*) _aerostat_offer --method --seconds --max-cpu --max-pause \
            --json --svg --save --host ;;
        wws:*) ((given)) || _aerostat_domains ;;
        help:*) ((given)) || _aerostat_verbs ;;
    esac
}

# Sets $verb to where the verb stands, COMP_CWORD if it is being typed.
_aerostat_find_verb() {
    for ((verb = 1; verb < COMP_CWORD; verb++)); do
        if [[ ${COMP_WORDS[verb]} == --socket ]]; then
            ((verb++))
        elif [[ ${COMP_WORDS[verb]} != -* ]]; then
            break
        fi
    done
}

_xl_aerostat() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb
    COMPREPLY=()
    _aerostat_find_verb
    if ((verb < COMP_CWORD)); then
        _aerostat_verb "$verb"
    elif [[ $cur == -* ]]; then
        _aerostat_offer --socket --help --version --list-verbs -v
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --socket ]]; then
        compopt -o default
    else
        _aerostat_verbs
        _aerostat_offer help
    fi
}

# The stock completion is a file that bash-completion finds by xl's name.
_aerostat_stock_xl() {
    local dir
    if ! declare -F _xl >/dev/null; then
        for dir in "${AEROSTAT_COMPLETIONS:-/usr/share/bash-completion/completions}" \
            /etc/bash_completion.d; do
            # shellcheck disable=SC1091
            [[ -r $dir/xl ]] && . "$dir/xl" && break
        done
        complete -F _xl_front -o default xl
    fi
    declare -F _xl >/dev/null && _xl "$@"
}

_xl_front() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb
    COMPREPLY=()
    _aerostat_find_verb
    case ${COMP_WORDS[verb]} in
        wws|mem-status|mem-top|mem-policy|mem-explain|mem-replay|mem-reserve|migrate-plan|\
            migrate-live|migrate-cancel|migrate-rate|migrate-status|\
            migrate-report)
            if ((verb < COMP_CWORD)); then
                _aerostat_verb "$verb"
                return
            fi ;;
    esac
    _aerostat_stock_xl "$@"
    if ((verb == COMP_CWORD)); then
        _aerostat_offer_missing_verbs
    fi
}

# Our verbs, unless the stock completion had them from the front's help.
_aerostat_offer_missing_verbs() {
    local had all word
    all=("${COMPREPLY[@]% }") # the stock one adds spaces itself
    had=" ${all[*]} "
    COMPREPLY=()
    _aerostat_verbs
    for word in "${COMPREPLY[@]}"; do
        [[ $had == *" $word "* ]] || all+=("$word")
    done
    COMPREPLY=("${all[@]}")
}

complete -F _xl_aerostat xl-aerostat
complete -F _xl_front -o default xl
