#!/usr/bin/python3 -B
"""A front becomes the program that is installed now, and its clients do not notice."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import unittest

from lib import admin, packet, tap, wire
from lib.cases import END, STORED, found
from lib.cluster import Copied
from lib.daemon import CHCACHED, SEEN, Folder, freeze, separate, up, wait
from lib.service import Listener, Service, address_of, listening
from lib.steady import go_on, load
from lib.wire import stats, talk

DONE = "upgraded: going on for the clients"
REFUSED = "not upgraded"
OS_ERROR = 71
# It says more than a pipe holds, and then what it is about.
LENGTHY = """#!/bin/sh
head -c 300000 /dev/zero | tr '\\0' '\\n'
echo no such thing, at last >&2
exit 1
"""


def install(path, program=CHCACHED):
    """As a package does: another file is renamed to that path."""
    shutil.copy(program, path + ".new")
    os.rename(path + ".new", path)


def times(front, words):
    return front.said().count(words)


def upgrade(front, words=DONE):
    """Asks for it, and waits for these words of the program after it."""
    before = times(front, words)
    os.kill(front.pid, signal.SIGUSR1)
    wait(lambda: times(front, words) > before, "the log to say: %s\n%s"
         % (words, front.said()[-2000:]))


class Heir(Service):
    """A program that an exec left a file and sockets to, which nobody else has."""

    def __init__(self, kept, sockets, **more):
        super().__init__("--http", "off", **more)
        self.file = os.memfd_create("kept")
        os.write(self.file, kept)
        self.left = sockets

    def _popen(self, args, env):
        fds = [self.file, *(s.fileno() for s in self.left)]
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r go; exec "$0" "$@"', *args], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=self.stderr, pass_fds=fds,
            env={**env, "CHCACHED_KEPT": str(self.file)})
        os.close(self.file)
        for s in self.left:
            s.close()
        with process.stdin as stdin:
            stdin.write(b"go\n")
        return process


class Fronts(unittest.TestCase):
    """One front, of a program that may be replaced, and its shard."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(Folder())
        self.program = os.path.join(self.folder, "chcached")
        install(self.program)

    def front(self, *args, **more):
        front = self.stack.enter_context(self.front_to_start(*args, **more))
        if front.port:
            up(front, 2)
        return front

    def front_to_start(self, *args, **more):
        shards, (front,) = separate(2, self.folder, extra=("--shard-timeout", "20s"))
        for s in shards:
            self.stack.enter_context(s)
        self.shards = shards
        return Service(*front.args, "--http", "off", *args, program=self.program, name="front",
                       **more)

    def test_requests_and_connects_do_not_fail(self):
        front = self.front(*SEEN)
        pid = front.pid
        with load(front.address) as clients:
            for _ in range(5):
                go_on(clients)
                install(self.program)
                upgrade(front)
            go_on(clients)
        self.assertEqual(front.pid, pid)
        self.assertIsNone(front.process.poll())
        self.assertEqual(os.readlink("/proc/%d/exe" % pid), self.program)

    def test_clients_that_wait_do_not_notice(self):
        front = self.front()
        with front.connect() as text, front.connect() as binary, front.connect() as silent:
            talk(text, b"set a 0 0 1\r\n1\r\n", STORED)
            self.assertEqual(packet.ask(binary, b""), [])
            upgrade(front)
            talk(text, b"get a\r\n", found(b"a", b"1"))
            for sock in (binary, silent):
                self.assertTrue(packet.same(packet.ask(sock, packet.packet(packet.GET, b"a")),
                                            [packet.says(packet.GET, value=b"1", flags=0)]))

    def test_half_a_command_is_not_lost(self):
        front = self.front()
        value = b"v" * 100000
        with front.connect() as line, front.connect() as block, front.connect() as keys:
            line.sendall(b"get mis")
            block.sendall(b"set b 0 0 %d\r\n" % len(value) + value[:70000])
            keys.sendall(b"get " + b" ".join(b"k%d" % i for i in range(3000)))
            self.wait_read(front, 70000)
            upgrade(front)
            talk(line, b"sing\r\n", END)
            talk(block, value[70000:] + b"\r\nget b\r\n", STORED + found(b"b", value))

    def test_half_of_anything_that_is_not_text_is_not_lost(self):
        front = self.front()
        value = b"v" * 100000
        set_b = packet.store(packet.SET, b"b", value)
        get_b = packet.packet(packet.GET, b"b")
        meta = b"ms m %d T0 F7\r\n" % len(value) + value + b"\r\n"
        halves = [(set_b, 10), (set_b, 24), (set_b, 27), (set_b, 60000), (get_b, 24),
                  (meta, 5), (meta, 17), (meta, 60000), (meta, len(meta) - 1)]
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(front.connect()) for _ in halves]
            for sock, (whole, at) in zip(socks, halves):
                sock.sendall(whole[:at])
            self.wait_read(front, sum(at for _, at in halves))
            upgrade(front)
            for sock, (whole, at) in zip(socks, halves):
                if whole is meta:
                    talk(sock, whole[at:] + b"mg m v f\r\n",
                         b"HD\r\nVA %d f7\r\n" % len(value) + value + b"\r\n")
                    continue
                said = [packet.says(packet.GET, value=value, flags=0)]
                if whole is set_b:
                    said[:0] = [packet.says(packet.SET, cas=packet.SOME)]
                    whole += get_b
                self.assertTrue(packet.same(packet.ask(sock, whole[at:]), said), at)

    def wait_read(self, front, n):
        def read():
            with front.connect() as s:
                return int(stats(s)["bytes_read"]) >= n
        wait(read, "the front to have read it")

    def test_answers_that_nobody_reads_yet_are_not_lost(self):
        front = self.front()
        value = b"v" * 500000
        with front.connect() as sock:
            talk(sock, b"set a 0 0 %d\r\n%b\r\n" % (len(value), value), STORED)
            sock.sendall(b"get a\r\n" * 40)
            upgrade(front)
            talk(sock, b"", found(b"a", value) * 40)

    def test_who_waits_for_a_shard_too_long_sees_a_clean_end(self):
        front = self.front()
        with front.connect() as waits, front.connect() as watches, front.connect() as idle:
            talk(watches, b"watch\r\n", b"OK\r\n")
            for s in self.shards:
                freeze(s.pid)
            waits.sendall(b"get a\r\n")
            upgrade(front)
            for s in self.shards:
                os.kill(s.pid, signal.SIGCONT)
            self.assertEqual(wire.until_end(waits, b""), b"")
            self.assertEqual(wire.until_end(watches, b""), b"")
            talk(idle, b"set a 0 0 1\r\n1\r\n", STORED)
            self.assertIn("closing clients that were not done in time clients=1", front.said())

    def test_a_program_that_does_not_start_changes_nothing(self):
        where = admin.address()
        front = self.front("--http=" + where, *SEEN)
        before = os.readlink("/proc/%d/exe" % front.pid)
        broken = os.path.join(self.folder, "broken")
        with load(front.address) as clients:
            for content, why in (("#!/bin/sh\necho no such thing >&2; exit 1\n", "no such thing"),
                                 ("#!/bin/sh\nkill -9 $$\n", "Killed"),
                                 ("#!/bin/sh\nexit 0\n", "says nothing of its settings"),
                                 ("#!/bin/sh\nrm $0; echo upgrade from chcached 1: OK\n",
                                  "No such file"),
                                 (LENGTHY, "no such thing, at last"),
                                 ("\x7fELF", "Exec format error")):
                with open(broken, "w") as f:
                    f.write(content)
                os.chmod(broken, 0o755)
                install(self.program, broken)
                upgrade(front, REFUSED)
                self.assertIn(why, front.said().splitlines()[-1])
                self.assertTrue(admin.get(where, "/v1/heartbeat")["ready"])
            os.unlink(self.program)
            upgrade(front, REFUSED)
            self.assertIn("No such file", front.said().splitlines()[-1])
            go_on(clients)
            self.assertEqual(times(front, DONE), 0)
            self.assertNotEqual(os.readlink("/proc/%d/exe" % front.pid), before)  # (deleted)
            install(self.program)
            upgrade(front)
            go_on(clients)

    def test_a_program_that_cannot_take_over_is_refused(self):
        front = self.front()
        other = os.path.join(self.folder, "other")
        for asks in ("unset CHCACHED_KEPT_FORMAT", "CHCACHED_KEPT_FORMAT='chcached 0'"):
            with front.connect() as sock:
                with open(other, "w") as f:
                    f.write('#!/bin/sh\n%s\nexec %s "$@"\n' % (asks, CHCACHED))
                os.chmod(other, 0o755)
                install(self.program, other)
                upgrade(front, REFUSED)
                self.assertIn("does not know how to take over", front.said().splitlines()[-1])
                talk(sock, b"get a\r\n", END)
                install(self.program)
                upgrade(front)

    def test_settings_that_are_wrong_by_now_change_nothing(self):
        path = os.path.join(self.folder, "front.conf")
        with open(path, "w") as f:
            f.write("[front]\nconn-limit = 2000\n")
        front = self.front("--config", path)
        with load(front.address) as clients:
            with open(path, "w") as f:
                f.write("[front]\nconn-limit = many\n")
            upgrade(front, REFUSED)
            self.assertIn("front.conf:2: --conn-limit", front.said().splitlines()[-1])
            go_on(clients)
            with open(path, "w") as f:
                f.write("[front]\nconn-limit = 3000\n")
            upgrade(front)
            go_on(clients)
        with front.connect() as s:
            self.assertEqual(stats(s, b"settings")["maxconns"], "3000")

    def test_all_its_sockets_stay(self):
        where, unix = admin.address(), os.path.join(self.folder, "clients")
        pidfile = os.path.join(self.folder, "pid")
        with listening() as passed:
            front = self.front("--http=" + where, "-P", pidfile, port=0,
                               sockets=[("memcache", passed), ("memcache", listening(unix))])
            for address in (address_of(passed), unix):
                wait(lambda a=address: self.serves(a), "the front to serve")
            for _ in range(2):
                upgrade(front)
                with wire.connect(unix) as s:
                    talk(s, b"get a\r\n", END)
                with wire.connect(address_of(passed)) as s:
                    talk(s, b"get a\r\n", END)
                self.assertEqual(admin.get(where, "/v1/cluster")["verdict"], "ok")
            with open(pidfile) as f:
                self.assertEqual(int(f.read()), front.pid)
            front.stop()
        self.assertFalse(os.path.exists(pidfile))
        self.assertTrue(os.path.exists(unix))

    def test_what_is_asked_over_http_is_answered_first(self):
        where = admin.address()
        front = self.front("--http=" + where)
        get = b"GET /v1/keys/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with wire.connect(where) as idle, wire.connect(where) as asks, front.connect() as client:
            idle.sendall(get)
            self.assertIn(b" 404 ", idle.recv(1000))
            for s in self.shards:
                freeze(s.pid)
            asks.sendall(get.replace(b"GET", b"DELETE"))
            os.kill(front.pid, signal.SIGUSR1)
            self.assertEqual(idle.recv(1000), b"")      # the check is over, it leaves
            with wire.connect(where) as late:           # waits for the new program
                late.sendall(get)
                for _ in range(500):
                    talk(client, b"mn\r\n", b"MN\r\n")  # is served by the old one
                self.assertEqual(times(front, DONE), 0)
                for s in self.shards:
                    os.kill(s.pid, signal.SIGCONT)
                answer = wire.until_end(asks, b"")
                self.assertIn(b"HTTP/1.1 404 ", answer)
                self.assertIn(b"Connection: close\r\n", answer)
                wait(lambda: times(front, DONE) == 1, "the upgrade")
                self.assertIn(b" 404 ", late.recv(1000))
                talk(client, b"mn\r\n", b"MN\r\n")

    def test_a_socket_of_its_own_is_not_taken_for_one_that_was_closed(self):
        with listening() as passed:
            front = self.front(sockets=[("other", passed)])
            upgrade(front)
            upgrade(front)
            self.assertEqual(times(front, "closing a descriptor that was passed"), 1)
            with front.connect() as s:
                talk(s, b"get a\r\n", END)

    def serves(self, address):
        try:
            with wire.connect(address) as s:
                return wire.ask(s, b"get a\r\n") == END
        except OSError:             # bound, and not listened on yet
            return False

    def test_a_socket_file_of_its_own_stays_until_the_end(self):
        unix = os.path.join(self.folder, "own")
        front = self.front("-s", unix, port=0)
        wait(lambda: os.path.exists(unix) and self.serves(unix), "the front to serve")
        upgrade(front)
        self.assertTrue(self.serves(unix))
        front.stop()
        self.assertFalse(os.path.exists(unix))

    def test_a_socket_file_that_the_settings_do_not_name_any_more_goes(self):
        path = os.path.join(self.folder, "front.conf")
        one, two = (os.path.join(self.folder, name) for name in ("one", "two"))

        def settings(unix):
            self.write(path, "[front]\nunix-socket = %s\n" % unix)
        settings(one)
        front = self.front("--config", path, port=0)
        wait(lambda: os.path.exists(one) and self.serves(one), "the front to serve")
        settings(two)
        with wire.connect(one) as early:
            upgrade(front)
            self.assertTrue(self.serves(two))
            self.assertFalse(os.path.exists(one))
            talk(early, b"get a\r\n", END)
        front.stop()
        self.assertFalse(os.path.exists(two))

    def test_a_socket_file_may_have_two_names(self):
        path = os.path.join(self.folder, "front.conf")
        os.symlink(self.folder, os.path.join(self.folder, "link"))
        one, two = (os.path.join(self.folder, name) for name in ("own", "link/own"))
        self.write(path, "[front]\nunix-socket = %s\n" % one)
        front = self.front("--config", path, port=0)
        wait(lambda: os.path.exists(one) and self.serves(one), "the front to serve")
        self.write(path, "[front]\nunix-socket = %s\n" % two)
        upgrade(front)
        self.assertTrue(self.serves(one))
        front.stop()
        self.assertFalse(os.path.exists(one))

    def write(self, path, text):
        with open(path, "w") as f:
            f.write(text)

    def test_the_log_can_go_back_to_stderr(self):
        path, log = os.path.join(self.folder, "front.conf"), os.path.join(self.folder, "log")

        def settings(line):
            with open(path, "w") as f:
                f.write("[log]\n%s\n" % line)

        def logged():
            with open(log) as f:
                return f.read()
        settings("log-file = " + log)
        front = self.front("--config", path)
        os.kill(front.pid, signal.SIGUSR1)
        wait(lambda: DONE in logged(), "the log to say: " + DONE)
        settings("")
        os.kill(front.pid, signal.SIGHUP)
        wait(lambda: "settings were read again" in front.said(), "stderr to be the log again")
        self.assertNotIn("settings were read again", logged())

    def test_systemd_is_told(self):
        with Listener("@chcached-upgrade-%d" % os.getpid()) as told:
            front = self.front(listener=told)
            told.wait_line("READY=1")
            os.kill(front.pid, signal.SIGUSR1)
            self.assertRegex(told.wait_line("RELOADING=1"), r"\nMONOTONIC_USEC=\d+$")
            told.wait_line("READY=1")

    def test_systemd_is_told_when_nothing_comes_of_it(self):
        with Listener("@chcached-upgrade-%d" % os.getpid()) as told:
            front = self.front(listener=told)
            told.wait_line("READY=1")
            self.vanish()
            os.kill(front.pid, signal.SIGUSR1)
            told.wait_line("RELOADING=1")
            told.wait_line("READY=1")
            self.assertIn("No such file", front.said())
            with front.connect() as s:
                talk(s, b"get a\r\n", END)

    def vanish(self):
        """A program that is found right, and is gone when it is to begin."""
        other = os.path.join(self.folder, "other")
        with open(other, "w") as f:
            f.write('#!/bin/sh\ncase "$1" in --test-config) rm -f "%s"; esac\nexec %s "$@"\n'
                    % (self.program, CHCACHED))
        os.chmod(other, 0o755)
        install(self.program, other)

    @unittest.skipUnless(shutil.which("strace"), "no strace: apt-get install strace")
    def test_a_process_that_cannot_go_on_ends_and_says_so(self):
        # a leak checker may not look where strace does
        front = self.front_to_start(env={"ASAN_OPTIONS": ":".join(
            filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))})
        self.addCleanup(front.end)
        front.start()
        with front.connect() as idle:
            # the exec fails, while a signal comes; and all threads after the check's child
            with self.failing(front, "execve:error=ENOMEM:signal=SIGHUP",
                              "clone,clone3:error=EAGAIN:when=2+"):
                os.kill(front.pid, signal.SIGUSR1)
                self.assertEqual(front.wait(), OS_ERROR)
            self.assertEqual(wire.until_end(idle, b""), b"")
        self.assertIn("threads cannot be started again: Resource temporarily unavailable",
                      front.said())

    @contextlib.contextmanager
    def failing(self, front, *calls):
        """System calls of its main thread."""
        with subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(front.pid),
                               *("--inject=" + c for c in calls)],
                              stderr=subprocess.PIPE, text=True) as strace:
            try:
                if "attached" not in strace.stderr.readline():
                    self.skipTest("strace may not look at processes here")
                yield
            finally:
                strace.terminate()

    def test_nothing_is_left_open(self):
        front = self.front(*SEEN)

        def descriptors():
            return len(os.listdir("/proc/%d/fd" % front.pid))
        upgrade(front)
        up(front, 2)
        with front.connect() as s:
            stats(s)
        before = descriptors()
        for _ in range(3):
            upgrade(front)
            up(front, 2)
        wait(lambda: descriptors() <= before, "no more descriptors than before")


class Kept(unittest.TestCase):
    """What a start is told that an upgrade had kept."""

    @contextlib.contextmanager
    def heir(self, kept):
        """Of this file, with the numbers of its sockets in it; and its client."""
        client, accepted = socket.socketpair()
        own = listening()
        for s in (accepted, own):
            s.setblocking(False)
        kept = kept.replace(b"OWN", b"%d" % own.fileno())
        kept = kept.replace(b"CLIENT", b"%d" % accepted.fileno())
        client.settimeout(wire.BOUND_S)
        with client, Heir(kept, [own, accepted], port=own.getsockname()[1]) as d:
            yield d, client

    def test_what_is_damaged_or_older_is_refused_and_its_clients_see_the_end(self):
        head = b"chcached 1\nsocket OWN own\n"
        for kept in (b"", b"chcached 0\nsocket OWN own\nclient CLIENT 0 0\n",
                     head + b"client CLIENT 3 0\nge",
                     head + b"client CLIENT 18446744073709551590 0\n",
                     head + b"client CLIENT 18446744073709551615 1\n",
                     head + b"map chcached 9999999999999\nclient CLIENT 0 0\n",
                     head + b"client CLIENT 0 0\nclient CLIENT 0 0\n",
                     head + b"client CLIENT 0 0\nclient 2 0 0\n",
                     head + b"client CLIENT 0 0\nclient 999999 0 0\n"):
            with self.subTest(kept), self.heir(kept) as (d, client):
                self.assertIn("what the last program kept is not understood", d.said())
                self.assertNotIn(DONE, d.said())
                self.assertEqual(wire.until_end(client, b""), b"")
                with d.connect() as s:
                    talk(s, b"get a\r\n", END)

    def test_what_is_whole_is_gone_on_with(self):
        with self.heir(b"chcached 1\nsocket OWN own\nclient CLIENT 4 5\nget EARLY"
                       ) as (d, client):
            talk(client, b"a\r\n", b"EARLY" + END)
            self.assertIn(DONE, d.said())


class Others(unittest.TestCase):

    def test_who_keeps_items_is_not_upgraded(self):
        for args in ((), ("--local-shards", "2")):
            with Service(*args) as d, d.connect() as s:
                talk(s, b"set a 0 0 1\r\n1\r\n", STORED)
                upgrade(d, REFUSED)
                self.assertIn("the items of this process would be lost", d.said())
                talk(s, b"get a\r\n", found(b"a", b"1"))

    def test_the_coordinator_leads_on(self):
        with Copied("--shard-timeout", "20s", shards=3, replicas=2) as c:
            with load(c.leader.address) as one, load(c.fronts["f2"].address, 6) as two:
                for front in (c.leader, c.fronts["f2"], c.leader):
                    go_on(one + two)
                    upgrade(front)
                go_on(one + two)
            c.settle(3)

    def test_a_front_serves_on_though_the_coordinator_is_away(self):
        with Copied("--shard-timeout", "20s", shards=3, replicas=2) as c:
            front = c.fronts["f2"]
            with front.connect() as s:
                talk(s, b"set a 0 0 1\r\n1\r\n", STORED)
                c.leader.freeze()
                upgrade(front)
                self.assertTrue(wire.ask(s, b"version\r\n").startswith(b"VERSION"))
                c.leader.thaw()
                talk(s, b"get a\r\n", found(b"a", b"1"))


if __name__ == "__main__":
    tap.main()
