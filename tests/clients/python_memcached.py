"""python_memcached.py HOST PORT - the whole of python-memcached, text only.  Prints TAP."""

import os
import sys
import time
import unittest

import memcache

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import tap

SERVER = "%s:%s" % (sys.argv[1], sys.argv[2])
ANY_BYTES = bytes(range(256)) + b"\r\nEND\r\nVALUE a 0 1\r\n\x00"
LARGE = bytes(i * 31 % 251 for i in range(1000)) * 900
BOUND_S = 20


class PythonMemcached(unittest.TestCase):
    """It takes what it cannot read for a dead server: then nothing is found any more."""

    def setUp(self):
        self.client = memcache.Client([SERVER], cache_cas=True, socket_timeout=BOUND_S,
                                      server_max_value_length=3000000)
        self.addCleanup(self.client.disconnect_all)
        self.client.flush_all()

    def test_what_is_set_can_be_read(self):
        self.assertTrue(self.client.set("a", b"hello"))
        self.assertEqual(self.client.get("a"), b"hello")
        self.assertIsNone(self.client.get("absent"))

    def test_empty_and_binary_and_large_values_come_back_whole(self):
        for value in b"", ANY_BYTES, LARGE:
            self.assertTrue(self.client.set("v", value))
            self.assertEqual(self.client.get("v"), value)

    def test_too_large_a_value_is_refused_and_the_client_goes_on(self):
        self.assertFalse(self.client.set("big", b"x" * 2000000))
        self.assertTrue(self.client.set("big", b"new"))
        self.assertEqual(self.client.get("big"), b"new")

    def test_objects_come_back_as_what_they_were(self):
        for value in b"bytes", "t\u00e9xt", 42, 3.5, [1, {"a": (2, 3)}]:
            with self.subTest(value=value):
                self.client.set("o", value)
                self.assertEqual(self.client.get("o"), value)
                self.assertIs(type(self.client.get("o")), type(value))

    def test_values_are_compressed(self):
        self.assertTrue(self.client.set("z", LARGE, min_compress_len=1000))
        self.assertEqual(self.client.get("z"), LARGE)
        self.client.set_multi({"z1": LARGE, "z2": b"small"}, min_compress_len=1000)
        self.assertEqual(self.client.get_multi(["z1", "z2"]), {"z1": LARGE, "z2": b"small"})

    def test_keys_are_unicode(self):
        self.assertTrue(self.client.set("k\u00e4se", b"1"))
        self.assertEqual(self.client.get("k\u00e4se"), b"1")
        self.assertTrue(self.client.delete("k\u00e4se"))

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
        self.client.set("a", b"1")
        self.assertEqual(self.client.gets("a"), b"1")
        self.assertTrue(self.client.cas("a", b"2"))
        self.assertFalse(self.client.cas("a", b"3"))
        self.assertEqual(self.client.get("a"), b"2")
        self.client.reset_cas()
        self.assertTrue(self.client.cas("a", b"4"))     # which is a set now

    def test_deleted_is_gone(self):
        for time_s in None, 0:
            self.client.set("a", b"1")
            self.assertTrue(self.client.delete("a", time=time_s))
            self.assertIsNone(self.client.get("a"))
            # To this client, not found is as good as deleted.
            self.assertTrue(self.client.delete("a", time=time_s))

    def test_numbers_go_up_and_down(self):
        self.assertIsNone(self.client.incr("n"))
        self.assertIsNone(self.client.decr("n"))
        self.client.set("n", 10)
        self.assertEqual(self.client.incr("n", 5), 15)
        self.assertEqual(self.client.decr("n", 20), 0)
        self.client.set("n", "x")
        with self.assertRaises(ValueError):
            self.client.incr("n")

    def test_items_end_when_they_are_told_to(self):
        now = int(time.time())
        for end, stays in ((0, True), (1000, True), (now + 1000, True), (-1, False),
                           (now - 10, False)):
            with self.subTest(end=end):
                self.client.set("a", b"x", time=end)
                self.assertEqual(self.client.get("a"), b"x" if stays else None)

    def test_touch_moves_the_end(self):
        self.assertFalse(self.client.touch("a", 1000))
        self.client.set("a", b"x")
        self.assertTrue(self.client.touch("a", 1000))
        self.assertEqual(self.client.get("a"), b"x")
        self.assertTrue(self.client.touch("a", -1))
        self.assertIsNone(self.client.get("a"))

    def test_many_keys_go_and_come_at_once(self):
        pairs = {"key%d" % i: b"value%d" % i for i in range(1000)}
        self.assertEqual(self.client.set_multi(pairs), [])
        self.assertEqual(self.client.get_multi([*pairs, "absent"]), pairs)
        self.assertTrue(self.client.delete_multi(list(pairs)[:500]))
        self.assertEqual(len(self.client.get_multi(list(pairs))), 500)

    def test_keys_have_a_prefix_and_may_be_numbers(self):
        self.client.set_multi({1: b"1", "b": b"2"}, key_prefix="mine:")
        self.assertEqual(self.client.get_multi([1, "b", 3], key_prefix="mine:"),
                         {1: b"1", "b": b"2"})
        self.assertEqual(self.client.get("mine:1"), b"1")
        self.client.delete_multi([1], key_prefix="mine:")
        self.assertIsNone(self.client.get("mine:1"))

    def test_what_wants_no_answer_is_done_before_the_next(self):
        self.client.set("a", b"1", noreply=True)
        self.client.append("a", b"2", noreply=True)
        self.client.prepend("a", b"0", noreply=True)
        self.client.add("b", 1, noreply=True)
        self.client.add("b", 100, noreply=True)
        self.client.replace("b", 2, noreply=True)
        self.client.incr("b", 5, noreply=True)
        self.client.decr("b", noreply=True)
        self.assertEqual(self.client.get_multi(["a", "b"]), {"a": b"012", "b": 6})
        self.client.gets("a")
        self.client.cas("a", b"swapped", noreply=True)
        self.client.cas("a", b"no", noreply=True)
        self.assertEqual(self.client.get("a"), b"swapped")
        self.client.touch("a", -1, noreply=True)
        self.assertIsNone(self.client.get("a"))
        self.client.set_multi({"q%d" % i: b"x" for i in range(1000)}, noreply=True)
        self.client.delete_multi(["q%d" % i for i in range(999)], noreply=True)
        self.client.delete("b", noreply=True)
        self.assertEqual(self.client.get_multi(["b", "q998", "q999"]), {"q999": b"x"})

    def test_stats_are_understood(self):
        (name, stats), = self.client.get_stats()
        self.assertIn(SERVER, name)
        self.assertIn("pid", stats)
        for group in "settings", "items", "slabs", "sizes":
            self.assertEqual(len(self.client.get_stats(group)), 1)

    def test_flush_empties_the_cache(self):
        self.client.set_multi({"a": b"1", "b": b"2"})
        self.client.flush_all()
        self.assertEqual(self.client.get_multi(["a", "b"]), {})

    def test_after_disconnecting_it_connects_again(self):
        self.client.set("a", b"1")
        self.client.disconnect_all()
        self.assertEqual(self.client.get("a"), b"1")


if __name__ == "__main__":
    del sys.argv[1:]
    tap.main()
