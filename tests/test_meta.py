#!/usr/bin/python3 -B
"""
The meta commands by bytes: each case against one process and against a front
with three local shards.  With CHCACHED_TEST_SERVER=HOST:PORT what is
memcached's is asked of that server instead.
"""

import random
import re
import time
import unittest

from lib import meta_cases, server, tap
from lib.cases import END, NUMBER, OK, STORED, found
from lib.daemon import wait
from lib.meta_cases import CUT, EN, EX, HD, MN, NF, NS, OWN_TALKS, ms, va
from lib.server import own
from lib.wire import ask, talk


class Meta(server.Lines):
    cases = meta_cases

    @own
    def test_items_that_memcached_treats_otherwise(self):
        self.hold(OWN_TALKS)

    def test_a_request_may_arrive_in_pieces(self):
        self.check_pieces(CUT, b"", b"mn\r\n", MN)

    # ---- values ----

    def test_values_are_any_bytes(self):
        chance = random.Random(1)
        for size in (0, 1, 255, 4095, 4096, 16384, 65535, 65536, 65537, 262144, 1000000):
            data = chance.randbytes(size)
            talk(self.sock, ms(b"v", data, b"s"), b"HD s%d\r\n" % size)
            talk(self.sock, b"mg v v s k\r\n", va(data, b"s%d kv" % size))
            talk(self.sock, b"mg v s\r\nget v\r\n", b"HD s%d\r\n" % size + found(b"v", data))
        for data in (b"\r\n", b"\r\nMN\r\n", b"HD\r\nmg a\r\n", b"\x00", b"\n", b"\r\n" * 5000):
            talk(self.sock, ms(b"v", data, b"q") + b"mg v v\r\n", va(data))

    def test_large_values_in_one_packet(self):
        data = {b"big%d" % i: bytes([i]) * 1000000 for i in range(8)}
        for key in data:
            talk(self.sock, ms(key, data[key]), HD)
        talk(self.sock, b"".join(b"mg %b v k\r\n" % key for key in data) * 2 + b"mn\r\n",
             b"".join(va(data[key], b"k" + key) for key in data) * 2 + MN)
        talk(self.sock, b"".join(b"mg %b s\r\n" % key for key in data), b"HD s1000000\r\n" * 8)

    def test_stale_large_values_are_shown_with_their_marks(self):
        keys = [b"big%d" % i for i in range(6)]
        data = b"x" * 900000
        for key in keys:
            talk(self.sock, ms(key, data) + b"md %b I\r\n" % key, HD + HD)
        asked = b"".join(b"mg %b v k\r\n" % key for key in keys)
        for marks in (b" X W", b" Z X"):
            talk(self.sock, asked, b"".join(va(data, b"k" + key + marks) for key in keys))

    # ---- order ----

    def test_many_in_one_packet_are_answered_in_order(self):
        keys = [b"key%d" % i for i in range(3000)]
        for i in range(0, 3000, 500):
            talk(self.sock, b"".join(ms(k, k.upper(), b"q") for k in keys[i:i + 500]
                                     if not k.endswith(b"7")) + b"mn\r\n", MN)
        order = [random.Random(2).choice(keys) for _ in range(5000)]
        talk(self.sock, b"".join(b"mg %b v O%d\r\n" % (k, i) for i, k in enumerate(order)),
             b"".join(b"EN O%d\r\n" % i if k.endswith(b"7") else va(k.upper(), b"O%d" % i)
                      for i, k in enumerate(order)))
        talk(self.sock, b"".join(b"mg %b v q k\r\n" % k for k in order) + b"mn\r\n",
             b"".join(va(k.upper(), b"k" + k) for k in order if not k.endswith(b"7")) + MN)

    def test_a_thousand_mixed_commands_are_answered_in_order(self):
        self.check_mixed(mixed)

    def test_many_clients_do_not_get_each_others_answers(self):
        self.check_many_clients(
            lambda i: ms(b"mine", b"%d" % i, b"q") + ms(b"own%d" % i, b"%d" % i)
            + b"mg own%d v O%d q\r\n" % (i, i) * 20 + b"mn\r\n",
            lambda i: HD + va(b"%d" % i, b"O%d" % i) * 20 + MN)

    # ---- tokens ----

    def token(self, key):
        return int(re.fullmatch(rb"HD c(\d+)\r\n", ask(self.sock, b"mg %b c\r\n" % key))[1])

    def test_tokens_are_those_of_the_classic_commands(self):
        token = int(re.fullmatch(rb"HD c(\d+)\r\n", ask(self.sock, ms(b"a", b"1", b"c")))[1])
        self.assertEqual(token, self.token(b"a"))
        talk(self.sock, b"gets a\r\n", b"VALUE a 0 1 %d\r\n1\r\nEND\r\n" % token)
        talk(self.sock, b"cas a 0 0 1 %d\r\n2\r\n" % token, STORED)
        talk(self.sock, ms(b"a", b"3", b"C%d" % token), EX)
        got = ask(self.sock, b"gets a\r\n")
        token = int(re.fullmatch(rb"VALUE a 0 1 (\d+)\r\n2\r\nEND\r\n", got)[1])
        talk(self.sock, ms(b"a", b"3", b"C%d" % token), HD)
        talk(self.sock, b"mg a v C%d\r\n" % token, va(b"3"))
        talk(self.sock, b"md a C%d\r\n" % token, EX)
        talk(self.sock, b"md a C%d\r\n" % self.token(b"a"), HD)

    def test_every_change_gives_a_new_token_and_a_look_keeps_it(self):
        seen = set()
        for change in (ms(b"a", b"1"), ms(b"a", b"1"), ms(b"a", b"1", b"MR"),
                       ms(b"a", b"1", b"MA"), b"ma a\r\n", b"ma a MD D0\r\n", b"md a I\r\n"):
            talk(self.sock, change, HD)
            token = int(re.match(rb"HD c(\d+)", ask(self.sock, b"mg a c\r\n"))[1])
            self.assertNotIn(token, seen, change)
            seen.add(token)
        talk(self.sock, b"mg a T100\r\nmg a v\r\n", b"HD Z X\r\n" + va(b"12", b"Z X"))
        talk(self.sock, b"mg a c\r\n", b"HD c%d Z X\r\n" % token)

    def test_a_given_token_is_gone_with_the_next_change(self):
        for change, answer in ((ms(b"a", b"1"), HD), (b"ma a\r\n", HD),
                               (b"incr a 1\r\n", b"2\r\n"), (ms(b"a", b"1", b"MA"), HD),
                               (b"append a 0 0 1\r\n1\r\n", STORED), (b"md a I\r\n", HD)):
            talk(self.sock, ms(b"a", b"1", b"E5") + change, HD + answer)
            self.assertNotRegex(ask(self.sock, b"mg a c\r\n"), rb" c5\b", change)

    # ---- times ----

    def test_the_time_to_live_is_told(self):
        talk(self.sock, ms(b"a", b"1", b"T100") + b"md b\r\n" + ms(b"b", b"1"), HD + NF + HD)
        left = int(re.fullmatch(rb"HD t(\d+)\r\n", ask(self.sock, b"mg a t\r\n"))[1])
        self.assertTrue(100 - 60 < left <= 100, left)
        # What t tells is what was before a T behind it.
        left = int(re.fullmatch(rb"HD t(\d+)\r\n", ask(self.sock, b"mg a t T1000\r\n"))[1])
        self.assertTrue(100 - 60 < left <= 100, left)
        left = int(re.fullmatch(rb"HD t(\d+)\r\n", ask(self.sock, b"mg a t\r\n"))[1])
        self.assertTrue(1000 - 60 < left <= 1000, left)
        talk(self.sock, b"mg b t\r\n", b"HD t-1\r\n")

    def test_an_item_expires(self):
        talk(self.sock, ms(b"a", b"1", b"T1") + b"mg b N1\r\n" + ms(b"c", b"1", b"MA N1")
             + b"ma d N1\r\n" + ms(b"e", b"1", b"T%d" % (int(time.time()) + 2)),
             HD + b"HD W\r\n" + HD * 3)
        for key in b"abcde":
            wait(lambda: ask(self.sock, b"mg %c\r\n" % key) == EN, "%c to expire" % key)

    def test_the_idle_time_is_told(self):
        talk(self.sock, ms(b"a", b"1"), HD)
        wait(lambda: int(ask(self.sock, b"mg a l u\r\n")[4:-2]) >= 1, "a to be idle")
        ask(self.sock, b"mg a\r\n")
        idle = int(re.fullmatch(rb"HD l(\d+)\r\n", ask(self.sock, b"mg a l\r\n"))[1])
        self.assertLess(idle, 60)

    def test_what_me_knows_of_an_item(self):
        talk(self.sock, ms(b"a", b"hi", b"E5"), HD)
        line = rb"ME a exp=-1 la=\d+ cas=5 fetch=%b cls=1 size=\d+\r\n"
        self.assertRegex(ask(self.sock, b"me a\r\n"), line % b"no")
        talk(self.sock, b"mg a\r\n", HD)
        self.assertRegex(ask(self.sock, b"me a\r\n"), line % b"yes")
        talk(self.sock, ms(b"IA0K", b"hi", b"b T100"), HD)
        self.assertRegex(ask(self.sock, b"me IA0K b x\r\n"),
                         rb"ME IA0K exp=\d+ la=\d+ cas=\d+ fetch=no cls=1 size=\d+\r\n")

    def test_only_one_of_many_clients_wins(self):
        socks = [self.connect() for _ in range(20)]
        for ask_for, prepare in ((b"mg a v N30\r\n", b""),
                                 (b"mg a v\r\n", ms(b"a", b"", b"q") + b"md a I q\r\n"),
                                 (b"mg a v R60\r\n", ms(b"a", b"", b"T30 q"))):
            talk(self.sock, b"flush_all\r\n" + prepare + b"mn\r\n", OK + MN)
            for s in socks:
                s.sendall(ask_for * 5 + b"mn\r\n")
            lines = []
            for s in socks:
                got = b""
                while not got.endswith(MN):
                    got += s.recv(1 << 16)
                lines += [line for line in got.split(b"\r\n") if line.startswith(b"VA")]
            self.assertEqual(len(lines), 100)
            self.assertEqual(sum(line.endswith(b" W") for line in lines), 1, ask_for)
            self.assertEqual(sum(b" Z" in line for line in lines), 99, ask_for)

    # ---- stats ----

    def test_commands_move_their_counters(self):
        with self.counting(cmd_set=4, incr_hits=1, incr_misses=1, decr_hits=1, decr_misses=1,
                           cas_misses=1, cas_badval=1, delete_hits=1, delete_misses=1):
            talk(self.sock, ms(b"a", b"1") + ms(b"a", b"1", b"ME")
                 + b"mg a\r\nmg b\r\nmg c q\r\nmg a T0\r\nmg b T0\r\n"
                 b"ma a\r\nma b\r\nma a MD\r\nma b MD\r\n"
                 + ms(b"a", b"x", b"C1") + ms(b"b", b"x", b"C1") + b"md a\r\nmd a\r\n",
                 HD + NS + HD + EN + HD + EN + (HD + NF) * 2 + EX + NF + HD + NF)

    @own
    def test_gets_are_counted_as_gets_and_those_with_a_time_as_touches(self):
        with self.counting(cmd_get=2, get_hits=1, get_misses=1, cmd_touch=2, touch_hits=1,
                           touch_misses=1):
            talk(self.sock, ms(b"a", b"1") + b"mg a\r\nmg b\r\nmg a T0\r\nmg b T0\r\n",
                 HD + (HD + EN) * 2)


def mixed(chance, n):
    """`n` commands on a few keys, and what a plain dict answers to them."""
    model, out, expected = {}, [], []
    for i in range(n):
        key = b"m%d" % chance.randrange(12)
        quiet = chance.random() < 0.5
        flags = b"k O%d%b" % (i, b" q" if quiet else b"")
        echo = b"k%b O%d" % (key, i)
        kind = chance.choice(["mg", "mg", "get", "ms", "add", "append", "md", "ma", "set", "mn"])
        data = b"%d" % chance.randrange(1000)

        def say(status, silent):
            expected.append(b"" if quiet and silent else b"%b %b\r\n" % (status, echo))

        if kind == "mg":
            out.append(b"mg %b v %b\r\n" % (key, flags))
            if key in model:
                expected.append(va(model[key], echo))
            else:
                say(b"EN", True)
        elif kind == "get":
            out.append(b"get %b\r\n" % key)
            expected.append(found(key, model[key]) if key in model else END)
        elif kind == "set":
            out.append(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(data), data))
            expected.append(STORED)
            model[key] = data
        elif kind == "ms":
            out.append(ms(key, data, flags))
            say(b"HD", True)
            model[key] = data
        elif kind == "add":
            out.append(ms(key, data, flags + b" ME"))
            say(b"NS" if key in model else b"HD", key not in model)
            model.setdefault(key, data)
        elif kind == "append":
            out.append(ms(key, b"x", flags + b" MA"))
            say(b"HD" if key in model else b"NS", key in model)
            if key in model:
                model[key] += b"x"
        elif kind == "md":
            out.append(b"md %b %b\r\n" % (key, flags))
            say(b"HD" if key in model else b"NF", key in model)
            model.pop(key, None)
        elif kind == "ma":
            out.append(b"ma %b v %b\r\n" % (key, flags))
            if key not in model:
                say(b"NF", False)
            elif not model[key].rstrip().isdigit():
                expected.append(NUMBER)
            else:
                number = b"%d" % (int(model[key]) + 1)
                model[key] = number.ljust(len(model[key]))
                expected.append(b"" if quiet else va(number, echo))
        else:
            out.append(b"mn\r\n")
            expected.append(MN)
    return b"".join(out), b"".join(expected)


class OneProcess(Meta, server.OneProcess, unittest.TestCase):
    pass


class ThreeLocalShards(Meta, server.ThreeLocalShards, unittest.TestCase):
    pass


if __name__ == "__main__":
    tap.main()
