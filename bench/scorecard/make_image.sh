#!/bin/sh
exec python3 bench/scorecard/make_image.py "$@"
