#!/bin/sh
# What interleave does with its arguments: a mistake is no answer.
#
#   interleave_arguments_test.sh INTERLEAVE MUTANTS
#
# MUTANTS is the same program with planted bugs.
set -u
interleave=$1
mutants=$2
failures=0

# expect CODE PART ARGUMENTS...: the exit code, and a part of what is printed.
expect() {
  code=$1 part=$2
  shift 2
  timeout 50 "$interleave" "$@" >out.log 2>&1
  got=$?
  if [ "$got" != "$code" ] || ! grep -qF -- "$part" out.log; then
    echo "interleave $*: exit code $got and not $code, or without \"$part\":" >&2
    cat out.log >&2
    failures=$((failures + 1))
  fi
}

expect 0 "Exit code" --help
expect 2 "no bug of the name" --plant=write-end-without-wak --program=flush+give-up
expect 2 "no bugs are planted" --plant=write-end-without-wake --program=flush+give-up
expect 2 "no bugs are planted" --canaries
expect 2 "no program of the name" --program=nonsense
expect 2 "unknown argument" nonsense
for number in x 0 0.01 -1 "" 99999999999999999999; do
  expect 2 "--effort wants a number" --effort="$number" --program=flush+flush
  expect 2 "--processes wants a number" --processes="$number" --program=flush+flush
done
expect 2 "--seed wants a number" --seed=x
expect 2 "at a time" --all --program=flush+flush
expect 0 "1 programs" --program=flush+flush

# What is printed to play it again does that.
interleave=$mutants
expect 1 "FAILED" --plant=write-end-without-wake --program=flush+give-up
replay=$(sed -n "s/^  --replay='\(.*\)' --plant=write-end-without-wake$/\1/p" out.log)
[ -n "$replay" ] || { echo "no command to play it again" >&2; failures=$((failures + 1)); }
expect 1 "flush+give-up" --replay="$replay" --plant=write-end-without-wake
expect 0 "nothing wrong" --replay="$replay"

# A place where a memory order stands, and what a weaker one there is noticed by.
interleave=$1
expect 0 "state_word.h" --sites --program=flush+flush
expect 0 "0 not noticed" --weaken=no_such_place --program=flush+flush
expect 0 "1 programs" --weak --program=flush+flush

# What only weak memory shows is played again with it.
interleave=$mutants
expect 1 "FAILED" --weak --plant=dirty-again-is-a-look "--program=retry: beside a dirtier"
replay=$(sed -n "s/^  --replay='\(.*\)' --weak --plant=dirty-again-is-a-look$/\1/p" out.log)
[ -n "$replay" ] || { echo "no command to play it again" >&2; failures=$((failures + 1)); }
expect 1 "reads the store" --replay="$replay" --weak --plant=dirty-again-is-a-look

"$1" --list >/dev/full 2>full.log
if [ $? != 2 ] || ! grep -q "cannot write the result" full.log; then
  echo "a full device is not told of" >&2
  failures=$((failures + 1))
fi

echo "$failures failures"
[ "$failures" = 0 ]
