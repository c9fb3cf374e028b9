#!/usr/bin/python3 -B
"""
The load that remembers, against servers that keep their word and one that does
not: what it says of a cluster is worth what it notices here.
"""

import unittest

from lib import tap
from lib.daemon import Cluster, Lone, separate, up, wait
from lib.history import Load
from lib.liar import AWAY_S, Liar

OPERATIONS = 4000

# The lie, what must be said of it, and what else may come of it: where a write is not
# what was said of it, tokens of others may not fit, either.
LIES = [
    ("loses", {"stale", "lost"}, {"cas"}),
    ("stale", {"stale"}, {"counter", "lost", "cas"}),
    ("tears", {"torn"}, {"counter", "stale", "lost", "cas", "foreign"}),
    ("cuts", {"torn"}, {"counter", "stale", "lost", "cas", "foreign"}),
    ("mixes up", {"foreign"}, {"torn", "counter", "stale", "lost", "cas"}),
    ("phantom", {"phantom"}, {"undeleted", "cas"}),
    ("counts twice", {"counter"}, set()),
    ("forgets to count", {"counter"}, {"cas"}),
    ("same number", {"counter"}, {"foreign", "stale", "cas"}),
    ("cas wins", {"cas"}, set()),
    ("cas loses", {"cas"}, set()),
    ("same token", {"cas"}, set()),
    ("undeletes", {"undeleted"}, {"cas"}),
    ("appends twice", {"doubled"}, set()),
    ("forgets to append", {"stale", "lost"}, {"cas"}),
    ("misses", {"miss"}, set()),
]


def report_of(*addresses, options=(), operations=OPERATIONS):
    with Load(*addresses, "--clients", "8", "--keys", "64", *options) as load:
        load.do(operations)
        return load.stop()


def report_of_liar(server, clients):
    """Once it has lied often enough, and to all sorts of keys."""
    with Load(server.address, "--clients", clients, "--keys", "32") as load:
        load.do(OPERATIONS)
        wait(lambda: server.told >= 5, "the server to lie")
        return load.stop()


class History(unittest.TestCase):
    def no_fault(self, report):
        self.assertEqual((report.faults, report.code), ({}, 0), report)
        self.assertEqual(report["unread_at_end"], 0)
        self.assertGreater(report["acknowledged"], 1000)
        self.assertGreater(report["hits"], 1000)

    def test_servers_that_keep_their_word_are_not_accused(self):
        options = ["--pipeline", "8", "--too-large", "2000000", "--flush", "500"]
        with Liar() as server:
            self.no_fault(report_of(server.address, options=options))
        with Lone() as server:
            self.no_fault(report_of(server.address, options=options, operations=40000))
        with Cluster() as front:
            self.no_fault(report_of(front.address, options=options, operations=40000))

    def test_two_fronts_of_the_same_shards_are_not_accused(self):
        shards, fronts = separate(3, fronts=2)
        for process in shards + fronts:
            self.addCleanup(process.end)
            process.start()
        for front in fronts:
            up(front, 3)
        self.no_fault(report_of(*(front.address for front in fronts), operations=40000))

    def test_each_lie_is_noticed_and_named(self):
        for lie, named, perhaps in LIES:
            with self.subTest(lie=lie), Liar(lie) as server:
                report = report_of_liar(server, "2")
                self.assertEqual(report.code, 1)
                found = set(report.faults)
                self.assertTrue(named <= found <= named | perhaps, report)
                for fault in found:
                    self.assertTrue(any(said.startswith(fault + ":") for said in report.said))

    def test_each_lie_is_noticed_among_many_that_do_things_at_once(self):
        for lie, named, _ in LIES:
            with self.subTest(lie=lie), Liar(lie) as server:
                report = report_of_liar(server, "16")
                self.assertTrue(named <= set(report.faults), report)

    def test_what_is_of_unknown_outcome_is_not_held_against_a_server(self):
        with Liar("hangs up") as server:
            report = report_of(server.address)
        self.no_fault(report)
        self.assertGreater(report["unknown"], 20)
        self.assertGreater(report["lost_connections"], 20)

    def test_what_is_refused_is_tried_again(self):
        with Liar("refuses") as server:
            report = report_of(server.address)
        self.no_fault(report)
        self.assertGreater(report["refused"], 20)

    def test_misses_are_excused_in_a_window(self):
        with Liar("misses") as server:
            server.lie = None
            with Load(server.address, "--clients", "8", "--keys", "64") as load:
                with load.window():
                    server.lie = "misses"
                    load.do(OPERATIONS)
                    server.lie = None
                    load.do(OPERATIONS)
                report = load.stop()
        self.no_fault(report)
        self.assertGreater(report["allowed_misses"], 20)

    def test_an_outage_is_measured(self):
        with Liar("away") as server:
            report = report_of(server.address)
        self.no_fault(report)
        for name in ("longest_read_outage_ms", "longest_write_outage_ms"):
            self.assertTrue(AWAY_S * 1000 <= report[name], report)
        with Liar("away") as server:
            report = report_of(server.address, options=["--timeout", "200"])
        self.no_fault(report)
        self.assertGreater(report["unknown"], 0)

    def test_more_keys_are_kept_and_read_at_the_end(self):
        with Liar() as server:
            report = report_of(server.address, options=["--preload", "3000"])
            self.no_fault(report)
            self.assertGreaterEqual(report["get"][0], 2 * 3000)
            with Load(server.address, "--preload", "300", "--keys", "8") as load:
                load.do(OPERATIONS)
                with load.window():
                    server.items.clear()
                    load.do(OPERATIONS)
                report = load.stop()
        self.assertEqual(report.faults, {})
        self.assertGreater(report["missing_at_end"], 100)


if __name__ == "__main__":
    tap.main()
