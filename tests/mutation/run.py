#!/usr/bin/env python3
"""Mutation testing: small changes are made to the library, one at a time, and the tests have to
notice each. docs/mutation.md says what is changed and what the score is.

  tests/mutation/run.py --seed=1 --count=400
  tests/mutation/run.py --seed=7 --count=50 --dirs=lib/cache,lib/mm --json=report.json

All mutants are built together, each behind a switch; a run without one records which test reaches
which mutant; then each mutant runs the tests that reach it, quickest first, until one fails.

Exit codes: 0 at most --limit percent survived and every survivor is explained; 1 not so; 2 it could
not be told.
"""

import argparse
import collections
import concurrent.futures
import glob
import hashlib
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

TOP = os.path.dirname(os.path.dirname(HERE))
# The tool reads sources by clang's bindings, which builds and tests do without.
if "-h" not in sys.argv and "--help" not in sys.argv and __name__ == "__main__":
    subprocess.run([f"{TOP}/build/install_packages.sh", f"{TOP}/build/packages_clang.txt"], check=True)

import explained  # noqa: E402
import mutant as mutants_of  # noqa: E402
import places  # noqa: E402
import report  # noqa: E402
from build import Builder, BuildError  # noqa: E402
from campaign import Campaign  # noqa: E402
from progress import Progress  # noqa: E402
from running import Reach, Runner  # noqa: E402
from targets import Targets, copy_tree  # noqa: E402

DIRECTORIES = "lib/base,lib/cache,lib/mm,lib/format,lib/device,lib/volume,lib/tree,lib/fs,lib/capi"
TESTS = ["//tests/base/...", "//tests/mm/...", "//tests/cache/...", "//tests/format/...",
         "//tests/device/...", "//tests/volume/...", "//tests/tree/...", "//tests/fs/...",
         "//tests/capi/...", "//tests/operations/...", "//tests/fuzz/...", "//tests/model/...",
         "//tests/images/..."]
# Of those, tests of speed and of machine code, of the bugs in mutants/, and what has no part of lib/ in it.
LEFT_OUT = ("_counts_test", "same_code_test", "_planted_test", "canaries_test", "explorer_test",
            "sync_test")
# More than asked for, in place of those that will not build.
SPARE = 1.15


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="which mutants are drawn (1)")
    parser.add_argument("--count", type=int, default=400, help="how many of them (400)")
    parser.add_argument("--dirs", default=DIRECTORIES,
                        help=f"directories or files to change, by commas ({DIRECTORIES})")
    parser.add_argument("--tests", default=",".join(TESTS),
                        help="Bazel patterns of the tests to run, by commas (those of the library)")
    parser.add_argument("--explained", default=f"{HERE}/equivalent.json",
                        help="the list of survivors that are explained (equivalent.json)")
    parser.add_argument("--work", default="/var/tmp/ebcache-mutation",
                        help="where the copy of the tree, objects and results are kept: a run that "
                        "was stopped goes on there (/var/tmp/ebcache-mutation)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time (CPUs)")
    parser.add_argument("--nice", type=int, default=0, help="give way to others: 0 to 19 (0)")
    parser.add_argument("--limit", type=float, default=5.0, help="percent that may survive (5)")
    parser.add_argument("--survivors-of", metavar="REPORT",
                        help="in place of a draw: those that survived in this report (--json), "
                        "where they are still in the sources")
    parser.add_argument("--json", help="also write the report to this file")
    parser.add_argument("--list", action="store_true", help="only print the mutants drawn")
    return parser.parse_args()


def sources(top, directories):
    files = []
    for name in filter(None, directories.split(",")):
        if os.path.isfile(f"{top}/{name}"):
            files.append(name)
            continue
        found = [f for ext in ("cc", "h") for f in glob.glob(f"{top}/{name}/**/*.{ext}", recursive=True)]
        if not found:
            raise BuildError(f"no sources in {name}")
        files += [os.path.relpath(f, top) for f in found]
    return sorted(set(files))


def _places_of(job):
    top, file, cache = job
    with open(f"{top}/{file}", "rb") as source:
        digest = hashlib.sha1(source.read() + _tool_digest()).hexdigest()
    path = f"{cache}/{digest}.json"
    if not os.path.exists(path):
        mutants_of.save(path + f".{os.getpid()}", places.find(top, file))
        os.replace(path + f".{os.getpid()}", path)
    return mutants_of.load(path)


def _tool_digest():
    words = b""
    for name in ("places.py", "operators.py", "mutant.py"):
        with open(f"{HERE}/{name}", "rb") as file:
            words += file.read()
    return hashlib.sha1(words).digest()


def all_places(top, files, cache, jobs, progress):
    os.makedirs(cache, exist_ok=True)
    found = []
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        work = [(top, file, cache) for file in files]
        for done, of_file in enumerate(pool.map(_places_of, work), start=1):
            found += of_file
            progress.step("reading sources", done, len(files))
    return found


def draw(found, seed, count):
    """The first `count` of an order that the seed gives; numbered in that order. Where a mutant
    stands in it depends on nothing but itself: a change of the sources changes only which mutants
    of that place are drawn, and where the rooms are changes nothing."""
    def place(mutant):
        room_and_file, *rest = mutant.key()
        name = ("lib/" + room_and_file, *rest)
        return hashlib.sha1(repr((seed, name, mutant.form)).encode()).digest()

    drawn = sorted(found, key=place)[:count]
    for number, mutant in enumerate(drawn):
        mutant.number = number
    return drawn


def survivors(found, path):
    """Those of `found` that survived in a report, numbered."""
    with open(path, encoding="utf-8") as file:
        keys = {(mutants_of.short(s["file"]), s["function"], s["operator"], mutants_of.flat(s["old"]),
                 mutants_of.flat(s["new"]), s["occurrence"]) for s in json.load(file)["survivors"]}
    drawn = [mutant for mutant in found if mutant.key() in keys]
    for number, mutant in enumerate(drawn):
        mutant.number = number
    return drawn


def record(runner, path, jobs, progress):
    """What each test reaches; kept for a run that goes on."""
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                label, digest, reaches = json.loads(line)
                if runner.digests.get(label) == digest:
                    known[label] = [Reach(**{**r, "mutants": set(r["mutants"])})
                                    for r in reaches]
    todo = [label for label in runner.tests if label not in known]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, open(path, "a",
                                                                   encoding="utf-8") as file:
        for done, (label, reaches) in enumerate(zip(todo, pool.map(runner.record, todo)), start=1):
            known[label] = reaches
            plain = [{**vars(r), "mutants": sorted(r.mutants)} for r in reaches]
            file.write(json.dumps([label, runner.digests[label], plain]) + "\n")
            file.flush()
            progress.step("recording tests", done, len(todo), label)
    return [reach for reaches in known.values() for reach in reaches]


def run(given):
    begin = time.monotonic()
    os.nice(given.nice)
    progress = Progress()
    files = sources(TOP, given.dirs)
    places_of_all = all_places(TOP, files, f"{given.work}/places", given.jobs, progress)
    found = [m for m in places_of_all if not m.rule]
    by_rule = collections.Counter(m.rule for m in places_of_all if m.rule)
    if given.survivors_of:
        drawn = survivors(found, given.survivors_of)
        given.count = len(drawn)
    else:
        drawn = draw(found, given.seed, int(given.count * SPARE) + 5)
    if given.list:
        print("\n".join(m.describe() for m in drawn[:given.count]))
        print(report.rules(len(found), by_rule), file=sys.stderr)
        return 0
    known = explained.load(given.explained) if os.path.exists(given.explained) else {}
    stale = explained.stale(known, found, set(files))

    # Results are kept by number: another draw is another place.
    identity = hashlib.sha1(repr([(m.number, m.key(), m.form) for m in drawn]).encode()
                            ).hexdigest()[:12]
    work = f"{given.work}/{identity}"
    print(f"work directory: {work}", file=sys.stderr)
    tree = f"{work}/tree"
    copy_tree(TOP, tree, but={m.file for m in drawn})
    targets = Targets(TOP, given.tests.split(","))
    tests = targets.tests(lambda label: label.startswith("//tests/") and
                          not label.endswith(LEFT_OUT))
    programs = {label: targets.program(label) for test in tests for label in test.programs}
    builder = Builder(TOP, tree, f"{work}/objects", drawn, given.jobs, progress)
    builder.build(list(programs.values()))
    tried = [m for m in drawn if m.number in builder.alive][:given.count]

    digests = {test.label: builder.digest([programs[p] for p in test.programs]) for test in tests}
    shared = os.path.join(os.path.dirname(TOP), "shared")
    runner = Runner(tree, tests, programs, len(drawn), digests,
                    shared if os.path.isdir(shared) else "")
    reaches = record(runner, f"{work}/reached.jsonl", given.jobs, progress)
    left_out = sorted({f"{r.test} {r.case}".strip() for r in reaches
                       if r.outcome not in ("passed", "skipped")})
    usable = [r for r in reaches if r.outcome == "passed"]
    campaign = Campaign(runner, usable, f"{work}/results.jsonl", given.jobs, progress)
    results = campaign.run(tried)

    data = report.summary(tried, results, builder.dropped, known, left_out,
                          time.monotonic() - begin, len(found), by_rule)
    data = {"seed": given.seed, "count": given.count, "dirs": given.dirs, **data,
            "explained_stale": [" | ".join(map(str, key)) for key in stale]}
    report.write_json(f"{work}/report.json", data)
    if given.json:
        report.write_json(given.json, data)
    print(report.text(data))
    for key in data["explained_stale"]:
        print(f"explained, and not in the sources any more: {key}")
    good = (data["survived_percent"] <= given.limit and not stale and
            data["survived"] == data["survived_explained"] and not data["explained_but_killed"])
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(run(options()))
    except (BuildError, ValueError, OSError, RuntimeError) as error:
        print(f"mutation: {error}", file=sys.stderr)
        sys.exit(2)
