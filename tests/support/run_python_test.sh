#!/bin/sh
# Bazel's own Python rules want a toolchain that this workspace does without.
exec python3 "$@"
