"""libebcache-core as it is installed: what it needs, what it shows, and what it costs to start.

By hand, as package_test.py.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys

from installed import Installed, declared_functions, exported_functions, main, run

# With it all that a C program may load. The dynamic linker is no library, and there is always one.
ALLOWED = {"libm.so.6", "libc.so.6"}
EXPECTED = (
    "beyond the end: -5, block 1048576: the image ends here\n"
    "reads 64, writes 64, last 64\n"
    "forgotten as made\n"
)


class CoreTest(Installed):
    """One installation for all tests."""

    def build(self, name, *arguments):
        program = self.scratch / name
        run(
            "cc",
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
            program,
            "tests/package/programs/core_tool.c",
            *arguments,
        )
        return program

    def build_shared(self):
        return self.build("shared", *self.flags("--cflags", "--libs", "ebcache-core"))

    def build_static(self):
        flags = self.flags("--static", "--cflags", "--libs", "ebcache-core")
        return self.build("static", "-static", *flags)

    def test_a_program_with_the_shared_one(self):
        self.assertEqual(run(self.build_shared(), **self.environment()), EXPECTED)

    def test_what_a_program_with_the_shared_one_loads(self):
        loaded = run("ldd", self.build_shared(), **self.environment())
        names = {line.split()[0] for line in loaded.splitlines()}
        names = {name for name in names if not re.match(r"linux-vdso|/.*/ld-linux", name)}
        self.assertIn("libebcache-core.so.0", names)
        self.assertEqual(names - ALLOWED - {"libebcache-core.so.0"}, set(), loaded)

    def test_the_shared_one_has_the_functions_of_its_header_and_no_more(self):
        declared, parts = declared_functions(self.prefix / "include", "ebcache_core.h")
        names = ("allocator", "base", "block_set", "buffer", "cache", "readahead")
        self.assertEqual(parts, {f"c/{name}.h" for name in names})
        self.assertGreater(len(declared), 60)
        exported = exported_functions("-D", self.prefix / "lib/libebcache-core.so")
        self.assertEqual(exported, declared)

    def test_the_static_one_has_them_and_no_other_names(self):
        declared, _ = declared_functions(self.prefix / "include", "ebcache_core.h")
        exported = exported_functions("--extern-only", self.prefix / "lib/libebcache-core.a")
        self.assertEqual(exported, declared)

    def test_abseil_is_in_neither(self):
        wanted = run("nm", "--undefined-only", self.prefix / "lib/libebcache-core.a")
        self.assertIn("malloc", wanted)
        self.assertNotIn("absl", wanted)
        # A header of the system's Abseil, where there is none in core/absl, would show among the sources.
        lines = run("readelf", "--debug-dump=rawline", "core/libebcache-core.so.0.1.0")
        self.assertIn("core/absl/status", lines)
        self.assertNotIn("/usr/include/absl", lines)

    def test_a_static_program_in_an_empty_root(self):
        program = self.build_static()
        headers = run("readelf", "-lW", program)
        self.assertNotIn("INTERP", headers)
        root = self.scratch / "root"
        root.mkdir()
        shutil.copy(program, root / "tool")
        if os.geteuid() != 0:
            self.skipTest("SKIPPED: only root may change the root")
        done = subprocess.run(
            ["/tool"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={},
            preexec_fn=lambda: (os.chroot(root), os.chdir("/")),
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", EXPECTED))

    def build_plugin(self, name, header, package):
        plugin = self.scratch / f"lib{name}_plugin.so"
        run(
            *("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", plugin),
            f'-DPLUGIN_HEADER="ebcache/{header}"',
            f"-DPLUGIN(x)={name}_##x",
            "tests/package/programs/plugin.c",
            *self.flags("--cflags", "--libs", package),
        )
        return plugin

    def test_both_in_one_process(self):
        """Each part of a program gets the functions of its own library, whichever was loaded first."""
        full = self.build_plugin("full", "ebcache.h", "ebcache")
        core = self.build_plugin("core", "ebcache_core.h", "ebcache-core")
        for order in ((full, core), (core, full)):
            program = self.scratch / "two_plugins"
            source = "tests/package/programs/two_plugins.c"
            run("cc", "-std=c11", "-o", program, source, *order, f"-Wl,-rpath-link,{self.prefix}/lib")
            said = run(program, **self.environment()).splitlines()
            self.assertRegex(said[0], r"^full: .*/libebcache\.so\.0$")
            self.assertRegex(said[1], r"^core: .*/libebcache-core\.so\.0$")
            self.assertEqual(said[2:], ["0 0, 0 0"])

    def test_no_library_asks_for_mimalloc(self):
        for library in ("libebcache-core.so", "libebcache.so"):
            dynamic = run("readelf", "-dW", self.prefix / "lib" / library)
            self.assertIn("(NEEDED)", dynamic)
            self.assertNotIn("mimalloc", dynamic)
        symbols = run("nm", self.build_static())
        self.assertNotRegex(symbols, r"\bmi_malloc")
        words = run(self.build_static(), "heap")
        self.assertIn("mimalloc in the process: no\n", words)

    def test_mimalloc_is_loaded_for_the_library_alone(self):
        # The linker's own account of who calls whose malloc.
        program = self.build_shared()
        done = subprocess.run(
            [program, "heap"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **self.environment(), "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"},
            check=True,
        )
        self.assertIn("mimalloc in the process: yes\n", done.stdout)
        bound = re.findall(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `(\w+)'", done.stderr)
        bound = [(of, to) for of, to, name in bound if name in ("malloc", "free", "calloc")]
        self.assertGreater(len(bound), 3)
        for of, to in bound:
            if "mimalloc" not in of:
                self.assertNotIn("mimalloc", to, of)

    def test_little_is_to_be_done_at_the_start(self):
        # Counts, not times: of these the time is made.
        library = self.prefix / "lib/libebcache-core.so"
        relocations = run("readelf", "-rW", library)
        by_name = len(re.findall(r"R_X86_64_(?:GLOB_DAT|JUMP_SLOT|64|DTPMOD64)\b", relocations))
        relative = len(re.findall(r"R_X86_64_RELATIVE\b", relocations))
        dynamic = run("readelf", "-dW", library)
        constructors = int(re.search(r"\(INIT_ARRAYSZ\)\s+(\d+)", dynamic).group(1)) // 8
        print(f"{by_name} names to look up, {relative} addresses to adjust, {constructors} constructors")
        self.assertGreater(by_name, 20)
        self.assertLess(by_name, 200)
        self.assertLess(relative, 2000)
        self.assertLessEqual(constructors, 6)

    def test_what_the_start_takes_is_told(self):
        """Prints it, in time of the processor, which others' work changes least. No test judges it."""
        source = self.scratch / "nothing.c"
        source.write_text("int main(void) { return 0; }\n")
        core = self.flags("--libs", "ebcache-core")
        programs = {"nothing": [], "with libstdc++ and libm": ["-lstdc++", "-lm"], "with the core": core}
        times = {}
        for number, (name, flags) in enumerate(programs.items()):
            programs[name] = self.scratch / f"start-{number}"
            run("cc", "-o", programs[name], source, "-Wl,--no-as-needed", *flags)
            times[name] = []
        self.assertIn("libebcache-core", run("readelf", "-d", programs["with the core"]))
        environment = {**os.environ, **self.environment()}
        for _ in range(200):
            for name, program in programs.items():
                process = os.posix_spawn(program, [program], environment)
                _, status, usage = os.wait4(process, 0)
                self.assertEqual(status, 0)
                times[name].append(1e3 * (usage.ru_utime + usage.ru_stime))
        for name, each in times.items():
            print(f"{name}: least {min(each):.2f} ms, median {statistics.median(each):.2f} ms")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
