#!/usr/bin/env bash
# Builds libraries with the program, moves them away, and embeds them in outside projects: found as CMake packages, and made as a step of a build.
#
#   run.sh BUILD_DIRECTORY SCRATCH_DIRECTORY     (of normforge; emptied first)
set -euo pipefail
build=$1 scratch=$2
here=$(cd "$(dirname "$0")" && pwd)
normforge=$build/bin/normforge
rm -rf "$scratch"
mkdir -p "$scratch"
export XDG_CACHE_HOME=$scratch/home

fail() {
  echo "consumer: $*" >&2
  exit 1
}

configure() { # SOURCE BINARY OPTION…
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release "${@:3}" >"$2.log" 2>&1 || { cat "$2.log" && fail "configuring $1"; }
}

compile() { cmake --build "$1" >"$1.log" 2>&1 || { cat "$1.log" && fail "building $1"; }; }

echo "two libraries in outside programs"
make() { "$normforge" build "$here/package/$1.txt" -o "$scratch/made/$1" --name "$1" --target "$2" --cache "$scratch/cache" >"$scratch/$1.out"; }
make norms x86-64-v2,x86-64-v3,x86-64-v4
make other_norms x86-64-v3
mv "$scratch/made" "$scratch/moved"
configure "$here/package" "$scratch/package" "-DCMAKE_PREFIX_PATH=$scratch/moved/norms;$scratch/moved/other_norms"
compile "$scratch/package"
for program in from_c from_cpp with_plugin; do
  "$scratch/package/$program" || fail "$program failed"
done
if NORMS_LEVEL=9 "$scratch/package/with_plugin"; then
  fail "a level that there is not was accepted from the environment"
fi
readelf -lW "$scratch/package/libplugin.so" | grep -q 'GNU_STACK.* RW ' || fail "the shared object asks for an executable stack"
if readelf -dW "$scratch/package/libplugin.so" | grep -q TEXTREL; then
  fail "the shared object has text relocations"
fi
if nm "$scratch/package/libplugin.so" | grep -q norms_softmax; then
  fail "a program links kernels of functions that it does not call"
fi

if [[ -n ${NORMFORGE_LONG:-} ]]; then
  echo "every norm and dtype in one library, its header under many warnings"
  for dtype in f64 f32 bf16 f16; do
    "$normforge" list | sed -n "s/^\([a-z0-9_]*\)(\([a-z_]*\).*/\1 \2=$dtype/p" # NAME FIRST_INPUT=DTYPE
  done >"$scratch/everything.txt"
  (($(wc -l <"$scratch/everything.txt") >= 100)) || fail "only $(wc -l <"$scratch/everything.txt") problems"
  "$normforge" build "$scratch/everything.txt" -o "$scratch/everything" --name everything >"$scratch/everything.out"
  echo '#include "everything.h"' | tee "$scratch/header.c" >"$scratch/header.cpp"
  cc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$scratch/everything/include" -c "$scratch/header.c" -o "$scratch/header.o"
  c++ -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast -Werror -I"$scratch/everything/include" -c "$scratch/header.cpp" -o "$scratch/header.o"
fi

echo "an outside project that builds its kernels"
cmake --install "$build" --prefix "$scratch/installed" >"$scratch/install.log"
mv "$scratch/installed" "$scratch/prefix"
cp -r "$here/build_step" "$scratch/source"
configure "$scratch/source" "$scratch/step" "-DCMAKE_PREFIX_PATH=$scratch/prefix"
compile "$scratch/step"
"$scratch/step/app" || fail "app failed"
compile "$scratch/step"
grep -q 'no work to do' "$scratch/step.log" || fail "a second build did something: $(cat "$scratch/step.log")"
echo '# changed' >>"$scratch/source/scale_norm.norm"
compile "$scratch/step"
grep -q 'Building kernels of app_norms' "$scratch/step.log" || fail "a changed norm was not built again"

echo "with a lockfile"
manifest=$scratch/step/app_norms/share/app_norms/manifest.json
refuse() { # WHAT: the build fails and says so
  if cmake --build "$scratch/step" >"$scratch/step.log" 2>&1; then
    fail "built, though: $1"
  fi
  grep -q "$1" "$scratch/step.log" || { cat "$scratch/step.log" && fail "did not say: $1"; }
}
tune() { "$scratch/prefix/bin/normforge" tune "$scratch/source/problems.txt" --effort estimate --target "$1" --lock "$scratch/source/app.lock" >"$scratch/tune.log"; }
grep -q '"schedules": "common"' "$manifest" || fail "the manifest does not say where schedules are from"
tune x86-64-v2
configure "$scratch/source" "$scratch/step" "-DOPTIONS=LOCK;app.lock;REQUIRE_COMPLETE"
refuse "app.lock: has no schedule for all of 'scale_norm.norm cols=2' for x86-64-v3;"
tune x86-64-v3 # a changed lockfile is a reason to build again
compile "$scratch/step"
grep -q '"schedules": "lockfile"' "$manifest" || fail "the lockfile was not used"
(($(grep -c '"origin": "tuned"' "$manifest") == 2)) || fail "expected two tuned kernels"
"$scratch/step/app" || fail "app failed with a lockfile"
compile "$scratch/step"
grep -q 'no work to do' "$scratch/step.log" || fail "a second build with a lockfile did something: $(cat "$scratch/step.log")"
sed -i 's/x86-64-v3/x86-64-v4/' "$scratch/source/app.lock"
refuse 'app.lock:3: .*checksum'
configure "$scratch/source" "$scratch/step" "-DOPTIONS=NO_LOCK"
compile "$scratch/step"
grep -q '"schedules": "default"' "$manifest" || fail "NO_LOCK: schedules are not the default ones"
if cmake "-DOPTIONS=NO_LOCK;REQUIRE_COMPLETE" "$scratch/step" >"$scratch/step.log" 2>&1; then
  fail "NO_LOCK and REQUIRE_COMPLETE were accepted together"
fi

echo "with code for GPUs"
numerics() { # of the kernels for a target: what stands before their mapping
  grep -B1 "\"target\": \"$1\"" "$manifest" | sed -n 's/.*"schedule": "\([^|]*\)|.*/\1/p' | sort -u
}
gpu_targets="-DTARGETS=x86-64-v3;sm_90"
configure "$scratch/source" "$scratch/step" "$gpu_targets" "-DOPTIONS=NO_LOCK;REQUIRE_CUBIN"
NORMFORGE_PTXAS=none refuse "no machine code for GPUs: none does not say its version"
configure "$scratch/source" "$scratch/step" "$gpu_targets" "-DOPTIONS=NO_LOCK"
NORMFORGE_PTXAS=none compile "$scratch/step"
grep -q 'warning: GPUs get PTX alone' "$scratch/step.log" || fail "a library without cubins came without a warning"
[[ $(numerics sm_90) && $(numerics sm_90) != "$(numerics x86-64-v3)" ]] || fail "without SAME_BITS GPUs sum in the order of the CPU"
"$scratch/step/app" || fail "app failed with code for GPUs"
if "$normforge" build "$scratch/source/problems.txt" -o "$scratch/cubins" --name cubins --target sm_90 --require cubin >"$scratch/cubins.log" 2>&1; then
  cubins=REQUIRE_CUBIN
else
  cubins= && grep -q 'no machine code for GPUs' "$scratch/cubins.log" || fail "$(cat "$scratch/cubins.log")"
fi
configure "$scratch/source" "$scratch/step" "$gpu_targets" "-DOPTIONS=NO_LOCK;SAME_BITS;$cubins"
compile "$scratch/step"
[[ $(numerics sm_90) && $(numerics sm_90) == "$(numerics x86-64-v3)" ]] || fail "SAME_BITS: GPUs sum in another order than the CPU"
if [[ $cubins ]] && grep -q '"cubin_bytes": 0' "$manifest"; then
  fail "REQUIRE_CUBIN: a kernel has no cubin"
fi
"$scratch/step/app" || fail "app failed with code for GPUs that sums in the order of the CPU"
