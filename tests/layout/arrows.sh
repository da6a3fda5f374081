#!/usr/bin/env bash
# A folder includes only what stands to its right in cli -> autotune -> codegen -> dsl (and codegen -> runtime), compiler headers stay inside dsl/ and codegen/,
# and no header that crosses a folder includes one. Prints each line that breaks a rule.
cd "$(dirname "$0")/../.." || exit 2
broken=0

# refuse WHAT PATTERN PATH …: no file below the paths may have a line that matches.
refuse() {
  local what=$1 pattern=$2 found
  shift 2
  found=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.c' "$pattern" "$@" 2>/dev/null | grep -v 'llvm/Support/JSON.h')
  [[ -z $found ]] && return
  printf '%s:\n%s\n' "$what" "$found"
  broken=1
}

compiler='#include [<"](mlir|llvm|lld|Halide)'
refuse 'dsl/ uses nothing but itself' '#include "(codegen|autotune|runtime|cli)/' dsl
refuse 'runtime/ depends on nothing' '#include "(dsl|codegen|autotune|cli)/' runtime
refuse 'codegen/ knows neither autotune/ nor cli/' '#include "(autotune|cli)/' codegen
refuse 'autotune/ does not know cli/' '#include "cli/' autotune
refuse 'compiler headers in a folder that needs none' "$compiler" autotune runtime examples
refuse 'a header that crosses a folder includes a compiler header' "$compiler" dsl/*.h codegen/*.h codegen/package/*.h
refuse 'codegen/nest/ knows no backend' '#include "codegen/(x86|cuda|halide)/' codegen/nest
refuse 'a backend knows no other one, but the emulator of GPUs compiles for a CPU' '#include "codegen/x86/' codegen/cuda --exclude=emulate.cpp
refuse 'a backend knows no other one' '#include "codegen/(cuda|halide)/' codegen/x86
refuse 'a private header of a backend is used outside of it' '#include "codegen/(nest|x86|cuda|halide)/' dsl autotune runtime cli codegen/*.cpp codegen/*.h codegen/package --exclude=backend.cpp
exit $broken
