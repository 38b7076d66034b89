#!/bin/sh
# check_all.sh NAME LOGS TARGET...: makes one target after the other, whatever becomes of those before, each into its own log.
# Prints a line for each, the end of the log of one that failed, and a last line that sums up. Exit status 1 when any did.
set -u
name=$1
logs=$2
shift 2
mkdir -p "$logs" || exit 1
passed=0
failed=
begin=$(date +%s)

for target; do
  echo "   $target ..."
  from=$(date +%s)
  if ${MAKE:-make} --no-print-directory "$target" >"$logs/$target.log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok $target ($(($(date +%s) - from)) s)"
  else
    failed="$failed $target"
    echo "FAILED $target ($(($(date +%s) - from)) s); the end of $logs/$target.log:"
    tail -n 30 "$logs/$target.log" | sed 's/^/    /'
  fi
done

# shellcheck disable=SC2086  # words
set -- $failed
echo "$name: $passed passed, $# failed$failed, $(($(date +%s) - begin)) s"
[ $# = 0 ]
