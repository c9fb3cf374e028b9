#!/usr/bin/python3 -B
"""The service among its kind: sockets that are passed, what systemd is told, signals."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import unittest

from lib import admin, tap, wire
from lib.cases import STORED, found
from lib.cluster import Copied
from lib.daemon import Daemon, Folder, free_port, freeze, separate, up, wait
from lib.service import Listener, Service, address_of, listening
from lib.wire import stats, talk

OS_REFUSES = 71


def memcache(*sockets):
    return [("memcache", s) for s in sockets]


class Passed(unittest.TestCase):

    def ended(self, *args, sockets):
        """(exit code, stderr) of a daemon that is to end by itself."""
        d = Service(*args, port=0, sockets=sockets)
        try:
            d.start()
            return d.wait(), d.said()
        finally:
            d.end()

    def serves(self, address):
        with wire.connect(address) as s:
            talk(s, b"set a 0 0 1\r\n1\r\nget a\r\n", STORED + found(b"a", b"1"))

    def test_clients_are_served_where_they_are_passed_to(self):
        with Folder() as folder, listening() as one, listening() as two, \
                listening(os.path.join(folder, "s")) as three:
            said = free_port()
            with Service("-p", str(said), port=0, sockets=memcache(one, two, three)) as d:
                for sock in (one, two, three):
                    self.serves(address_of(sock))
                with socket.socket() as s:
                    self.assertNotEqual(s.connect_ex(("127.0.0.1", said)), 0)
                self.assertIn("on the sockets that were passed", d.said())
                self.assertRegex(d.said(), "addresses clients=%s" % address_of(three))
            self.assertTrue(os.path.exists(address_of(three)), "systemd's file was removed")

    def test_who_connects_before_the_start_is_served(self):
        with listening() as sock, wire.connect(address_of(sock)) as early:
            early.sendall(b"version\r\n")
            with Service(port=0, sockets=memcache(sock)):
                self.assertTrue(early.recv(100).startswith(b"VERSION "))

    def test_names_count_and_not_the_order(self):
        with listening() as for_admin, listening() as clients, listening() as peer, \
                listening() as other:
            sockets = [("admin", for_admin), ("what", other), ("memcache", clients),
                       ("peer", peer)]
            with Service("--name", "a", "--peer", address_of(peer), port=0, sockets=sockets) as d:
                other.close()
                self.serves(address_of(clients))
                self.assertEqual(
                    admin.get(address_of(for_admin), "/v1/cluster")["verdict"], "ok")
                with wire.connect(address_of(peer)) as s:   # no client is understood there
                    self.assertNotIn(b"VERSION", wire.until_end(s, b"version\r\n"))
                self.assertRegex(d.said(), "closing a descriptor that was passed.* name=what")

    def test_of_more_sockets_than_there_may_be_the_first_are_served(self):
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(listening()) for _ in range(66)]
            d = Service("--name", "a", "--peer", "127.0.0.1:%d" % free_port(), port=0,
                        sockets=memcache(*socks))
            with d:
                for sock in socks[:64]:
                    self.serves(address_of(sock))
                self.assertEqual(d.said().count("has no use here name=memcache"), 2)

    def test_what_is_no_listening_socket_is_refused(self):
        with socket.socket() as idle:
            code, said = self.ended(sockets=memcache(idle))
            self.assertEqual(code, OS_REFUSES, said)
            self.assertIn('descriptor 3, passed as "memcache", is no stream socket that listens',
                          said)

    def test_a_peer_socket_needs_an_address_that_others_can_be_told(self):
        with listening() as sock:
            code, said = self.ended(sockets=[("peer", sock)])
            self.assertEqual(code, OS_REFUSES, said)
            self.assertIn("use --peer ADDR:PORT", said)

    def test_an_admin_socket_is_of_this_host(self):
        with listening("0.0.0.0") as sock:
            code, said = self.ended(sockets=[("admin", sock)])
            self.assertEqual(code, OS_REFUSES, said)
            self.assertIn("expected an address of this host alone", said)

    def test_a_shard_has_no_use_for_clients(self):
        with listening() as sock:
            d = Service("--role", "shard", "--name", "s", "--peer", "@chcached-test-%d"
                        % os.getpid(), port=0, sockets=memcache(sock))
            with d:
                wait(lambda: "has no use here name=memcache" in d.said(), "the warning")

    @unittest.skipUnless(shutil.which("systemd-socket-activate"),
                         "no systemd-socket-activate: apt-get install systemd")
    def test_systemd_passes_sockets(self):
        port = free_port()
        program = shutil.which("systemd-socket-activate")
        d = Daemon("-l", "127.0.0.1:%d" % port, "--fdname=memcache", Daemon().program,
                   "--http=off", port=0, program=program)
        with d:
            wait(lambda: "Listening" in d.said(), "systemd-socket-activate to listen")
            self.serves("127.0.0.1:%d" % port)


class Told(unittest.TestCase):

    def test_a_service_is_ready_and_stops(self):
        with Folder() as folder:
            for name in (os.path.join(folder, "n"), "@chcached-notify-%d" % os.getpid()):
                with Listener(name) as told, Service(listener=told) as d:
                    told.wait_line("READY=1")
                    self.assertEqual(told.status(),
                                     "serving: 1 of 1 shards up, 1 copy, map epoch 1")
                    d.stop()
                    told.wait_line("STOPPING=1")

    def test_a_reload_is_told_of(self):
        with Listener("@chcached-reload-%d" % os.getpid()) as told, listening() as sock, \
                Service(port=0, listener=told, sockets=memcache(sock)) as d:
            told.wait_line("READY=1")
            os.kill(d.pid, signal.SIGHUP)
            self.assertRegex(told.wait_line("RELOADING=1"), r"\nMONOTONIC_USEC=\d+$")
            told.wait_line("READY=1")
            wait(lambda: "settings were read again applied=0 waiting=0" in d.said(), "the reload")

    def test_who_does_not_listen_holds_nobody_up(self):
        for args in ((), ("--local-shards", "2")):
            with Listener("@chcached-deaf-%d" % os.getpid()) as told, \
                    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
                filler.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    while True:
                        filler.sendto(b"X=1", "\0" + told.name[1:])
                with Service(*args, listener=told) as d, d.connect() as s:
                    talk(s, b"set a 0 0 1\r\n1\r\nget a\r\n", STORED + found(b"a", b"1"))
                    told.wait_line("READY=1")       # it is said when there is room
                    with self.assertRaises(BlockingIOError):
                        while True:
                            filler.sendto(b"X=1", "\0" + told.name[1:])

    def test_the_status_follows_the_shards(self):
        with Listener("@chcached-status-%d" % os.getpid()) as told:
            with Service("--local-shards", "3", "--replicas", "2", "--shard-timeout", "20s",
                         listener=told) as d:
                three = re.compile("STATUS=serving: 3 of 3 shards up, 2 copies, map epoch")
                told.wait(three.match)
                os.kill(d.children()[0], signal.SIGKILL)
                told.wait(re.compile("STATUS=serving: 2 of 3 shards up").match)
                told.wait(three.match)

    def test_a_shard_is_ready_when_it_owns_again(self):
        with Copied(shards=2) as c, Listener("@chcached-again-%d" % os.getpid()) as told:
            with c.leader.connect() as s:
                for i in range(200):
                    talk(s, b"set k%d 0 0 1\r\n1\r\n" % i, STORED)
            with c.healing():
                c.shards["s1"].stop()
                again = Service(*c.shards["s1"].args, port=0, listener=told, name="s1")
                again.start()
                try:
                    told.wait_line("READY=1")
                    status = re.match(r"serving: 2 of 2 shards up, 2 copies, map epoch (\d+)$",
                                      told.status())
                    self.assertTrue(status, told.status())
                    self.assertEqual(
                        c.wait_map(lambda *_: True, "the map of the status", int(status[1]) - 1),
                        (int(status[1]), "stable", 2, 0, 0, 0))
                except BaseException:
                    again.end()
                    raise
                c.shards["s1"] = again

    @unittest.skipUnless(os.geteuid() == 0, "only root may hold a thread of a daemon")
    def test_a_thread_that_is_stuck_stops_the_watchdog(self):
        with Listener("@chcached-dog-%d" % os.getpid()) as told, \
                Service("-t", "2", listener=told, watchdog_s=0.4) as d:
            told.wait_line("WATCHDOG=1")
            told.wait_line("WATCHDOG=1")
            others = [int(t) for t in os.listdir("/proc/%d/task" % d.pid) if int(t) != d.pid]
            with Held(max(others)):      # the last one that was started is a worker
                wait(lambda: "does not take its turns" in d.said(), "the thread to be missed")
                told.drain()
                del told.heard[:]
                wait(lambda: self.has_looked_again(d), "the main thread to go on")
                told.drain()
                self.assertNotIn("WATCHDOG=1", told.heard)
            told.wait_line("WATCHDOG=1")
            wait(lambda: "take their turns again" in d.said(), "the thread to be back")

    def has_looked_again(self, d):
        """It wakes up a number of times, which is seen from outside."""
        def switches():
            with open("/proc/%d/task/%d/status" % (d.pid, d.pid)) as f:
                return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])
        self.since = getattr(self, "since", None) or switches()
        return switches() >= self.since + 5


class Dumps(unittest.TestCase):

    def test_the_state_is_written_to_the_log(self):
        with Copied("-t", "2", shards=2) as c:
            with c.leader.connect() as s:
                talk(s, b"set k 0 0 1\r\n1\r\n", STORED)
            for m in c.members():
                os.kill(m.pid, signal.SIGUSR2)
            for m in c.fronts.values():
                wait(lambda m=m: re.search(
                    r"state: links shards=s1:2/2-open/0-bytes,s2:2/2-open/0-bytes", m.said()), "the dump")
                self.assertRegex(m.said(), r"state: map epoch=\d+ adopted=\d+ phase=stable "
                                           r"copies=2 shards=2 leader=f1 serves=always")
                self.assertRegex(m.said(),
                                 r"members shards=s1:up/weight-1/(silent-\d+ms|unheard),s2:up/")
                self.assertRegex(m.said(), r"clients open=\d+ limit=1024 accepted=\d+")
            for name, m in c.shards.items():
                wait(lambda m=m: re.search(r"state: memory items=1 bytes=[1-9]\d* resident=",
                                           m.said()), "the dump")
                self.assertRegex(m.said(), r"members shards=.*%s:up/weight-1/unheard\b" % name)


class Ends(unittest.TestCase):
    """A TERM: what is begun is finished, and clients see a clean end."""

    def front(self, stack):
        shards, (front,) = separate(1, extra=("--shard-timeout", "20s"))
        for m in shards + [front]:
            stack.enter_context(m)
        up(front, 1)
        return shards[0], front

    def test_all_that_was_asked_is_answered(self):
        batch = b"".join(b"set k%d 0 0 1\r\n1\r\nget k%d\r\n" % (i, i) for i in range(100))
        answers = b"".join(STORED + found(b"k%d" % i, b"1") for i in range(100))
        with contextlib.ExitStack() as stack:
            shard, front = self.front(stack)
            socks = [stack.enter_context(front.connect()) for _ in range(8)]
            freeze(front.pid)           # it learns of the end first, then of all this
            os.kill(front.pid, signal.SIGTERM)
            socks += [stack.enter_context(front.connect()) for _ in range(8)]
            for s in socks:
                s.sendall(batch)
            os.kill(front.pid, signal.SIGCONT)
            for s in socks:
                self.assertEqual(wire.until_end(s, b""), answers)
            self.assertEqual(front.wait(), 0)

    def test_a_shard_that_is_slow_is_waited_for(self):
        with contextlib.ExitStack() as stack:
            shard, front = self.front(stack)
            sock = stack.enter_context(front.connect())
            freeze(shard.pid)
            sock.sendall(b"set k 0 0 1\r\n1\r\nget k\r\n")
            os.kill(front.pid, signal.SIGTERM)
            wait(lambda: "stopping" in front.said(), "the end to begin")
            os.kill(shard.pid, signal.SIGCONT)
            self.assertEqual(wire.until_end(sock, b""), STORED + found(b"k", b"1"))

    def test_a_large_value_that_is_on_its_way_arrives(self):
        value = b"x" * 800000
        with Daemon() as d, d.connect() as sock, d.connect() as idle:
            sock.sendall(b"set k 0 0 %d\r\n" % len(value) + value[:1000])
            wait(lambda: self.has_read(d, 1000), "the beginning to be read")
            os.kill(d.pid, signal.SIGTERM)
            self.assertEqual(wire.until_end(idle, b""), b"")
            self.assertEqual(wire.until_end(sock, value[1000:] + b"\r\n"), STORED)
            self.assertEqual(d.wait(), 0)

    def has_read(self, d, n):
        with d.connect() as s:
            return int(stats(s)["bytes_read"]) >= n

    def test_a_second_one_ends_it_at_once(self):
        with Daemon() as d, d.connect() as sock:
            sock.sendall(b"set k 0 0 100\r\nhalf")
            wait(lambda: self.has_read(d, 19), "the command to be begun")
            os.kill(d.pid, signal.SIGTERM)
            wait(lambda: "stopping" in d.said(), "the end to begin")
            self.assertIsNone(d.process.poll())
            os.kill(d.pid, signal.SIGTERM)
            self.assertEqual(wire.until_end(sock, b""), b"")
            self.assertEqual(d.wait(), 0)


class Held:
    """One thread is held, by ptrace; the others of its process run."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, tid):
        self.tid = tid
        self.libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(self, request):
        if self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.tid),
                            ctypes.c_void_p(0), ctypes.c_void_p(0)) != 0:
            error = ctypes.get_errno()
            raise unittest.SkipTest("no thread can be held: %s" % os.strerror(error))

    def __enter__(self):
        self.ptrace(self.SEIZE)
        self.ptrace(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)

    def __exit__(self, *_):
        self.ptrace(self.DETACH)


if __name__ == "__main__":
    tap.main()
