#!/bin/sh
# Runs the test NAME.py beside this file: run_python_test.sh NAME.py ARGUMENTS...
# Bazel's own rules for Python want more than the distribution's Bazel has.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
script=$1
shift
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/$script" "$@"
