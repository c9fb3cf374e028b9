#!/usr/bin/python3 -B
"""One process after the other is started again, each when the last one says READY=1."""

import contextlib
import json
import os
import unittest

from lib import admin, tap, wire
from lib.cases import STORED, found
from lib.cluster import Copied
from lib.daemon import CHCACHECTL, Folder, free_port, run, wait
from lib.service import Listener, Service
from lib.steady import go_on, load
from lib.wire import talk

PATIENT = ("--shard-timeout", "20s")
KEPT = b"".join(b"set kept%d 0 0 4\r\nkept\r\n" % i for i in range(1000))
READ = b"".join(b"get kept%d\r\n" % i for i in range(1000))
ALL = b"".join(found(b"kept%d" % i, b"kept") for i in range(1000))


def restart(stack, member, listener):
    """As systemctl does; comes back when the service has told that it is ready."""
    member.stop()
    del listener.heard[:]
    again = Service(*member.args, port=member.port, listener=listener, name=member.name)
    stack.callback(again.end)
    again.start()
    listener.wait_line("READY=1")
    return again


class Shards(unittest.TestCase):

    def test_nothing_is_missed(self):
        with Copied(*PATIENT, shards=3, replicas=2) as c, contextlib.ExitStack() as stack, \
                Listener("@chcached-shards-%d" % os.getpid()) as told:
            with c.leader.connect() as s:
                talk(s, KEPT, STORED * 1000)
            with load(c.addresses()[0]) as one, load(c.addresses()[1], 6) as two:
                for name in list(c.shards) * 2:
                    c.shards[name] = restart(stack, c.shards[name], told)
                    go_on(one + two, 2)
            for address in c.addresses():
                with wire.connect(address) as s:
                    talk(s, READ, ALL)
            c.stop()


class Both(unittest.TestCase):
    """Processes that are front and shard; their clients go to those that run."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.told = self.stack.enter_context(Listener("@chcached-both-%d" % os.getpid()))
        names = ["b1", "b2", "b3"]
        peers = {name: "127.0.0.1:%d" % free_port() for name in names}
        folder = self.stack.enter_context(Folder())
        self.admin = admin.address()
        first = ["--state-dir", folder, "--replicas", "2", "--http", self.admin]
        first += ["--shard=%s=%s" % peer for peer in peers.items()]
        self.members = {}
        for name in names:
            m = Service("--name", name, "--peer", peers[name], "--coordinator",
                        "b1@" + peers["b1"], *PATIENT, *(first if name == "b1" else []),
                        name=name)
            self.stack.callback(m.end)
            m.launch()
            self.members[name] = m
        for m in self.members.values():
            m.ready()
        wait(self.all_serve, "all to serve")

    def all_serve(self):
        code, said, _ = run("--admin", self.admin, "status", "--json", program=CHCACHECTL)
        return code == 0 and json.loads(said)["verdict"] == "ok" \
            and all(self.takes_writes(m) for m in self.members.values())

    def takes_writes(self, member):
        with member.connect() as s:
            return wire.ask(s, KEPT[:2000].rpartition(b"set ")[0]).count(b"ERROR") == 0

    def test_nothing_is_missed(self):
        with self.members["b1"].connect() as s:
            talk(s, KEPT, STORED * 1000)
        for name in self.members:
            others = [m for n, m in self.members.items() if n != name]
            with load(others[0].address) as one, load(others[1].address, 6) as two:
                go_on(one + two, 1)
                self.members[name] = restart(self.stack, self.members[name], self.told)
                go_on(one + two, 2)
            for m in self.members.values():
                with m.connect() as s:
                    talk(s, READ, ALL)
        for m in reversed(self.members.values()):
            m.stop()


if __name__ == "__main__":
    tap.main()
