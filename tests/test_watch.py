#!/usr/bin/python3 -B
"""
One `watch` for the whole cluster: what the clients of all fronts do is told at each of
them, every event once.  Two fronts of three shards, three processes that are both, and
a front with shards of its own.
"""

import contextlib
import subprocess
import unittest

from lib import tap, wire
from lib.cases import DELETED, END, OK, STORED
from lib.cluster import Copied
from lib.daemon import CHCACHECTL, Cluster, Daemon, free_port, separate, up, wait
from lib.wire import ask, stats, talk


def fields(line):
    return dict(word.split("=", 1) for word in line.decode().split())


class Watcher:
    """A client of `front` that watches; `lines` is what it was told."""

    def __init__(self, front, *streams):
        self.sock = front.connect()
        got, _ = wire.exchange(self.sock, b" ".join((b"watch", *streams)) + b"\r\n",
                               lambda got: len(got) >= len(OK))
        if not got.startswith(OK):
            raise AssertionError("watch: %r" % got)
        self.sock.setblocking(False)
        *whole, self.rest = got[len(OK):].split(b"\n")     # it may have begun already
        self.lines = list(map(fields, whole))

    def read(self):
        """What has come by now is in `lines`."""
        with contextlib.suppress(BlockingIOError):
            while data := self.sock.recv(1 << 20):
                *whole, self.rest = (self.rest + data).split(b"\n")
                self.lines += map(fields, whole)

    def told(self, **wanted):
        """The lines with just these fields, as far as they have come."""
        self.read()
        return [line for line in self.lines if wanted.items() <= line.items()]

    def wait(self, **wanted):
        wait(lambda: self.told(**wanted), "a line with %s" % wanted)

    def close(self):
        self.sock.close()


def probe(watcher, sock, key):
    """Gets `key` until the watcher hears of that: what others do is told from here on."""
    def look():
        talk(sock, b"get %b\r\n" % key, END)
        return watcher.told(key=key.decode())
    wait(look, "%s to be told of" % key.decode())
    last(watcher, sock, key + b"-last")


def last(watcher, sock, key):
    """All that `sock` did before is told."""
    talk(sock, b"get %b\r\n" % key, END)
    watcher.wait(key=key.decode())


class Watching:
    """self.fronts: two or more, of one cluster."""

    def setUp(self):
        self.open = contextlib.ExitStack()

    def tearDown(self):
        self.open.close()

    def client(self, i):
        return self.open.enter_context(self.fronts[i].connect())

    def watcher(self, i, *streams):
        w = Watcher(self.fronts[i], *streams)
        self.open.callback(w.close)
        return w

    def relayed(self, i):
        """How many events front `i` has sent to the others."""
        return int(stats(self.client(i))["events_relayed"])

    def test_what_clients_of_all_fronts_do_is_told_once(self):
        watcher = self.watcher(0, b"fetchers", b"mutations", b"deletions")
        clients = [self.client(i) for i in range(len(self.fronts))]
        for i, client in enumerate(clients):
            probe(watcher, client, b"once-probe%d" % i)
        for i, client in enumerate(clients):
            talk(client, b"set once%d 0 100 3\r\nabc\r\nget once%d\r\nms once%d 1\r\nx\r\n"
                 b"delete once%d\r\nget once%d\r\n" % ((i,) * 5),
                 STORED + b"VALUE once%d 0 3\r\nabc\r\n" % i + END + b"HD\r\n" + DELETED + END)
            last(watcher, client, b"once%d-last" % i)
        for i in range(len(self.fronts)):
            told = watcher.told(key="once%d" % i)
            self.assertEqual(
                [(line["type"], line.get("status"), line.get("cmd"), line.get("size"))
                 for line in told],
                [("item_store", "stored", "set", "3"), ("item_get", "found", None, "3"),
                 ("item_store", "stored", "set", "1"), ("deleted", None, "delete", None),
                 ("item_get", "not_found", None, "0")])
            self.assertEqual([line.get("front") for line in told],
                             [self.names[i] if i > 0 else None] * 5)
            self.assertIn(told[0]["ttl"], ("99", "100"))
        self.assertEqual(watcher.told(type="skipped"), [])

    def test_streams_are_filtered(self):
        deletions, all_of_it = self.watcher(0, b"deletions"), self.watcher(0, b"fetchers")
        client = self.client(1)
        probe(all_of_it, client, b"filter-probe")

        def look():
            talk(client, b"set gone 0 0 0\r\n\r\ndelete gone\r\n", STORED + DELETED)
            return deletions.told(key="gone")
        wait(look, "a deletion to be told")
        last(all_of_it, client, b"filter-last")
        self.assertEqual({line["type"] for line in deletions.lines}, {"deleted"})
        self.assertEqual({line["type"] for line in all_of_it.lines}, {"item_get"})

    def test_clients_that_come_and_go_elsewhere_are_told(self):
        watcher = self.watcher(0, b"connevents")

        def look():
            with self.fronts[1].connect() as other:
                ports.append(str(other.getsockname()[1]))
                talk(other, b"mn\r\n", b"MN\r\n")
            return watcher.told(type="conn_new", front=self.names[1], rport=ports[-1])
        ports = []
        wait(look, "a client to be told")
        port = watcher.told(type="conn_new", front=self.names[1])[-1]["rport"]
        watcher.wait(type="conn_close", front=self.names[1], rport=port)
        self.assertEqual(len(watcher.told(type="conn_new", rport=port)), 1)

    def test_two_fronts_watch_each_other(self):
        watchers = [self.watcher(i, b"fetchers") for i in (0, 1)]
        clients = [self.client(i) for i in (0, 1)]
        probe(watchers[0], clients[1], b"each-probe1")
        probe(watchers[1], clients[0], b"each-probe0")
        for n in range(50):
            for i, client in enumerate(clients):
                talk(client, b"get each%d-%d\r\n" % (i, n), END)
        for watcher in watchers:
            for i, client in enumerate(clients):
                last(watcher, client, b"each-last%d" % i)
            for i in (0, 1):
                for n in range(50):
                    self.assertEqual(len(watcher.told(key="each%d-%d" % (i, n))), 1)

    def test_watchers_of_all_threads_are_told(self):
        watchers = [self.watcher(0, b"fetchers") for _ in range(6)]
        clients = [self.client(1) for _ in range(6)]
        for watcher in watchers:
            for i, client in enumerate(clients):
                probe(watcher, client, b"thread-probe%d" % i)
        for i, client in enumerate(clients):
            talk(client, b"get thread%d\r\n" % i, END)
        for watcher in watchers:
            for i, client in enumerate(clients):
                last(watcher, client, b"thread-last%d" % i)
                self.assertEqual(len(watcher.told(key="thread%d" % i)), 1)

    def test_nothing_is_sent_on_when_nobody_watches_any_more(self):
        client = self.client(1)
        watcher = self.watcher(0, b"fetchers")
        probe(watcher, client, b"leave-probe")
        self.assertGreater(self.relayed(1), 0)
        watcher.close()

        def look():
            before = self.relayed(1)
            talk(client, b"get leave\r\n" * 10, END * 10)
            return self.relayed(1) == before
        wait(look, "the events to stay where they are")

    def test_what_is_missed_is_counted(self):
        watcher, client = self.watcher(0, b"fetchers"), self.client(1)
        probe(watcher, client, b"missed-probe")
        n, before, sent = 30000, len(watcher.lines), 0
        talk(client, b"get missed\r\n" * n, END * n)

        def look():             # the first of them may be missed, too
            nonlocal n
            talk(client, b"get missed-again\r\n", END)
            n += 1
            return watcher.told(key="missed-again")
        wait(look, "events to find room again")
        told = skipped = 0
        while told + skipped < n + sent:        # those of the last page are told with the next
            self.assertLess(sent, 10)
            last(watcher, client, b"missed-behind%d" % sent)
            sent += 1
            lines = watcher.lines[before:]
            told = sum(line.get("key", "").startswith("missed") for line in lines)
            skipped = sum(int(line.get("skipped", 0)) for line in lines)
        self.assertEqual(told + skipped, n + sent)
        self.assertGreater(skipped, 0)


class OfTwoFronts(Watching, unittest.TestCase):
    """By a list, with nobody who leads: there are no pings."""

    names = ["f1", "f2"]

    @classmethod
    def setUpClass(cls):
        cls.shards, cls.fronts = separate(3, fronts=2)
        for i, front in enumerate(cls.fronts):
            front.args += ["--name", cls.names[i], "-t", "2"]
        cls.fronts[1].args += ["-W"]
        cls.stack = contextlib.ExitStack()
        for d in (*cls.shards, *cls.fronts):
            cls.stack.enter_context(d)
        for front in cls.fronts:
            up(front, 3)

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def test_two_fronts_watch_each_other(self):
        """The second front has -W: it may not be watched, but is told of all the same."""
        talk(self.client(1), b"watch\r\n", b"CLIENT_ERROR watch commands not allowed\r\n")

    def test_chcachectl_shows_what_clients_of_other_fronts_do(self):
        client = self.client(1)
        p = subprocess.Popen([CHCACHECTL, "--server", self.fronts[0].address, "monitor",
                              "--limit", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def look():
            talk(client, b"get monitored\r\n", END)
            return p.poll() is not None
        wait(look, "a line to be shown")
        out, err = p.communicate()
        self.assertEqual((p.returncode, err), (0, b""))
        self.assertIn(b" key=monitored status=not_found ", out)
        self.assertTrue(out.endswith(b" front=f2\n"), out)


class OfThreeThatAreBoth(Watching, unittest.TestCase):
    names = ["n1", "n2", "n3"]

    @classmethod
    def setUpClass(cls):
        peers = ["127.0.0.1:%d" % free_port() for _ in cls.names]
        listed = ["--shard=%s=%s" % pair for pair in zip(cls.names, peers)]
        cls.fronts = [Daemon("--name", name, "--peer", peer, *listed, "-t", "2", name=name)
                      for name, peer in zip(cls.names, peers)]
        cls.stack = contextlib.ExitStack()
        for front in cls.fronts:
            cls.stack.enter_context(front)
        for front in cls.fronts:
            wait(lambda f=front: cls.serves(f), "all shards to be up")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @staticmethod
    def serves(front):
        with front.connect() as s:
            return ask(s, b"".join(b"touch k%d 0\r\n" % i for i in range(100))) \
                == b"NOT_FOUND\r\n" * 100


class OfLocalShards(unittest.TestCase):
    def test_a_front_that_is_alone_sends_nothing_on(self):
        with Cluster("-t", "2") as front, front.connect() as client:
            watcher = Watcher(front, b"fetchers")
            for n in range(100):
                talk(client, b"get alone%d\r\n" % n, END)
                watcher.wait(key="alone%d" % n)
            self.assertEqual(len([line for line in watcher.lines
                                  if line.get("key", "").startswith("alone")]), 100)
            self.assertEqual(stats(client)["events_relayed"], "0")
            watcher.close()


class Lost(unittest.TestCase):
    """Shards that go and come again while somebody watches."""

    def test_a_shard_that_is_killed_takes_the_watch_with_it_for_a_moment_only(self):
        with Copied(shards=3, fronts=2) as c:
            watcher = Watcher(c.fronts["f1"], b"fetchers")
            with c.fronts["f2"].connect() as client:
                probe(watcher, client, b"before")
                for name in ("s1", "s2", "s3"):
                    with c.healing():
                        c.shards[name].kill()
                        probe(watcher, client, b"without-" + name.encode())
                        c.shards[name].start()
                    probe(watcher, client, b"with-" + name.encode())
                self.assertEqual(len(watcher.told(key="before-last")), 1)
                self.assertEqual(len(watcher.told(key="with-s3-last")), 1)
            watcher.close()


if __name__ == "__main__":
    tap.main()
