#!/usr/bin/python3 -B
"""
The text protocol by bytes: each case against one process and against a front
with three local shards.  With CHCACHED_TEST_SERVER=HOST:PORT what is
memcached's is asked of that server instead.
"""

import random
import re
import time
import unittest

from lib import cases, server, tap
from lib.cases import (BAD, CUT, DELETED, END, ERROR, EXISTS, HANG_UP_LINES, K251, LARGE,
                       NOT_FOUND, OK, STORED, found, value)
from lib.daemon import Cluster, Lone, states, wait
from lib.server import REFERENCE, own
from lib.wire import ask, stats, talk, until_end

EXPORTER_STATS = """
    pid uptime time version pointer_size rusage_user rusage_system curr_connections
    total_connections rejected_connections cmd_get cmd_set cmd_flush cmd_touch get_hits
    get_misses delete_hits delete_misses incr_hits incr_misses decr_hits decr_misses cas_hits
    cas_misses cas_badval touch_hits touch_misses bytes_read bytes_written limit_maxbytes
    threads bytes curr_items total_items evictions reclaimed accepting_conns
    max_connections""".split()


def block(verb, key, data, flags=0, rest=b""):
    return b"%b %b %d 0 %d%b\r\n%b\r\n" % (verb, key, flags, len(data), rest, data)


class Text(server.Lines):
    cases = cases

    def test_quit_and_http_are_hung_up_on_without_a_word(self):
        for line in HANG_UP_LINES:
            with self.subTest(line=line):
                self.assertEqual(until_end(self.connect(), line + b"\r\n"), b"")

    def test_what_was_asked_before_quit_is_answered(self):
        got = until_end(self.sock, b"get a\r\n" * 100 + b"quit\r\nget a\r\n")
        self.assertEqual(got, END * 100)

    def test_a_request_may_arrive_in_pieces(self):
        self.check_pieces(CUT, STORED, b"get nothing\r\n", END)

    def test_values_are_any_bytes(self):
        chance = random.Random(1)
        for size in (0, 1, 2, 255, 256, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 262144,
                     1000000):
            data = chance.randbytes(size)
            talk(self.sock, block(b"set", b"v%d" % size, data), STORED)
            talk(self.sock, b"get v%d\r\n" % size, found(b"v%d" % size, data))
        for data in (b"\r\n", b"\r\nEND\r\n", b"END\r\nget a\r\n", b"\x00", b"\n", b"\r",
                     b"\r\n" * 5000):
            talk(self.sock, block(b"set", b"v", data) + b"get v\r\n",
                 STORED + found(b"v", data))

    def test_large_values_in_one_get(self):
        data = {b"big%d" % i: bytes([i]) * 700000 for i in range(8)}
        for key in data:
            talk(self.sock, block(b"set", key, data[key]), STORED)
        talk(self.sock, b"get " + b" ".join(data) + b"\r\n",
             b"".join(value(k, v) for k, v in data.items()) + END)

    def test_too_large_removes_what_a_set_would_have_replaced(self):
        huge = b"x" * (2 << 20)
        for verb, left in ((b"set", END), (b"add", found(b"a", b"old")),
                           (b"replace", found(b"a", b"old")),
                           (b"append", found(b"a", b"old"))):
            for rest, answer in ((b"", LARGE), (b" noreply", b"")):
                with self.subTest(verb=verb, rest=rest):
                    talk(self.sock, block(b"set", b"a", b"old"), STORED)
                    self.check(block(verb, b"a", huge, rest=rest) + b"get a\r\n", answer + left)

    def test_cas_stores_only_over_the_version_that_was_read(self):
        talk(self.sock, block(b"set", b"a", b"1", 5), STORED)
        token = self.tokens(b"a")[b"a"]
        self.assertEqual(token, self.tokens(b"a")[b"a"])
        self.assertLess(token, 1 << 63)
        talk(self.sock, b"cas a 6 0 1 %d\r\n2\r\n" % token, STORED)
        talk(self.sock, b"cas a 7 0 1 %d\r\n3\r\n" % token, EXISTS)
        talk(self.sock, b"cas b 7 0 1 %d\r\n3\r\n" % token, NOT_FOUND)
        talk(self.sock, b"get a\r\n", found(b"a", b"2", 6))
        self.check(b"cas a 8 0 1 %d noreply\r\n4\r\n" % self.tokens(b"a")[b"a"], b"")
        talk(self.sock, b"get a\r\n", found(b"a", b"4", 8))

    def tokens(self, *keys):
        got = ask(self.sock, b"gets " + b" ".join(keys) + b"\r\n")
        return {m[1]: int(m[2]) for m in re.finditer(rb"VALUE (\S+) \d+ \d+ (\d+)\r\n", got)}

    def test_every_change_gives_a_new_token_and_touch_keeps_it(self):
        seen = set()
        for change, answer in ((block(b"set", b"a", b"1"), STORED),
                               (block(b"set", b"a", b"1"), STORED),
                               (block(b"replace", b"a", b"1"), STORED),
                               (block(b"append", b"a", b"1"), STORED),
                               (b"incr a 1\r\n", b"12\r\n"), (b"decr a 0\r\n", b"12\r\n")):
            talk(self.sock, change, answer)
            token = self.tokens(b"a")[b"a"]
            self.assertNotIn(token, seen, change)
            seen.add(token)
        talk(self.sock, b"touch a 100\r\n", b"TOUCHED\r\n")
        self.assertEqual(self.tokens(b"a")[b"a"], token)
        got = ask(self.sock, b"gats 100 a\r\n")
        self.assertEqual(got, b"VALUE a 0 2 %d\r\n12\r\nEND\r\n" % token)

    def test_tokens_of_different_keys_differ(self):
        keys = [b"key%d" % i for i in range(1000)]
        talk(self.sock, b"".join(block(b"set", k, b"1") for k in keys), STORED * 1000)
        tokens = self.tokens(*keys)
        self.assertEqual(len(set(tokens.values())), 1000)

    def test_a_get_keeps_order_duplicates_and_misses(self):
        keys = [b"key%d" % i for i in range(30)]
        for k in keys[::2]:
            talk(self.sock, block(b"set", k, k.upper()), STORED)
        order = [random.Random(2).choice(keys) for _ in range(200)]
        talk(self.sock, b"get " + b" ".join(order) + b"\r\n",
             b"".join(value(k, k.upper()) for k in order if k in keys[::2]) + END)

    def test_ten_thousand_keys_in_one_get(self):
        keys = [b"a-key-of-some-length-%d" % i for i in range(10000)]
        for i in range(0, 10000, 500):
            self.check(b"".join(block(b"set", k, k, rest=b" noreply")
                                for k in keys[i:i + 500] if not k.endswith(b"7")), b"")
        keys.reverse()
        line = b"get " + b" ".join(keys) + b"\r\n"
        self.assertGreater(len(line), 3 * 65536)
        answer = b"".join(value(k, k) for k in keys if not k.endswith(b"7")) + END
        talk(self.sock, line, answer)
        talk(self.sock, line + b"get x\r\n" + line, answer + END + answer)

    @own
    def test_a_bad_key_in_a_streamed_get_ends_its_answer(self):
        keys = [b"k%06d" % i for i in range(20000)]
        talk(self.sock, block(b"set", keys[0], b"x"), STORED)
        self.check(b"get " + b" ".join(keys + [K251] + keys) + b"\r\n",
                   value(keys[0], b"x") + BAD)

    @own
    def test_a_line_that_is_too_long_ends_the_connection(self):
        for line in (b"x" * 70000, b"set " + b"x" * 70000, b"delete a" + b" " * 70000):
            self.assertEqual(until_end(self.connect(), line),
                             b"CLIENT_ERROR line too long\r\n")

    def test_a_long_line_is_no_trouble_within_its_limit(self):
        blanks = b" " * (1500 if REFERENCE else 60000)
        talk(self.sock, b"set a 0 0 1" + blanks + b"\r\nX\r\n", STORED)
        talk(self.sock, b"get" + blanks + b"a\r\n", found(b"a", b"X"))

    def test_a_thousand_mixed_commands_are_answered_in_order(self):
        self.check_mixed(mixed)

    def test_many_clients_do_not_get_each_others_answers(self):
        self.check_many_clients(
            lambda i: block(b"set", b"mine", b"%d" % i) + block(b"set", b"own%d" % i, b"%d" % i)
            + b"get own%d\r\n" % i * 20,
            lambda i: STORED + STORED + found(b"own%d" % i, b"%d" % i) * 20)

    def test_an_item_expires(self):
        talk(self.sock, b"set a 0 1 1\r\nA\r\n", STORED)
        talk(self.sock, b"set b 0 %d 1\r\nB\r\n" % (int(time.time()) + 2), STORED)
        talk(self.sock, b"set c 0 %d 1\r\nC\r\n" % (int(time.time()) + 10000), STORED)
        wait(lambda: ask(self.sock, b"get a b c\r\n") == found(b"c", b"C"), "a and b to expire")

    def test_a_flush_may_come_later(self):
        talk(self.sock, block(b"set", b"a", b"A") + b"flush_all 1\r\n", STORED + OK)
        wait(lambda: ask(self.sock, b"get a\r\n") == END, "the flush")
        if REFERENCE:       # it counts in seconds: what comes in this one is flushed too
            return
        talk(self.sock, block(b"set", b"a", b"B") + b"get a\r\n", STORED + found(b"a", b"B"))

    @own
    def test_the_version_is_three_numbers_that_clients_can_judge(self):
        self.sock.sendall(b"version\r\n")
        got = self.sock.recv(100)
        m = re.fullmatch(rb"VERSION (\d+)\.(\d+)\.(\d+)\r\n", got)
        self.assertTrue(m, got)
        numbers = tuple(int(n) for n in m.groups())
        self.assertTrue(all(n <= 255 for n in numbers), numbers)
        self.assertGreaterEqual(numbers, (1, 6, 27))

    # ---- stats ----

    def test_the_stats_that_dashboards_need(self):
        all_stats = stats(self.sock)
        missing = [name for name in EXPORTER_STATS if name not in all_stats]
        self.assertEqual(missing, [])
        for name in ("rusage_user", "rusage_system"):
            self.assertRegex(all_stats[name], r"^\d+\.\d{6}$")
        for name in set(EXPORTER_STATS) - {"version", "rusage_user", "rusage_system"}:
            self.assertRegex(all_stats[name], r"^\d+$", name)
        self.assertAlmostEqual(int(all_stats["limit_maxbytes"]), 64 << 20, delta=4096)
        self.assertEqual(all_stats["pointer_size"], "64")

    def test_commands_move_their_counters(self):
        with self.counting(cmd_set=6, cmd_get=4, cmd_touch=4, cmd_flush=1, get_hits=2,
                           get_misses=2, incr_hits=1, incr_misses=1, decr_hits=1,
                           decr_misses=1, touch_hits=2, touch_misses=2, cas_hits=1,
                           cas_misses=1, cas_badval=2, delete_hits=1, delete_misses=1):
            talk(self.sock, block(b"set", b"a", b"1") + block(b"add", b"a", b"1")
                 + b"get a b c\r\nincr a 1\r\nincr b 1\r\ndecr a 1\r\ndecr b 1\r\n"
                 b"touch a 0\r\ntouch b 0\r\ngat 0 a b\r\n"
                 b"cas a 0 0 1 1\r\n2\r\ncas b 0 0 1 1\r\n2\r\ncas a 0 0 1 2\r\n2\r\n",
                 STORED + b"NOT_STORED\r\n" + found(b"a", b"1") + b"2\r\nNOT_FOUND\r\n"
                 b"1\r\nNOT_FOUND\r\nTOUCHED\r\nNOT_FOUND\r\n" + found(b"a", b"1")
                 + EXISTS + NOT_FOUND + EXISTS)
            token = self.tokens(b"a")[b"a"]
            talk(self.sock, b"cas a 0 0 1 %d\r\n3\r\ndelete a\r\ndelete a\r\nflush_all\r\n"
                 % token, STORED + DELETED + NOT_FOUND + OK)

    def test_items_are_counted_over_all_shards(self):
        before = stats(self.sock)
        talk(self.sock, b"".join(block(b"set", b"item%d" % i, b"x" * 100) for i in range(600)),
             STORED * 600)
        after = stats(self.sock)
        self.assertEqual(int(after["total_items"]) - int(before["total_items"]), 600)
        self.assertGreaterEqual(int(after["curr_items"]), 600)
        self.assertGreater(int(after["bytes"]), 600 * 100)
        self.assertGreater(int(after["bytes_read"]) - int(before["bytes_read"]), 600 * 100)

    def test_reset_starts_counting_again(self):
        talk(self.sock, b"get a\r\nstats reset\r\n", END + b"RESET\r\n")
        after = stats(self.sock)
        for name in ("cmd_get", "get_misses", "cmd_set", "total_connections"):
            self.assertEqual(after[name], "0", name)
        self.assertGreaterEqual(int(after["curr_connections"]), 1)

    def test_settings_answer_as_dashboards_want(self):
        settings = stats(self.sock, b"settings")
        for name, wanted in (("maxbytes", str(64 << 20)), ("maxconns", "1024"),
                             ("tcpport", self.address.rpartition(":")[2]), ("udpport", "0"),
                             ("evictions", "on"), ("cas_enabled", "yes"),
                             ("flush_enabled", "yes"), ("item_size_max", str(1 << 20))):
            self.assertEqual(settings[name], wanted, name)

    def test_conns_lists_this_one(self):
        conns = stats(self.sock, b"conns")
        port = self.sock.getsockname()[1]
        self.assertIn("tcp:127.0.0.1:%d" % port, conns.values())

    def test_other_groups_of_stats_answer(self):
        for group in (b"items", b"slabs", b"sizes"):
            stats(self.sock, group)

    @own
    def test_shards_are_told_one_by_one(self):
        told = stats(self.sock, b"shards")
        self.assertEqual(states(self.server), {name: "up" for name in self.server.shards})
        for name in self.server.shards:
            for key in ("address", "curr_items", "bytes"):
                self.assertIn("%s:%s" % (name, key), told)

    @own
    def test_stats_segments_tells_how_memory_is_used(self):
        # What other tests left may go at any time: it goes first.
        talk(self.sock, b"flush_all\r\n", OK)
        wait(lambda: stats(self.sock)["curr_items"] == "0", "items to go")
        before = stats(self.sock, b"segments")
        talk(self.sock, block(b"set", b"for-ever", b"x" * 1000) +
             b"set minute 0 50 1\r\nx\r\nset hour 0 3000 1\r\nx\r\nset day 0 80000 1\r\nx\r\n"
             b"set longer 0 2000000 1\r\nx\r\n" + block(b"set", b"large", b"x" * 100000),
             STORED * 6)
        told = stats(self.sock, b"segments")

        def grown(name):
            return int(told[name]) - int(before[name])

        self.assertEqual([grown("ttl_" + name) for name in
                          ("minute", "hour", "day", "longer", "never")], [1, 1, 1, 1, 1])
        self.assertEqual((grown("large_items"), grown("large_bytes")), (1, 25 * 4096))
        self.assertGreater(grown("live_bytes"), 1000)
        self.assertGreaterEqual(int(told["resident_bytes"]), int(told["index_bytes"])
                                + int(told["segments"]) * int(told["segment_bytes"])
                                + int(told["large_bytes"]))
        talk(self.sock, b"delete minute\r\ndelete large\r\n", DELETED * 2)
        told = stats(self.sock, b"segments")
        self.assertEqual((grown("ttl_minute"), grown("large_items")), (0, 0))

    @own
    def test_a_limit_has_its_limit(self):
        before = int(stats(self.sock)["limit_maxbytes"])
        talk(self.sock, b"cache_memlimit 100000\r\n",
             b"MEMLIMIT_ADJUST_FAILED no more than four times what it was started with\r\n")
        self.assertEqual(stats(self.sock, b"settings")["maxbytes"], str(64 << 20))
        talk(self.sock, b"cache_memlimit 64\r\n", OK)
        self.assertAlmostEqual(int(stats(self.sock)["limit_maxbytes"]), before, delta=4096)

    @own
    def test_a_smaller_limit_evicts_what_no_longer_fits(self):
        talk(self.sock, b"cache_memlimit 64\r\n", OK)
        data = b"x" * 100000
        for i in range(200):
            talk(self.sock, block(b"set", b"fill%d" % i, data), STORED)
        talk(self.sock, b"cache_memlimit 8\r\n", OK)
        try:
            wait(lambda: int(stats(self.sock)["bytes"]) <= 8 << 20, "items to go")
            self.assertAlmostEqual(int(stats(self.sock)["limit_maxbytes"]), 8 << 20, delta=4096)
            self.assertGreater(int(stats(self.sock)["evictions"]), 0)
        finally:
            talk(self.sock, b"cache_memlimit 64\r\n", OK)


def mixed(chance, n):
    """`n` commands on a few keys, and what a plain dict answers to them."""
    model, out, expected = {}, [], []
    for _ in range(n):
        key = b"m%d" % chance.randrange(12)
        verb = chance.choice([b"set", b"add", b"get", b"get", b"append", b"delete", b"incr",
                              b"noreply", b"foo", b"bad"])
        data = b"%d" % chance.randrange(1000)
        if verb == b"set":
            model[key] = data
            out.append(block(b"set", key, data))
            expected.append(STORED)
        elif verb == b"noreply":
            model[key] = data
            out.append(block(b"set", key, data, rest=b" noreply"))
        elif verb == b"add":
            out.append(block(b"add", key, data))
            expected.append(b"NOT_STORED\r\n" if key in model else STORED)
            model.setdefault(key, data)
        elif verb == b"append":
            out.append(block(b"append", key, b"0"))
            expected.append(STORED if key in model else b"NOT_STORED\r\n")
            if key in model:
                model[key] = (model[key] + b"0")[:15]
                if len(model[key]) == 15:       # too long for a number soon: start again
                    model[key] = b"1"
                    out.append(block(b"set", key, b"1"))
                    expected.append(STORED)
        elif verb == b"get":
            keys = [b"m%d" % chance.randrange(12) for _ in range(chance.randrange(1, 5))]
            out.append(b"get " + b" ".join(keys) + b"\r\n")
            expected.append(b"".join(value(k, model[k]) for k in keys if k in model) + END)
        elif verb == b"delete":
            out.append(b"delete %b\r\n" % key)
            expected.append(DELETED if model.pop(key, None) is not None else NOT_FOUND)
        elif verb == b"incr":
            out.append(b"incr %b 7\r\n" % key)
            if key in model:
                number = b"%d" % (int(model[key]) + 7)
                model[key] = number.ljust(len(model[key]))
                expected.append(number + b"\r\n")
            else:
                expected.append(NOT_FOUND)
            # Blanks behind a number would end up inside it by an append.
            if key in model and model[key].endswith(b" "):
                model[key] = b"1"
                out.append(block(b"set", key, b"1"))
                expected.append(STORED)
        elif verb == b"foo":
            out.append(b"foo\r\n")
            expected.append(ERROR)
        else:
            out.append(b"set %b x 0 3\r\nabc\r\n" % key)
            expected.append(BAD)
    return b"".join(out), b"".join(expected)


class OneProcess(Text, server.OneProcess, unittest.TestCase):
    pass


class ThreeLocalShards(Text, server.ThreeLocalShards, unittest.TestCase):
    pass


def alone(server):
    """A connection when it is the only one: those that looked whether the
    server answers are not gone at once."""
    sock = server.connect()
    try:
        if stats(sock)["curr_connections"] == "1":
            return sock
    except (AssertionError, OSError):
        pass                    # too many still
    sock.close()
    return None


@unittest.skipIf(REFERENCE, "chcached's own")
class Switches(unittest.TestCase):
    """What needs a daemon of its own, in both topologies."""

    both = (Lone, Cluster)

    def each(self, *args):
        for kind in self.both:
            with self.subTest(kind=kind.__name__), kind(*args) as server:
                with wait(lambda: alone(server), "earlier connections to be gone") as sock:
                    yield server, sock

    def test_shutdown_stops_the_daemon_when_that_is_allowed(self):
        for kind in self.both:
            for line in (b"shutdown\r\n", b"shutdown graceful\r\n"):
                with self.subTest(kind=kind.__name__, line=line), kind("-A") as server:
                    with server.connect() as sock:
                        self.assertEqual(until_end(sock, line), b"")
                    self.assertEqual(server.wait(), 0)

    def test_a_stop_leaves_whole_answers(self):
        """With more commands on their way than it will still execute."""
        for server, sock in self.each():
            talk(sock, block(b"set", b"k", b"z" * 1000), STORED)
            answer = found(b"k", b"z" * 1000)
            sock.setblocking(False)
            try:
                for _ in range(2000):
                    sock.send(b"get k\r\n" * 10)
            except BlockingIOError:
                pass            # it takes no more: enough
            server.process.terminate()
            sock.setblocking(True)
            got = until_end(sock, b"")
            self.assertEqual(len(got) % len(answer), 0)
            self.assertEqual(server.wait(), 0)

    def test_connections_over_the_limit_are_told_so(self):
        for server, sock in self.each("-c", "50"):
            talk(sock, b"get a\r\n", END)
            others = [server.connect() for _ in range(49)]
            for other in others:
                talk(other, b"get a\r\n", END)
            with server.connect() as another:
                self.assertEqual(until_end(another, b""), b"ERROR Too many open connections\r\n")
            self.assertGreaterEqual(int(stats(sock)["rejected_connections"]), 1)
            for other in others:
                other.close()
            wait(lambda: stats(sock)["curr_connections"] == "1", "the others to be gone")
            with server.connect() as again:
                talk(again, b"get a\r\n", END)

    def test_without_evictions_a_full_cache_refuses(self):
        for _, sock in self.each("-M", "-m", "8", "-I", "128k"):
            data, refused = b"x" * 100000, 0
            for i in range(200):
                got = ask(sock, block(b"set", b"fill%d" % i, data))
                refused += got == b"SERVER_ERROR out of memory storing object\r\n"
                self.assertIn(got, (STORED, b"SERVER_ERROR out of memory storing object\r\n"))
            self.assertGreater(refused, 0)
            self.assertEqual(stats(sock)["evictions"], "0")
            self.assertLessEqual(int(stats(sock)["bytes"]), 8 << 20)

    def test_a_full_cache_evicts(self):
        for _, sock in self.each("-m", "8", "-I", "128k"):
            for i in range(200):
                talk(sock, block(b"set", b"fill%d" % i, b"x" * 100000), STORED)
            self.assertGreater(int(stats(sock)["evictions"]), 0)
            self.assertLessEqual(int(stats(sock)["bytes"]), 8 << 20)
            talk(sock, b"get fill199\r\n", found(b"fill199", b"x" * 100000))

    def test_flush_all_can_be_taken_away(self):
        for _, sock in self.each("-F"):
            talk(sock, block(b"set", b"a", b"A"), STORED)
            talk(sock, b"flush_all\r\n", b"CLIENT_ERROR flush_all not allowed\r\n")
            talk(sock, b"get a\r\n", found(b"a", b"A"))

    def test_tokens_can_be_taken_away(self):
        for _, sock in self.each("-C"):
            talk(sock, block(b"set", b"a", b"A"), STORED)
            talk(sock, b"gets a\r\n", b"VALUE a 0 1 0\r\nA\r\nEND\r\n")

    def test_larger_items_can_be_allowed(self):
        for _, sock in self.each("-I", "20m", "-m", "200m"):
            data = random.Random(4).randbytes(15 << 20)
            talk(sock, block(b"set", b"a", data), STORED)
            talk(sock, b"get a\r\n", found(b"a", data))

    def test_a_greedy_client_does_not_stop_others(self):
        for server, sock in self.each("-R", "10", "-t", "1"):
            with server.connect() as greedy:
                greedy.sendall(b"get a\r\n" * 5000)
                talk(sock, b"get b\r\n", END)
                talk(greedy, b"", END * 5000)

    def test_a_client_that_does_not_read_is_not_read_from(self):
        for server, sock in self.each():
            data = b"x" * 1000000
            talk(sock, block(b"set", b"a", data), STORED)
            with server.connect() as slow:
                slow.sendall(b"get a\r\n" * 60)
                talk(sock, b"get a\r\n", found(b"a", data))
                talk(slow, b"", found(b"a", data) * 60)


if __name__ == "__main__":
    tap.main()
