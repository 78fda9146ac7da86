#!/usr/bin/env bash
# Every bug that is planted in the copy of the library is shown by the test that is named for it; and
# without one that test passes.
#
# planted_test.sh BUGS.TXT PROGRAM...: lines of the file are a program's name and a bug's.
set -u

bugs=$1
shift

program_of() {
  local program
  for program in "${@:2}"; do
    [ "$(basename "$program")" = "$1" ] && echo "$program"
  done
}

# Filesystems of one and of several devices, commits that reuse space and that write early: enough for
# each bug, and a tenth of all.
filter='*/DupSplits:*/DupReuse:*/DupEarly:*/Raid1Splits:*/Raid1c3Early:*/MixedFatTwice:SameGenerationTest.*'

failures=0
planted=0
for name in $(cut -d' ' -f1 "$bugs" | sort -u); do
  if ! "$(program_of "$name" "$@")" --gtest_filter="$filter" > "$TEST_TMPDIR/log" 2>&1; then
    cat "$TEST_TMPDIR/log"
    echo "FAILED: $name, without a planted bug"
    failures=$((failures + 1))
  fi
done
while read -r name bug; do
  planted=$((planted + 1))
  if EBCACHE_PLANTED=$bug "$(program_of "$name" "$@")" --gtest_filter="$filter" \
      > "$TEST_TMPDIR/log" 2>&1; then
    echo "FAILED: $name does not show $bug"
    failures=$((failures + 1))
  elif ! grep -q '^\[  FAILED  \]' "$TEST_TMPDIR/log"; then
    tail -5 "$TEST_TMPDIR/log"
    echo "FAILED: with $bug, $name ended, and no test of it failed"
    failures=$((failures + 1))
  else
    echo "$bug is shown by $(grep -m1 '^\[  FAILED  \]' "$TEST_TMPDIR/log" | cut -d' ' -f6 | tr -d ,)"
  fi
done < "$bugs"

echo "$planted planted, $failures not shown"
[ "$planted" -gt 10 ] && [ "$failures" -eq 0 ]
