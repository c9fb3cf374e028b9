#!/usr/bin/python3 -B
"""chcachectl bench: what it counts, against real servers and servers that lie."""

import json
import os
import pty
import re
import signal
import subprocess
import time
import unittest

from lib import tap, wire
from lib.daemon import CHCACHECTL, Cluster, Lone, free_port, run, wait
from lib.fake import Fake

YES, NO, UNREACHED, USAGE = 0, 1, 3, 64


def bench(server, *args):
    code, out, err = run("--server", server, "bench", *args, program=CHCACHECTL)
    return code, out.decode(), err


def measure(server, *args, code=YES):
    got, out, err = bench(server, "--json", *args)
    assert got == code, (got, out, err)
    return json.loads(out)


class Usage(unittest.TestCase):
    def test_what_cannot_be_measured_is_told_in_one_line(self):
        for line, said in (
                ("x", "usage: chcachectl bench"),
                ("--clients 0",
                 'read the clients "0", expected a whole number from 1 to 1000'),
                ("--depth 1001",
                 'read the depth "1001", expected a whole number from 1 to 1000'),
                ("--keys x", 'read the keys "x", expected a whole number from 1 to 1000000000'),
                ("--rate 0", 'read the rate "0", expected a whole number from 1 to 10000000'),
                ("--requests -1",
                 'read the requests "-1", expected a whole number from 1 to 4294967295'),
                ("--size 2m", 'read the size "2m", expected bytes like 100, 1k or 10-500, up to 1m'),
                ("--size 10-5",
                 'read the size "10-5", expected bytes like 100, 1k or 10-500, up to 1m'),
                ("--size 1-", 'read the size "1-", expected bytes like 100, 1k or 10-500, up to 1m'),
                ("--ratio 9", 'read the ratio "9", expected gets and sets, like 9:1'),
                ("--ratio 0:0", 'read the ratio "0:0", expected gets and sets, like 9:1'),
                ("--zipf 1,0", 'read the exponent "1,0", expected a number like 0.99'),
                ("--zipf 11", 'read the exponent "11", expected at most 10'),
                ("--duration x", 'read the duration "x", expected seconds, or a time like 500ms '
                                 "or 2m, up to 86400s"),
                ("--duration 0", 'read the duration "0", expected more than none'),
                ("--clients 1000 --depth 1000 --size 1m",
                 "1000 clients with 1000 requests of 1048576 bytes each are more than 1 GiB in "
                 "flight"),
                ("--shards 3", "bench has no option --shards, see chcachectl help")):
            with self.subTest(line=line):
                self.assertEqual(bench("127.0.0.1:1", *line.split()),
                                 (USAGE, "", "chcachectl: %s\n" % said))

    def test_no_server_is_exit_code_3(self):
        nobody = "127.0.0.1:%d" % free_port()
        self.assertEqual(bench(nobody, "--json"),
                         (UNREACHED, "", "chcachectl: %s: Connection refused\n" % nobody))


class Real:
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.kind().start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def measure(self, *args, **more):
        return measure(self.daemon.address, *args, **more)

    def test_as_many_requests_are_sent_as_were_asked_for(self):
        with self.daemon.connect() as s:
            before = wire.stats(s)
            got = self.measure("--requests", "3000", "--keys", "200", "--depth", "7",
                               "--clients", "3", "--size", "1-3000")
            after = wire.stats(s)
        self.assertEqual(got["errors"], {"refused": 0, "wrong": 0, "lost": 0, "unanswered": 0})
        self.assertEqual((got["all"]["count"], got["hit_ratio"], got["unsent"]), (3000, 1.0, 0))
        self.assertEqual(got["get"]["count"] + got["set"]["count"], 3000)
        self.assertAlmostEqual(got["get"]["count"] / 3000, 0.9, delta=0.05)
        for name, wanted in (("cmd_get", got["get"]["count"]),
                             ("cmd_set", got["set"]["count"] + 200),
                             ("get_hits", got["get"]["count"])):
            self.assertEqual(int(after[name]) - int(before[name]), wanted, name)
        self.assertLessEqual(got["all"]["p50_ms"], got["all"]["p999_ms"])
        self.assertLessEqual(got["all"]["p999_ms"], got["all"]["max_ms"])

    def test_what_it_leaves_behind_goes_by_itself(self):
        for args, most in (([], 600), (["--ttl", "5"], 5)):
            self.measure("--requests", "1", "--keys", "1", "--size", "3", *args)
            with self.daemon.connect() as s:
                left = int(wire.ask(s, b"mg bench:3-3:0 t\r\n").split()[1][1:])
            self.assertIn(left, range(0, most + 1))

    def test_misses_are_counted(self):
        got = self.measure("--no-fill", "--ratio", "1:0", "--requests", "500", "--size", "77")
        self.assertEqual((got["get"]["count"], got["set"]["count"], got["hit_ratio"]),
                         (500, 0, 0))

    def test_an_open_loop_sends_at_its_rate(self):
        got = self.measure("--rate", "2000", "--requests", "400", "--keys", "50")
        self.assertEqual(got["all"]["count"] + got["unsent"], 400)
        self.assertGreater(got["seconds"], 0.19)        # 399 spaces of half a millisecond

    def test_what_is_refused_is_counted_and_is_a_no(self):
        got = self.measure("--size", "1m", "--requests", "20", "--ratio", "0:1", "--keys", "3",
                           "--no-fill", code=NO)
        self.assertEqual((got["errors"]["refused"], got["all"]["count"]), (20, 0))
        self.assertEqual(got["first_error"], "SERVER_ERROR object too large for cache")

    def test_people_get_a_table(self):
        code, out, err = bench(self.daemon.address, "--requests", "1000", "--keys", "10")
        self.assertEqual((code, err), (YES, ""))
        number = r" +[\d ]+\d"
        ms = r"( +[\d.]+){5}"
        self.assertRegex(out, r"\AREQUEST +COUNT +PER SECOND +HITS +P50 MS +P90 +P99 +P99.9 +MAX\n"
                              r"get%s%s +100.0 %%%s\nset%s%s +-%s\nall +1 000%s +100.0 %%%s\n\Z"
                              % (number, number, ms, number, number, ms, number, ms))

    def test_an_interrupt_ends_it_and_tells_what_there_is(self):
        p = subprocess.Popen([CHCACHECTL, "--server", self.daemon.address, "bench", "--duration",
                              "1h", "--keys", "5", "--json"], stdout=subprocess.PIPE)
        with self.daemon.connect() as s:
            before = int(wire.stats(s)["cmd_get"])
            wait(lambda: int(wire.stats(s)["cmd_get"]) > before + 100, "some gets")
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=wire.BOUND_S)
        self.assertEqual(p.returncode, YES)
        self.assertGreater(json.loads(out)["get"]["count"], 100)


class OneProcess(Real, unittest.TestCase):
    kind = Lone

    def test_a_terminal_sees_it_run(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(CHCACHECTL, [CHCACHECTL, "--server", self.daemon.address, "bench",
                                  "--duration", "1h", "--keys", "5"])
        seen = b""
        while not re.search(rb"running  \d s  [\d ]+ requests/s  hits 100\.0 %  p99 [\d.]+ ms  "
                            rb"0 errors", seen):
            seen += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        try:
            while data := os.read(terminal, 1000):
                seen += data
        except OSError:         # the other end of a terminal closes so
            pass
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), YES)
        self.assertRegex(seen.decode(), r"\r\x1b\[KREQUEST +COUNT")


class ThreeLocalShards(Real, unittest.TestCase):
    kind = Cluster


def value(words, key=None, n=100):
    return b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key or words[1], n, b"x" * n)


class Strange(unittest.TestCase):
    def test_values_of_another_length_or_key_are_wrong(self):
        for answer in (lambda w: value(w, n=99), lambda w: value(w, key=b"bench:100-100:x"),
                       lambda w: value(w, key=w[1] + b"0")):
            with Fake(answer) as fake:
                got = measure(fake.address, "--no-fill", "--ratio", "1:0", "--requests", "50",
                              code=NO)
            self.assertEqual((got["errors"]["wrong"], got["errors"]["refused"]), (50, 0))

    def test_a_connection_that_breaks_is_made_again(self):
        asked = []

        def answer(words):
            asked.append(words)
            return b"END\r\n" if len(asked) != 10 else None

        with Fake(answer) as fake:
            got = measure(fake.address, "--no-fill", "--ratio", "1:0", "--requests", "50",
                          "--clients", "1", code=NO)
        self.assertEqual((got["errors"]["lost"], got["get"]["count"]), (1, 49))

    def test_latency_counts_from_when_a_request_was_due(self):
        # Each takes at least 50 ms and is due 1 ms after the last: the twentieth
        # waits for nineteen others.
        def answer(_):
            time.sleep(0.05)
            return b"END\r\n"

        with Fake(answer) as fake:
            got = measure(fake.address, "--no-fill", "--ratio", "1:0", "--requests", "20",
                          "--clients", "1", "--rate", "1000", "--duration", "1h")
        self.assertEqual(got["get"]["count"], 20)
        self.assertGreater(got["get"]["max_ms"], 900)
        self.assertGreater(got["get"]["p50_ms"], 450)

    def test_what_could_not_be_sent_counts_with_its_wait(self):
        with Fake(lambda _: time.sleep(0.3) or b"END\r\n") as fake:
            got = measure(fake.address, "--no-fill", "--ratio", "1:0", "--clients", "1",
                          "--rate", "1000", "--duration", "200ms")
        self.assertIn(got["get"]["count"] + got["unsent"], (199, 200))
        self.assertGreater(got["unsent"], 190)
        self.assertGreater(got["get"]["p50_ms"], 90)

    def test_zipf_prefers_few_keys_and_else_all_are_alike(self):
        for args, first, last in ((["--zipf", "1"], 0.193, 0.002), ([], 0.01, 0.01),
                                  (["--zipf", "0.5"], 0.054, 0.005),
                                  (["--zipf", "2.5"], 0.746, 0.0)):
            with Fake(lambda _: b"END\r\n") as fake:
                measure(fake.address, "--no-fill", "--ratio", "1:0", "--requests", "4000",
                        "--keys", "100", "--depth", "100", *args)
            self.assertAlmostEqual(fake.keys[b"bench:100-100:0"] / 4000, first, delta=0.03)
            self.assertAlmostEqual(fake.keys[b"bench:100-100:99"] / 4000, last, delta=0.008)

    def test_answers_that_are_none(self):
        for answer in (b"x" * 5000, b"END\r\nEND\r\nEND\r\n"):
            with Fake(lambda _, answer=answer: answer) as fake:
                code, out, err = bench(fake.address, "--no-fill", "--ratio", "1:0", "--requests",
                                       "3", "--clients", "1", "--duration", "1s")
            self.assertEqual(code, NO)
            self.assertRegex(err, r"\d of lost connections.*Protocol error")


if __name__ == "__main__":
    tap.main()
