#!/usr/bin/env bash
# run.sh FOLDER SECONDS JOBS [ONLY]: runs the fuzz targets that `make fuzz` has built in FOLDER/fuzz, some at a time, and
# prints one line for each: executions, coverage, the size of its corpus. Exit status 1 when one of them found something;
# the input is then in FOLDER/found.
set -u
folder=$1 seconds=$2 jobs=$3 only=${4:-}
here=$(dirname "$0")
mkdir -p "$folder/found" "$folder/logs"
python3 "$here/seeds.py" "$folder/seeds" || exit 1

run_one() {
  local program=$1 name log
  name=$(basename "$program" _fuzz)
  log=$folder/logs/$name.log
  mkdir -p "$folder/corpus/$name" "$folder/seeds/$name"
  local dictionary=$here/$name.dict
  [ -e "$dictionary" ] && dictionary=-dict=$dictionary || dictionary=
  # shellcheck disable=SC2086  # no dictionary is no argument
  "$program" "$folder/corpus/$name" "$folder/seeds/$name" $dictionary -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -artifact_prefix="$folder/found/$name-" >"$log" 2>&1
  local status=$?
  printf '%-16s %s executions, %s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(grep -E '^#[0-9]+.*cov: ' "$log" | tail -n 1 | sed -E 's/.*(cov: [0-9]+ ft: [0-9]+ corp: [^ ]+).*/\1/')"
  [ "$status" = 0 ] && return 0
  echo "FAILED $name, status $status; the end of $log:"
  tail -n 40 "$log" | sed 's/^/    /'
  return 1
}
export -f run_one
export folder seconds here

failed=0
printf '%s\n' "$folder"/fuzz/*"${only}"*_fuzz | xargs -P "$jobs" -I{} bash -c 'run_one {}' || failed=1
exit $failed
