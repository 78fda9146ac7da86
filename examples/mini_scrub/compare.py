"""mini_scrub beside the same program with a plain red-black tree and list: memory and time, in turns.

    compare.py [--leaves=N] [--rounds=N] [--image=FILE] MINI_SCRUB MINI_SCRUB_PLAIN

Makes an image, runs both on it, one after the other, so that whatever else the machine does falls on both, and
prints for each the median and the range of the peak memory, of processor time (user and system), of the processor
time of the busiest thread, and of elapsed time; then ours by theirs. "readahead" ("ra.") is ours with two
threads, held against theirs with one; "64 MiB" ours with a budget, which a cache that never evicts cannot have. On
two cores that have nothing else to do the elapsed time is that of the busiest thread; on a machine with other work it
says little, and that column is the one to look at.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time

BUDGET = "--budget=67108864"


def note_threads(pid, spent):
    """The processor time of each thread so far, in seconds: what the scheduler counts."""
    folder = f"/proc/{pid}/task"
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
                spent[thread] = int(file.read().split()[0]) / 1e9
    except (OSError, IndexError):
        pass  # it has ended


def run(command):
    """One run: (peak MiB, processor seconds, those of the busiest thread, elapsed seconds)."""
    begun = time.monotonic()
    spent = {}
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere)
        while True:
            done, status, usage = os.wait4(child.pid, os.WNOHANG)
            if done != 0:
                break
            note_threads(child.pid, spent)
            time.sleep(0.004)
        child.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.monotonic() - begun
    if child.returncode != 0:
        raise SystemExit(f"{command}: exit code {child.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    # Of one thread it is known to the end; of several up to the last look.
    busiest = cpu if len(spent) < 2 else max(spent.values())
    return usage.ru_maxrss / 1024, cpu, busiest, elapsed


def middle(runs, which):
    values = sorted(one[which] for one in runs)
    return statistics.median(values), values[0], values[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours")
    parser.add_argument("plain")
    parser.add_argument("--leaves", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--image")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = options.image or os.path.join(folder, "image")
        subprocess.run([options.ours, "make", image, str(options.leaves)], check=True)
        commands = {
            "plain": [options.plain, "scan", image],
            "ours": [options.ours, "scan", image],
            "ours, readahead": [options.ours, "scan", image, "--readahead"],
            "ours, 64 MiB": [options.ours, "scan", image, BUDGET],
            "ours, 64 MiB, ra.": [options.ours, "scan", image, BUDGET, "--readahead"],
        }
        runs = {name: [] for name in commands}
        for _ in range(options.rounds + 1):
            for name, command in commands.items():
                runs[name].append(run(command))
        runs = {name: all_runs[1:] for name, all_runs in runs.items()}  # the first reads the image
    print(f"{options.leaves} leaves of 16 KiB, {options.rounds} rounds: median (least to most)")
    rows = (("peak_rss_mib", 0), ("cpu_s", 1), ("busiest_thread_s", 2), ("elapsed_s", 3))
    for name, all_runs in runs.items():
        texts = []
        for label, which in rows:
            median, least, most = middle(all_runs, which)
            texts.append(f"{label} {median:.3f} ({least:.3f} to {most:.3f})")
        print(f"{name + ':':18}" + "  ".join(texts))
    for name in list(commands)[1:]:
        texts = []
        for label, which in rows:
            ratios = [mine[which] / theirs[which] for mine, theirs in zip(runs[name], runs["plain"])]
            texts.append(f"{label} {statistics.median(ratios):.3f}")
        least = [min(one[1] for one in runs[which]) for which in (name, "plain")]
        texts.append(f"least cpu_s {least[0] / least[1]:.3f}")
        print(f"{name} by plain, of the pairs the median: " + "  ".join(texts))


if __name__ == "__main__":
    main()
