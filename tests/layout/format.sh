#!/usr/bin/env bash
# The sources are as ./dev format leaves them. Skipped (77) outside a clone, and where clang-format is missing.
cd "$(dirname "$0")/../.." || exit
for tool in git dpkg-query clang-format-22; do
  command -v $tool >/dev/null || { echo "format: no $tool" && exit 77; }
done
[[ -e .git ]] || { echo "format: no clone" && exit 77; }
exec ./dev format --check
