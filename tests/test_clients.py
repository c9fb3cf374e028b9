#!/usr/bin/python3 -B
"""Programs that know nothing of us: libmemcached, and its test of servers."""

import os
import re
import shutil
import subprocess
import unittest

from lib import tap, wire
from lib.daemon import BUILD, Cluster, Lone

CLIENT = os.path.join(BUILD, "tests", "client_libmemcached")


def output(*args):
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=3 * wire.BOUND_S)
    return p.returncode, p.stdout.decode(errors="replace")


class Clients:
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.kind().start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def test_libmemcached(self):
        if not os.path.exists(CLIENT):
            self.skipTest("not built: apt-get install libmemcached-dev")
        code, out = output(CLIENT, "127.0.0.1", str(self.daemon.port))
        self.assertEqual(code, 0, out)
        planned = int(re.match(r"1\.\.(\d+)", out)[1])
        self.assertEqual(len(re.findall(r"^ok ", out, re.M)), planned, out)

    def test_memccapable(self):
        program = shutil.which("memccapable")
        if program is None:
            self.skipTest("no memccapable: apt-get install libmemcached-tools")
        code, out = output(program, "-a", "-h", "127.0.0.1", "-p", str(self.daemon.port))
        self.assertEqual(code, 0, out)
        self.assertEqual(out.count("[pass]"), 27, out)


class OneProcess(Clients, unittest.TestCase):
    kind = Lone


class ThreeLocalShards(Clients, unittest.TestCase):
    kind = Cluster


if __name__ == "__main__":
    tap.main()
