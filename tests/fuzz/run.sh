#!/bin/sh
# Fuzzes one target: tests/fuzz/run.sh TARGET SECONDS [LIBFUZZER-FLAG]...
# Targets: superblock chunks items tree_block edit image allocator cache capi, or one of these with _planted.
# New inputs and findings go to a directory of their own, which is printed; EBCACHE_FUZZ_OUT names
# one to go on with. Exit code: 0 no finding.
set -eu
[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
target=$1
seconds=$2
shift 2
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
name=${target%_planted}
[ -f "$here/${name}_target.cc" ] || { echo "run.sh: no target $name" >&2; exit 2; }

cd "$here/../.."
build/install_packages.sh build/packages_clang.txt
${EBCACHE_BAZEL:-./bazelw} build --config=fuzz "//tests/fuzz:${target}_fuzz"
program=$(${EBCACHE_BAZEL:-./bazelw} info --config=fuzz bazel-bin 2>/dev/null)/tests/fuzz/${target}_fuzz

out=${EBCACHE_FUZZ_OUT:-$(mktemp -d "${TMPDIR:-/tmp}/ebcache-fuzz-$target.XXXXXX")}
mkdir -p "$out/corpus" "$out/findings"
echo "run.sh: new inputs and findings: $out" >&2
dictionary=""
[ ! -f "$here/dictionaries/$name.dict" ] || dictionary="-dict=$here/dictionaries/$name.dict"
regressions=""
[ ! -d "$here/regressions/$name" ] || regressions="$here/regressions/$name"
# The heap allocator's memory is not the sanitizer's, so leaks are looked for by the targets.
# shellcheck disable=SC2086  # empty, or one word
exec "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix="$out/findings/" $dictionary "$@" "$out/corpus" "$here/corpus/$name" $regressions
