"""Where things are installed, and what finds them there: another directory of libraries, symbols, a tree
that was moved, projects of C alone, static linking.

By hand, as package_test.py.
"""

import re
import subprocess
import sys
import zlib

from installed import ARGUMENTS, Installed, main, run

LIBDIR = "lib/x86_64-linux-gnu"


class LayoutTest(Installed):
    """The package with symbols, in a distribution's directory of libraries, and moved afterwards."""

    @classmethod
    def install_arguments(cls):
        return (f"--libdir={LIBDIR}", "--debug")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        moved = cls.scratch / "moved" / "further"
        moved.parent.mkdir()
        cls.prefix.rename(moved)
        cls.prefix = moved

    def environment(self):
        return {
            "PKG_CONFIG_PATH": str(self.prefix / LIBDIR / "pkgconfig"),
            "LD_LIBRARY_PATH": str(self.prefix / LIBDIR),
        }

    def test_libraries_are_where_they_were_asked_for(self):
        self.assertFalse(list((self.prefix / "lib").glob("libebcache*")))
        there = {path.name for path in (self.prefix / LIBDIR).glob("*") if path.is_file()}
        self.assertEqual(
            there,
            {
                f"libebcache{core}.{suffix}"
                for core in ("", "-core")
                for suffix in ("a", "so", "so.0", "so.0.1.0", "so.0.1.0-gdb.py")
            },
        )

    def test_directories_that_are_none_below_the_prefix(self):
        for libdir in ("/elsewhere/lib", "../lib", "lib/../../x", "."):
            done = subprocess.run(
                [ARGUMENTS.install, f"--prefix={self.scratch}/none", f"--libdir={libdir}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                check=False,
            )
            self.assertEqual(done.returncode, 2, libdir)
            self.assertIn("--libdir", done.stderr)
            self.assertFalse((self.scratch / "none").exists())

    def test_symbols_are_beside_what_is_without(self):
        for place, name in (
            (LIBDIR, "libebcache.so.0.1.0"),
            (LIBDIR, "libebcache-core.so.0.1.0"),
            ("bin", "ebcache"),
        ):
            bare = self.prefix / place / name
            debug = self.prefix / place / ".debug" / f"{name}.debug"
            sections = run("readelf", "-SW", bare)
            self.assertNotIn(".debug_info", sections)
            self.assertIn(".gnu_debuglink", sections)
            self.assertIn(".debug_info", run("readelf", "-SW", debug))
            # By which debuggers know that the two belong together.
            linked, checksum = self.debug_link(bare)
            self.assertEqual(linked, f"{name}.debug")
            self.assertEqual(checksum, zlib.crc32(debug.read_bytes()))

    @staticmethod
    def debug_link(bare):
        """The name in the section, and the checksum at its end."""
        dump = run("readelf", "--hex-dump=.gnu_debuglink", bare)
        words = re.findall(r"^  0x[0-9a-f]+ ((?:[0-9a-f]{2,8} )+)", dump, re.MULTILINE)
        section = bytes.fromhex("".join(words).replace(" ", ""))
        return section.split(b"\0")[0].decode(), int.from_bytes(section[-4:], "little")

    def test_package_files_move_with_the_tree(self):
        for name in ("ebcache", "ebcache-core", "ebcache-static"):
            flags = self.flags("--cflags", "--libs", name)
            self.assertNotIn(str(self.scratch / "prefix"), " ".join(flags))
            source = "count.c" if name != "ebcache-core" else "core_tool.c"
            program = self.scratch / name
            run("cc", "-std=c11", "-o", program, f"tests/package/programs/{source}", *flags)
            self.assertTrue(program.exists())
        self.assertIn("last 64", run(self.scratch / "ebcache-core", **self.environment()))

    def test_a_project_of_c_alone(self):
        sources = self.copy_of("tests/package")
        build = sources / "build"
        run("cmake", "-S", sources / "programs_c", "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.assertNotIn("CMAKE_CXX_COMPILER:", (build / "CMakeCache.txt").read_text())
        run("cmake", "--build", build)
        for program in ("tool_core", "tool_core-static"):
            self.assertIn("last 64", run(build / program, **self.environment()))
        for program in ("count_ebcache", "count_static"):
            self.assertTrue((build / program).exists())
        self.assertNotIn("libebcache", run("readelf", "-d", build / "count_static"))

    def test_projects_of_cxx_get_the_standard_that_headers_need(self):
        sources = self.copy_of("tests/package/programs")
        (sources / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20)\n"
            "project(count CXX)\n"
            "set(CMAKE_CXX_STANDARD 17)\n"  # less than the headers are written in
            "find_package(ebcache 0.1 REQUIRED CONFIG)\n"
            "add_executable(count_cc count.cc)\n"
            "target_link_libraries(count_cc ebcache::static)\n"
        )
        build = sources / "build"
        run("cmake", "-S", sources, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)

    def test_the_list_for_static_linking_is_complete(self):
        # Debian has no static ISA-L: an empty one stands in, and only its functions may be missing.
        flags = self.flags("--static", "--cflags", "--libs", "ebcache")
        empty = self.scratch / "empty"
        empty.mkdir()
        run("ar", "rcs", empty / "libisal.a")
        command = ["cc", "-static", "-o", self.scratch / "count", "tests/package/programs/count.c"]
        done = subprocess.run(
            [*command, f"-L{empty}", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        missing = set(re.findall(r"undefined reference to `([^']+)'", done.stdout))
        # Each is one of ISA-L's by its header.
        with open("/usr/include/isa-l/crc.h", encoding="utf-8") as header:
            known = set(re.findall(r"\b(crc\w+)\(", header.read()))
        self.assertTrue(missing, done.stdout)
        self.assertEqual(missing - known, set(), done.stdout)
        self.assertNotIn("cannot find", done.stdout)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
