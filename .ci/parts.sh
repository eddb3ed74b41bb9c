# Runs the independent parts of a check, PARTS_AT_A_TIME at once. To be sourced by bash 5.1 or newer.
#
#   part "linters" lint all    # adds a part: its title, and the command or function that it runs
#   run_parts                  # runs all parts in their order; returns 1 when one of them fails
#
# A part runs in a shell of its own, with errexit. Its output is printed whole when the part ends, with its time.
# After a failure no further part starts, and the output of the part that failed is printed again at the end.
# Call run_parts as a plain command: within a condition, bash ignores errexit, in the parts too.

PARTS_AT_A_TIME=2
ONLY="" # where it is set: only the parts whose titles contain it
TIMEFORMAT="took %R s; processor time: %U s + %S s"
titles=()
commands=()
declare -A running=() # by process id: the number of the part that the process runs

part() {
    [[ $1 == *"$ONLY"* ]] || return 0
    titles+=("$1")
    commands+=("$(printf '%q ' "${@:2}")")
}

run_parts() {
    local logs next=0 pid status number failed="" ends=()
    logs=$(mktemp -d)
    set -m # a process group for each part, so that it can be stopped as a whole
    trap 'stop_parts; exit 130' INT TERM

    while true; do
        while [ -z "$failed" ] && [ "$next" -lt ${#titles[@]} ] && [ ${#running[@]} -lt "$PARTS_AT_A_TIME" ]; do
            (
                set -euo pipefail
                time eval "${commands[next]}"
            ) >"$logs/$next" 2>&1 </dev/null &
            running[$!]=$next
            next=$((next + 1))
        done
        [ ${#running[@]} -gt 0 ] || break

        status=0
        wait -n -p pid "${!running[@]}" || status=$?
        number=${running[$pid]}
        unset "running[$pid]"
        [ "$status" -eq 0 ] || failed=${failed:-$number}
        printf '\n=== %s\n' "${titles[number]}"
        cat "$logs/$number"
        ends+=("$(printf '%-36s %s' "${titles[number]}" "$(closing_lines "$logs/$number")")")
    done

    printf '\n=== all parts, with their times\n'
    printf '%s\n' "${ends[@]}"
    if [ -n "$failed" ]; then
        printf '\n=== FAILED: %s\n' "${titles[failed]}"
        cat "$logs/$failed"
    fi
    rm -r "$logs"
    [ -z "$failed" ]
}

stop_parts() {
    local pid
    for pid in "${!running[@]}"; do
        kill -INT -- "-$pid" 2>/dev/null || true
    done
    wait
}

# The last lines of a part's output, on one line: its time, and before it pytest's own closing line, if there is one.
closing_lines() {
    local tests
    tests=$(grep -E '[0-9]+ (passed|failed|errors?|skipped|deselected)\b.* in [0-9.]+s' "$1" | tail -n 1 | tr -d '=') || true
    printf '%s%s' "$(tail -n 1 "$1")" "${tests:+; tests: ${tests# }}"
}
