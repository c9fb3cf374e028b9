"""python_pymemcache.py HOST PORT - the whole of pymemcache, text only.  Prints TAP."""

import os
import sys
import time
import unittest

from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import tap

SERVER = (sys.argv[1], int(sys.argv[2]))
ANY_BYTES = bytes(range(256)) + b"\r\nEND\r\nVALUE a 0 1\r\n\x00"
LARGE = bytes(i * 31 % 251 for i in range(1000)) * 900


class Base(unittest.TestCase):
    """A client of one connection, which waits for every answer."""

    def make(self, **options):
        client = Client(SERVER, **{"default_noreply": False, "no_delay": True, **options})
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.client = self.make()
        self.client.flush_all()


class Pymemcache(Base):
    def test_what_is_set_can_be_read(self):
        self.assertTrue(self.client.set("a", b"hello"))
        self.assertEqual(self.client.get("a"), b"hello")
        self.assertIsNone(self.client.get("absent"))
        self.assertEqual(self.client.get("absent", default=b"other"), b"other")

    def test_empty_and_binary_and_large_values_come_back_whole(self):
        for value in b"", ANY_BYTES, LARGE:
            self.assertTrue(self.client.set("v", value))
            self.assertEqual(self.client.get("v"), value)

    def test_too_large_a_value_is_refused_and_the_client_goes_on(self):
        self.client.set("big", b"old")
        with self.assertRaises(MemcacheServerError):
            self.client.set("big", b"x" * 2000000)
        self.assertIsNone(self.client.get("big"))
        self.assertTrue(self.client.set("big", b"new"))

    def test_the_longest_key_is_taken(self):
        self.assertTrue(self.client.set("k" * 250, b"x"))
        self.assertEqual(self.client.get_many(["k" * 250]), {"k" * 250: b"x"})

    def test_add_and_replace_look_first(self):
        self.assertFalse(self.client.replace("a", b"0"))
        self.assertTrue(self.client.add("a", b"1"))
        self.assertFalse(self.client.add("a", b"2"))
        self.assertTrue(self.client.replace("a", b"3"))
        self.assertEqual(self.client.get("a"), b"3")

    def test_append_and_prepend_join(self):
        self.assertFalse(self.client.append("a", b">"))
        self.assertFalse(self.client.prepend("a", b"<"))
        self.client.set("a", b"middle")
        self.assertTrue(self.client.append("a", b">"))
        self.assertTrue(self.client.prepend("a", b"<"))
        self.assertEqual(self.client.get("a"), b"<middle>")

    def test_cas_stores_over_what_was_read_only(self):
        self.assertIsNone(self.client.cas("a", b"0", b"1"))
        self.assertEqual(self.client.gets("a", default=0, cas_default=1), (0, 1))
        self.client.set("a", b"1")
        value, token = self.client.gets("a")
        self.assertEqual(value, b"1")
        self.assertTrue(self.client.cas("a", b"2", token))
        self.assertFalse(self.client.cas("a", b"3", token))
        self.assertEqual(self.client.get("a"), b"2")

    def test_deleted_is_gone(self):
        self.client.set("a", b"1")
        self.assertTrue(self.client.delete("a"))
        self.assertFalse(self.client.delete("a"))
        self.assertIsNone(self.client.get("a"))

    def test_numbers_go_up_and_down(self):
        self.assertIsNone(self.client.incr("n", 1))
        self.assertIsNone(self.client.decr("n", 1))
        self.client.set("n", b"10")
        self.assertEqual(self.client.incr("n", 5), 15)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.client.set("n", b"18446744073709551615")
        self.assertEqual(self.client.incr("n", 1), 0)
        self.client.set("n", b"x")
        with self.assertRaises(MemcacheClientError):
            self.client.incr("n", 1)

    def test_items_end_when_they_are_told_to(self):
        now = int(time.time())
        for expire, stays in ((0, True), (1000, True), (now + 1000, True), (-1, False),
                              (now - 10, False)):
            with self.subTest(expire=expire):
                self.client.set("a", b"x", expire=expire)
                self.assertEqual(self.client.get("a"), b"x" if stays else None)

    def test_touch_moves_the_end(self):
        self.assertFalse(self.client.touch("a", 1000))
        self.client.set("a", b"x")
        self.assertTrue(self.client.touch("a", 1000))
        self.assertEqual(self.client.get("a"), b"x")
        self.assertTrue(self.client.touch("a", -1))
        self.assertIsNone(self.client.get("a"))

    def test_gat_reads_and_moves_the_end(self):
        if not hasattr(self.client, "gat"):
            self.skipTest("this pymemcache is older than its gat")
        self.assertIsNone(self.client.gat("a", 1000))
        self.client.set("a", b"x")
        self.assertEqual(self.client.gat("a", 1000), b"x")
        self.assertEqual(self.client.gats("a", -1)[0], b"x")
        self.assertIsNone(self.client.get("a"))

    def test_many_keys_go_and_come_at_once(self):
        pairs = {"key%d" % i: b"value%d" % i for i in range(1000)}
        self.assertEqual(self.client.set_many(pairs), [])
        self.assertEqual(self.client.get_many([*pairs, "absent"]), pairs)
        found = self.client.gets_many(list(pairs))
        self.assertEqual({key: value for key, (value, _) in found.items()}, pairs)
        self.assertTrue(self.client.cas("key7", b"x", found["key7"][1]))
        self.assertFalse(self.client.cas("key7", b"y", found["key7"][1]))
        self.client.delete_many(list(pairs)[:500])
        self.assertEqual(len(self.client.get_many(list(pairs))), 500)

    def test_what_wants_no_answer_is_done_before_the_next(self):
        quiet = self.make(default_noreply=True)
        quiet.set("a", b"1")
        quiet.append("a", b"2")
        quiet.prepend("a", b"0")
        quiet.add("b", b"1")
        quiet.add("b", b"no")
        quiet.replace("b", b"2")
        quiet.incr("b", 5, noreply=True)
        quiet.decr("b", 1, noreply=True)
        self.assertEqual(quiet.get_many(["a", "b"]), {"a": b"012", "b": b"6"})
        token = quiet.gets("a")[1]
        quiet.cas("a", b"swapped", token, noreply=True)
        quiet.cas("a", b"no", token, noreply=True)
        self.assertEqual(quiet.get("a"), b"swapped")
        quiet.touch("a", -1)
        self.assertIsNone(quiet.get("a"))
        quiet.set_many({"q%d" % i: b"x" for i in range(1000)})
        quiet.delete_many(["q%d" % i for i in range(999)])
        quiet.delete("b")
        self.assertEqual(quiet.get_many(["b", "q998", "q999"]), {"q999": b"x"})
        quiet.flush_all()
        self.assertIsNone(quiet.get("q999"))

    def test_flush_empties_the_cache(self):
        self.client.set_many({"a": b"1", "b": b"2"})
        self.assertTrue(self.client.flush_all())
        self.assertEqual(self.client.get_many(["a", "b"]), {})
        self.client.set("a", b"1")
        self.assertTrue(self.client.flush_all(delay=1000))
        self.assertEqual(self.client.get("a"), b"1")

    def test_version_and_stats_are_understood(self):
        self.assertRegex(self.client.version(), rb"^\S+$")
        stats = self.client.stats()
        self.assertIsInstance(stats[b"pid"], int)
        self.assertIsInstance(stats[b"rusage_user"], float)
        self.assertGreaterEqual(stats[b"cmd_get"], 0)
        self.assertGreater(self.client.stats("settings")[b"maxbytes"], 0)
        for group in "items", "slabs", "sizes":
            self.assertIsInstance(self.client.stats(group), dict)
        self.assertTrue(self.client.cache_memlimit(64))

    def test_shutdown_is_refused(self):
        with self.assertRaises(MemcacheServerError):
            self.client.shutdown()
        self.assertRegex(self.client.version(), rb"^\S+$")

    def test_after_quit_it_connects_again(self):
        self.client.set("a", b"1")
        self.client.quit()
        self.assertEqual(self.client.get("a"), b"1")

    def test_it_is_a_mapping(self):
        self.client["a"] = b"1"
        self.assertEqual(self.client["a"], b"1")
        del self.client["a"]
        with self.assertRaises(KeyError):
            self.client["a"]


class Options(Base):
    def test_keys_have_a_prefix(self):
        own = self.make(key_prefix=b"mine:")
        own.set("a", b"1")
        own.set_many({"b": b"2"})
        self.assertEqual(self.client.get_many(["mine:a", "mine:b", "a"]),
                         {"mine:a": b"1", "mine:b": b"2"})
        self.assertEqual(own.get_many(["a", "b", "c"]), {"a": b"1", "b": b"2"})

    def test_keys_are_unicode(self):
        client = self.make(allow_unicode_keys=True)
        pairs = {"k\u00e4se": b"1", "\u30c1\u30fc\u30ba": b"2", "\U0001f9c0": b"3"}
        self.assertEqual(client.set_many(pairs), [])
        self.assertEqual(client.get_many(list(pairs)), pairs)
        self.assertTrue(client.delete("\U0001f9c0"))

    def test_objects_come_back_as_what_they_were(self):
        client = self.make(serde=serde.pickle_serde)
        for value in b"bytes", "t\u00e9xt", 42, 3.5, None, [1, {"a": (2, 3)}]:
            with self.subTest(value=value):
                client.set("o", value)
                self.assertEqual(client.get("o"), value)
                self.assertIs(type(client.get("o")), type(value))

    def test_flags_are_kept(self):
        seen = []

        class Flags:
            def serialize(self, key, value):
                return value, 0

            def deserialize(self, key, value, flags):
                seen.append(flags)
                return value

        client = self.make(serde=Flags())
        for flags in 0, 1, 65535, 4294967295:
            client.set("f", b"x", flags=flags)
            client.append("f", b"y", flags=7)
            self.assertEqual(client.get("f"), b"xy")
        self.assertEqual(seen, [0, 1, 65535, 4294967295])


class OtherClients(Base):
    """They share the protocol, and differ in which connection a command goes to."""

    def use(self, client):
        self.addCleanup(client.close)
        self.assertTrue(client.set("a", b"1"))
        self.assertFalse(client.add("a", b"2"))
        self.assertTrue(client.replace("a", b"3"))
        self.assertTrue(client.append("a", b"4"))
        self.assertTrue(client.prepend("a", b"2"))
        value, token = client.gets("a")
        self.assertEqual(value, b"234")
        self.assertTrue(client.cas("a", b"10", token))
        self.assertEqual(client.incr("a", 2), 12)
        self.assertEqual(client.decr("a", 1), 11)
        self.assertFalse(client.set_many({"b": b"2", "c": b"3"}))
        self.assertEqual(client.get_many(["b", "c", "absent"]), {"b": b"2", "c": b"3"})
        self.assertEqual(set(client.gets_many(["b", "c"])), {"b", "c"})
        self.assertTrue(client.touch("a", 1000))
        self.assertTrue(client.delete("b"))
        client.delete_many(["a", "c"])
        self.assertEqual(client.get_many(["a", "b", "c"]), {})
        client.set("a", b"1")
        client.flush_all()
        self.assertIsNone(client.get("a"))

    def test_a_pool_of_connections(self):
        client = PooledClient(SERVER, max_pool_size=4, default_noreply=False)
        self.use(client)
        self.assertRegex(client.version(), rb"^\S+$")
        self.assertIn(b"pid", client.stats())
        client.quit()

    def test_a_client_of_many_servers(self):
        self.use(HashClient([SERVER], default_noreply=False))
        self.use(HashClient([SERVER], default_noreply=False, use_pooling=True))

    def test_a_client_that_tries_again(self):
        self.use(RetryingClient(self.make(), attempts=2, retry_for=[MemcacheServerError]))


if __name__ == "__main__":
    del sys.argv[1:]
    tap.main()
