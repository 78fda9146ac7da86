"""Runs tests: once to learn what each reaches, then under one mutant at a time."""

import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

# A mutant that eats memory is stopped here, before the machine suffers.
MEMORY_BYTES = 4 << 30
# What a test is given beyond its time without a mutant: 10 times that, and so many seconds.
GRACE_SECONDS = 20
# Tests that go on for a set time: shorter, and what is drawn at random is the same each time.
ENVIRONMENT = {"EBCACHE_STRESS_SECONDS": "0.3", "RC_PARAMS": "seed=1", "GTEST_COLOR": "no"}


@dataclasses.dataclass
class Reach:
    """What one test reaches; of a GoogleTest program each case by itself."""
    test: str
    case: str  # "" for a whole program
    seconds: float
    mutants: set
    outcome: str = "passed"


@dataclasses.dataclass
class Run:
    outcome: str  # passed, failed, timeout, memory
    case: str  # that failed, as far as known
    words: str


class Runner:
    def __init__(self, tree, tests, programs, mutant_count, digests, shared=""):
        # What some tests read from outside of the checkout, as bazelw tells them.
        self.shared = {"EBCACHE_SHARED": shared} if shared else {}
        self.tree = tree
        self.digests = digests  # of each test's programs: what was found out of another is void
        self.tests = {test.label: test for test in tests}
        self.programs = programs  # by label
        self.mutant_count = mutant_count
        self.command_of = {test.label: self._command(test) for test in tests}

    def _command(self, test):
        if test.script:
            return ["sh", test.script, *test.arguments]
        return [f"./{self.programs[test.label].path}", *test.arguments]

    def by_case(self, test):
        return not test.script and self.programs[test.label].is_gtest()

    # ---- Recording ------------------------------------------------------------------------------

    def record(self, label):
        """A Reach for each case of the test; a failed one is told by its outcome."""
        test = self.tests[label]
        with tempfile.TemporaryDirectory(prefix="ebcache-mutation-") as folder:
            bits = os.path.join(folder, "reached")
            cases = os.path.join(folder, "cases")
            with open(bits, "wb") as file:
                file.write(bytes(max(1, self.mutant_count)))
            extra = {"EBCACHE_MUTANTS_REACHED": bits}
            if self.by_case(test):
                extra["EBCACHE_MUTATION_CASES"] = cases
            begin = time.monotonic()
            run = self._run(self.command_of[label], extra, 900)
            seconds = time.monotonic() - begin
            if self.by_case(test) and os.path.exists(cases):
                reaches = self._read_cases(label, cases)
                if run.outcome == "passed" or any(r.outcome == "failed" for r in reaches):
                    return reaches
            with open(bits, "rb") as file:
                reached = {i for i, byte in enumerate(file.read()) if byte}
        return [Reach(label, "", seconds, reached, run.outcome)]

    def _read_cases(self, label, path):
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        between = {m for line in lines if not line["case"] for m in line["mutants"]}
        return [Reach(label, line["case"], line["ms"] / 1000, set(line["mutants"]) | between,
                      line["outcome"]) for line in lines if line["case"]]

    # ---- One mutant -----------------------------------------------------------------------------

    def try_mutant(self, number, label, reaches):
        """Runs the cases `reaches` of the test `label` under mutant `number`."""
        extra = {"EBCACHE_MUTANT": str(number)}
        command = list(self.command_of[label])
        if reaches[0].case:
            extra["GTEST_FILTER"] = ":".join(r.case for r in reaches)
            command.append("--gtest_fail_fast")
        limit = 10 * sum(r.seconds for r in reaches) + GRACE_SECONDS
        return self._run(command, extra, limit)

    def _run(self, command, extra, limit):
        scratch = tempfile.mkdtemp(prefix="ebcache-mutation-")
        environment = {**self.shared, **os.environ, **ENVIRONMENT, **extra, "TEST_TMPDIR": scratch}
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(command, cwd=self.tree, env=environment, stdout=output,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                     start_new_session=True, preexec_fn=_no_core_files)
            outcome = self._wait(child, limit)
            output.seek(0)
            words = output.read().decode("utf-8", "replace")
        shutil.rmtree(scratch, ignore_errors=True)
        return Run(outcome, _failed_case(words), words[-2000:])

    def _wait(self, child, limit):
        end = time.monotonic() + limit
        pause = 0.005
        while True:
            code = child.poll()
            if code is not None:
                return "passed" if code == 0 else "failed"
            late = time.monotonic() > end
            if late or _resident(child.pid) > MEMORY_BYTES:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return "timeout" if late else "memory"
            time.sleep(pause)
            pause = min(0.2, pause * 1.5)


def _no_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _resident(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _failed_case(words):
    failed = re.search(r"^\[  FAILED  \] ([\w./]+)", words, re.MULTILINE)
    if failed:
        return failed.group(1)
    begun = re.findall(r"^\[ RUN      \] (\S+)", words, re.MULTILINE)
    ended = re.findall(r"^\[       OK \] (\S+)", words, re.MULTILINE)
    return begun[-1] if len(begun) > len(ended) else ""
