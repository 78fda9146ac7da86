#!/bin/sh
# Runs a fuzz target once on each input: replay_test.sh TARGET INPUT...
set -eu
[ $# -gt 1 ] || { echo "no inputs to replay" >&2; exit 1; }
exec "$@"
