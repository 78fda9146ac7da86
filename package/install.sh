#!/bin/sh
# Installs libraries, headers, package files, the program with its completion, schemas and man pages.
#   ./bazelw run //:install -- --prefix=DIR [--destdir=DIR]
# PREFIX is where it will be used (default /usr/local), DESTDIR what is put in front while copying.
set -eu

usage() {
  sed -n '2,4s/^# //p' "$0"
  exit "$1"
}

prefix=/usr/local
destdir=""
for argument in "$@"; do
  case $argument in
    --prefix=?*) prefix=${argument#--prefix=} ;;
    --destdir=*) destdir=${argument#--destdir=} ;;
    -h | --help) usage 0 ;;
    *)
      echo "install: unknown argument $argument" >&2
      usage 2 >&2
      ;;
  esac
done

# `bazel run` starts programs among the files they need, and says where the caller stands.
caller=${BUILD_WORKING_DIRECTORY:-$PWD}
case $prefix in /*) ;; *) prefix=$caller/$prefix ;; esac
case $destdir in "" | /*) ;; *) destdir=$caller/$destdir ;; esac
[ -f package/install.sh ] || {
  echo "install: run it by ./bazelw run //:install" >&2
  exit 2
}

top=$destdir$prefix
shared=$(basename package/libebcache.so.*)
version=${shared#libebcache.so.}
major=${version%%.*}

# put MODE FILE DIRECTORY [NAME]
put() {
  mkdir -p "$3"
  install -m "$1" "$2" "$3/${4:-$(basename "$2")}"
}

# Debug information would be most of what is installed.
bare() {
  if command -v strip >/dev/null 2>&1; then strip "$@"; fi
}

# fill FILE: the template with what is known here.
fill() {
  sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" \
    -e "s|@LIBS@|$(cat package/libebcache.libs)|g" \
    -e "s|@LIBS_LIST@|$(tr ' ' ';' <package/libebcache.libs)|g" "$1"
}

put 755 "package/$shared" "$top/lib"
bare --strip-unneeded "$top/lib/$shared"
ln -sf "$shared" "$top/lib/libebcache.so.$major"
ln -sf "libebcache.so.$major" "$top/lib/libebcache.so"
put 644 package/libebcache.a "$top/lib"
bare --strip-debug "$top/lib/libebcache.a"

for header in include/ebcache/*.h include/ebcache/*/*.h; do
  put 644 "$header" "$top/${header%/*}"
done

mkdir -p "$top/lib/pkgconfig" "$top/lib/cmake/ebcache"
fill package/ebcache.pc.in >"$top/lib/pkgconfig/ebcache.pc"
# The same with the static library by name: for C++, whose names are in no shared library.
sed -e 's|^Libs:.*|Libs: ${libdir}/libebcache.a '"$(cat package/libebcache.libs)"' -lstdc++ -lm|' \
  -e '/^Libs.private:/d' -e 's|^Name: .*|Name: ebcache-static|' \
  "$top/lib/pkgconfig/ebcache.pc" >"$top/lib/pkgconfig/ebcache-static.pc"
for file in ebcacheConfig.cmake ebcacheConfigVersion.cmake; do
  fill "package/$file.in" >"$top/lib/cmake/ebcache/$file"
done

put 755 tools/ebcache "$top/bin"
bare "$top/bin/ebcache"
put 644 package/completion.bash "$top/share/bash-completion/completions" ebcache
for schema in docs/schema/*.json; do
  put 644 "$schema" "$top/share/ebcache/schema"
done
for page in docs/man/*.[1-8]; do
  [ ! -f "$page" ] || put 644 "$page" "$top/share/man/man${page##*.}"
done
put 644 LICENSE "$top/share/doc/ebcache"

echo "installed ebcache $version in $top"
