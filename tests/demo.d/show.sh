# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and log are demo's
#
# What people see of the demo. It goes to descriptor 3; all else goes to a
# log. Parts run in shells of their own, so the present step is in a file.

say() { printf '%s\n' "$@" >&3; }

title() { say "" "== $* =="; }

on_terminal() { [ -t 3 ]; }

# A step's line is completed by step_done, with the time that it took.
step() { # TEXT
    step_began=$SECONDS
    echo "$1" >"$work/step"
    echo "--- $1"
    printf '  %-62s' "$1" >&3
}

step_done() {
    printf '%4d s\n' $((SECONDS - step_began)) >&3
    rm "$work/step"
}

# A step that shows something below its line.
step_open() { # TEXT
    step "$1"
    printf '\n' >&3
}

# Says why the step failed, and ends it.
fail() { # WHY
    echo "$1" >"$work/why"
    exit 1
}

say_failed() {
    say "" "FAILED: $(cat "$work/step" 2>/dev/null || echo "the demo")"
    if [ -e "$work/why" ]; then
        say "  $(cat "$work/why")"
    else
        tail -n 6 "$log" | sed 's/^/  | /' >&3
    fi
    say "  Look at $log; the hosts' own logs are beside it."
}

columns() {
    local width=120

    ! on_terminal || width=$(stty size <&3 2>/dev/null | cut -d' ' -f2)
    [ "${width:-0}" -ge 40 ] || width=80
    echo "$width"
}

# Text of a program, within the width.
indented() {
    sed 's/^/    /' | cut -c "1-$(columns)"
}

# Shows a text in place of the last one on a terminal; elsewhere only where
# it is due.
redraw() { # TEXT DUE
    local text lines

    text=$(indented <<<"$1")
    if on_terminal; then
        [ "${drawn:-0}" = 0 ] || printf '\033[%dA\033[J' "$drawn" >&3
        lines=$(wc -l <<<"$text")
        drawn=$lines
    elif [ -z "$2" ]; then
        return 0
    fi
    printf '%s\n' "$text" >&3
}

redraw_ends() { drawn=0; }
