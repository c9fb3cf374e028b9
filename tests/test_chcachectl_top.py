#!/usr/bin/python3 -B
"""chcachectl top: on a terminal, printed once, as JSON, and when a shard is gone."""

import contextlib
import http.server
import json
import os
import re
import threading
import unittest

from lib import admin, tap, wire
from lib.daemon import CHCACHECTL, Cluster, Lone, freeze, free_port, run, wait
from lib.fake import Fake
from lib.screen import Screen

YES, NO, DEGRADED, UNREACHED, USAGE = 0, 1, 2, 3, 64
TITLES = "SHARD        STATE           ITEMS            MEMORY    SENT/S  EVICT/S  P99 MS"


def top(server, *args, where=None, stdin=b""):
    words = ["--server", server, "--admin", where or "127.0.0.1:%d" % free_port()]
    code, out, err = run(*words, "top", *args, program=CHCACHECTL, stdin=stdin)
    return code, out.decode(), err


@contextlib.contextmanager
def admin_that_says(answers):
    """The address of one that answers these paths with that JSON, and no other."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = json.dumps(answers.get(self.path, {"error": "there is no such path"})).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield "127.0.0.1:%d" % server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def one_shard(**more):
    """What an admin address says of one; of it also `more`."""
    node = {"name": "s1", "state": "up", "answers": True, "weight": 1, "wanted_weight": 1, **more}
    return {"/v1/cluster": {"verdict": "ok", "words": "w", "phase": "stable", "replicas": 1},
            "/v1/nodes": {"nodes": [node]}, "/v1/jobs": {"jobs": []}}


class Usage(unittest.TestCase):
    def test_what_cannot_be_meant_is_told_in_one_line(self):
        for line, said in (
                ("x", "usage: chcachectl top"),
                ("-1 -1 x", "usage: chcachectl top"),
                ("--once=1", "--once takes no value"),
                ("--sort", "--sort needs a value, COLUMN"),
                ("--sort size", 'read "size" to sort by, expected shard, items, memory, sent, '
                                "evictions or p99"),
                ("--ttl 1", "top has no option --ttl, see chcachectl help")):
            with self.subTest(line=line):
                self.assertEqual(top("127.0.0.1:1", *line.split()),
                                 (USAGE, "", "chcachectl: %s\n" % said))

    def test_no_server_is_exit_code_3(self):
        nobody = "127.0.0.1:%d" % free_port()
        for args in (["-1"], ["--json"], []):
            self.assertEqual(top(nobody, *args),
                             (UNREACHED, "", "chcachectl: %s: Connection refused\n" % nobody))
        with Screen(CHCACHECTL, "--server", nobody, "top") as screen:
            self.assertEqual(screen.end(), UNREACHED)

    def test_a_terminal_that_cannot_is_told_what_can_be_done(self):
        with Lone() as d, Screen("/usr/bin/env", "TERM=dumber", CHCACHECTL, "--server", d.address,
                                 "top") as screen:
            self.assertEqual(screen.end(), NO)
            self.assertIn("chcachectl: the terminal dumber cannot do this, see chcachectl top -1",
                          screen.lines())


class ThreeLocalShards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.cluster = Cluster("--http", cls.where, "--replicas", "2").start()
        with cls.cluster.connect() as s:
            for i in range(300):
                wire.talk(s, b"set key-%d 0 0 1\r\nx\r\n" % i, b"STORED\r\n")
            wire.ask(s, b"get key-1 key-2 key-3 nobody\r\n")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def top(self, *args):
        return top(self.cluster.address, *args, where=self.where)

    def test_printed_once_it_has_fixed_columns(self):
        code, out, err = self.top("-1")
        self.assertEqual((code, err), (YES, ""))
        verdict, totals, titles, *shards = out.splitlines()
        self.assertEqual((verdict, titles), ("OK  3/3 shards up; all copies there", TITLES))
        self.assertRegex(totals, r"\A[\d ]+ requests/s  hits -  p99 (-|[\d.]+) ms  "
                                 r"600 items  \d+ clients?\Z")
        self.assertEqual([line[:13].strip() for line in shards], self.cluster.shards)
        for line in shards:
            self.assertEqual(line[13:23], "up        ")
            self.assertRegex(line[23:34], r"\A +\d+\Z")
            self.assertRegex(line[34:52], r"\A +[\d.]+ [KM]iB / 21 MiB\Z")
            self.assertEqual(len(line), len(TITLES))
        self.assertEqual(self.top("--once")[1].splitlines()[2], TITLES)

    def test_json_has_the_same(self):
        code, out, err = self.top("--json")
        self.assertEqual((code, err), (YES, ""))
        got = json.loads(out)
        self.assertEqual((got["verdict"], got["words"], got["copies"], got["items"]),
                         ("ok", "3/3 shards up", "all copies there", 600))
        self.assertIsNone(got["hit_ratio"])         # nobody asks
        self.assertIsNotNone(got["p99_seconds"])
        self.assertEqual([s["name"] for s in got["shards"]], self.cluster.shards)
        self.assertEqual(sum(s["items"] for s in got["shards"]), 600)

    def test_shards_are_ordered_by_a_column_the_largest_first(self):
        for sort, field in (("items", "items"), ("memory", "bytes")):
            values = [s[field] for s in json.loads(self.top("--json", "--sort", sort)[1])["shards"]]
            self.assertEqual(values, sorted(values, reverse=True))
            self.assertNotEqual(values[0], values[-1])

    def test_an_admin_address_of_others_is_not_believed(self):
        with Lone("--http", admin.address()) as other:
            where = next(arg for arg in other.args if arg.startswith("127"))
            got = json.loads(top(self.cluster.address, "--json", where=where)[1])
        self.assertEqual((got["words"], got["copies"]), ("3/3 shards up", None))

    def screen(self, **more):
        return Screen(CHCACHECTL, "--server", self.cluster.address, "--admin", self.where, "top",
                      **more)

    def is_whole(self, lines):
        return (lines[1].startswith("OK  3/3 shards up; all copies there") and "hits" in lines[2]
                and lines[-1].startswith("q quit"))

    def test_a_terminal_shows_it_until_q(self):
        with self.screen() as screen:
            lines = screen.wait(self.is_whole, "a whole screen")
            self.assertEqual(len(lines), 24)
            self.assertEqual(lines[4], TITLES)
            self.assertEqual([line.split()[0] for line in lines[5:8]], self.cluster.shards)
            with self.cluster.connect() as s:
                wire.talk(s, b"set one-more 0 0 1\r\nx\r\n", b"STORED\r\n")
                screen.wait(lambda lines: " 602 items" in lines[2], "news")
                wire.talk(s, b"delete one-more\r\n", b"DELETED\r\n")
            screen.type("i")
            items = [s["name"] for s in json.loads(self.top("--json", "--sort", "items")[1])
                     ["shards"]]
            screen.wait(lambda lines: [line.split()[0] for line in lines[5:8]] == items,
                        "another order")
            screen.type("q")
            self.assertEqual(screen.end(), YES)

    def test_it_ends_at_an_interrupt_and_leaves_the_terminal_as_it_was(self):
        with self.screen() as screen:
            screen.wait(self.is_whole, "a whole screen")
            screen.type("\x03")
            self.assertEqual(screen.end(), YES)

    def test_colour_is_for_terminals_that_want_it(self):
        for env, args, has_color in (({}, [], True), ({"NO_COLOR": "1"}, [], False),
                                     ({}, ["--no-color"], False)):
            with Screen("/usr/bin/env", "TERM=linux", CHCACHECTL, "--server", self.cluster.address,
                        "--admin", self.where, "top", *args, env=env) as screen:
                seen = b""
                while b"q quit" not in seen:
                    seen += os.read(screen.terminal, 65536)
                self.assertEqual(re.search(rb"\x1b\[(\d+;)*3[12](;\d+)*m", seen) is not None,
                                 has_color, seen)

    def test_another_size_is_drawn_anew(self):
        with self.screen(rows=40, columns=120) as screen:
            screen.wait(self.is_whole, "a whole screen")
            screen.resize(10, 60)
            lines = screen.wait(self.is_whole, "a smaller one")
            self.assertEqual(lines[4], TITLES[:60].rstrip())
            self.assertEqual([line.split()[0] for line in lines[5:8]], self.cluster.shards)
            screen.resize(3, 20)
            screen.wait(lambda lines: lines[1].startswith("OK  3/3"), "a tiny one")
            screen.resize(24, 80)
            screen.wait(self.is_whole, "a whole screen again")
            screen.type("q")
            self.assertEqual(screen.end(), YES)


class AShardIsGone(unittest.TestCase):
    def test_it_is_named_and_whether_its_copies_are_restored(self):
        where = admin.address()
        with Cluster("--http", where, "--replicas", "2", "--shard-timeout", "1s") as cluster:
            freeze(cluster.child("local-2"))
            wait(lambda: "ejected" in [node["state"] for node in
                                       admin.get(where, "/v1/nodes")["nodes"]], "it to be ejected")
            code, out, _ = top(cluster.address, "-1", where=where)
            self.assertEqual(code, DEGRADED)
            self.assertRegex(out.splitlines()[0],
                             r"\ADEGRADED  2/3 shards up: local-2 .*; copies are (missing|being made.*)\Z")
            self.assertRegex(out, r"\nlocal-2 +(ejected|down) ")
            got = json.loads(top(cluster.address, "--json")[1])     # no admin address
            self.assertEqual(got["verdict"], "degraded")
            self.assertRegex(got["words"], r"\A2/3 shards up: local-2 is (ejected|down)\Z")
            os.kill(cluster.child("local-2"), 9)
            cluster.wait_up()
            wait(lambda: top(cluster.address, "-1", where=where)[1].startswith(
                "OK  3/3 shards up; all copies there\n"), "all to be there again")


class Copies(unittest.TestCase):
    """What is said of copies, by what the admin address tells."""

    def said(self, phase="stable", replicas=2, jobs=(), **lost):
        answers = {**one_shard(**lost), "/v1/jobs": {"jobs": list(jobs)}}
        answers["/v1/cluster"].update(verdict="degraded", phase=phase, replicas=replicas)
        stats = {b"stats": b"STAT uptime 1\r\nEND\r\n", b"stats latency": b"END\r\n",
                 b"stats shards": b"STAT s1:state down\r\nEND\r\n"}
        with Fake(lambda words: stats[b" ".join(words)]) as fake, admin_that_says(answers) as where:
            code, out, _ = top(fake.address, "-1", where=where)
        self.assertEqual(code, DEGRADED)
        return out.splitlines()[0].removeprefix("DEGRADED  w")

    def test_of_copies_is_said_what_is_known(self):
        running = {"status": "running", "items_done": 63, "items_left": 37}
        for more, words in (
                ({}, "; all copies there"),
                ({"replicas": 1}, ""),
                ({"state": "ejected"}, "; copies are missing"),
                ({"answers": False}, "; copies are missing"),
                ({"state": "ejected", "weight": 0}, "; copies are restored"),
                ({"state": "ejected", "weight": 0, "wanted_weight": 0}, "; all copies there"),
                ({"phase": "joint"}, "; copies are being made"),
                ({"jobs": [running]}, "; copies are being made: 63 %"),
                ({"jobs": [{"status": "queued"}]}, "; all copies there")):
            with self.subTest(more=more):
                self.assertEqual(self.said(**more), words)


class Latencies(unittest.TestCase):
    """Of the last seconds, as an admin address tells them, or of all since the start."""

    def top(self, pid, *args):
        answers = {**one_shard(), "/v1/latency": {
            "pid": pid, "ms": 15000, "all": {"n": 9, "p99_ns": 2000000},
            "shards": {"s1": {"n": 5, "p99_ns": 3000000}}}}
        stats = {b"stats": b"STAT pid 7\r\nEND\r\n",
                 b"stats shards": b"STAT s1:state up\r\nEND\r\n",
                 b"stats latency": b"STAT get:p99 100.0\r\nSTAT shard:s1:p99 90.0\r\nEND\r\n"}
        with Fake(lambda words: stats[b" ".join(words)]) as fake, admin_that_says(answers) as where:
            return top(fake.address, *args, where=where)[1]

    def test_they_are_of_the_last_seconds(self):
        got = json.loads(self.top(7, "--json"))
        self.assertEqual((got["p99_seconds"], got["p99_ms"], got["shards"][0]["p99_ms"]), (15, 2, 3))
        self.assertIn("  p99 2.000 ms  ", self.top(7, "-1"))

    def test_those_of_another_process_are_not_taken_for_the_servers(self):
        got = json.loads(self.top(8, "--json"))
        self.assertEqual((got["p99_seconds"], got["p99_ms"], got["shards"][0]["p99_ms"]),
                         (None, 0.1, 0.09))
        self.assertIn("  get p99 0.100 ms since start  ", self.top(8, "-1"))


class Memcached(unittest.TestCase):
    """Who knows nothing but `stats`."""

    def test_it_has_totals_and_rates_of_a_second(self):
        def answer(words):
            if words != [b"stats"]:
                return b"ERROR\r\n"
            looks.append(words)
            n = len(looks)
            return (b"STAT uptime 9999\r\nSTAT cmd_get %d\r\nSTAT get_hits %d\r\nSTAT get_misses %d\r\n"
                    b"STAT curr_items 7\r\nSTAT curr_connections 1\r\nEND\r\n"
                    % (10**9 + 100 * n, 10**9 + 25 * n, 75 * n))

        looks = []
        with Fake(answer) as fake:
            code, out, err = top(fake.address, "-1")
        self.assertEqual((code, err), (YES, ""))
        got = re.fullmatch("OK  it answers\n([0-9]+) requests/s  hits 25.0 %  p99 - ms  7 items  "
                           "1 client\n", out)
        self.assertIn(int(got[1]), range(1, 101))

    def test_latencies_are_shown_where_they_are_counted(self):
        counted = []
        answers = {
            b"stats": b"STAT uptime 10\r\nEND\r\n",
            b"stats shards": b"STAT s1:state up\r\nSTAT s1:curr_items 5\r\nEND\r\n",
            b"stats latency": b"STAT get:count 9\r\nSTAT get:p99 183.3\r\nSTAT shard:s1:count %d\r\n"
                              b"STAT shard:s1:p99 90.0\r\nEND\r\n"}

        def answer(words):
            counted.append(words)
            got = answers[b" ".join(words)]
            return got % (50 * len(counted)) if b"%d" in got else got

        with Fake(answer) as fake:
            got = json.loads(top(fake.address, "--json")[1])
        self.assertEqual(got["p99_ms"], 0.1833)
        self.assertEqual([s["p99_ms"] for s in got["shards"]], [0.09])
        self.assertTrue(0 < got["shards"][0]["sent_per_second"] <= 150)

    def test_a_server_cannot_move_the_cursor(self):
        answers = {b"stats": b"STAT uptime 1\r\nEND\r\n", b"stats latency": b"END\r\n",
                   b"stats shards": b"STAT \x1b[2J:state u\x1bp\r\nEND\r\n"}
        with Fake(lambda words: answers[b" ".join(words)]) as fake:
            code, out, _ = top(fake.address, "-1")
        self.assertEqual(code, NO)
        self.assertTrue(re.fullmatch(r"[ -~\n]+", out), out)


if __name__ == "__main__":
    tap.main()
