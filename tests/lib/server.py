"""
One set of tests for one process and for a front with three local shards.  With
CHCACHED_TEST_SERVER=HOST:PORT what is memcached's is asked of that server
instead.

    class Text: ...
    class OneProcess(Text, server.OneProcess, unittest.TestCase): ...
    class ThreeLocalShards(Text, server.ThreeLocalShards, unittest.TestCase): ...
"""

import contextlib
import os
import random
import unittest

from lib import wire
from lib.cases import BAD, OK
from lib.daemon import Cluster, Lone
from lib.wire import ask, talk, until_end

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
        self.sock = self.text = self.connect()
        self.empty()

    def empty(self):
        talk(self.text, b"flush_all\r\n", OK)

    def connect(self):
        sock = wire.connect(self.address)
        self.addCleanup(sock.close)
        return sock

    def check(self, out, expected, sock=None):
        got = ask(sock or self.sock, out)
        if REFERENCE:       # it adds an empty line to some errors
            got = got.replace(b"\r\n\r\n", b"\r\n") if got.startswith(BAD) else got
        self.assertEqual(got, expected, out[:300])

    def hold(self, talks):
        """Conversations by name, each with a server that is empty at first."""
        for name, steps in talks.items():
            with self.subTest(name=name):
                self.empty()
                for out, expected in steps:
                    self.check(out, expected)

    def check_pieces(self, cases, said, ping, pong):
        """
        Each request cut at every byte; `said` is what comes to what is sent
        before it.  The server answers others meanwhile.
        """
        other = self.connect()
        for before, request, answer in cases:
            for cut in range(1, len(request)):
                with self.subTest(request=request[:30], cut=cut):
                    self.empty()
                    self.check(before, said)
                    self.sock.sendall(request[:cut])
                    self.check(ping, pong, other)
                    self.check(request[cut:], answer)

    def check_many_clients(self, out, expected):
        """Both functions of a number: what each client sends, and is to get."""
        socks = [self.connect() for _ in range(50)]
        for i, s in enumerate(socks):
            s.sendall(out(i))
        for i, s in enumerate(socks):
            self.check(b"", expected(i), s)

    def check_mixed(self, mixed):
        """mixed(chance, n): so many commands in one packet, and their answers."""
        chance = random.Random(3)
        for _ in range(5):
            self.empty()
            out, expected = mixed(chance, 1000)
            talk(self.sock, out, expected)

    @contextlib.contextmanager
    def counting(self, stats=wire.stats, **expected):
        """What is done meanwhile moves the counters so."""
        before = stats(self.sock)
        yield
        after = stats(self.sock)
        moved = {name: int(after[name]) - int(before[name]) for name in expected}
        self.assertEqual(moved, expected)


class Lines:
    """Lines of text and their answers: LINES and so on of the module `cases`."""

    def check_lines(self, lines):
        for line, answer in lines:
            with self.subTest(line=line[:60]):
                self.check(line + b"\r\n", answer)

    def test_every_line_has_its_answer(self):
        self.check_lines(self.cases.LINES)

    @own
    def test_lines_that_memcached_takes_otherwise(self):
        self.check_lines(self.cases.OWN_LINES)

    @own
    def test_a_block_of_unreadable_length_ends_the_connection(self):
        for line, answer in self.cases.CLOSING_LINES:
            with self.subTest(line=line):
                self.assertEqual(until_end(self.connect(), line + b"\r\nflush_all\r\n"), answer)

    def test_every_command_does_its_work(self):
        self.hold(self.cases.TALKS)


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
