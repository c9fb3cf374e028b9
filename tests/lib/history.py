"""
The load that remembers (tests/history/load.c), driven by a test:

    with Load(front.address, other.address, "--keys", "800") as load:
        with load.window():         # values may vanish
            os.kill(...)
        report = load.stop()
    report.faults, report["longest_read_outage_ms"]
"""

import contextlib
import os
import subprocess

from lib import daemon, wire

PROGRAM = os.path.join(daemon.BUILD, "tests", "history", "load")

KINDS = ("get gat set add replace cas append prepend incr decr touch delete drop "
         "flush").split()
FAULTS = "lost stale undeleted torn foreign phantom doubled counter cas miss".split()


class Report(dict):
    """The figures by name."""

    def __init__(self, text, code):
        super().__init__()
        self.text = text
        self.code = code
        self.said = []          # faults in words
        self.faults = {}        # those that there are: {"stale": 3}
        kinds = iter(KINDS)
        kind = next(kinds)
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "fault":
                self.said.append(value)
            elif name == kind:      # its outcomes; faults come later, "cas" is both
                self[name] = [int(n) for n in value.split()]
                kind = next(kinds, None)
            elif name in FAULTS:
                if int(value):
                    self.faults[name] = int(value)
            else:
                self[name] = int(value)

    def __str__(self):
        return self.text


class Load:
    def __init__(self, *args):
        """Addresses of fronts, then options; it goes on until stop()."""
        fronts = [a for a in args if not a.startswith("--") and ":" in a]
        rest = [a for a in args if a not in fronts]
        self.args = [PROGRAM, "--seconds", "0"]
        for front in fronts:
            self.args += ["--front", front]
        self.args += rest
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self._read("ready")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self, expected):
        line = self.process.stdout.readline().rstrip("\n")
        if not line.startswith(expected):
            raise AssertionError("the load said %r, not %r" % (line, expected))
        return line

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._read(line)

    @contextlib.contextmanager
    def window(self):
        """Values may vanish meanwhile."""
        self._say("window begin")
        yield
        self._say("window end")

    def count(self):
        """(operations that have ended, faults) so far."""
        _, operations, faults = self._say("count").split(" ")
        return int(operations), int(faults)

    def do(self, operations, bound_s=wire.BOUND_S):
        """Comes back when so many more have ended."""
        goal = self.count()[0] + operations
        daemon.wait(lambda: self.count()[0] >= goal, "%d operations" % operations, bound_s)

    def stop(self, bound_s=wire.BOUND_S):
        """Ends the mix, reads everything back; what was found."""
        self._say("stop")
        text, _ = self.process.communicate(timeout=bound_s)
        if self.process.returncode not in (0, 1):
            raise AssertionError("the load ended with %d:\n%s" % (self.process.returncode, text))
        return Report(text, self.process.returncode)
