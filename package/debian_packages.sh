#!/usr/bin/env bash
# The last commit, cloned into a clean root of Debian 12, built there by CMake and made into packages, which
# lintian reads; then installed in another clean root, where programs are built against them.
#   package/debian_packages.sh [--keep] [DIR]
# DIR is where the roots go (default /var/tmp/ebcache-debian); with --keep they stay, and those that are there are
# used again. DEB_BUILD_OPTIONS is passed on. Needs root, debootstrap and a network.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
keep=
directory=/var/tmp/ebcache-debian
for argument in "$@"; do
  case $argument in
    --keep) keep=yes ;;
    -*)
      sed -n '2,6s/^# //p' "$0" >&2
      exit 2
      ;;
    *) directory=$argument ;;
  esac
done
# Of debian/control, and what builds packages.
tools="build-essential fakeroot dpkg-dev lintian git ca-certificates"
base=$directory/base build=$directory/build used=$directory/used

step() { echo "=== $* (after $SECONDS s)"; }

# within ROOT COMMAND...
within() {
  local root=$1
  shift
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-}" "$@"
}

unmount() {
  local root
  for root in "$build" "$used"; do
    ! mountpoint -q "$root/proc" || umount "$root/proc"
  done
}

clean_up() {
  unmount
  [ -n "$keep" ] || rm -rf --one-file-system "$directory"
}
trap clean_up EXIT

# root_for ROOT: another copy of the clean one.
root_for() {
  [ -d "$1" ] || cp -a "$base" "$1"
  mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
}

mkdir -p "$directory"
if [ ! -f "$base/complete" ]; then
  step "a clean root"
  rm -rf "$base"
  debootstrap --variant=minbase bookworm "$base" >"$directory/debootstrap.log" 2>&1 ||
    { tail "$directory/debootstrap.log" && exit 1; }
  touch "$base/complete"
fi

step "what the packages are built with"
root_for "$build"
rm -rf "$build/src"
mkdir -p "$build/src"
git clone -q "file://$top" "$build/src/ebcache"
within "$build" apt-get update -q >"$directory/apt.log"
# shellcheck disable=SC2086  # a list
within "$build" apt-get install -y -q --no-install-recommends $tools >>"$directory/apt.log" 2>&1
within "$build" apt-get build-dep -y -q --no-install-recommends /src/ebcache >>"$directory/apt.log" 2>&1

step "the packages"
within "$build" sh -c 'cd /src/ebcache && dpkg-buildpackage --build=binary --no-sign' >"$directory/build.log" 2>&1 ||
  { tail -40 "$directory/build.log" && exit 1; }
grep -E '^[0-9]+% tests passed' "$directory/build.log"
ls "$build"/src/*.deb

step "lintian"
within "$build" sh -c 'lintian --allow-root --fail-on error --info /src/*.changes'

step "CMake's own installation"
within "$build" sh -c 'cmake --install /src/ebcache/obj-* --prefix /opt/ebcache >/dev/null'
within "$build" /opt/ebcache/bin/ebcache --version

step "programs against the packages, in another root"
root_for "$used"
mkdir -p "$used/src"
cp "$build"/src/*.deb "$used/src/"
rm -f "$used"/src/*-dbgsym_*.deb
cp -r "$top/tests/package/programs" "$top/tests/package/programs_c" "$used/src/"
within "$used" apt-get update -q >>"$directory/apt.log"
within "$used" sh -c 'apt-get install -y -q --no-install-recommends gcc g++ libc6-dev make cmake pkg-config /src/*.deb' \
  >>"$directory/apt.log" 2>&1
within "$used" sh -ec '
  cd /src
  cc -o tool programs/core_tool.c $(pkg-config --cflags --libs ebcache-core)
  ldd tool
  ./tool
  cc -static -o tool_static programs/core_tool.c $(pkg-config --static --cflags --libs ebcache-core) 2>/dev/null
  mkdir -p empty
  cp tool_static empty/
  chroot empty /tool_static
  make -s -C programs
  cmake -S programs_c -B build_c >/dev/null
  cmake --build build_c >/dev/null
  build_c/tool_core-static
  ebcache --version
'
step "done"
