#!/bin/sh
# Runs a Python test of a program: SCRIPT PROGRAM.
exec python3 "$@"
