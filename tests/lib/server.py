"""
One set of tests for one process and for a front with three local shards.  With
CHCACHED_TEST_SERVER=HOST:PORT what is memcached's is asked of that server
instead.

    class Text: ...
    class OneProcess(Text, server.OneProcess, unittest.TestCase): ...
    class ThreeLocalShards(Text, server.ThreeLocalShards, unittest.TestCase): ...
"""

import os
import unittest

from lib import wire
from lib.cases import BAD, OK
from lib.daemon import Cluster, Lone
from lib.wire import ask, talk

REFERENCE = os.environ.get("CHCACHED_TEST_SERVER")


def own(test):
    """What memcached does otherwise or not at all."""
    return unittest.skipIf(REFERENCE, "chcached's own")(test)


class Server:
    """Both topologies pass the same tests."""

    @classmethod
    def setUpClass(cls):
        if REFERENCE:
            cls.address = REFERENCE
            return
        cls.server = cls.start()
        cls.address = cls.server.address

    @classmethod
    def tearDownClass(cls):
        if not REFERENCE:
            cls.server.stop()

    def setUp(self):
        self.sock = self.connect()
        talk(self.sock, b"flush_all\r\n", OK)

    def connect(self):
        sock = wire.connect(self.address)
        self.addCleanup(sock.close)
        return sock

    def check(self, out, expected):
        got = ask(self.sock, out)
        if REFERENCE:       # it adds an empty line to some errors
            got = got.replace(b"\r\n\r\n", b"\r\n") if got.startswith(BAD) else got
        self.assertEqual(got, expected, out[:300])


class OneProcess(Server):
    @classmethod
    def start(cls):
        return Lone().start()


class ThreeLocalShards(Server):
    @classmethod
    def setUpClass(cls):
        if REFERENCE:
            raise unittest.SkipTest("asked of one server only")
        super().setUpClass()

    @classmethod
    def start(cls):
        return Cluster().start()
