#!/usr/bin/python3 -B
"""
The binary protocol by bytes: each case against one process and against a front
with three local shards.  With CHCACHED_TEST_SERVER=HOST:PORT what is
memcached's is asked of that server instead.
"""

import random
import unittest

from lib import packet, server, tap, wire
from lib.binary_cases import (CLOSING, CUT, EXISTS, NOT_FOUND, OPCODES, OWN_CLOSING, OWN_TALKS,
                              TALKS, UNKNOWN, done)
from lib.daemon import Cluster, Daemon, separate, states, up, wait
from lib.packet import (ADD, DELETE, DELETEQ, FLUSH, GET, GETK, GETKQ, GETQ, INCR, NOOP, QUIT,
                        QUITQ, SET, SETQ, STAT, TOUCH, VERSION, ask, count, number, says,
                        store, touch, until_end)
from lib.server import REFERENCE, own
from lib.wire import talk

TRY_AGAIN = 0x86


class Binary:
    def setUp(self):
        super().setUp()
        self.sock = self.connect()

    def check(self, out, expected, sock=None):
        got = ask(sock or self.sock, out)
        if not packet.same(got, expected):
            self.fail("sent %r\nexpected %r\ngot %r" % (out[:300], expected[:9], got[:9]))

    def test_every_command_does_its_work(self):
        self.hold(TALKS)

    @own
    def test_what_memcached_does_otherwise(self):
        self.hold(OWN_TALKS)

    def test_the_bytes_of_some_answers(self):
        def answer(out, expected):
            talk(self.sock, bytes.fromhex(out), bytes.fromhex(expected))

        # a noop; a get that misses; with its key
        answer("800a 0000 00 00 0000 00000000 01020304 0000000000000000",
               "810a 0000 00 00 0000 00000000 01020304 0000000000000000")
        answer("8000 0001 00 00 0000 00000001 ffffffff 0000000000000000 61",
               "8100 0000 00 00 0001 00000009 ffffffff 0000000000000000"
               + b"Not found".hex())
        answer("800c 0001 00 00 0000 00000001 00000000 0000000000000000 61",
               "810c 0001 00 00 0001 00000001 00000000 0000000000000000 61")
        # a quiet set, a get
        answer("8011 0001 08 00 0000 0000000b 00000000 0000000000000000"
               "00000007 00000000 61 6869 800a 0000 00 00 0000 00000000 00000000 0000000000000000",
               "810a 0000 00 00 0000 00000000 00000000 0000000000000000")
        token = ask(self.sock, packet.packet(GET, b"a"))[0].cas
        answer("800c 0001 00 00 0000 00000001 00000001 0000000000000000 61",
               "810c 0001 04 00 0000 00000007 00000001 %016x 00000007 61 6869" % token)
        # an incr that begins with 5
        got, _ = wire.exchange(self.sock, count(INCR, b"n", 1, 5, 0), lambda got: len(got) == 32)
        self.assertEqual(got[:16] + got[24:], bytes.fromhex(
            "8105 0000 00 00 0000 00000008 6f706171 0000000000000005"))

    def test_what_ends_the_connection(self):
        for out, answer in CLOSING:
            with self.subTest(out=out[:40]):
                # What follows is not looked at.
                got = until_end(self.connect(), out + packet.packet(NOOP))
                self.assertEqual(got, [answer])

    @own
    def test_a_body_that_is_too_long_ends_the_connection(self):
        for out, answer in OWN_CLOSING:
            with self.subTest(out=out[:40]):
                self.assertEqual(until_end(self.connect(), out + packet.packet(NOOP)), [answer])

    def test_another_magic_ends_the_connection_without_a_word(self):
        for out in (packet.packet(NOOP, magic=0x81), packet.packet(NOOP, magic=0), b"get a\r\n"):
            with self.subTest(out=out):
                got = until_end(self.connect(), packet.packet(NOOP) + out + b"\0" * 24)
                self.assertEqual(got, [says(NOOP)])

    def test_quit_is_answered_and_its_quiet_form_not(self):
        before = b"".join(packet.packet(GET, b"a") for _ in range(100))
        for opcode, answer in ((QUIT, [says(QUIT)]), (QUITQ, [])):
            got = until_end(self.connect(), before + packet.packet(opcode) + packet.packet(NOOP))
            self.assertEqual(got, [says(GET, NOT_FOUND)] * 100 + answer)

    def test_a_request_may_arrive_in_pieces(self):
        self.check_pieces(CUT, [], packet.packet(NOOP), [says(NOOP)])

    def test_no_opcode_is_without_an_answer(self):
        for opcode in set(range(256)) - OPCODES - {0x20, 0x21, 0x22}:
            self.check(packet.packet(opcode), [says(opcode, UNKNOWN)])

    def test_values_are_any_bytes(self):
        chance = random.Random(1)
        for size in (0, 1, 23, 24, 255, 4096, 16384, 65535, 65536, 65537, 262144, 1000000):
            data = chance.randbytes(size)
            self.check(store(SET, b"v", data, 3), [done(SET)])
            self.check(packet.packet(GETK, b"v"), [says(GETK, value=data, flags=3, key=b"v")])

    def test_large_values_in_one_packet(self):
        data = {b"big%d" % i: bytes([i]) * 1000000 for i in range(8)}
        for key in data:
            self.check(store(SETQ, key, data[key]), [])
        self.check(b"".join(packet.packet(GETKQ, key) for key in list(data) + [b"none"]) * 2,
                   [says(GETKQ, value=data[key], flags=0, key=key) for key in data] * 2)

    def test_many_in_one_packet_are_answered_in_order(self):
        keys = [b"key%d" % i for i in range(2000)]
        for i in range(0, 2000, 500):
            self.check(b"".join(store(SETQ, k, k.upper()) for k in keys[i:i + 500]
                                if not k.endswith(b"7")), [])
        order = [random.Random(2).choice(keys) for _ in range(5000)]
        self.check(b"".join(packet.packet(GETKQ, k, opaque=b"%04d" % i)
                            for i, k in enumerate(order)),
                   [says(GETKQ, value=k.upper(), flags=0, key=k, opaque=b"%04d" % i)
                    for i, k in enumerate(order) if not k.endswith(b"7")])
        self.check(b"".join(packet.packet(GET, k) for k in order),
                   [says(GET, NOT_FOUND) if k.endswith(b"7")
                    else says(GET, value=k.upper(), flags=0) for k in order])

    def test_many_clients_do_not_get_each_others_answers(self):
        self.check_many_clients(
            lambda i: store(SETQ, b"own%d" % i, b"%d" % i)
            + packet.packet(GETQ, b"own%d" % i) * 20,
            lambda i: [says(GETQ, value=b"%d" % i, flags=0)] * 20)

    # ---- tokens ----

    def test_a_cas_is_the_one_of_the_text_protocol(self):
        cas = ask(self.sock, store(SET, b"a", b"1"))[0].cas
        talk(self.text, b"gets a\r\n", b"VALUE a 0 1 %d\r\n1\r\nEND\r\n" % cas)
        self.assertEqual(ask(self.sock, packet.packet(GET, b"a"))[0].cas, cas)
        self.assertEqual(ask(self.sock, touch(TOUCH, b"a"))[0].cas, cas)
        talk(self.text, b"cas a 0 0 1 %d\r\n2\r\n" % cas, b"STORED\r\n")
        self.check(store(SET, b"a", b"3", cas=cas), [says(SET, EXISTS)])
        self.check(store(ADD, b"a", b"3", cas=cas), [says(ADD, EXISTS)])
        self.check(packet.packet(DELETE, b"a", cas=cas), [says(DELETE, EXISTS)])
        self.check(count(INCR, b"a", cas=cas), [says(INCR, EXISTS)])
        cas = ask(self.sock, packet.packet(GET, b"a"))[0].cas
        for opcode, out, answer in ((SET, store, done(SET)), (ADD, store, done(ADD)),
                                    (SETQ, store, None)):
            got = ask(self.sock, store(opcode, b"a", b"3", cas=cas))
            self.assertTrue(packet.same(got, [answer] if answer else []), got)
            cas = ask(self.sock, packet.packet(GET, b"a"))[0].cas
        self.check(count(INCR, b"a", cas=cas), [number(INCR, 4)])
        cas = ask(self.sock, packet.packet(GET, b"a"))[0].cas
        self.check(packet.packet(packet.APPEND, b"a", b"!", cas=cas), [done(packet.APPEND)])
        cas = ask(self.sock, packet.packet(GET, b"a"))[0].cas
        self.check(packet.packet(DELETEQ, b"a", cas=cas), [])
        self.check(packet.packet(GET, b"a"), [says(GET, NOT_FOUND)])

    def test_a_token_that_meta_gave_is_a_cas(self):
        talk(self.text, b"ms a 1 E5\r\n1\r\n", b"HD\r\n")
        self.check(packet.packet(GET, b"a"), [says(GET, value=b"1", flags=0, cas=5)])
        self.check(store(SET, b"a", b"2", cas=6), [says(SET, EXISTS)])
        self.check(store(SET, b"a", b"2", cas=5), [done(SET)])
        talk(self.text, b"get a\r\n", b"VALUE a 0 1\r\n2\r\nEND\r\n")

    # ---- times ----

    def test_an_item_expires(self):
        self.check(store(SETQ, b"a", b"1", exptime=1) + count(INCR, b"b", 1, 5, 1)
                   + store(SETQ, b"c", b"1") + touch(TOUCH, b"c", 1),
                   [number(INCR, 5), says(TOUCH, value=b"", flags=0)])
        gone = [says(GET, NOT_FOUND)] * 3
        wait(lambda: ask(self.sock, b"".join(packet.packet(GET, k)
                                             for k in (b"a", b"b", b"c"))) == gone,
             "a, b and c to expire")

    # ---- the server ----

    def test_the_version(self):
        got = ask(self.sock, packet.packet(VERSION))
        self.assertEqual(got, [says(VERSION, value=got[0].value)])
        talk(self.text, b"version\r\n", b"VERSION " + got[0].value + b"\r\n")

    def test_stats_are_those_of_the_text_protocol(self):
        self.check(store(SETQ, b"a", b"1"), [])
        moving = {"time", "uptime", "rusage_user", "rusage_system", "bytes_read",
                  "bytes_written", "cmd_get", "get_hits",
                  # what was flushed is swept now and then
                  "bytes", "curr_items", "reclaimed", "items:1:mem_requested",
                  "items:1:number", "items:1:reclaimed"}
        for group in (b"", b"settings", b"items"):
            said, told = packet.stats(self.sock, group), wire.stats(self.text, group)
            self.assertEqual(set(said), set(told))
            if not REFERENCE:       # of which each thread counts for itself
                differ = {name for name in told if said[name] != told[name]}
                self.assertLessEqual(differ, moving)
        self.assertEqual(packet.stats(self.sock, b"settings")["item_size_max"], str(1 << 20))

    def test_stats_count_what_was_asked_in_binary(self):
        with self.counting(packet.stats, cmd_set=1, cmd_get=2, get_hits=1, get_misses=1,
                           delete_hits=1, delete_misses=1, cmd_touch=1, touch_misses=1):
            self.check(store(SETQ, b"a", b"1") + packet.packet(GETQ, b"a")
                       + packet.packet(GETQ, b"b") + packet.packet(DELETEQ, b"a")
                       + packet.packet(DELETEQ, b"a") + touch(TOUCH, b"a"),
                       [says(GETQ, value=b"1", flags=0), says(DELETEQ, NOT_FOUND),
                        says(TOUCH, NOT_FOUND)])

    def test_a_group_of_stats_that_is_none(self):
        self.check(packet.packet(STAT, b"nonsense"), [says(STAT, NOT_FOUND)])
        self.check(packet.packet(NOOP), [says(NOOP)])

    def test_reset_starts_counting_again(self):
        self.check(packet.packet(GETQ, b"a") + packet.packet(STAT, b"reset"), [says(STAT)])
        self.assertEqual(packet.stats(self.sock)["get_misses"], "0")

    def test_a_connection_speaks_what_it_began_with(self):
        self.check(packet.packet(NOOP), [says(NOOP)])
        talk(self.text, b"mn\r\n\x80foo\r\nmn\r\n", b"MN\r\nERROR\r\nMN\r\n")


class OneProcess(Binary, server.OneProcess, unittest.TestCase):
    pass


class ThreeLocalShards(Binary, server.ThreeLocalShards, unittest.TestCase):
    pass


@unittest.skipIf(REFERENCE, "chcached's own")
class Switches(unittest.TestCase):
    """What needs daemons of its own."""

    def test_a_dead_shards_keys_are_misses_and_its_writes_refused(self):
        keys = [b"key%d" % i for i in range(100)]
        shards, (front,) = separate(3)
        for daemon in shards + [front]:
            daemon.start()
            self.addCleanup(daemon.end)
        up(front, 3)
        with front.connect() as s:
            self.assertEqual(ask(s, b"".join(store(SETQ, k, k) for k in keys)), [])
            shards[1].kill()
            wait(lambda: states(front)["s2"] == "down", "s2 to be down")
            got = ask(s, b"".join(packet.packet(GETKQ, k) for k in keys))
            kept = [a.key for a in got]
            lost = next(k for k in keys if k not in kept)
            self.assertTrue(packet.same(got, [says(GETKQ, value=k, flags=0, key=k)
                                              for k in keys if k in kept]))
            for out, answers in ((packet.packet(GET, lost), [says(GET, NOT_FOUND)]),
                                 (packet.packet(GETQ, lost), []),
                                 (packet.packet(GETK, lost),
                                  [says(GETK, NOT_FOUND, b"", key=lost)]),
                                 (touch(TOUCH, lost), [says(TOUCH, NOT_FOUND)])):
                self.assertEqual(ask(s, out), answers)
            for out in (store(SET, lost, b"1"), store(SETQ, lost, b"1"),
                        store(ADD, lost, b"1", cas=5), packet.packet(packet.APPENDQ, lost, b"1"),
                        packet.packet(DELETE, lost), packet.packet(DELETEQ, lost),
                        count(INCR, lost, 1, 5, 0)):
                got, = ask(s, out)
                self.assertEqual((got.opcode, got.status, got.opaque, got.key, got.cas),
                                 (out[1], TRY_AGAIN, b"opaq", b"", 0))
                self.assertRegex(got.value, rb"\ASERVER_ERROR shard s2: .*[^\r\n]\Z")
            got, = ask(s, packet.packet(FLUSH))
            self.assertIn(got.status, (0, TRY_AGAIN))
        for daemon in [front, shards[0], shards[2]]:
            daemon.stop()

    def test_a_flush_may_be_forbidden(self):
        for kind in (Daemon, Cluster):
            with self.subTest(kind=kind.__name__), kind("-F") as d, d.connect() as s:
                self.assertEqual(ask(s, packet.packet(FLUSH)), [says(FLUSH, 0x20)])
                self.assertEqual(ask(s, packet.packet(packet.FLUSHQ)),
                                 [says(packet.FLUSHQ, 0x20)])

    def test_without_tokens_there_is_no_cas(self):
        for kind in (Daemon, Cluster):
            with self.subTest(kind=kind.__name__), kind("-C") as d, d.connect() as s:
                self.assertEqual(ask(s, store(SET, b"a", b"1") + packet.packet(GET, b"a")),
                                 [says(SET), says(GET, value=b"1", flags=0, cas=0)])

    def test_a_server_of_text_alone_takes_it_for_text(self):
        with Daemon("--protocol", "ascii") as d, d.connect() as s:
            talk(s, b"\x80foo\r\nmn\r\n", b"ERROR\r\nMN\r\n")


if __name__ == "__main__":
    tap.main()
