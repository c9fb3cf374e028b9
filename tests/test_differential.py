#!/usr/bin/python3 -B
"""
Some thousand of the random requests of differential.py: a memcached, and a
server that is not quite one, beside the real one.
"""

import contextlib
import io
import unittest

import differential
from lib import memcached, tap
from lib.daemon import Cluster, Lone

PROGRAM, WHY_NOT = memcached.find()


@unittest.skipIf(PROGRAM is None, WHY_NOT)
class Differential(unittest.TestCase):

    def compare(self, server, requests):
        """How many rounds differ, and what was printed of them."""
        options = differential.options_of(["--requests", str(requests), "--kinds", "5"])
        said = io.StringIO()
        with memcached.Memcached(PROGRAM, "-m", "1024") as reference, server:
            with contextlib.redirect_stdout(said):
                differ = differential.run((reference.address, server.address), server.name, options)
        return differ, said.getvalue()

    def test_one_process_answers_as_memcached_does(self):
        differ, said = self.compare(Lone("-m", "1024"), 10000)
        self.assertEqual(differ, 0, said)

    def test_three_shards_answer_as_memcached_does(self):
        differ, said = self.compare(Cluster("-m", "1024"), 10000)
        self.assertEqual(differ, 0, said)

    def test_memcached_answers_as_memcached_does(self):
        differ, said = self.compare(memcached.Memcached(PROGRAM, "-m", "1024"), 2000)
        self.assertEqual(differ, 0, said)

    def test_a_server_without_cas_tokens_is_noticed(self):
        differ, said = self.compare(memcached.Memcached(PROGRAM, "-m", "1024", "-C"), 2000)
        self.assertGreater(differ, 0, said)

    def test_a_server_with_another_limit_of_values_is_noticed(self):
        differ, said = self.compare(
            memcached.Memcached(PROGRAM, "-m", "1024", "-I", "2k", "-o", "slab_chunk_max=1"), 2000)
        self.assertGreater(differ, 0, said)


if __name__ == "__main__":
    tap.main()
