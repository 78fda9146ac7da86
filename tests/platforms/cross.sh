#!/usr/bin/env bash
# The unit tests on another processor: cross-compiled with Debian's toolchain, run by qemu's user emulation.
#
#   tests/platforms/cross.sh [--root=DIR] arm64|s390x [TARGET...]
#
# Debian's libraries for that processor are unpacked in DIR (default: ~/.cache/ebcache/ROOT-OF-ARCH), once,
# about 400 MB from the mirror. Programs of that processor are run by way of binfmt_misc, which root sets up; it is
# taken back at the end. TARGETs are Bazel's; without any those of tests/platforms/unit_tests.txt. What an emulator
# cannot do is in tests/platforms/not_emulated.txt, with reasons, and is named at the end.
# Exit code: Bazel's; 2 for wrong use.
set -euo pipefail

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
}

top=$(cd "$(dirname "$0")/../.." && pwd)
root=
arch=
targets=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --root=*) root=${argument#--root=} ;;
    -*) usage >&2; exit 2 ;;
    *) if [ -z "$arch" ]; then arch=$argument; else targets+=("$argument"); fi ;;
  esac
done
case $arch in
  arm64) triplet=aarch64-linux-gnu machine=aarch64 ;;
  s390x) triplet=s390x-linux-gnu machine=s390x ;;
  *) usage >&2; exit 2 ;;
esac
: "${root:=${HOME}/.cache/ebcache/root-of-$arch}"
[ "$(id -u)" = 0 ] || { echo "cross.sh: only root may unpack a root and set up binfmt_misc" >&2; exit 1; }

needed=()
for package in debootstrap qemu-user-static "g++-$triplet"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || needed+=("$package")
done
if [ "${#needed[@]}" != 0 ]; then
  apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${needed[@]}" >&2
fi

# Debian's libraries of that processor. Nothing of it is run: unpacked is enough.
if [ ! -e "$root/complete" ]; then
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  libraries=libabsl-dev,libgtest-dev,libgmock-dev,librapidcheck-dev,liburing-dev,libisal-dev,libxxhash-dev
  libraries+=,libgcrypt20-dev,zlib1g-dev,libmimalloc-dev,libstdc++-12-dev,nlohmann-json3-dev,libcli11-dev
  libraries+=,systemtap-sdt-dev,libbenchmark-dev
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --arch="$arch" --foreign --variant=minbase --include="$libraries" "$release" "$root" \
    http://deb.debian.org/debian >&2
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  # Links from / are links from there, where it is no root that anything runs in.
  find "$root/usr/lib" -type l -lname '/*' | while read -r link; do
    ln -sfn "$root$(readlink "$link")" "$link"
  done
  for tool in gcc g++; do
    printf '#!/bin/sh\nexec %s-%s --sysroot=%s "$@"\n' "$triplet" "$tool" "$root" >"$root/cross-$tool"
    chmod +x "$root/cross-$tool"
  done
  touch "$root/complete"
fi

# What is set up here is taken back, and what was there before stays.
undo=()
finish() {
  local step
  for ((step = ${#undo[@]} - 1; step >= 0; --step)); do eval "${undo[step]}" || true; done
}
trap finish EXIT
registry=/proc/sys/fs/binfmt_misc
if [ ! -e "$registry/register" ]; then
  mount -t binfmt_misc binfmt_misc "$registry"
  undo+=("umount $registry")
fi
if [ ! -e "$registry/qemu-$machine" ]; then
  cat "/usr/lib/binfmt.d/qemu-$machine.conf" >"$registry/register"
  undo+=("echo -1 >$registry/qemu-$machine")
fi
# Where that emulator looks for the dynamic linker and libraries.
prefix=/etc/qemu-binfmt/$machine
if [ ! -e "$prefix" ]; then
  mkdir -p /etc/qemu-binfmt
  ln -s "$root" "$prefix"
  undo+=("rm $prefix; rmdir /etc/qemu-binfmt 2>/dev/null")
fi

cd "$top"
# file: its lines, but for comments.
lines_of() {
  sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$1"
}
if [ "${#targets[@]}" = 0 ]; then mapfile -t targets < <(lines_of tests/platforms/unit_tests.txt); fi
left_out=()
# Lines are "//folder:name: why".
while read -r name; do left_out+=("-${name%:}"); done < <(lines_of tests/platforms/not_emulated.txt | cut -d' ' -f1)

results=$(mktemp -d)
undo+=("rm -r $results")
status=0
# An output base of its own: the other toolchain would throw all of the usual one away.
./bazelw --output_base="$root.bazel" test --config=cross --repo_env=CC="$root/cross-gcc" \
  --build_tests_only --keep_going --test_output=errors -- "${targets[@]}" "${left_out[@]}" ||
  status=$?

logs=$("$top/bazelw" --output_base="$root.bazel" info --repo_env=CC="$root/cross-gcc" --config=cross bazel-testlogs 2>/dev/null)
echo "== $arch, by $(qemu-$machine-static --version | head -1)"
find "$logs" -name test.log -newer "$results" -print0 | xargs -0 -r cat | awk '
  /^\[ RUN / { ++run } /^\[       OK / { ++passed } /^\[  FAILED  \] [^ ]+ \(/ { ++failed }
  /^\[  SKIPPED \] [^ ]+ \(/ { ++skipped }
  END { printf "%d cases, %d passed, %d failed, %d skipped by themselves\n", run, passed, failed, skipped }'
echo "left out, because the emulator is not up to them:"
sed '/^#/d; /^$/d; s/^/  /' tests/platforms/not_emulated.txt
exit "$status"
