#!/bin/sh
# halves.sh COMMAND...: runs the integration tests as two processes at the same time, as they mostly wait. FILES says whose
# tests are in the first; their output comes as it is made, the others' behind it. Exit status 1 when any failed.
set -u
FILES='*/integration/f*,*/integration/h*,*/integration/l*,*/integration/s*'

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 1' INT TERM
"$@" --source-file-exclude="$FILES" >"$output" 2>&1 &
"$@" --source-file="$FILES"
status=$?
wait $! || status=1
cat "$output"
[ "$status" = 0 ]
