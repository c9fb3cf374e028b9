#!/usr/bin/python3
"""HAProxy and nginx, as contrib/ has them, before two fronts that come and go."""

import os
import threading
import unittest

from lib import balancer, tap, wire
from lib.balancer import HAProxy, Nginx
from lib.cluster import Copied
from lib.daemon import wait

CLIENTS = 4
REQUESTS = 20               # of a connection, each a set and a get


class Clients:
    """Connect, set and get, disconnect, again and again; what went wrong is kept."""

    def __init__(self, address):
        self.address = address
        self.stopping = threading.Event()
        self.wrong = []
        self.done = [0] * CLIENTS
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, me):
        while not self.stopping.is_set():
            try:
                with wire.connect(self.address) as sock:
                    for _ in range(REQUESTS):
                        self.one(me, sock)
            except (OSError, AssertionError) as e:
                self.wrong.append(repr(e))

    def one(self, me, sock):
        key, value = b"client%d" % me, b"%d" % self.done[me]
        wire.talk(sock, b"set %b 0 0 %d\r\n%b\r\nget %b\r\n" % (key, len(value), value, key),
                  b"STORED\r\nVALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value))
        self.done[me] += 1

    def go_on(self):
        """Until each has had some more connections."""
        since = list(self.done)
        wait(lambda: all(n > was + 3 * REQUESTS for n, was in zip(self.done, since)),
             "all clients to be served: %s" % self.wrong[-3:])


class Balanced:
    """Two fronts of one cluster, and a balancer before them."""

    @classmethod
    def setUpClass(cls):
        if balancer.program(cls.program) is None or not os.path.exists(cls.file):
            raise unittest.SkipTest("no %s: apt-get install %s" % (cls.program, cls.package))
        cls.cluster = Copied(shards=3, replicas=2, fronts=2)
        cls.cluster.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def balancer(self):
        return self.kind(self.cluster.addresses())

    def start_again(self, front):
        front.start()
        wait(lambda: self.cluster.serves(front), "%s to serve" % front.name)

    def test_the_next_connection_after_a_death_is_served(self):
        front = self.cluster.fronts["f2"]
        with self.balancer() as b:
            front.kill()
            try:
                for i in range(10):
                    with b.connect() as sock:
                        self.assertEqual(wire.ask(sock, b"set a%d 0 0 1\r\nx\r\n" % i),
                                         b"STORED\r\n")
            finally:
                self.start_again(front)

    def test_both_fronts_have_clients(self):
        fronts = self.cluster.fronts.values()
        with self.balancer() as b:
            before = [self.sets(front) for front in fronts]
            with Clients(b.address) as clients:
                clients.go_on()
            self.assertEqual(clients.wrong, [])
            self.assertTrue(all(self.sets(front) > was for front, was in zip(fronts, before)))

    def sets(self, front):
        with front.connect() as sock:
            return int(wire.stats(sock)["cmd_set"])

    def test_who_is_connected_to_a_front_that_stops_is_disconnected_and_served_again(self):
        front = self.cluster.fronts["f2"]
        with self.balancer() as b, Clients(b.address) as clients:
            clients.go_on()
            front.stop()
            try:
                clients.go_on()
            finally:
                self.start_again(front)
            clients.go_on()
        self.assertLessEqual(len(clients.wrong), 2 * CLIENTS, clients.wrong)
        for words in clients.wrong:         # no wrong answer, no error: a connection's end
            self.assertRegex(words, "<end>|ConnectionReset|BrokenPipe")


class BehindHAProxy(Balanced, unittest.TestCase):
    program, package, file = "haproxy", "haproxy", "/"
    kind = HAProxy

    def test_fronts_that_are_drained_are_restarted_unnoticed(self):
        with self.balancer() as b, Clients(b.address) as clients:
            for name, front in self.cluster.fronts.items():
                clients.go_on()
                b.ask("set server fronts/%s state drain" % name)
                wait(lambda n=name: b.server(n)["scur"] == "0", "%s to be drained" % name)
                front.stop()
                self.start_again(front)
                b.ask("set server fronts/%s state ready" % name)
                wait(lambda n=name: b.server(n)["status"] == "UP", "%s to be up" % name)
            clients.go_on()
        self.assertEqual(clients.wrong, [])


class BehindNginx(Balanced, unittest.TestCase):
    program, package = "nginx", "nginx libnginx-mod-stream"
    file = "/usr/lib/nginx/modules/ngx_stream_module.so"
    kind = Nginx


if __name__ == "__main__":
    tap.main()
