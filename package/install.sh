#!/bin/sh
# Installs libraries, headers, package files, the program with its completion, schemas and man pages.
#   ./bazelw run //:install -- --prefix=DIR [--libdir=DIR] [--destdir=DIR] [--debug]
# PREFIX is where it will be used (default /usr/local), LIBDIR where below it the libraries go (default
# lib), DESTDIR what is put in front while copying. With --debug what debuggers read comes as well: as
# .debug/NAME.debug beside each shared library and program.
set -eu

usage() {
  sed -n '2,6s/^# //p' "$0"
  exit "$1"
}

prefix=/usr/local
libdir=lib
destdir=""
debug=""
for argument in "$@"; do
  case $argument in
    --prefix=?*) prefix=${argument#--prefix=} ;;
    --libdir=?*) libdir=${argument#--libdir=} ;;
    --debug) debug=yes ;;
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

libdir=${libdir#"$prefix"/}
libdir=${libdir%/}
case /$libdir/ in
  //* | */../* | */./*)
    echo "install: --libdir is a directory below the prefix, such as lib/$(uname -m)-linux-gnu: $libdir" >&2
    exit 2
    ;;
esac
up=$(echo "$libdir" | sed 's|[^/][^/]*|..|g')

top=$destdir$prefix
lib=$top/$libdir
shared=$(basename package/libebcache.so.*)
version=${shared#libebcache.so.}
major=${version%%.*}

# put MODE FILE DIRECTORY [NAME]
put() {
  mkdir -p "$3"
  install -m "$1" "$2" "$3/${4:-$(basename "$2")}"
}

# bare OPTION FILE: debug information would be most of what is installed.
bare() {
  command -v strip >/dev/null 2>&1 || return 0
  strip "$@"
}

# put_linked FILE DIRECTORY: a shared library or a program, and beside it what debuggers read.
put_linked() {
  put 755 "$1" "$2"
  linked=$2/$(basename "$1")
  if [ -n "$debug" ]; then
    mkdir -p "$2/.debug"
    objcopy --only-keep-debug "$linked" "$2/.debug/$(basename "$1").debug"
    chmod 644 "$2/.debug/$(basename "$1").debug"
  fi
  bare --strip-unneeded "$linked"
  # By its name alone: debuggers look for it in .debug.
  [ -z "$debug" ] || objcopy --add-gnu-debuglink="$2/.debug/$(basename "$1").debug" "$linked"
}

# fill FILE: the template with what is known here.
fill() {
  sed -e "s|@PC_PREFIX@|\${pcfiledir}/$up/..|g" -e "s|@PC_LIBDIR@|\${prefix}/$libdir|g" \
    -e "s|@PC_INCLUDEDIR@|\${prefix}/include|g" -e "s|@LIBDIR_TO_PREFIX@|$up|g" \
    -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" \
    -e "s|@LIBS@|$(cat package/libebcache.libs)|g" \
    -e "s|@PRIVATE_LIBS@|$(cat package/libebcache.private_libs)|g" \
    -e "s|@LIBS_LIST@|$(tr ' ' ';' <package/libebcache.libs)|g" "$1"
}

for name in libebcache libebcache-core; do
  case $name in *-core) from=core ;; *) from=package ;; esac
  put_linked "$from/$name.so.$version" "$lib"
  ln -sf "$name.so.$version" "$lib/$name.so.$major"
  ln -sf "$name.so.$major" "$lib/$name.so"
  put 644 "$from/$name.a" "$lib"
  [ -n "$debug" ] || bare --strip-debug "$lib/$name.a"
  # gdb looks for it by this name, beside the library.
  put 644 debugging/ebcache-gdb.py "$lib" "$name.so.$version-gdb.py"
done
put 644 debugging/lifecycle.bt "$top/share/ebcache"
put 644 debugging/lifecycle_kernel.bt "$top/share/ebcache"

for header in include/ebcache/*.h include/ebcache/*/*.h; do
  put 644 "$header" "$top/${header%/*}"
done

mkdir -p "$lib/pkgconfig" "$lib/cmake/ebcache"
for name in ebcache ebcache-static ebcache-core; do
  fill "package/$name.pc.in" >"$lib/pkgconfig/$name.pc"
done
for file in ebcacheConfig.cmake ebcacheConfigVersion.cmake; do
  fill "package/$file.in" >"$lib/cmake/ebcache/$file"
done

put_linked tools/ebcache "$top/bin"
put 644 package/completion.bash "$top/share/bash-completion/completions" ebcache
for schema in docs/schema/*.json; do
  put 644 "$schema" "$top/share/ebcache/schema"
done
for page in docs/man/*.[1-8]; do
  [ ! -f "$page" ] || put 644 "$page" "$top/share/man/man${page##*.}"
done
put 644 LICENSE "$top/share/doc/ebcache"

echo "installed ebcache $version in $top"
