#!/usr/bin/env bash
# The README's two commands in a root of another release of Debian, from nothing but its base system:
#
#   tests/platforms/debian.sh [--root=DIR] [--target=PATTERN]... RELEASE
#
# RELEASE is bookworm, trixie, sid, ... . The root is made by debootstrap in DIR (default
# /var/tmp/ebcache-RELEASE), with a clone of the last commit in it, and stays there for another time; bazelw
# installs what is missing. PATTERNs are tested in place of //... . Needs root, debootstrap and a network; without
# the mirror, or the release there, it says SKIPPED. Tests that need loop devices find those of this machine.
# Exit code: 0 both commands passed, 1 one did not, 77 skipped.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
release=
root=
patterns=()
for argument in "$@"; do
  case $argument in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --root=*) root=${argument#--root=} ;;
    --target=*) patterns+=("${argument#--target=}") ;;
    -*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    *) release=$argument ;;
  esac
done
[ -n "$release" ] || { echo "debian.sh: which release?" >&2; exit 2; }
: "${root:=/var/tmp/ebcache-$release}"
mirror=http://deb.debian.org/debian

if [ ! -e "$root/complete" ]; then
  if [ ! -e "/usr/share/debootstrap/scripts/$release" ]; then
    echo "SKIPPED: debootstrap does not know $release"
    exit 77
  fi
  rm -rf --one-file-system "$root"
  # What a machine has that somebody has just installed, with git to get the sources.
  debootstrap --variant=minbase --include=git,ca-certificates "$release" "$root" "$mirror" >"/tmp/debootstrap-$release.log" 2>&1 || {
    tail -3 "/tmp/debootstrap-$release.log"
    echo "SKIPPED: $mirror did not give $release"
    exit 77
  }
  touch "$root/complete"
fi

mounted=()
clean_up() {
  local at
  for ((at = ${#mounted[@]} - 1; at >= 0; --at)); do umount "${mounted[at]}" || umount -l "${mounted[at]}"; done
}
trap clean_up EXIT
mount -t proc proc "$root/proc" && mounted+=("$root/proc")
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev" && mounted+=("$root/dev")
mount -t sysfs sys "$root/sys" && mounted+=("$root/sys")
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true

rm -rf "$root/src"
git clone -q "file://$top" "$root/src"

# within COMMAND...: at the top of the checkout, as one who has logged in there.
within() {
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 sh -c 'cd /src && exec "$@"' sh "$@"
}

failed=0
within ./bazelw run //examples:quickstart || failed=1
echo "== $release: ./bazelw run //examples:quickstart: exit $failed"
[ "${#patterns[@]}" != 0 ] || patterns=(//...)
status=0
within ./bazelw test --keep_going "${patterns[@]}" || status=$?
echo "== $release: ./bazelw test ${patterns[*]}: exit $status"
within sh -c '. /etc/os-release; echo "$PRETTY_NAME"; bazel --version; g++ --version | head -1; pkg-config --modversion absl_status'
within bazel shutdown
[ "$failed" = 0 ] && [ "$status" = 0 ]
