#!/usr/bin/env bash
# From problems to an application: tunes the problems of minilm.problems on this machine, builds a library of what was found and one of the
# default schedules, and runs the program of this folder, which links both.
#
# usage: demo.sh NORMFORGE DIRECTORY INPUTS [BUDGET]
#   NORMFORGE  the program         DIRECTORY  for everything that is made; what it holds from an earlier run is used again
#   INPUTS     what encode.py wrote, or --synthetic             BUDGET  of tuning (40s)
set -euo pipefail
normforge=$1 made=$2 inputs=$3 budget=${4:-40s}
source=$(dirname "$0")
mkdir -p "$made"

"$normforge" tune "$source/minilm.problems" --budget "$budget" --resume --db "$made/minilm.db" --lock "$made/minilm.lock"
"$normforge" build "$source/minilm.problems" -o "$made/minilm_norms" --name minilm_norms --lock "$made/minilm.lock"
"$normforge" build "$source/minilm.problems" -o "$made/untuned_norms" --name untuned_norms --no-lock
[[ -e $made/app/build.ninja ]] ||
  cmake -G Ninja -S "$source" -B "$made/app" -DCMAKE_PREFIX_PATH="$made/minilm_norms;$made/untuned_norms" >"$made/app.log"
cmake --build "$made/app" >>"$made/app.log" || { cat "$made/app.log" && exit 1; }
"$made/app/minilm" "$inputs"
