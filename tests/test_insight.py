#!/usr/bin/python3 -B
"""
What lets an operator look inside: dumps of all items, watching what happens,
counting by prefix, hot keys.  Against one process and a front with three local shards.
"""

import re
import unittest
from urllib.parse import unquote_to_bytes

from lib import packet, server, tap, wire
from lib.cases import DELETED, END, ERROR, OK, STORED
from lib.daemon import Cluster, Lone, wait
from lib.server import own
from lib.wire import ask, stats, talk

KEYS = [b"item%d" % i for i in range(2000)]


def sets(keys, data=b"x", exptime=0):
    return b"".join(b"set %b 7 %d %d\r\n%b\r\n" % (k, exptime, len(data), data) for k in keys)


def fields(line):
    """b"key=a exp=-1" -> {"key": "a", "exp": "-1"}"""
    return dict(word.split("=", 1) for word in line.decode().split())


class Insight:
    def latencies(self):
        """{"get": {"count": 3.0, "p50": ...}, "shard:local-1": ...}"""
        told = {}
        for name, value in stats(self.sock, b"latency").items():
            of, _, what = name.rpartition(":")
            told.setdefault(of, {})[what] = float(value)
        return told

    def counts(self):
        return {of: int(row["count"]) for of, row in self.latencies().items()
                if not of.startswith("shard:")}

    def test_each_command_is_timed_once_in_its_class(self):
        talk(self.sock, b"stats reset\r\n", b"RESET\r\n")
        talk(self.sock, sets([b"a", b"b", b"n"], b"5"), STORED * 3)
        many = b" ".join(b"x%d" % i for i in range(100))
        for _ in range(3):
            talk(self.sock, b"get a\r\n", b"VALUE a 7 1\r\n5\r\n" + END)
        talk(self.sock, b"get a\r\n" * 40, (b"VALUE a 7 1\r\n5\r\n" + END) * 40)
        talk(self.sock, b"get " + many + b"\r\ngets " + many + b"\r\n", END * 2)
        talk(self.sock, b"gat 0 x y\r\ntouch x 0\r\nincr n 1\r\ndecr n 1\r\ndelete a\r\n"
             b"mg b v\r\nmd b\r\nms c 1 T0\r\nx\r\nma n\r\nadd c 0 0 1\r\nx\r\n",
             END + b"NOT_FOUND\r\n6\r\n5\r\n" + DELETED + b"VA 1\r\n5\r\nHD\r\nHD\r\nHD\r\n"
             b"NOT_STORED\r\n")
        self.assertEqual(self.counts(), {"get": 44, "multiget": 2, "set": 5, "delete": 2,
                                         "incr": 3, "touch": 2})

    def test_percentiles_of_latencies_rise_and_begin_again_with_a_reset(self):
        talk(self.sock, sets(KEYS), STORED * len(KEYS))
        told = self.latencies()
        self.assertGreaterEqual(told["set"]["count"], len(KEYS))
        for of, row in told.items():
            if row["count"] == 0:
                self.assertEqual(list(row), ["count"], of)
                continue
            values = [row[name] for name in ("p50", "p90", "p99", "p99.9", "max")]
            self.assertEqual(values, sorted(values), of)
            self.assertGreater(values[0], 0, of)
        talk(self.sock, b"stats reset\r\n", b"RESET\r\n")
        self.assertEqual({row["count"] for row in self.latencies().values()}, {0})

    @own
    def test_every_shard_that_is_sent_to_is_timed(self):
        talk(self.sock, sets(KEYS), STORED * len(KEYS))
        told = self.latencies()
        timed = {of[len("shard:"):] for of in told if of.startswith("shard:")}
        self.assertEqual(timed, set(self.server.shards) - {"local"})
        for name in timed:
            self.assertGreater(told["shard:" + name]["count"], 0)

    def dump(self, kind, end, sock=None):
        got, _ = wire.exchange(sock or self.sock, b"lru_crawler %b all\r\n" % kind,
                               lambda got: got.endswith(b"\n" + end))
        self.assertTrue(got.startswith(OK), got[:80])
        return got[len(OK):-len(end)].splitlines()

    def test_a_metadump_has_every_item_once(self):
        talk(self.sock, sets(KEYS), STORED * len(KEYS))
        lines = [fields(line) for line in self.dump(b"metadump", END)]
        self.assertEqual(sorted(line["key"].encode() for line in lines), sorted(KEYS))
        tokens = {k: int(t) for k, t in re.findall(
            rb"VALUE (\S+) 7 1 (\d+)", ask(self.sock, b"gets " + b" ".join(KEYS) + b"\r\n"))}
        for line in lines:
            self.assertEqual(int(line["cas"]), tokens[line["key"].encode()])
            self.assertEqual((line["exp"], line["fetch"], line["flags"]), ("-1", "no", "7"))

    def test_a_metadump_tells_when_items_expire_and_were_used(self):
        talk(self.sock, sets([b"a"], exptime=1000) + b"get a\r\n",
             STORED + b"VALUE a 7 1\r\nx\r\n" + END)
        line, = (fields(line) for line in self.dump(b"metadump", END))
        self.assertEqual(line["fetch"], "yes")
        self.assertIn(int(line["exp"]) - int(line["la"]), range(999, 1002))

    def test_keys_of_any_bytes_are_told_so_that_lines_stay_lines(self):
        keys = [b"a\nb c", b"\x00\r\n", b"plain/%"]
        talk(self.sock, b"ms YQpiIGM= 1 b\r\nx\r\nms AA0K 1 b\r\nx\r\nms plain/% 1\r\nx\r\n",
             b"HD\r\n" * 3)
        lines = [fields(line) for line in self.dump(b"metadump", END)]
        self.assertEqual(sorted(unquote_to_bytes(line["key"]) for line in lines), sorted(keys))
        self.assertEqual(sorted(self.dump(b"mgdump", b"EN\r\n")),
                         [b"mg AA0K b", b"mg YQpiIGM= b", b"mg plain/%"])

    def test_what_mgdump_tells_can_be_sent(self):
        talk(self.sock, sets(KEYS[:100]), STORED * 100)
        lines = self.dump(b"mgdump", b"EN\r\n")
        talk(self.sock, b"".join(line + b" k v\r\n" for line in lines),
             b"".join(b"VA 1 k%b\r\nx\r\n" % line.split()[1] for line in lines))

    @own
    def test_a_cachedump_lists_as_many_as_it_is_asked_for(self):
        talk(self.sock, sets(KEYS[:300]) + sets([b"last"], b"four", 100), STORED * 301)
        lines = ask(self.sock, b"stats cachedump 1 0\r\n").splitlines()
        self.assertEqual(sorted(line.split()[1] for line in lines[:-1]),
                         sorted(KEYS[:300] + [b"last"]))
        self.assertEqual(lines.count(b"ITEM item5 [1 b; 0 s]"), 1)
        self.assertEqual(lines[-1], b"END")
        self.assertEqual(ask(self.sock, b"stats cachedump 1 7\r\n").count(b"ITEM "), 7)

    def test_what_cannot_be_cachedumped_is_said(self):
        for words, answer in ((b"", b"CLIENT_ERROR bad command line\r\n"),
                              (b" 1", b"CLIENT_ERROR bad command line\r\n"),
                              (b" x 1", b"CLIENT_ERROR bad command line format\r\n"),
                              (b" 99 1", b"CLIENT_ERROR Illegal slab id\r\n"), (b" 5 1", END)):
            self.check(b"stats cachedump" + words + b"\r\n", answer)

    @own
    def test_an_empty_cache_has_an_empty_dump(self):
        self.check(b"lru_crawler metadump all\r\nlru_crawler mgdump all\r\n",
                   OK + END + OK + b"EN\r\n")

    @own
    def test_others_are_served_and_the_next_command_waits(self):
        talk(self.sock, sets(KEYS), STORED * len(KEYS))
        slow, other = self.connect(), self.connect()
        slow.sendall(b"lru_crawler metadump all\r\nmn\r\n")
        talk(other, b"get nothing\r\n", END)
        got = wire.exchange(slow, b"", lambda got: got.endswith(b"MN\r\n"))[0]
        self.assertEqual(got.count(b"key="), len(KEYS))
        self.assertTrue(got.endswith(b"\nEND\r\nMN\r\n"))

    @own
    def test_what_cannot_be_dumped_is_said(self):
        self.check(b"lru_crawler metadump foo\r\n", b"BADCLASS invalid class id\r\n")
        for line in (b"lru_crawler", b"lru_crawler metadump", b"lru_crawler foo",
                     b"lru_crawler metadump all all"):
            self.assertIn(ask(self.sock, line + b"\r\n"),
                          (ERROR, b"BADCLASS invalid class id\r\n"), line)

    def watch(self, *streams):
        sock = self.connect()
        talk(sock, b" ".join((b"watch", *streams)) + b"\r\n", OK)
        return sock

    def lines_until(self, sock, last):
        """What a watcher is told, up to the line in which `last` is."""
        got = wire.exchange(sock, b"", lambda got: last in got and got.endswith(b"\n"))[0]
        return [fields(line) for line in got.splitlines()]

    def test_fetchers_are_told_hits_and_misses(self):
        talk(self.sock, sets([b"a/b"]), STORED)
        watcher = self.watch()
        for line in (b"get a/b nope\r\n", b"mg a/b\r\n", b"mg last\r\n"):
            ask(self.sock, line)
        seen = [(line["type"], line["key"], line["status"])
                for line in self.lines_until(watcher, b"key=last")]
        self.assertEqual(sorted(seen), sorted([
            ("item_get", "a%2Fb", "found"), ("item_get", "nope", "not_found"),
            ("item_get", "a%2Fb", "found"), ("item_get", "last", "not_found")]))

    @own
    def test_mutations_and_deletions_are_told(self):
        watcher = self.watch(b"mutations", b"deletions")
        for line in (b"set a 0 10 5\r\nhello\r\n", b"add a 0 0 1\r\nx\r\n", b"ms b 2\r\nhi\r\n",
                     b"delete a\r\n", b"md b\r\n", b"get a\r\n", b"set last 0 0 0\r\n\r\n"):
            ask(self.sock, line)
        seen = [(line["type"], line["key"], line["cmd"], line.get("status"), line.get("size"))
                for line in self.lines_until(watcher, b"key=last")]
        self.assertEqual(seen, [
            ("item_store", "a", "set", "stored", "5"), ("item_store", "a", "add", "not_stored", "1"),
            ("item_store", "b", "set", "stored", "2"), ("deleted", "a", "delete", None, None),
            ("deleted", "b", "md", None, None), ("item_store", "last", "set", "stored", "0")])

    def test_connections_are_told(self):
        watcher = self.watch(b"connevents")
        with wire.connect(self.address) as other:
            port = other.getsockname()[1]
            talk(other, b"mn\r\n", b"MN\r\n")
        seen = [line for line in self.lines_until(watcher, b"type=conn_close rip=127.0.0.1")
                if line["rport"] == str(port)]
        self.assertEqual([line["type"] for line in seen], ["conn_new", "conn_close"])

    @own
    def test_watchers_of_all_threads_are_told_and_none_of_another_stream(self):
        watchers = [self.watch(b"fetchers") for _ in range(8)]
        deaf = self.watch(b"deletions")
        clients = [self.connect() for _ in range(8)]
        for i, client in enumerate(clients):
            talk(client, b"get k%d\r\n" % i, END)
        talk(self.sock, b"set gone 0 0 0\r\n\r\ndelete gone\r\n", STORED + DELETED)
        for watcher in watchers:
            got = wire.exchange(watcher, b"", lambda got: got.count(b"\n") == 8)[0]
            self.assertEqual(sorted(re.findall(rb"key=(k\d)", got)), [b"k%d" % i for i in range(8)])
        self.assertEqual([line["type"] for line in self.lines_until(deaf, b"key=gone")],
                         ["deleted"])

    @own
    def test_a_watcher_that_leaves_is_missed_by_nobody(self):
        for _ in range(20):
            self.watch(b"fetchers", b"evictions").close()
        wait(lambda: stats(self.sock)["curr_connections"] == "1", "the watchers to be gone")
        talk(self.sock, b"get a\r\n", END)

    def test_what_cannot_be_watched_is_said(self):
        self.check(b"watch nonsense\r\n", ERROR)

    def test_prefixes_are_counted_while_that_is_on(self):
        talk(self.sock, b"stats reset\r\nstats detail dump\r\n", b"RESET\r\n" + END)
        talk(self.sock, b"set a:1 0 0 1\r\nx\r\n", STORED)
        talk(self.sock, b"stats detail on\r\n", OK)
        talk(self.sock, b"set a:1 0 0 1\r\nx\r\nset none 0 0 1\r\nx\r\n", STORED * 2)
        ask(self.sock, b"get a:1 a:2 b:1 none\r\ndelete a:1\r\ndelete b:9\r\n")
        talk(self.sock, b"stats detail off\r\nget a:1\r\n", OK + END)
        got = ask(self.sock, b"stats detail dump\r\n")
        self.assertEqual(sorted(got.splitlines()), [
            b"END", b"PREFIX a get 2 hit 1 set 1 del 1", b"PREFIX b get 1 hit 0 set 0 del 1"])
        talk(self.sock, b"stats detail\r\n", b"CLIENT_ERROR usage: stats detail on|off|dump\r\n")


class OneProcess(Insight, server.OneProcess, unittest.TestCase):
    pass


class ThreeLocalShards(Insight, server.ThreeLocalShards, unittest.TestCase):
    pass


class Hot:
    """
    Few requests, all of which are looked at: the figures are exact.  The servers are
    these tests' own.
    """

    def hot(self):
        """{key: {field: value}} of stats hotkeys, the hottest first, and the rate of all."""
        got = stats(self.sock, b"hotkeys")
        rows = {}
        for name, value in got.items():
            place, _, field = name.partition(":")
            if field:
                rows.setdefault(int(place), {})[field] = value
        self.assertEqual(list(rows), list(range(1, len(rows) + 1)))
        by_key = {row["key"]: row for row in rows.values()}
        self.assertEqual(len(by_key), len(rows))
        return by_key, float(got["requests_per_second"])

    def test_hot_keys_are_told_by_how_often_they_are_asked_for(self):
        talk(self.sock, sets([b"hot:a", b"hot:b"]), STORED * 2)
        for _ in range(30):         # alone, in one packet, together: 1:2:3 in all
            ask(self.sock, b"get hot:a\r\n")
            ask(self.sock, b"mg hot:b\r\nget hot:b hot:c\r\n")
            ask(self.sock, b"get " + b" ".join([b"hot:c"] * 2) + b"\r\n")
        rows, rate = self.hot()
        ours = [(key, row) for key, row in rows.items() if key.startswith("hot%3A")]
        self.assertEqual([key for key, _ in ours], ["hot%3Ac", "hot%3Ab", "hot%3Aa"])
        times = [float(row["requests_per_second"]) for _, row in ours]
        self.assertAlmostEqual(times[0] / times[2], 90 / 31, delta=0.2)
        self.assertAlmostEqual(times[1] / times[2], 61 / 31, delta=0.2)
        for _, row in ours:
            self.assertAlmostEqual(float(row["share"]), float(row["requests_per_second"]) / rate,
                                   delta=0.01)

    def test_hot_keys_are_told_with_their_writes_and_owner(self):
        for _ in range(30):
            ask(self.sock, b"set w\xff 0 0 1\r\nx\r\nset w\xff 0 0 1\r\nx\r\n"
                b"incr w\xff 1\r\nget w\xff\r\n")
        row = self.hot()[0]["w%FF"]
        self.assertAlmostEqual(float(row["write_share"]), 0.75, delta=0.02)
        self.assertIn(row["owner"], self.owners())
        self.assertIn("w%FF", self.hot()[0])

    def test_a_key_that_clients_of_all_threads_ask_for_is_one(self):
        for client in [self.connect() for _ in range(8)]:
            for _ in range(10):
                ask(client, b"get shared\r\n")
        self.assertGreater(float(self.hot()[0]["shared"]["requests_per_second"]), 0)

    def test_keys_of_the_binary_protocol_are_told_too(self):
        key = b"\r\n%" + b"k" * 240 + b" " * 7
        other = self.connect()
        for _ in range(100):
            packet.ask(other, packet.packet(packet.GET, key))
        printed = "%0D%0A%25" + "k" * 240 + "%20" * 7
        self.assertEqual(self.hot()[0][printed]["write_share"], "0.0000")
        self.assertIn(printed, packet.stats(other, b"hotkeys").values())


@unittest.skipIf(server.REFERENCE, "chcached's own")
class HotOfOneProcess(Hot, server.OneProcess, unittest.TestCase):
    def owners(self):
        return ["local"]


@unittest.skipIf(server.REFERENCE, "chcached's own")
class HotOfThreeLocalShards(Hot, server.ThreeLocalShards, unittest.TestCase):
    def owners(self):
        return self.server.shards


@unittest.skipIf(server.REFERENCE, "chcached's own")
class Switches(unittest.TestCase):
    def test_dumps_and_watching_can_be_taken_away(self):
        with Lone("-X", "-W") as d, d.connect() as s:
            talk(s, b"lru_crawler metadump all\r\n", b"ERROR metadump not allowed\r\n")
            talk(s, b"lru_crawler mgdump all\r\n", b"ERROR key dump not allowed\r\n")
            talk(s, b"stats detail on\r\n", b"CLIENT_ERROR stats detail not allowed\r\n")
            talk(s, b"stats cachedump 1 1\r\n", b"CLIENT_ERROR stats cachedump not allowed\r\n")
            talk(s, b"stats hotkeys\r\n", b"CLIENT_ERROR stats hotkeys not allowed\r\n")
            with d.connect() as other:
                self.assertEqual(packet.ask(other, packet.packet(packet.STAT, b"hotkeys"))[0].status,
                                 1)
            talk(s, b"watch\r\n", b"CLIENT_ERROR watch commands not allowed\r\n")

    def test_another_delimiter_counts_at_once(self):
        with Lone("-D", "/") as d, d.connect() as s:
            talk(s, b"get a/1 b:1\r\nstats detail dump\r\n",
                 END + b"PREFIX a get 1 hit 0 set 0 del 0\r\n" + END)

    def test_evictions_of_all_shards_are_told(self):
        for kind in (Lone, Cluster):
            with self.subTest(kind=kind.__name__), kind("-m", "24") as d:
                with d.connect() as s, d.connect() as watcher:
                    talk(watcher, b"watch evictions\r\n", OK)
                    # A store remembers from the moment when it is asked first.
                    wait(lambda: self.evict(s, watcher), "an eviction to be told")
                    gone = int(stats(s)["evictions"])
                    self.assertGreater(gone, 0)

    def evict(self, s, watcher):
        talk(s, sets([b"big%d" % i for i in range(60)], b"x" * 500000), STORED * 60)
        talk(s, b"mn\r\n", b"MN\r\n")
        watcher.setblocking(False)
        try:
            got = watcher.recv(1 << 20)
        except BlockingIOError:
            return False
        finally:
            watcher.setblocking(True)
        line = fields(got.splitlines()[0])
        self.assertEqual((line["type"], line["fetch"], line["size"]), ("eviction", "no", "500000"))
        return line["key"].startswith("big")


if __name__ == "__main__":
    tap.main()
