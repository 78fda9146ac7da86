#!/bin/sh
# ./bazelw run //bench:compare_scrub -- [--leaves=N] [--rounds=N] [--image=FILE]
exec python3 "$@"
