#!/bin/sh
# taken.sh MAP SOURCE...: those of the library's sources whose objects a link has taken, as its map tells (GNU ld's -Map).
# Objects in an archive have no folder: of two of one name both count.
set -eu
map=$1
shift
members=" $(sed -n 's/^[^ ]*libmartlet\.a(\([^)]*\)\.o).*/\1/p' "$map" | sort -u | tr '\n' ' ') "
for source; do
  name=${source##*/}
  case $members in *" ${name%.cc} "*) printf '%s ' "$source" ;; esac
done
