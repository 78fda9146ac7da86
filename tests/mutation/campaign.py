"""Tries each mutant: the tests that reach it, quickest first, until one fails."""

import collections
import concurrent.futures
import hashlib
import json
import os
import threading
import time


class Campaign:
    def __init__(self, runner, reaches, results_path, jobs, progress):
        self.runner = runner
        self.reaches = reaches
        self.path = results_path
        self.jobs = jobs
        self.progress = progress
        self.lock = threading.Lock()
        self.results = {}
        # How often a test has killed a mutant of a file: it is asked first.
        self.kills = collections.Counter()
        if os.path.exists(results_path):
            with open(results_path, encoding="utf-8") as file:
                for line in file:
                    self._take_over(json.loads(line))

    def _take_over(self, result):
        """A result of an earlier run stands while the tests that it is about are the same."""
        number = result["number"]
        if result["outcome"] == "killed":
            stands = self.runner.digests.get(result["test"]) == result["digest"]
        else:
            stands = self._all_digests() == result["digest"]
        if stands:
            self.results[number] = result
        else:
            self.results.pop(number, None)

    def _all_digests(self):
        return hashlib.sha1(repr(sorted(self.runner.digests.items())).encode()).hexdigest()

    def run(self, mutants):
        """Results by number."""
        by_mutant = collections.defaultdict(lambda: collections.defaultdict(list))
        for reach in self.reaches:
            for number in reach.mutants:
                by_mutant[number][reach.test].append(reach)
        todo = [m for m in mutants if m.number not in self.results]
        done = len(mutants) - len(todo)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            tries = [pool.submit(self._try, m, by_mutant[m.number]) for m in todo]
            for finished in concurrent.futures.as_completed(tries):
                finished.result()
                done += 1
                survived = sum(r["outcome"] == "survived" for r in self.results.values())
                self.progress.step("mutants", done, len(mutants), f"{survived} survived")
        return self.results

    def _try(self, mutant, tests):
        begin = time.monotonic()
        result = {"number": mutant.number, "outcome": "survived", "reached": bool(tests)}
        order = sorted(tests, key=lambda label: (-self.kills[mutant.file, label],
                                                 sum(r.seconds for r in tests[label])))
        for label in order:
            run = self.runner.try_mutant(mutant.number, label, tests[label])
            if run.outcome != "passed":
                result.update(outcome="killed", how=run.outcome, test=label, case=run.case)
                break
        result["digest"] = (self.runner.digests[result["test"]] if "test" in result else
                            self._all_digests())
        result["seconds"] = round(time.monotonic() - begin, 2)
        with self.lock:
            self.results[mutant.number] = result
            if result["outcome"] == "killed":
                self.kills[mutant.file, result["test"]] += 1
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
