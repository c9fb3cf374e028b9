"""python_pylibmc.py HOST PORT [binary] - the whole of pylibmc.  Prints TAP."""

import os
import sys
import time
import unittest

import pylibmc

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import tap

SERVER = "%s:%s" % (sys.argv[1], sys.argv[2])
BINARY = sys.argv[3:] == ["binary"]
ANY_BYTES = bytes(range(256)) + b"\r\nEND\r\nVALUE a 0 1\r\n\x00"
LARGE = bytes(i * 31 % 251 for i in range(1000)) * 900


class Pylibmc(unittest.TestCase):
    def make(self, **behaviors):
        return pylibmc.Client([SERVER], binary=BINARY,
                              behaviors={"tcp_nodelay": True, "cas": True, **behaviors})

    def setUp(self):
        self.client = self.make()
        self.addCleanup(self.client.disconnect_all)
        self.client.flush_all()

    def test_what_is_set_can_be_read(self):
        self.assertTrue(self.client.set("a", b"hello"))
        self.assertEqual(self.client.get("a"), b"hello")
        self.assertIsNone(self.client.get("absent"))
        self.assertEqual(self.client.get("absent", b"other"), b"other")

    def test_empty_and_binary_and_large_values_come_back_whole(self):
        for value in b"", ANY_BYTES, LARGE:
            self.assertTrue(self.client.set("v", value))
            self.assertEqual(self.client.get("v"), value)

    def test_too_large_a_value_is_refused_and_the_client_goes_on(self):
        with self.assertRaises(pylibmc.Error):
            self.client.set("big", b"x" * 2000000)
        self.assertTrue(self.client.set("big", b"new"))
        self.assertEqual(self.client.get("big"), b"new")

    def test_objects_come_back_as_what_they_were(self):
        for value in b"bytes", "t\u00e9xt", 42, 3.5, None, [1, {"a": (2, 3)}]:
            with self.subTest(value=value):
                self.client.set("o", value)
                self.assertEqual(self.client.get("o", "absent"), value)
                self.assertIs(type(self.client.get("o", "absent")), type(value))

    def test_values_are_compressed_by_zlib(self):
        self.assertTrue(self.client.set("z", LARGE, min_compress_len=1000, compress_level=9))
        self.assertEqual(self.client.get("z"), LARGE)
        self.client.set_multi({"z1": LARGE, "z2": b"small"}, min_compress_len=1000)
        self.assertEqual(self.client.get_multi(["z1", "z2"]), {"z1": LARGE, "z2": b"small"})

    def test_keys_are_unicode(self):
        pairs = {"k\u00e4se": b"1", "\u30c1\u30fc\u30ba": b"2"}
        self.assertEqual(self.client.set_multi(pairs), [])
        self.assertEqual(self.client.get_multi(list(pairs)), pairs)

    def test_add_and_replace_look_first(self):
        if BINARY:
            with self.assertRaises(pylibmc.NotFound):
                self.client.replace("a", b"0")
        else:
            self.assertFalse(self.client.replace("a", b"0"))
        self.assertTrue(self.client.add("a", b"1"))
        self.assertFalse(self.client.add("a", b"2"))
        self.assertTrue(self.client.replace("a", b"3"))
        self.assertEqual(self.client.get("a"), b"3")

    def test_append_and_prepend_join(self):
        self.assertFalse(self.client.append("a", b">"))
        self.client.set("a", b"middle")
        self.assertTrue(self.client.append("a", b">"))
        self.assertTrue(self.client.prepend("a", b"<"))
        self.assertEqual(self.client.get("a"), b"<middle>")

    def test_cas_stores_over_what_was_read_only(self):
        self.assertEqual(self.client.gets("a"), (None, None))
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
        with self.assertRaises(pylibmc.NotFound):
            self.client.incr("n")
        self.client.set("n", 10)
        self.assertEqual(self.client.incr("n", 5), 15)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.assertEqual(self.client.incr("n"), 1)
        self.client.set("n", "x")
        with self.assertRaises(pylibmc.Error):
            self.client.incr("n")

    def test_items_end_when_they_are_told_to(self):
        now = int(time.time())
        for end, stays in (0, True), (1000, True), (now + 1000, True), (now - 10, False):
            with self.subTest(end=end):
                self.client.set("a", b"x", time=end)
                self.assertEqual(self.client.get("a"), b"x" if stays else None)

    def test_touch_moves_the_end(self):
        self.assertFalse(self.client.touch("a", 1000))
        self.client.set("a", b"x")
        self.assertTrue(self.client.touch("a", 1000))
        self.assertEqual(self.client.get("a"), b"x")
        self.assertTrue(self.client.touch("a", int(time.time()) - 10))
        self.assertIsNone(self.client.get("a"))

    def test_many_keys_go_and_come_at_once(self):
        pairs = {"key%d" % i: b"value%d" % i for i in range(1000)}
        self.assertEqual(self.client.set_multi(pairs), [])
        self.assertEqual(self.client.get_multi([*pairs, "absent"]), pairs)
        self.assertEqual(len(self.client.add_multi({"key0": b"no", "new": b"1"})), 1)
        self.assertEqual(self.client.get_multi(["key0", "new"]), {"key0": b"value0", "new": b"1"})
        self.assertTrue(self.client.delete_multi(list(pairs)[:500]))
        self.assertEqual(len(self.client.get_multi(list(pairs))), 500)

    def test_many_numbers_go_up_at_once(self):
        self.client.set_multi({"c:1": 1, "c:2": 2})
        self.client.incr_multi(["1", "2"], key_prefix="c:", delta=10)
        self.assertEqual(self.client.get_multi(["1", "2"], key_prefix="c:"), {"1": 11, "2": 12})

    def test_keys_have_a_prefix(self):
        self.client.set_multi({"a": b"1", "b": b"2"}, key_prefix="mine:")
        self.assertEqual(self.client.get_multi(["a", "b", "c"], key_prefix="mine:"),
                         {"a": b"1", "b": b"2"})
        self.assertEqual(self.client.get("mine:a"), b"1")
        self.client.delete_multi(["a"], key_prefix="mine:")
        self.assertIsNone(self.client.get("mine:a"))

    def test_what_wants_no_answer_is_done_before_the_next(self):
        quiet = self.make(_noreply=True)
        for i in range(1000):
            quiet.set("q%d" % i, b"x")
        quiet.delete("q0")
        # Reads are answered, and go down the same connection.
        self.assertEqual(quiet.get_multi(["q0", "q500", "q999"]), {"q500": b"x", "q999": b"x"})

    def test_it_does_not_wait_where_it_need_not(self):
        client = self.make(no_block=True)
        for i in range(1000):
            client.set("w%d" % i, b"x" * 1000)
        self.assertEqual(len(client.get_multi(["w%d" % i for i in range(1000)])), 1000)

    def test_stats_are_understood(self):
        (name, stats), = self.client.get_stats()
        self.assertIn(SERVER.encode(), name)
        self.assertIn("pid", stats)
        for group in "settings", "items", "slabs":
            self.assertEqual(len(self.client.get_stats(group)), 1)

    def test_flush_empties_the_cache(self):
        self.client.set_multi({"a": b"1", "b": b"2"})
        self.assertTrue(self.client.flush_all())
        self.assertEqual(self.client.get_multi(["a", "b"]), {})
        self.client.set("a", b"1")
        self.client.flush_all(time=1000)
        self.assertEqual(self.client.get("a"), b"1")

    def test_it_is_a_mapping(self):
        self.client["a"] = b"1"
        self.assertEqual(self.client["a"], b"1")
        self.assertIn("a", self.client)
        del self.client["a"]
        self.assertNotIn("a", self.client)
        with self.assertRaises(KeyError):
            self.client["a"]

    def test_clones_and_pools_share_the_cache(self):
        self.client.set("a", b"1")
        self.assertEqual(self.client.clone().get("a"), b"1")
        pool = pylibmc.ClientPool(self.client, 4)
        with pool.reserve() as one, pool.reserve() as other:
            one.set("b", b"2")
            self.assertEqual(other.get("b"), b"2")

    def test_after_disconnecting_it_connects_again(self):
        self.client.set("a", b"1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("a"), b"1")


if __name__ == "__main__":
    del sys.argv[1:]
    tap.main()
