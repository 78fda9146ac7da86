#!/bin/sh
# The target with the planted bug dies of the input that a fuzzer found for it; without the bug the
# same input is harmless: planted_test.sh PLANTED-TARGET TARGET INPUT
set -eu
"$2" "$3"
if "$1" "$3" 2>planted.log; then
  echo "the planted bug was not noticed" >&2
  exit 1
fi
grep -q "check failed\|Sanitizer\|differ" planted.log || { cat planted.log >&2; exit 1; }
