#!/bin/bash
# The tool finds each kind of damage, mends it, forgets each struct that it has made once, and says the
# same as the one with a plain cache.
set -euo pipefail
scrub=$1
plain=$2
image=$(mktemp --tmpdir="${TEST_TMPDIR:-/tmp}")
trap 'rm -f "$image"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Runs one of them; $1 is the exit code that is expected. Leaves its output in $output.
run() {
  local expected=$1 code=0
  shift
  output=$("$@" 2>&1) || code=$?
  [[ $code == "$expected" ]] || fail "$* exited with $code, not $expected: $output"
  if [[ $output =~ structs\ made\ ([0-9]+),\ forgotten\ ([0-9]+) ]]; then
    made=${BASH_REMATCH[1]}
    [[ $made == "${BASH_REMATCH[2]}" ]] || fail "$*: $output"
  fi
}

run 0 "$scrub" make "$image" 3000
run 0 "$plain" scan "$image"
whole=$(head -1 <<<"$output")
run 0 "$scrub" scan "$image"
[[ $(head -1 <<<"$output") == "$whole" ]] || fail "they differ: $output"

# Each way of dying: with the cache, by reclaim, by the last put. More than a thousand each.
run 0 "$scrub" scan "$image"
((made > 3000)) || fail "made only $made"
run 0 "$scrub" scan "$image" --budget=4194304
((made > 3000)) || fail "made only $made"
run 0 "$scrub" scan "$image" --forgetful
((made > 3000)) || fail "made only $made"
run 0 "$scrub" scan "$image" --budget=4194304 --readahead
[[ $(head -1 <<<"$output") == "$whole" ]] || fail "with readahead: $output"

run 0 "$scrub" damage "$image" 5
run 1 "$plain" scan "$image"
damaged=$(sed -n 2p <<<"$output")
run 1 "$scrub" scan "$image"
[[ $(head -1 <<<"$output") == "$whole" ]] || fail "damage shows: $output"
[[ $(sed -n 2p <<<"$output") == "$damaged" ]] || fail "not what the plain one found: $output"
[[ $damaged =~ passed\ over\ ([0-9]+),\ out\ of\ order\ ([0-9]+),\ lost\ 0 ]] || fail "$damaged"
((BASH_REMATCH[1] > 100 && BASH_REMATCH[2] > 50)) || fail "hardly any damage: $damaged"

# What was in the first copies, then in the second ones, with little memory.
run 1 "$scrub" repair "$image" --budget=4194304 --readahead
run 0 "$scrub" scan "$image"
run 1 "$scrub" repair "$image" --first-copy=2 --budget=4194304
for copy in 1 2; do
  run 0 "$scrub" scan "$image" --first-copy=$copy
  [[ $(head -1 <<<"$output") == "$whole" ]] || fail "repaired to something else: $output"
done
run 0 "$plain" scan "$image" --first-copy=2

# Of a block that is bad in both copies it says so, and goes on.
run 0 "$scrub" damage "$image" 1
dd if=/dev/zero of="$image" bs=16384 seek=10 count=1 conv=notrunc status=none
size=$(stat -c %s "$image")
dd if=/dev/zero of="$image" bs=16384 seek=$((size / 16384 / 2 + 10)) count=1 conv=notrunc status=none
run 1 "$scrub" scan "$image"
[[ $output == *"block 163840: lost"* ]] || fail "a lost block is not told of: $output"
echo PASSED
