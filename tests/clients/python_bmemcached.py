"""python_bmemcached.py HOST PORT - python-binary-memcached, binary only.  Prints TAP."""

import os
import sys
import time
import unittest

import bmemcached
from bmemcached.exceptions import MemcachedException

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import tap

SERVER = "%s:%s" % (sys.argv[1], sys.argv[2])
ANY_BYTES = bytes(range(256)) + b"\r\nEND\r\nVALUE a 0 1\r\n\x00"
LARGE = bytes(i * 31 % 251 for i in range(1000)) * 900
BOUND_S = 20


class Bmemcached(unittest.TestCase):
    def make(self, **options):
        client = bmemcached.Client([SERVER], socket_timeout=BOUND_S, **options)
        self.addCleanup(client.disconnect_all)
        return client

    def setUp(self):
        self.client = self.make()
        self.client.flush_all()

    def test_what_is_set_can_be_read(self):
        self.assertTrue(self.client.set("a", b"hello"))
        self.assertEqual(self.client.get("a"), b"hello")
        self.assertIsNone(self.client.get("absent"))
        self.assertEqual(self.client.get("absent", default=b"other"), b"other")

    def test_empty_and_binary_and_large_values_come_back_whole(self):
        for level in 0, 9:
            for value in b"", ANY_BYTES, LARGE:
                self.assertTrue(self.client.set("v", value, compress_level=level))
                self.assertEqual(self.client.get("v"), value)

    def test_too_large_a_value_is_refused_and_the_client_goes_on(self):
        self.client.set("big", b"old")
        with self.assertRaises(MemcachedException):
            self.client.set("big", b"x" * 2000000, compress_level=0)
        self.assertTrue(self.client.set("big", b"new"))
        self.assertEqual(self.client.get("big"), b"new")

    def test_objects_come_back_as_what_they_were(self):
        for value in b"bytes", "t\u00e9xt", 42, 3.5, [1, {"a": (2, 3)}]:
            with self.subTest(value=value):
                self.client.set("o", value)
                self.assertEqual(self.client.get("o"), value)
                self.assertIs(type(self.client.get("o")), type(value))

    def test_keys_are_unicode(self):
        self.assertTrue(self.client.set("k\u00e4se", b"1"))
        self.assertEqual(self.client.get("k\u00e4se"), b"1")

    def test_add_and_replace_look_first(self):
        self.assertFalse(self.client.replace("a", b"0"))
        self.assertTrue(self.client.add("a", b"1"))
        self.assertFalse(self.client.add("a", b"2"))
        self.assertTrue(self.client.replace("a", b"3"))
        self.assertEqual(self.client.get("a"), b"3")

    def test_cas_stores_over_what_was_read_only(self):
        self.assertEqual(self.client.gets("a"), (None, None))
        self.client.set("a", b"1")
        value, token = self.client.gets("a")
        self.assertEqual(value, b"1")
        self.assertEqual(self.client.get("a", get_cas=True), (b"1", token))
        self.assertTrue(self.client.cas("a", b"2", token))
        self.assertFalse(self.client.cas("a", b"3", token))
        self.assertFalse(self.client.delete("a", cas=token))
        self.assertEqual(self.client.get("a"), b"2")
        self.assertTrue(self.client.delete("a", cas=self.client.gets("a")[1]))
        self.assertIsNone(self.client.get("a"))

    def test_deleted_is_gone(self):
        self.client.set("a", b"1")
        self.assertTrue(self.client.delete("a"))
        self.assertIsNone(self.client.get("a"))

    def test_numbers_go_up_and_down_and_may_begin_anywhere(self):
        self.assertEqual(self.client.incr("n", 1, default=10), 10)
        self.assertEqual(self.client.incr("n", 5), 15)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.assertEqual(self.client.decr("m", 1, default=7), 7)
        self.assertEqual(self.client.get("m"), "7")
        self.client.set("n", b"x")
        with self.assertRaises(MemcachedException):
            self.client.incr("n", 1)

    def test_items_end_when_they_are_told_to(self):
        now = int(time.time())
        for end, stays in (0, True), (1000, True), (now + 1000, True), (now - 10, False):
            with self.subTest(end=end):
                self.client.set("a", b"x", time=end)
                self.assertEqual(self.client.get("a"), b"x" if stays else None)

    def test_many_keys_go_and_come_at_once(self):
        pairs = {"key%d" % i: b"value%d" % i for i in range(1000)}
        self.assertFalse(self.client.set_multi(pairs, time=1000))
        self.assertEqual(self.client.get_multi([*pairs, "absent"]), pairs)
        found = self.client.get_multi(list(pairs), get_cas=True)
        self.assertEqual({key: value for key, (value, _) in found.items()}, pairs)
        self.assertTrue(self.client.cas("key7", b"x", found["key7"][1]))
        self.assertTrue(self.client.delete_multi(list(pairs)[:500]))
        self.assertEqual(len(self.client.get_multi(list(pairs))), 500)

    def test_stats_are_understood(self):
        self.assertIn("pid", self.client.stats()[SERVER])
        self.assertIn("maxbytes", self.client.stats("settings")[SERVER])

    def test_flush_empties_the_cache(self):
        self.client.set_multi({"a": b"1", "b": b"2"})
        self.assertTrue(self.client.flush_all())
        self.assertEqual(self.client.get_multi(["a", "b"]), {})
        self.client.set("a", b"1")
        self.assertTrue(self.client.flush_all(1000))
        self.assertEqual(self.client.get("a"), b"1")

    def test_after_disconnecting_it_connects_again(self):
        self.client.set("a", b"1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("a"), b"1")

    def test_a_name_and_password_are_not_asked_for(self):
        client = self.make(username="anybody", password="anything")
        self.assertTrue(client.set("a", b"1"))
        self.assertEqual(client.get("a"), b"1")


if __name__ == "__main__":
    del sys.argv[1:]
    tap.main()
