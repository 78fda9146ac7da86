#!/bin/sh
# Each oracle of a target finds a bug that is planted in the library, and no other would:
#
#   planted_test.sh PLANTED-PROGRAM PROGRAM LIST SOURCE...
#
# LIST has lines "ORACLE BUG"; the input that shows BUG has that name, in the directory beside it
# that has LIST's name. SOURCEs have the oracles.
set -u
planted=$1 program=$2 list=$3
shift 3
inputs=${list%.txt}
# What a bug leaks is not what is looked for.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
failures=0

fail() {
  echo "$*" >&2
  failures=$((failures + 1))
}

# check ORACLE BUG
check() {
  input=$inputs/$2
  EBCACHE_PLANTED=$2 "$program" "$input" >real.log 2>&1 ||
    { fail "$2: the real library does not survive it"; cat real.log >&2; }
  if EBCACHE_PLANTED=$2 "$planted" "$input" >planted.log 2>&1; then
    fail "$2: was not noticed"
  elif ! grep -q "^oracle $1:" planted.log; then
    fail "$2: was noticed by something else than $1"
    cat planted.log >&2
  fi
  EBCACHE_PLANTED=$2 EBCACHE_ORACLE_OFF=$1 "$planted" "$input" >off.log 2>&1 ||
    { fail "$2: is noticed without $1 as well"; cat off.log >&2; }
  # The bug is what is noticed, and not the build.
  env -u EBCACHE_PLANTED "$planted" "$input" >none.log 2>&1 ||
    { fail "$2: is noticed when no bug is switched on"; cat none.log >&2; }
}

while read -r oracle bug; do check "$oracle" "$bug"; done <"$list"

# One bug for each oracle that there is, and an input for each bug.
grep -oh 'EBCACHE_ORACLE("[^"]*"' "$@" | cut -d'"' -f2 | sort -u >oracles
cut -d' ' -f1 "$list" | sort >listed
diff oracles listed >&2 || fail "the list is not that of the oracles"
cut -d' ' -f2 "$list" | sort >bugs
ls "$inputs" | sort | diff bugs - >&2 || fail "the inputs are not those of the list"

echo "$(wc -l <listed) oracles, $failures failures"
[ "$failures" = 0 ] && [ -s listed ]
