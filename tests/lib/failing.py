"""Daemons whose allocations fail when a test says so, and what they may answer."""

import mmap
import os
import re
import struct
import subprocess
import unittest
from unittest import mock

from lib.cases import END, STORED, value
from lib.daemon import HERE, RUNTIME
from lib.wire import ask

NEVER = 1 << 62


class FailingMemory:
    """What is started inside of start() has failing_memory.c preloaded."""

    def __init__(self):
        library = os.path.join(RUNTIME, "failing_memory.so")
        compiler = os.environ.get("CC", "cc").split()
        try:
            subprocess.run([*compiler, "-O2", "-shared", "-fPIC", "-o", library,
                            os.path.join(HERE, "failing_memory.c")],
                           check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            raise unittest.SkipTest("no library to preload can be made: %s" % e) from None
        plan = os.path.join(RUNTIME, "failing_memory.plan")
        with open(plan, "w+b") as f:
            f.write(struct.pack("qq", NEVER, 0))
            f.flush()
            self.plan = mmap.mmap(f.fileno(), 16)
        self.environment = {"LD_PRELOAD": library, "FAILING_MEMORY": plan}

    def start(self):
        return mock.patch.dict(os.environ, self.environment)

    def arm(self, n, n_failing=1):
        """The n-th allocation from now on fails, and `n_failing` - 1 behind it."""
        self.plan[:] = struct.pack("qq", n - 1, n_failing)

    def disarm(self):
        """Tells how many allocations there were since arm(0, 0)."""
        used = -struct.unpack("qq", self.plan[:])[0]
        self.plan[:] = struct.pack("qq", NEVER, 0)
        return used


class Truth:
    """
    What each key may hold, when requests may be refused, connections lost and
    items evicted.  A request is ("set", key, data), ("get", keys), or ("other",
    line, pattern of its answer).
    """

    def __init__(self, server):
        self.server = server
        self.sock = None            # where requests go
        self.idle = []              # connections
        self.held = {}              # key: values

    def stay(self):
        """The connection stays open; what follows is said on another."""
        if self.sock is not None:
            self.idle.append(self.sock)
        self.sock = None

    def close(self):
        self.stay()
        for sock in self.idle:
            sock.close()

    def run(self, *requests):
        """Sends them all at once.  Each answer is right, a refusal, or the end."""
        if self.sock is None:
            self.sock = self.server.connect()
        got = ask(self.sock, b"".join(map(self.line, requests)))
        ended = got.endswith(b"<end>")
        if ended:
            got = got[:-5]
            self.sock.close()
            self.sock = None
        for request in requests:
            rest = getattr(self, "take_" + request[0])(got, *request[1:])
            if rest is None and not ended:
                raise AssertionError("to %.200r: %.300r" % (request, got))
            got = rest or b""
        if got:
            raise AssertionError("more than the answers: %.300r" % got)

    @staticmethod
    def line(request):
        if request[0] == "set":
            return b"set %b 0 0 %d\r\n%b\r\n" % (request[1], len(request[2]), request[2])
        if request[0] == "get":
            return b"get %b\r\n" % b" ".join(request[1])
        return request[1]

    # Each returns what is behind its answer, None if that is not there or wrong.

    @staticmethod
    def behind(got, pattern):
        answer = re.match(rb"(%b|SERVER_ERROR [^\r\n]+\r\n)" % pattern, got)
        return got[answer.end():] if answer else None

    def take_set(self, got, key, data):
        if got.startswith(STORED):
            self.held[key] = {data}
        else:
            self.held.setdefault(key, set()).add(data)
        return self.behind(got, STORED)

    def take_get(self, got, keys):
        for key in keys:
            for data in self.held.get(key, ()):
                if got.startswith(value(key, data)):
                    self.held[key] = {data}
                    got = got[len(value(key, data)):]
                    break
        return self.behind(got, END)

    def take_other(self, got, _, pattern):
        return self.behind(got, pattern)
