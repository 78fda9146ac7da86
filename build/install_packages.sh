#!/bin/sh
# Installs those of the Debian packages that FILE lists which this machine lacks: build/install_packages.sh FILE
#
# A line of FILE is a package's name; behind # is a comment. A|B is one package by the names that it has in different
# releases: any of them will do, and the first one that this machine's release has is installed. Where a command :C
# is among them, a machine that has the command needs no package. It needs root, or sudo; without either it says
# what is missing. Where nothing is missing it says nothing.
set -eu

# installed NAME...: whether one of them is there.
installed() {
  for name; do
    case $name in
      :*) ! command -v "${name#:}" >/dev/null 2>&1 || return 0 ;;
      *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" != installed ] || return 0 ;;
    esac
  done
  return 1
}

# of_this_release NAME...: the first one that apt knows; where it knows none, the first, for apt to complain of.
of_this_release() {
  for name; do
    case $name in :*) continue ;; esac
    if apt-cache show "$name" >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "$1"
}

missing=""
while read -r names _; do
  case "$names" in "" | "#"*) continue ;; esac
  # shellcheck disable=SC2046  # a list of words
  installed $(echo "$names" | tr '|' ' ') || missing="$missing $names"
done <"$1"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo"
else
  echo "bazelw: these packages are missing, and neither root nor sudo is at hand:$missing" >&2
  exit 1
fi
echo "bazelw: installing$missing" >&2
# shellcheck disable=SC2086,SC2046  # lists of words
{
  $as_root apt-get update -q
  packages=""
  for names in $missing; do
    packages="$packages $(of_this_release $(echo "$names" | tr '|' ' '))"
  done
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
} >&2
