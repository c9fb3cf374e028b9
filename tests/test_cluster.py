#!/usr/bin/python3 -B
"""Clusters of real processes: what a client sees when some of them die."""

import os
import re
import signal
import socket
import struct
import unittest

from lib import tap, wire
from lib.cases import END, ERROR, STORED, found, value
from lib.daemon import (RUNTIME, SEEN, Cluster, Daemon, Folder, Lone, free_port, freeze,
                        is_alive, separate, states, up, wait)
from lib.wire import ask, stats, talk, until_end

KEYS = [b"key%d" % i for i in range(300)]


def store(sock, keys=KEYS):
    talk(sock, b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (k, len(k), k) for k in keys),
         STORED * len(keys))


def get_all(keys=KEYS):
    return b"get " + b" ".join(keys) + b"\r\n"


def all_of(keys=KEYS):
    return b"".join(value(k, k) for k in keys) + END


def held(sock, keys=KEYS):
    """The keys that a get finds; all that comes must be VALUEs in order, then END."""
    got = ask(sock, get_all(keys))
    kept = [k for k in keys if value(k, k) in got]
    if got != all_of(kept):
        raise AssertionError("between VALUE and END: %r" % got)
    return kept


def try_set(sock, key):
    return ask(sock, b"set %b 0 0 %d\r\n%b\r\n" % (key, len(key), key))


def refusal(name):
    return b"SERVER_ERROR shard %b: " % name.encode()


class LocalShards(unittest.TestCase):
    def test_a_killed_shard_costs_its_own_keys_only_and_comes_back(self):
        with Cluster() as c, c.connect() as s:
            store(s)
            self.assertEqual(held(s), KEYS)
            children = {name: c.child(name) for name in c.shards}
            os.kill(children["local-2"], signal.SIGKILL)
            wait(lambda: len(held(s)) < len(KEYS), "the front to notice")
            kept = held(s)
            lost = [k for k in KEYS if k not in kept]
            self.assertTrue(len(KEYS) / 6 < len(lost) < len(KEYS) / 2, len(lost))

            # Others do not suffer; its own writes are refused until it is back.
            for k in kept:
                talk(s, b"set %b 0 0 %d\r\n%b\r\n" % (k, len(k), k), STORED)
            for k in lost:
                got = try_set(s, k)
                self.assertTrue(got == STORED or got.startswith(refusal("local-2")), got)
            c.wait_up()
            self.assertNotEqual(c.child("local-2"), children["local-2"])
            for name in ("local-1", "local-3"):
                self.assertEqual(c.child(name), children[name])

            # It owns what it owned: by the same name the same keys.
            store(s)
            self.assertEqual(held(s), KEYS)
            os.kill(c.child("local-2"), signal.SIGKILL)
            wait(lambda: len(held(s)) < len(KEYS), "the front to notice")
            self.assertEqual(held(s), kept)
            c.wait_up()

    def test_all_killed_at_once_come_back(self):
        with Cluster() as c, c.connect() as s:
            store(s)
            for pid in c.children():
                os.kill(pid, signal.SIGKILL)
            wait(lambda: held(s) == [], "the front to notice")
            c.wait_up()
            store(s)
            self.assertEqual(held(s), KEYS)

    def test_children_die_with_their_parent(self):
        c = Cluster().start()
        self.addCleanup(c.end)
        children = c.children()
        self.assertEqual(len(children), 3)
        c.kill()
        wait(lambda: not any(is_alive(pid) for pid in children), "the children to end")

    def test_a_stop_leaves_no_sockets_behind(self):
        with Cluster() as cluster:
            self.assertIn("chcached-%d" % cluster.port, os.listdir(RUNTIME))
        self.assertNotIn("chcached-%d" % cluster.port, os.listdir(RUNTIME))

    def test_children_stop_with_their_parent(self):
        c = Cluster().start()
        self.addCleanup(c.end)
        children = c.children()
        c.stop()
        self.assertEqual([pid for pid in children if is_alive(pid)], [])

    def test_a_shard_that_dies_again_and_again_does_not_harm_the_rest(self):
        with Cluster() as c, c.connect() as s:
            store(s)
            seen = set()
            while len(seen) < 6:
                pid = wait(lambda: c.child("local-1"), "the child to be started again")
                os.kill(pid, signal.SIGKILL)
                seen.add(pid)
                self.assertGreater(len(held(s)), len(KEYS) / 2)
            c.wait_up()
            store(s)
            self.assertEqual(held(s), KEYS)

            # Each time the front waits longer before the next start.
            delays = [int(ms) for ms in re.findall(
                r"starting it again in (\d+) ms shard=local-1 ", c.said())]
            self.assertGreaterEqual(len(delays), 6)
            self.assertEqual(delays, sorted(delays))
            self.assertGreater(delays[-1], delays[0])

    def test_a_frozen_shard_is_given_up_until_it_goes_on(self):
        with Cluster("--shard-timeout", "1s") as c, c.connect() as s:
            store(s)
            frozen = c.child("local-3")
            freeze(frozen)
            try:
                kept = held(s)
                self.assertTrue(0 < len(kept) < len(KEYS))
                lost = [k for k in KEYS if k not in kept]
                self.assertTrue(try_set(s, lost[0]).startswith(refusal("local-3")))
                self.assertEqual(held(s, kept), kept)
            finally:
                os.kill(frozen, signal.SIGCONT)
            c.wait_up()
            store(s)
            self.assertEqual(held(s), KEYS)

    def test_answers_keep_their_order_while_a_shard_dies(self):
        with Cluster() as c, c.connect() as s:
            store(s)
            out = b"".join(b"get %b\r\nfoo\r\n" % k for k in KEYS * 20)
            s.sendall(out[:len(out) // 2])
            os.kill(c.child("local-1"), signal.SIGKILL)
            got = ask(s, out[len(out) // 2:])
            at = 0
            for k in KEYS * 20:
                for answer in (found(k, k) + ERROR, END + ERROR):
                    if got.startswith(answer, at):
                        at += len(answer)
                        break
                else:
                    self.fail("for %r: %r" % (k, got[at:at + 60]))
            self.assertEqual(at, len(got))

    def test_memory_is_for_all_of_them_together(self):
        with Cluster("-m", "60") as c, c.connect() as s:
            self.assertLessEqual(int(stats(s)["limit_maxbytes"]), 60 << 20)
            self.assertGreater(int(stats(s)["limit_maxbytes"]), 59 << 20)

    def test_keys_are_spread_over_all_shards(self):
        with Cluster() as c, c.connect() as s:
            store(s)
            told = stats(s, b"shards")
            items = [int(told["%s:curr_items" % name]) for name in c.shards]
            self.assertEqual(sum(items), len(KEYS))
            self.assertTrue(all(len(KEYS) / 6 < n < len(KEYS) / 2 for n in items), items)

    def test_children_take_their_name_from_the_front(self):
        c = Cluster("--name", "west")
        c.shards = ["west-1", "west-2", "west-3"]
        with c:
            self.assertEqual(sorted(states(c)), c.shards)

    def test_one_local_shard_is_a_cluster_too(self):
        with Cluster(n=1) as c, c.connect() as s:
            store(s)
            self.assertEqual(held(s), KEYS)

    def test_two_clusters_on_one_machine_do_not_meet(self):
        with Cluster() as one, Cluster() as two:
            with one.connect() as s, two.connect() as t:
                store(s)
                self.assertEqual(held(t), [])


def unix_connections(name):
    """How many connections there are to that socket, as the kernel tells."""
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f]
    return sum(row[5] == "03" for row in rows if row[-1] == name)


class Separate(unittest.TestCase):
    def start(self, shards, fronts):
        for daemon in shards + fronts:
            daemon.start()
            self.addCleanup(daemon.end)
        for front in fronts:
            up(front, len(shards))

    def stop(self, daemons):
        for daemon in daemons:
            daemon.stop()

    def check_two_fronts(self, folder):
        shards, fronts = separate(3, folder, fronts=2)
        self.start(shards, fronts)
        with fronts[0].connect() as one, fronts[1].connect() as two:
            store(one)
            talk(two, get_all(), all_of())
            talk(two, b"".join(b"append %b 0 0 1\r\n!\r\n" % k for k in KEYS),
                 STORED * len(KEYS))
            talk(one, get_all(), b"".join(value(k, k + b"!") for k in KEYS) + END)

            # One front's token is good at the other.
            line = ask(one, b"gets key0\r\n").split()
            talk(two, b"cas key0 0 0 1 %b\r\nx\r\n" % line[4], STORED)
            talk(one, b"get key0\r\nflush_all\r\n", found(b"key0", b"x") + b"OK\r\n")
            talk(two, get_all(), END)
        self.stop(fronts + shards)

    def test_two_fronts_see_each_others_writes_over_tcp(self):
        self.check_two_fronts(None)

    def test_two_fronts_see_each_others_writes_over_unix_sockets(self):
        with Folder() as folder:
            self.check_two_fronts(folder)

    def test_a_shard_of_the_same_host_is_reached_by_unix_socket(self):
        shards, fronts = separate(3, None)
        self.start(shards, fronts)
        with fronts[0].connect() as s:
            addresses = [v for k, v in stats(s, b"shards").items() if k.endswith(":address")]
            store(s)
        self.assertEqual(len(addresses), 3)
        for address in addresses:
            self.assertRegex(address, r"\A127\.0\.0\.1:\d+\Z")
            self.assertGreater(unix_connections("@chcached/" + address), 0)
        self.stop(fronts + shards)

    def check_a_dead_shard(self, folder):
        shards, fronts = separate(3, folder)
        self.start(shards, fronts)
        front = fronts[0]
        with front.connect() as s:
            store(s)
            shards[1].kill()
            wait(lambda: states(front)["s2"] == "down", "s2 to be down")
            kept = held(s)
            lost = [k for k in KEYS if k not in kept]
            self.assertTrue(len(KEYS) / 6 < len(lost) < len(KEYS) / 2, len(lost))
            for request in (b"set %b 0 0 1\r\nX\r\n", b"add %b 0 0 1\r\nX\r\n",
                            b"cas %b 0 0 1 5\r\nX\r\n", b"append %b 0 0 1\r\nX\r\n",
                            b"delete %b\r\n", b"incr %b 1\r\n", b"touch %b 0\r\n"):
                got = ask(s, request % lost[0])
                self.assertRegex(got, rb"\ASERVER_ERROR shard s2: [^\r\n]+\r\n\Z", request)
            self.assertEqual(ask(s, b"set %b 0 0 1 noreply\r\nX\r\n" % lost[0]), b"")
            self.assertEqual(ask(s, b"gat 0 %b %b\r\n" % (lost[0], kept[0])),
                             found(kept[0], kept[0]))
            self.assertGreater(int(stats(s)["curr_items"]), 0)
            self.assertRegex(ask(s, b"flush_all\r\n"), rb"\A(OK|SERVER_ERROR .*)\r\n\Z")

            # The same command line again, and all is well: no front was told.
            shards[1].start()
            up(front, 3)
            store(s)
            self.assertEqual(held(s), KEYS)
            with front.connect() as t:
                self.assertEqual(held(t), KEYS)
        self.stop(fronts + shards)

    def test_a_dead_shards_keys_are_misses_and_its_writes_refused_tcp(self):
        self.check_a_dead_shard(None)

    def test_a_dead_shards_keys_are_misses_and_its_writes_refused_unix(self):
        with Folder() as folder:
            self.check_a_dead_shard(folder)

    def test_a_shard_that_stops_in_order_is_missed_the_same_way(self):
        shards, fronts = separate(2)
        self.start(shards, fronts)
        with fronts[0].connect() as s:
            store(s)
            shards[0].stop()
            wait(lambda: states(fronts[0])["s1"] == "down", "s1 to be down")
            kept = held(s)
            self.assertTrue(0 < len(kept) < len(KEYS))
            shards[0].start()
            up(fronts[0], 2)
            store(s)
        self.stop(fronts + shards)

    def test_a_front_may_start_before_its_shards(self):
        shards, fronts = separate(2)
        fronts[0].start()
        self.addCleanup(fronts[0].end)
        with fronts[0].connect() as s:
            self.assertEqual(held(s), [])
            self.assertTrue(try_set(s, b"a").startswith(b"SERVER_ERROR shard s"))
            self.start(shards, [])
            up(fronts[0], 2)
            store(s)
            self.assertEqual(held(s), KEYS)
        self.stop(fronts + shards)

    def test_a_front_killed_leaves_the_data(self):
        shards, fronts = separate(2, fronts=2)
        self.start(shards, fronts)
        with fronts[0].connect() as s:
            store(s)
        fronts[0].kill()
        with fronts[1].connect() as s:
            self.assertEqual(held(s), KEYS)
        self.stop(fronts[1:] + shards)

    def test_a_shard_of_another_name_or_cluster_is_not_spoken_to(self):
        port = free_port()
        shard = Daemon("--role", "shard", "--name", "s1", "--peer", "127.0.0.1:%d" % port,
                       port=0)
        right = ["--role", "front", "--shard", "s1=127.0.0.1:%d" % port]
        with shard, Daemon(*right) as front:
            up(front, 1)
            for args in (["--role", "front", "--shard", "s9=127.0.0.1:%d" % port],
                         right + ["--cluster", "other"]):
                with self.subTest(args=args), Daemon(*args) as wrong, wrong.connect() as s:
                    self.assertRegex(try_set(s, b"a"), rb"\ASERVER_ERROR shard s[19]: ")
                    self.assertEqual(list(states(wrong).values()), ["down"])
            with front.connect() as s:
                self.assertEqual(ask(s, b"get a\r\n"), END)

    def test_weight_gives_a_shard_more_keys(self):
        ports = [free_port(), free_port()]
        shards = [Daemon("--role", "shard", "--name", name, "--peer", "127.0.0.1:%d" % port,
                         port=0) for name, port in zip(("s1", "s2"), ports)]
        fronts = [Daemon("--role", "front", "--shard", "s1=127.0.0.1:%d" % ports[0],
                         "--shard", "s2=127.0.0.1:%d*5" % ports[1])]
        self.start(shards, fronts)
        with fronts[0].connect() as s:
            store(s)
            told = stats(s, b"shards")
        one, two = int(told["s1:curr_items"]), int(told["s2:curr_items"])
        self.assertEqual(one + two, len(KEYS))
        self.assertGreater(two, 2 * one)
        self.stop(fronts + shards)

    def test_three_equal_members_are_one_cache(self):
        names = ["n1", "n2", "n3"]
        listed = ["--shard=%s=127.0.0.1:%d" % (name, free_port()) for name in names]
        members = [Daemon("--name", name, *listed, name=name) for name in names]
        for member in members:
            member.start()
            self.addCleanup(member.end)
        for member in members:
            up(member, 3)
        socks = [member.connect() for member in members]
        for sock in socks:
            self.addCleanup(sock.close)
        for i, k in enumerate(KEYS):
            talk(socks[i % 3], b"set %b 0 0 %d\r\n%b\r\n" % (k, len(k), k), STORED)
        for sock in socks:
            talk(sock, get_all(), all_of())

        # Any one may go, and come back.
        members[2].kill()
        for member in members[:2]:
            wait(lambda m=member: states(m)["n3"] == "down", "n3 to be down")
        kept = [held(sock) for sock in socks[:2]]
        self.assertEqual(kept[0], kept[1])
        self.assertTrue(len(KEYS) / 2 < len(kept[0]) < len(KEYS))
        members[2].start()
        for member in members:
            up(member, 3)
        store(socks[0])
        with members[2].connect() as sock:
            self.assertEqual(held(sock), KEYS)
        self.stop(members)


class Addresses(unittest.TestCase):
    """Clients and members are never mixed."""

    FRAMES = [
        # A hello, a ping, a get: length, operation, status, key length, version.
        struct.pack("<IBBHQ", 0, 0x01, 0, 0, 0),
        struct.pack("<IBBHQ", 0, 0x03, 0, 0, 0),
        struct.pack("<IBBHQ", 1, 0x10, 0, 1, 0) + b"a",
        struct.pack("<IBBHQ", 0xffffffff, 0x14, 0, 1, 0) + b"a" * 1000,
        b"\x80" + b"\x00" * 23,
    ]

    def test_the_peer_address_takes_no_commands(self):
        peer = "127.0.0.1:%d" % free_port()
        with Daemon("--role", "shard", "--name", "s1", "--peer", peer, port=0), \
                Daemon("--role", "front", "--shard", "s1=" + peer) as front:
            up(front, 1)
            for line in (b"set a 0 0 1\r\nX\r\n", b"version\r\n", b"stats\r\n",
                         b"flush_all\r\n" * 10, b"GET / HTTP/1.1\r\n\r\n", b"\n" * 100,
                         b"\x00" * 100, b"\xff" * 100, *self.FRAMES[1:]):
                with self.subTest(line=line[:30]), wire.connect(peer) as s:
                    s.sendall(line)
                    s.shutdown(socket.SHUT_WR)
                    got = until_end(s, b"")
                    for word in (b"STORED", b"VERSION", b"STAT ", b"OK\r\n", b"END"):
                        self.assertNotIn(word, got)
            with front.connect() as s:
                talk(s, b"get a\r\n", END)
                store(s)

    def test_a_both_opens_no_peer_address_unless_told(self):
        with Lone(*SEEN) as d:
            with open("/proc/net/tcp") as f:
                inodes = {line.split()[9] for line in f if line.split()[3] == "0A"}
            mine = set()
            for fd in os.listdir("/proc/%d/fd" % d.pid):
                target = os.readlink("/proc/%d/fd/%s" % (d.pid, fd))
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    mine.add(target)
            self.assertEqual(len(mine), 1)

    def test_the_client_address_knows_no_verbs_of_members(self):
        with Cluster() as c:
            for frame in self.FRAMES:
                with self.subTest(frame=frame[:20]), c.connect() as s:
                    s.sendall(frame + b"\r\n")
                    s.shutdown(socket.SHUT_WR)
                    got = until_end(s, b"")
                    self.assertLess(len(got), 200)
                    for line in got.split(b"\r\n")[:-1]:
                        self.assertRegex(line, rb"\A(ERROR|CLIENT_ERROR .*)\Z")
            with c.connect() as s:
                for word in (b"hello", b"map", b"apply a", b"lease", b"move", b"ring"):
                    talk(s, word + b"\r\n", ERROR)
                store(s)


if __name__ == "__main__":
    tap.main()
