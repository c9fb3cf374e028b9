"""
Clusters that keep copies: processes that a test kills, freezes and starts again.

    with Copied(shards=3, replicas=2) as c, Load(*c.addresses()) as load:
        load.do(1000)
        with c.healing():
            c.shards["s2"].kill()
            load.do(1000)
            c.shards["s2"].start()
        load.do(1000)
"""

import contextlib
import json
import os
import re
import signal
import tempfile

from lib import admin, daemon, wire
from lib.daemon import CHCACHECTL, Daemon, free_port, freeze, run, wait

MAP = re.compile(r"new map epoch=(\d+) phase=(\w+) up=(\d+) filling=(\d+) suspended=(\d+) "
                 r"ejected=(\d+)")


class Member(Daemon):
    """A process of a cluster; what it said before it was started again is kept."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.before = ""
        self.is_frozen = False
        self.host = "127.0.0.1"

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    def _launch(self, **more):
        if self.process is not None:
            self.before += super().said()
        self.is_frozen = False
        super()._launch(**more)

    def launch(self):
        """Comes back at once: a front answers when there is a map, which takes shards."""
        if self.port is None:
            self.port = free_port()
        self._launch()

    def ready(self):
        if not self._is_ready():
            raise AssertionError("%s ended at its start: %s" % (self.name, self.said()))

    def said(self):
        return self.before + super().said()

    def freeze(self):
        freeze(self.pid)
        self.is_frozen = True

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)
        self.is_frozen = False

    def stop(self):
        if self.is_frozen:
            self.thaw()
        super().stop()


class Maps:
    """What the leader has told of its maps."""

    def maps(self):
        """(epoch, phase, up, filling, suspended, ejected) of each, oldest first."""
        return [(int(e), phase, *map(int, counts))
                for e, phase, *counts in MAP.findall(self.leader.said())]

    def epoch(self):
        maps = self.maps()
        return maps[-1][0] if maps else 0

    def wait_map(self, condition, what, since=0):
        """The first map newer than `since` of which `condition(phase, counts...)` is true."""
        def look():
            return next((m for m in self.maps() if m[0] > since and condition(*m[1:])), None)
        try:
            return wait(look, what)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.told())) from None

    def settle(self, up, since=0):
        """Waits until the last map is newer, stable, and so many serve."""
        def look():
            maps = self.maps()
            return maps and maps[-1][0] > since and maps[-1][1:] == ("stable", up, 0, 0, 0)
        try:
            wait(look, "all %d shards to serve" % up)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.told())) from None
        return self.epoch()

    @contextlib.contextmanager
    def healing(self, up=None):
        """What is done in here ejects somebody; afterwards all is well again."""
        since = self.epoch()
        yield
        self.wait_map(lambda phase, up, filling, suspended, ejected: ejected > 0,
                      "an ejection", since)
        self.settle(up or self.n_shards, since)

    ctl_before = []             # words before chcachectl's command line

    def _ctl(self, *words):
        """(exit code, what chcachectl answers, what it says besides)"""
        line = [*self.ctl_before, CHCACHECTL, "--admin", self.admin, *words]
        code, out, err = run(*line[1:], program=line[0])
        return code, out.decode(), err

    def ctl(self, *words):
        """What it says; it must end well."""
        code, said, more = self._ctl(*words)
        if code != 0:
            raise AssertionError("chcachectl %s: %d\n%s\n%s" % (" ".join(words), code,
                                                               said + more, self.told()))
        return said

    def job(self, number):
        """A change of members, as an operator sees it."""
        return next(job for job in json.loads(self.ctl("jobs", "--json"))["jobs"]
                    if job["id"] == number)

    def change(self, *words):
        """Begins one; its number."""
        return int(self.ctl("nodes", *words, "--no-wait"))

    def wait_done(self, number, bound_s=wire.BOUND_S):
        wait(lambda: self.job(number)["status"] not in ("queued", "running"),
             "the end of %s" % self.job(number), bound_s)
        job = self.job(number)
        if job["status"] != "done":
            raise AssertionError("%s\n%s" % (job, self.told()))
        return job

    def wait_equal(self):
        """Nobody writes: all copies are there, and equal, as an operator is told."""
        def look():
            code, *last[:] = self._ctl("replicas")
            return code == 0
        last = [""]
        try:
            wait(look, "all copies to be equal")
        except AssertionError as e:
            raise AssertionError("\n".join([str(e), *last, self.told()])) from None

    def told(self):
        return "\n".join("%s: %s" % (m.name, m.said()[-1500:]) for m in self.members())


class LocalCopies(Maps, Daemon):
    """A front that leads, and runs its shards as children."""

    def __init__(self, *args, shards=3, replicas=2, **more):
        self.admin = admin.address()
        super().__init__("--local-shards", str(shards), "--replicas", str(replicas),
                         "--http", self.admin, *args, **more)
        self.n_shards = shards
        self.names = ["local-%d" % (i + 1) for i in range(shards)]

    @property
    def leader(self):
        return self

    def members(self):
        return [self]

    def addresses(self):
        return [self.address]

    def start(self):
        super().start()
        self.settle(self.n_shards)
        return self

    def child(self, name):
        return next((pid for pid in self.children() if name in daemon.command_line(pid)), None)


class Copied(Maps):
    """
    Front f1 leads; f2 and so on are fronts too; s1 and so on are shards.  `host`
    gives the words before each process's command line and its address.
    """

    def __init__(self, *args, shards=3, replicas=2, fronts=2, host=None):
        self.folder = tempfile.TemporaryDirectory(prefix="chcached-test-")
        self.n_shards = shards
        self.args = list(args)
        self.host = host or (lambda name: ([], "127.0.0.1"))
        self.ctl_before, address = self.host("f1")
        self.coordinator = "f1@%s:%d" % (address, free_port())
        self.admin = admin.address()
        self.peers = {}
        self.shards = {}
        for i in range(shards):
            self.add("s%d" % (i + 1))
        listed = ["--shard=%s=%s" % peer for peer in self.peers.items()]
        self.fronts = {"f1": self.member(
            "f1", "--role", "front", "--state-dir", self.folder.name, "--http", self.admin,
            *listed, "--replicas", str(replicas), port=None)}
        for i in range(1, fronts):
            name = "f%d" % (i + 1)
            self.fronts[name] = self.member(name, "--role", "front", port=None)

    def member(self, name, *args, port):
        before, address = self.host(name)
        args = ["--name", name, "--coordinator", self.coordinator, *args, *self.args]
        if port is None:
            args += ["--listen", address]
        if before:
            m = Member(*before[1:], daemon.CHCACHED, *args, name=name, port=port,
                       program=before[0])
        else:
            m = Member(*args, name=name, port=port)
        m.host = address
        return m

    def add(self, name):
        """One more shard, not started; the first map names those that were added before."""
        peer = "%s:%d" % (self.host(name)[1], free_port())
        self.peers[name] = peer
        self.shards[name] = self.member(name, "--role", "shard", "--peer", peer, port=0)
        return self.shards[name]

    @property
    def leader(self):
        return self.fronts["f1"]

    def members(self):
        return [*self.fronts.values(), *self.shards.values()]

    def addresses(self):
        return [front.address for front in self.fronts.values()]

    def start(self):
        for m in self.members():
            m.launch()
        for m in self.members():
            m.ready()
        self.settle(self.n_shards)
        for front in self.fronts.values():
            wait(lambda f=front: self.serves(f), "%s to serve" % front.name)
        return self

    def state(self):
        """The leader's state file."""
        with open(os.path.join(self.folder.name, "map.state"), "rb") as f:
            return f.read()

    def set_state(self, data):
        with open(os.path.join(self.folder.name, "map.state"), "wb") as f:
            f.write(data)

    def serves(self, front):
        with front.connect() as s:
            return not wire.ask(s, b"touch a 0\r\n").startswith(b"SERVER_ERROR")

    def stop(self):
        for m in self.members():
            if m.process is not None and m.process.poll() is None:
                m.stop()

    def end(self):
        for m in self.members():
            m.end()
        self.folder.cleanup()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.end()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
        finally:
            self.end()
