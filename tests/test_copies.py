#!/usr/bin/python3 -B
"""Clusters that keep copies: what their users rely on, whichever shard dies."""

import json
import os
import re
import signal
import time
import unittest

from lib import tap, wire
from lib.cases import (DELETED, END, EXISTS, LARGE, NOT_FOUND, NOT_STORED, OK, STORED, TOUCHED,
                       found)
from lib.cluster import Copied, LocalCopies
from lib.daemon import wait
from lib.history import KINDS, Load
from lib.wire import ask, talk

PATIENT = ("--shard-timeout", "20s")    # nobody is given up for being slow: machines are
N = 12                                  # keys of a kind: every shard owns some


def keys(kind):
    return [b"%b-%d" % (kind, i) for i in range(N)]


def each(sock, kind, *dialogue):
    """To each key of a kind the same requests, KEY for the key, must have these answers."""
    for key in keys(kind):
        for request, answer in dialogue:
            talk(sock, request.replace(b"KEY", key) + b"\r\n", answer.replace(b"KEY", key))


def ttl(sock, key):
    got = re.fullmatch(rb"HD t(\d+)\r\n", ask(sock, b"mg %b t\r\n" % key))
    return got and int(got[1])


class Timed:
    """Keys of a kind got this long to live."""

    def __init__(self, sock, kind, request, answer, ttl_s):
        self.kind, self.ttl_s = kind, ttl_s
        self.begin = time.monotonic()
        each(sock, kind, (request % ttl_s, answer))
        self.end = time.monotonic()

    def check(self, test, sock):
        """Within a second."""
        for key in keys(self.kind):
            least = self.ttl_s - (time.monotonic() - self.begin) - 1
            got = ttl(sock, key)
            test.assertIsNotNone(got, key)
            test.assertLessEqual(got, self.ttl_s - (time.monotonic() - self.end) + 2, key)
            test.assertGreaterEqual(got + (time.monotonic() - self.begin), least, key)


def load(c, *options):
    return Load(*c.addresses(), "--clients", "8", "--rate", "3000", "--timeout", "30000",
                "--too-large", "2000000", *options)


class Tests(unittest.TestCase):
    def flawless(self, report):
        self.assertEqual((report.faults, report["missing_at_end"], report["unread_at_end"]),
                         ({}, 0, 0), report)
        self.assertGreater(report["acknowledged"], 1000)

    def flawless_without_errors(self, report):
        self.flawless(report)
        self.assertEqual([kind for kind in KINDS if report[kind][3:] != [0, 0]], [], report)


class Local(Tests):
    def test_each_shard_in_turn_is_killed_under_load_and_nothing_is_lost(self):
        with LocalCopies(*PATIENT) as c, load(c, "--preload", "3000") as mix:
            for name in c.names:
                mix.do(1000)
                with mix.window(), c.healing():     # a gat is not sent twice: it may miss
                    os.kill(c.child(name), signal.SIGKILL)
            mix.do(1000)
            self.flawless(mix.stop())
            c.wait_equal()

    def test_of_three_copies_two_may_be_lost_at_once(self):
        with LocalCopies(*PATIENT, replicas=3) as c, load(c, "--preload", "1000") as mix:
            with mix.window(), c.healing():
                for name in c.names[1:]:
                    os.kill(c.child(name), signal.SIGKILL)
            mix.do(1000)
            self.flawless(mix.stop())
            c.wait_equal()

    def test_without_copies_a_killed_shard_costs_its_keys_and_serves_again(self):
        with LocalCopies(*PATIENT, replicas=1) as c, c.connect() as s:
            each(s, b"a", (b"set KEY 0 0 1\r\nX", STORED))
            with c.healing():
                os.kill(c.child("local-1"), signal.SIGKILL)
            kept = [k for k in keys(b"a") if ask(s, b"get %b\r\n" % k) == found(k, b"X")]
            self.assertTrue(0 < len(kept) < N, kept)
            each(s, b"a", (b"set KEY 0 0 1\r\nX", STORED), (b"get KEY", found(b"KEY", b"X")))

    def test_an_owners_word_is_enough_if_told_so(self):
        with LocalCopies(*PATIENT, "--ack", "owner") as c, load(c) as mix:
            mix.do(3000)
            self.flawless_without_errors(mix.stop())
            with c.connect() as s:
                each(s, b"a", (b"set KEY 0 0 1\r\nX", STORED), (b"append KEY 0 0 1\r\nY", STORED))
                c.wait_equal()
                with c.healing():
                    os.kill(c.child("local-2"), signal.SIGKILL)
                each(s, b"a", (b"get KEY", found(b"KEY", b"XY")))
                c.wait_equal()


class Commands(Tests):
    def test_what_was_before_a_shard_died_goes_on_after_it_and_after_its_return(self):
        with Copied(*PATIENT) as c:
            with c.fronts["f1"].connect() as s:
                self.before(s)
            with c.fronts["f2"].connect() as s:
                with c.healing():
                    c.shards["s1"].kill()
                    self.meanwhile(s)
                    c.shards["s1"].launch()
                self.after(s)
            c.wait_equal()

            # What was returned to s1 and what another has are the same.
            with c.fronts["f1"].connect() as s, c.healing():
                c.shards["s2"].kill()
                self.after(s)
                c.shards["s2"].launch()
            c.wait_equal()

    def before(self, s):
        each(s, b"number", (b"set KEY 0 0 2\r\n10", STORED), (b"incr KEY 5", b"15\r\n"))
        each(s, b"text", (b"set KEY 0 0 1\r\na", STORED), (b"append KEY 0 0 1\r\nb", STORED))
        each(s, b"token", (b"set KEY 7 0 1\r\na", STORED))
        each(s, b"gone", (b"set KEY 0 0 1\r\na", STORED), (b"delete KEY", DELETED))
        each(s, b"stale", (b"set KEY 0 0 1\r\na", STORED), (b"md KEY I T1000", b"HD\r\n"))
        for kind in (b"deleted", b"large", b"replaced"):
            each(s, kind, (b"set KEY 0 0 1\r\na", STORED))
        for kind in (b"touched", b"got"):
            each(s, kind, (b"set KEY 0 100 1\r\na", STORED))
        self.tokens = {key: self.token(s, key) for key in keys(b"token")}
        self.kept = Timed(s, b"kept", b"set KEY 0 %d 1\r\na", STORED, 2000)

    def token(self, s, key):
        return re.fullmatch(rb"HD c(\d+)\r\n", ask(s, b"mg %b c\r\n" % key))[1]

    def meanwhile(self, s):
        each(s, b"number", (b"incr KEY 1", b"16\r\n"), (b"decr KEY 2", b"14\r\n"))
        each(s, b"text", (b"append KEY 0 0 1\r\nc", STORED), (b"prepend KEY 0 0 1\r\n0", STORED))
        for key, token in self.tokens.items():
            talk(s, b"cas %b 8 0 1 %b\r\nb\r\n" % (key, token), STORED)
            talk(s, b"cas %b 9 0 1 %b\r\nc\r\n" % (key, token), EXISTS)
            self.tokens[key] = self.token(s, key)
        each(s, b"gone", (b"incr KEY 1", NOT_FOUND), (b"add KEY 0 0 1\r\nb", STORED),
             (b"add KEY 0 0 1\r\nc", NOT_STORED))
        each(s, b"stale", (b"mg KEY v", b"VA 1 X W\r\na\r\n"), (b"mg KEY v", b"VA 1 Z X\r\na\r\n"))
        each(s, b"won", (b"mg KEY N1000 v", b"VA 0 W\r\n\r\n"),
             (b"mg KEY N1000 v", b"VA 0 Z\r\n\r\n"), (b"ms KEY 1\r\nw", b"HD\r\n"))
        each(s, b"deleted", (b"delete KEY", DELETED), (b"delete KEY", NOT_FOUND))
        each(s, b"large", (b"set KEY 0 0 2000000\r\n" + b"x" * 2000000, LARGE))
        each(s, b"replaced", (b"replace KEY 3 0 2\r\nbb", STORED))
        self.touched = Timed(s, b"touched", b"touch KEY %d", TOUCHED, 3000)
        self.got = Timed(s, b"got", b"gat %d KEY", found(b"KEY", b"a"), 4000)

    def after(self, s):
        each(s, b"number", (b"get KEY", found(b"KEY", b"14")), (b"incr KEY 0", b"14\r\n"))
        each(s, b"text", (b"get KEY", found(b"KEY", b"0abc")))
        for key, token in self.tokens.items():
            talk(s, b"gets %b\r\n" % key, b"VALUE %b 8 1 %b\r\nb\r\nEND\r\n" % (key, token))
            talk(s, b"cas %b 8 0 1 %b\r\nb\r\n" % (key, token), STORED)
            self.tokens[key] = self.token(s, key)
        each(s, b"gone", (b"get KEY", found(b"KEY", b"b")), (b"add KEY 0 0 1\r\nc", NOT_STORED))
        for key in keys(b"stale"):      # who is to win may be asked for once more
            self.assertIn(ask(s, b"mg %b v\r\n" % key),
                          (b"VA 1 Z X\r\na\r\n", b"VA 1 X W\r\na\r\n"))
        each(s, b"won", (b"get KEY", found(b"KEY", b"w")))
        for kind in (b"deleted", b"large"):
            each(s, kind, (b"get KEY", END), (b"append KEY 0 0 1\r\nb", NOT_STORED))
        each(s, b"replaced", (b"get KEY", found(b"KEY", b"bb", 3)))
        for timed in (self.kept, self.touched, self.got):
            timed.check(self, s)

    def test_what_was_flushed_while_a_shard_was_away_stays_so(self):
        with LocalCopies(*PATIENT) as c, c.connect() as s:
            each(s, b"old", (b"set KEY 0 0 1\r\na", STORED))
            with c.healing():
                os.kill(c.child("local-3"), signal.SIGKILL)
                talk(s, b"flush_all\r\n", OK)
                each(s, b"new", (b"set KEY 0 0 1\r\na", STORED))
            each(s, b"old", (b"get KEY", END), (b"append KEY 0 0 1\r\nb", NOT_STORED))
            each(s, b"new", (b"get KEY", found(b"KEY", b"a")))


class Coordinated(Tests):
    def job(self, c, *words):
        """What a change of members did, when it is done."""
        return json.loads(c.ctl("nodes", *words, "--json"))

    def test_shards_come_and_go_under_load_and_no_key_is_missed(self):
        with Copied(*PATIENT) as c, load(c, "--preload", "10000") as mix:
            with c.leader.connect() as s:
                kept = Timed(s, b"kept", b"set KEY 0 %d 1\r\na", STORED, 2000)
            c.add("s4").launch()
            come = ("add", "s4=" + c.peers["s4"])
            planned = json.loads(c.ctl("nodes", *come, "--dry-run", "--json"))
            job = self.job(c, *come)
            self.assertEqual(job["status"], "done")
            self.assertAlmostEqual(job["items_done"] / planned["items_sent"], 1, delta=0.2)
            mix.do(500)
            for words in (("weight", "s4", "3"), ("drain", "s2"), ("remove", "s1")):
                self.assertEqual(self.job(c, *words)["status"], "done", words)
                mix.do(500)
            self.flawless_without_errors(mix.stop())
            with c.fronts["f2"].connect() as s:
                kept.check(self, s)
            c.wait_equal()
            names = [node["name"] for node in json.loads(c.ctl("nodes", "list", "--json"))["nodes"]]
            self.assertEqual(sorted(names), ["s2", "s3", "s4"])

    def test_shards_that_are_stopped_in_turn_and_started_again_are_not_missed(self):
        with Copied(*PATIENT) as c, load(c, "--preload", "3000") as mix:
            for shard in c.shards.values():
                with c.healing():
                    shard.stop()
                    mix.do(500)
                    shard.launch()
            self.flawless_without_errors(mix.stop())
            c.wait_equal()

    def test_without_their_leader_the_others_go_on_and_he_goes_on_from_his_file(self):
        with Copied(*PATIENT) as c, load(c, "--preload", "1000") as mix:
            c.leader.kill()
            since = c.epoch()
            mix.do(1000)
            c.leader.launch()
            c.leader.ready()
            with mix.window(), c.healing():
                c.shards["s1"].kill()
                c.shards["s1"].launch()
            self.assertGreater(c.epoch(), since)
            self.flawless(mix.stop())
            c.wait_equal()

    def test_a_damaged_state_file_is_refused_and_left_as_it_is(self):
        with Copied(*PATIENT, fronts=1) as c:
            c.leader.stop()
            whole = c.state()
            self.assertGreater(len(whole), 100)
            for damaged in (whole[:-1], whole + b"\0", whole[:-1] + bytes([whole[-1] ^ 1]),
                            whole[:30], b"hello\n", b""):
                c.set_state(damaged)
                c.leader.launch()
                self.assertEqual(c.leader.wait(), 78)
                self.assertRegex(c.leader.said().splitlines()[-1],
                                 r"\Achcached: no map can be made of what is in %s: its? "
                                 % re.escape(c.folder.name))
                self.assertEqual(c.state(), damaged)
            c.set_state(whole)
            c.leader.launch()
            c.leader.ready()
            c.settle(3)

    def test_what_an_operator_has_changed_outlasts_all_processes(self):
        with Copied(*PATIENT, fronts=1) as c:
            c.ctl("nodes", "weight", "s3", "2")
            c.ctl("nodes", "remove", "s1")
            since = c.settle(2)
            for m in c.members():
                m.kill()
            for m in c.members():
                m.launch()
            self.assertGreater(c.settle(2, since), since)
            nodes = json.loads(c.ctl("nodes", "list", "--json"))["nodes"]
            self.assertEqual({node["name"]: node["weight"] for node in nodes}, {"s2": 1, "s3": 2})


if __name__ == "__main__":
    tap.main()
