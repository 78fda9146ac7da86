#!/bin/sh
# Bazel's own Python rules want a toolchain that this workspace does without.
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$@"
