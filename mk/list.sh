#!/bin/sh
# list.sh PATTERN...: the files of the source tree that match, for meson, which has no wildcards.
cd "$(dirname "$0")/.." || exit 1
for pattern in "$@"; do
  for file in $pattern; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
done
exit 0
