#!/bin/sh
# Lines of lib/format, lib/device, lib/volume, lib/tree and lib/fs that their tests and the fuzzers' inputs reach:
#
#   tests/coverage.sh [--show]     a table by file; with --show also the lines that nothing reached
#
# Builds with clang, runs the tests one after another, and asks llvm-cov.
set -eu
case "${1-}" in "" | --show) ;; *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
cd "$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)/.."
build/install_packages.sh build/packages_clang.txt
bazel() { ${EBCACHE_BAZEL:-./bazelw} "$@"; }

programs=$(bazel query --noshow_progress \
  'kind(cc_test, //tests/format:all + //tests/device:all + //tests/volume:all + //tests/tree:all +
   //tests/fs:all) + //tests/fuzz:superblock_fuzz +
   //tests/fuzz:chunks_fuzz + //tests/fuzz:tree_block_fuzz + //tests/fuzz:image_fuzz')
# shellcheck disable=SC2086  # a list of words
bazel build --config=coverage_clang $programs
bin=$(bazel info --config=coverage_clang bazel-bin 2>/dev/null)

out=$(mktemp -d "${TMPDIR:-/tmp}/ebcache-coverage.XXXXXX")
trap 'rm -rf "$out"' EXIT
objects=""
for label in $programs; do
  path=${label#//}
  program=$bin/$(echo "$path" | tr : /)
  name=${path##*:}
  inputs=""
  case $name in
    *_fuzz) inputs="tests/fuzz/corpus/${name%_fuzz} tests/fuzz/regressions/${name%_fuzz}" ;;
  esac
  # shellcheck disable=SC2046,SC2086  # lists of words
  LLVM_PROFILE_FILE=$out/$name.%p.profraw "$program" \
    $([ -z "$inputs" ] || find $inputs -type f 2>/dev/null) >"$out/$name.log" 2>&1 || {
    echo "coverage.sh: $name failed" >&2
    tail -20 "$out/$name.log" >&2
    exit 1
  }
  objects="$objects${objects:+ -object} $program"
done

llvm-profdata merge -sparse -o "$out/all.profdata" "$out"/*.profraw
others='(^|/)(tests|tools|examples|include|bazel-out|usr)/|(^|/)lib/(mm|cache|capi)/'
# shellcheck disable=SC2086  # a list of words
llvm-cov report -instr-profile="$out/all.profdata" -ignore-filename-regex="$others" $objects
[ "${1-}" = --show ] || exit 0
# shellcheck disable=SC2086
llvm-cov show -instr-profile="$out/all.profdata" -ignore-filename-regex="$others" $objects |
  grep -E '^[^ ].*:$|^ *[0-9]+\| +0\|'
