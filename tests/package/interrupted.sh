#!/usr/bin/env bash
# Builds that are killed, at many moments, leave each file as it was or complete, and the cache in order.
#
#   interrupted.sh NORMFORGE SCRATCH_DIRECTORY     (emptied first)
set -euo pipefail
normforge=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

fail() {
  echo "interrupted: $*" >&2
  exit 1
}

echo 'softmax cols=8' >old.txt
echo 'softmax cols=16' >new.txt
options=(--name norms --target x86-64-v3)
make() { "$normforge" build "$1.txt" -o "$2" --cache "$3" "${options[@]}" >>build.log; }
make old old cache-old
make new new cache-new

cp -r old out
kills=0
for delay in 0.01 0.03 0.05 0.07 0.1 0.13 0.16 0.2 0.25 0.3 0.4 0.6; do
  rm -rf out cache
  cp -r old out
  "$normforge" build new.txt -o out --cache cache "${options[@]}" >>build.log & # not make: the shell that runs a function would die, not the build
  sleep $delay
  kill -9 $! 2>/dev/null && kills=$((kills + 1))
  wait $! 2>/dev/null || true
  for file in $(cd old && find . -type f); do
    cmp -s "out/$file" "old/$file" || cmp -s "out/$file" "new/$file" || fail "$file is neither the old one nor the new one, killed after ${delay}s"
  done
  make new out cache
  diff -r -x '*.partial-*' out new || fail "a build after one that was killed after ${delay}s differs"
done
((kills > 2)) || fail "no build was killed in time"
echo "$kills builds killed"
