"""One line on stderr that says how far it is: rewritten in a terminal, else now and then."""

import sys
import time


class Progress:
    def __init__(self, every_seconds=20):
        self.begin = time.monotonic()
        self.every = every_seconds
        self.what = ""
        self.since = self.begin
        self.last = 0.0
        self.first = 0

    def step(self, what, done, total, words=""):
        now = time.monotonic()
        if what != self.what:
            self.what, self.since, self.last, self.first = what, now, 0.0, done - 1
        terminal = sys.stderr.isatty()
        if done < total and now - self.last < (0.2 if terminal else self.every):
            return
        self.last = now
        rate = (now - self.since) / max(1, done - self.first)
        line = (f"{what} {done}/{total} {words}".rstrip() + f", {_clock(now - self.begin)} gone, "
                f"about {_clock(rate * (total - done))} to go")
        if terminal:
            sys.stderr.write(f"\r\033[K{line}" + ("\n" if done == total else ""))
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
