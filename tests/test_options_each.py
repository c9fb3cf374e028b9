#!/usr/bin/python3 -B
"""Each option: what it does to a running daemon, and what is said of bad values.

A row of src/options.def has a test here that is called as its option is.
"""

import contextlib
import json
import os
import pwd
import re
import select
import signal
import stat
import unittest

from lib import admin, tap, wire
from lib.cluster import Copied, LocalCopies
from lib.daemon import (CHCACHED, CHCACHECTL, Cluster, Daemon, Folder, command_line, free_port,
                        freeze, has_ipv6, is_alive, is_sanitized, run, separate, states, up, wait)
from lib.option_rows import ignored, n_written, refused, rows
from lib.wire import ask, exchange, stats, talk, until_end

USAGE, NO_USER, OS_ERROR, BAD_CONFIG = 64, 67, 71, 78

# Nobody is given up for being slow.
PATIENT = ["--shard-timeout", "20s"]

MEMBER = "ADDR:PORT with the address as a number, or a path"
NAME = "expected 1 to 60 letters, digits, '.', '_' or '-'"

# Values that are of the type, and wrong: {option: [(value, what is said of it)]}.
WRONG = {
    "listen": [(v, '--listen: read "%s", expected ADDR or ADDR:PORT with the address as a number'
                % v) for v in ("no.such.host", "127.0.0.1:0", "127.0.0.1:65536", "1.2.3", "[::1")],
    "name": [(v, '--name: read "%s", %s' % (v, NAME)) for v in ("a b", "a/b", "x" * 61)],
    "cluster": [(v, '--cluster: read "%s", %s' % (v, NAME)) for v in ("a b", "x" * 61)],
    "unix-socket": [("/" + "x" * 107, '--unix-socket: read "/%s", expected a path of 107 bytes at '
                                      "most" % ("x" * 107))],
    "stat-delimiter": [(v, '--stat-delimiter: read "%s", expected one character' % v)
                       for v in ("::", "ab")],
    "protocol": [(v, '--protocol: read "%s", expected auto or ascii' % v)
                 for v in ("text", "Auto")] + [
        ("binary", '--protocol: read "binary", expected auto or ascii: the text protocol is '
                   "always spoken")],
    "log-level": [(v, '--log-level: read "%s", expected error, warn, info or debug' % v)
                  for v in ("loud", "INFO")],
    "log-format": [(v, '--log-format: read "%s", expected text or json' % v)
                   for v in ("xml", "JSON")],
    "ack": [(v, '--ack: read "%s", expected all or owner' % v) for v in ("one", "ALL")],
    "udp-port": [("1", '--udp-port: read "1", expected 0: there is no UDP here, it lends itself '
                       "to amplified attacks")],
    "http": [("host.example:1", '--http: read "host.example:1", expected ADDR:PORT with the '
                                "address as a number, or off"),
             ("0.0.0.0:1", '--http: read "0.0.0.0:1", expected an address of this host alone, '
                           "127.0.0.1 or [::1], or --admin-token-file: who reaches it may change the "
                           "cluster")],
    "coordinator": [(v, '--coordinator: read "%s", expected NAME@%s' % (v, MEMBER))
                    for v in ("c", "c@host.example", "@127.0.0.1:5", "a b@127.0.0.1:5")],
    "replicas": [("2", "--replicas needs --local-shards or --coordinator: somebody must say who "
                       "is alive")],
    "link-queue-limit": [("64k", "--link-queue-limit: an item of --max-item-size would never "
                                 "fit")],
}

# Of the type's own words: not of the type, and out of range on either side.
JUNK = {
    "COUNT": ["x", "", "-1", "1.5", "0x10", "4 4", "99999999999999999999"],
    "TALLY": ["x", "", "-1"], "OCTAL": ["9", "", "1000", "-1"], "FLAG": ["maybe", "", "2"],
    "SIZE": ["x", "", "-1", "5y", "2t"], "MEGABYTES": ["x", "", "-1", "5y", "0", "2t"],
    "DURATION": ["x", "", "-1", "5y", "1000h"], "ROLE": ["x", "", "Front"],
    "LIST": ["", ",", "a,,b"], "STRING": ["", "x" * 4096],
    "SHARDS": ["", "s1", "=127.0.0.1:1", "s 1=127.0.0.1:1", "s1=host:1", "s1=127.0.0.1:1*0"],
}


def bad_values(row):
    """[(value, what is said of it)]"""
    return [(v, row.said(v)) for v in JUNK[row.kind]] + WRONG.get(row.name, [])


def method(name):
    return "test_" + name.replace("-", "_")


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__)
        os.chmod(self.folder, 0o777)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, text):
        path = self.path("chcached.conf")
        with open(path, "w") as f:
            f.write(text)
        return path


class Table(unittest.TestCase):
    def test_every_row_is_seen_and_has_a_test(self):
        table = rows()
        self.assertEqual(len(table) + len(ignored()) + len(refused()), n_written())
        self.assertEqual([row.name for row in table if not hasattr(Each, method(row.name))], [])
        known = {method(row.name) for row in table}
        self.assertEqual([name for name in dir(Each)
                          if name.startswith("test_") and name not in known], [])


class Values(WithFolder):
    def test_a_bad_one_on_the_command_line_is_answered_with_one_line(self):
        for row in rows():
            for value, said in bad_values(row) if row.arg else []:
                with self.subTest(option=row.name, value=value):
                    wanted = (USAGE, b"", "chcached: %s\n" % said)
                    self.assertEqual(run("--%s=%s" % (row.name, value)), wanted)
                    if row.letter and value:
                        self.assertEqual(run("-" + row.letter, value), wanted)

    def test_one_too_many_or_too_few_is_told(self):
        for row in rows():
            for letter, word in ((row.letter, "-%s (--%s)" % (row.letter, row.name)),
                                 ("", "--" + row.name)):
                flag = "-" + letter if letter else "--" + row.name
                with self.subTest(option=row.name, flag=flag):
                    if row.arg and (letter or word[1] == "-"):
                        self.assertEqual(run(flag), (USAGE, b"", "chcached: %s needs a value, %s\n"
                                                     % (word, row.arg)))
            if not row.arg:
                for value in ("yes", ""):
                    self.assertEqual(run("--%s=%s" % (row.name, value)), (
                        USAGE, b"", 'chcached: --%s takes no value, read "%s"\n'
                        % (row.name, value)))

    def test_a_bad_one_in_a_file_is_answered_with_its_line(self):
        for row in rows():
            for value, said in bad_values(row) if row.section else []:
                if len(value) > 200:    # a line cannot have it
                    continue
                with self.subTest(option=row.name, value=value):
                    path = self.file("[%s]\n%s = %s\n" % (row.section, row.name, value))
                    self.assertEqual(run("-T", "--config", path),
                                     (BAD_CONFIG, b"", "%s:2: %s\n" % (path, said)))

    def test_what_was_read_cannot_break_the_line(self):
        for args, said in ((["--port=1\n2"], '--port: read "1?2", expected a whole number, from 0 '
                                             "to 65535"),
                           (["--user", "a\x1b[2Jb"], '--user: read "a?[2Jb", expected 1 to 4095 '
                                                     "bytes of text"),
                           (["--shard", "a=/x\ny"], '--shard: read "a=/x?y", expected NAME=HOST:'
                            "PORT, with *WEIGHT from 1 to 100 after it if wanted"),
                           (["--no\nsuch"], "unknown option --no?such, see chcached --help")):
            self.assertEqual(run(*args), (USAGE, b"", "chcached: %s\n" % said))

    def test_a_letter_says_what_the_name_says(self):
        given = {"stat-delimiter": "#", "listen": "127.0.0.2", "protocol": "ascii",
                 "udp-port": "0"}
        of_type = {"COUNT": "77", "OCTAL": "750", "SIZE": "3m", "MEGABYTES": "99",
                   "STRING": "/tmp/x"}
        tried = 0
        for row in rows():
            if not row.letter or not row.section:
                continue
            tried += 1
            with self.subTest(option=row.name):
                value = given.get(row.name, of_type.get(row.kind)) if row.arg else None
                ways = [["-" + row.letter, "--" + row.name][i:i + 1] for i in (0, 1)]
                if row.arg:
                    ways = [["-" + row.letter, value], ["-" + row.letter + value],
                            ["--" + row.name, value], ["--%s=%s" % (row.name, value)]]
                printed = {run(*way, "--print-config") for way in ways}
                self.assertEqual(len(printed), 1, printed)
                code, out, err = printed.pop()
                self.assertEqual((code, err), (0, ""))
                self.assertRegex(out.decode(), r"(?m)^%s +=.*; command line$" % row.name)
        self.assertGreater(tried, 15)


class Memcacheds(WithFolder):
    def test_tuning_is_passed_over_with_a_word(self):
        for name, letter, arg, reason in ignored():
            value = ["1"] if arg else []
            for flag in ("-" + letter, "--" + name):
                with self.subTest(flag=flag):
                    self.assertEqual(run("-T", flag, *value), (
                        0, b"command line: OK\n",
                        "chcached: --%s is ignored: %s\n" % (name, reason)))
            if arg:
                self.assertEqual(run("--" + name), (
                    USAGE, b"", "chcached: --%s needs a value, %s\n" % (name, arg)))
            path = self.file("[node]\n%s = 1\n" % name)
            self.assertEqual(run("-T", "--config", path), (
                BAD_CONFIG, b"", '%s:2: "%s" is not for a file: %s\n' % (path, name, reason)))

    def test_what_cannot_be_had_is_refused(self):
        for name, letter, reason in refused():
            for args in (["-" + letter], ["-" + letter, "x"], ["--" + name], ["--%s=x" % name]):
                with self.subTest(args=args):
                    self.assertEqual(run(*args), (USAGE, b"", "chcached: --%s: %s\n"
                                                  % (name, reason)))
            path = self.file("[node]\n%s = 1\n" % name)
            self.assertEqual(run("-T", "--config", path), (
                BAD_CONFIG, b"", '%s:2: "%s" is not for a file: %s\n' % (path, name, reason)))


class Each(WithFolder):
    """What a user relies on."""

    def status(self, pid, field):
        with open("/proc/%d/status" % pid) as f:
            return re.search(r"^%s:\s*(.*)$" % field, f.read(), re.M)[1].split()

    def tell(self, args, request, answer):
        """One request to one daemon."""
        with Daemon(*args) as d, d.connect() as s:
            talk(s, request, answer)

    def setting(self, args, name):
        with Daemon(*args) as d, d.connect() as s:
            return stats(s, b"settings")[name]

    def reaches(self, address):
        try:
            with wire.connect(address) as s:
                return ask(s, b"get a\r\n") == b"END\r\n"
        except OSError:
            return False

    # clients

    def test_port(self):
        port = free_port()
        with Daemon("--port=%d" % port, port=0):
            wait(lambda: self.reaches("127.0.0.1:%d" % port), "an answer")
        with Daemon("-p", "0", "-s", self.path("s"), port=0) as d:
            wait(lambda: self.reaches(self.path("s")), "an answer")
            with wire.connect(self.path("s")) as s:
                self.assertEqual(stats(s)["pid"], str(d.pid))
            self.assertFalse(self.reaches("127.0.0.1:%d" % port))

    def test_listen(self):
        one, two = free_port(), free_port()
        args = ["--listen=127.0.0.1:%d" % one, "-l", "127.0.0.1,127.0.0.2:%d" % two]
        with Daemon(*args, *(["-l", "::1"] if has_ipv6() else [])) as d:
            for address in (d.address, "127.0.0.1:%d" % one, "127.0.0.2:%d" % two):
                self.assertTrue(self.reaches(address), address)
            self.assertFalse(self.reaches("127.0.0.1:%d" % two))
            if has_ipv6():
                self.assertTrue(self.reaches("[::1]:%d" % d.port))

        many = ",".join("127.0.0.%d" % i for i in range(1, 65))
        self.assertEqual(run("-l", many), (USAGE, b"", "chcached: --listen: 64 addresses, expected "
                                                       "at most 63\n"))
        self.assertEqual(run("-T", "-l", many.rpartition(",")[0])[0], 0)

    def test_unix_socket(self):
        path = self.path("s")
        with Daemon("-s", path, port=0):
            wait(lambda: self.reaches(path), "an answer")
        self.assertFalse(os.path.exists(path))

    def test_unix_mask(self):
        for mask in (0o700, 0o750, 0o777):
            path = self.path("s%o" % mask)
            with Daemon("-s", path, "-a", "%o" % mask, port=0):
                wait(lambda p=path: self.reaches(p), "an answer")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mask)

    def test_conn_limit(self):
        def turned_away():
            with d.connect() as third:
                return until_end(third, b"") == b"ERROR Too many open connections\r\n"
        with Daemon("-c", "2") as d:
            def seated():
                one, two = d.connect(), d.connect()
                try:
                    return ask(one, b"get a\r\n") == ask(two, b"get a\r\n") == b"END\r\n" \
                        and turned_away()
                finally:
                    one.close()
                    two.close()
            wait(seated, "two to be served, and a third to be told")

    def test_listen_backlog(self):
        self.assertEqual(self.setting(["-b", "66"], "tcp_backlog"), "66")

    def test_max_reqs_per_event(self):
        for limit, yields in (("5", True), ("1000000", False)):
            with Daemon("-R", limit) as d, d.connect() as s:
                talk(s, b"get a\r\n" * 200, b"END\r\n" * 200)
                self.assertEqual(int(stats(s)["conn_yields"]) > 0, yields, limit)

    def test_request_timeout(self):
        with Daemon("--request-timeout", "20ms") as d, d.connect() as s:
            talk(s, b"get a\r\n", b"END\r\n")
            self.assertNotIn(b"STORED", until_end(s, b"set a 0 0 10\r\nhalf"))

    def test_output_limit(self):
        with Daemon("--output-limit", "1m", "-I", "512k", "-t", "1") as d:
            with contextlib.ExitStack() as stack:
                greedy = [stack.enter_context(d.connect()) for _ in range(20)]
                s = stack.enter_context(d.connect())
                value = b"x" * 400000
                talk(s, b"set a 0 0 %d\r\n%b\r\n" % (len(value), value), b"STORED\r\n")
                for g in greedy:
                    g.sendall(b"get a\r\n" * 200)      # and reads nothing
                wait(lambda: int(stats(s)["idle_kicks"]) > 0, "who does not read to be closed")

    def test_udp_port(self):
        with Daemon("-U", "0") as d, open("/proc/net/udp") as f:
            self.assertNotIn(":%04X " % d.port, f.read())

    def test_protocol(self):
        binary = b"\x80\x0b" + bytes(22)
        with Daemon("-B", "ascii") as d, d.connect() as s:
            self.assertFalse(until_end(s, binary + b"\r\nquit\r\n").startswith(b"\x81"))
        with Daemon("-B", "auto") as d, d.connect() as s:
            got, _ = exchange(s, binary, lambda got: len(got) >= 24)
            self.assertTrue(got.startswith(b"\x81\x0b"))

    # items

    def fill(self, s):
        """What 4 MB of items are answered with."""
        value = b"x" * 900
        return set(ask(s, b"".join(b"set k%d 0 0 900\r\n%b\r\n" % (i, value)
                                   for i in range(5000))).split(b"\r\n")) - {b""}

    def test_memory_limit(self):
        for args, evicts in ((["-m", "2", "-I", "1k"], True), (["-m", "32m", "-I", "1k"], False)):
            with Daemon(*args) as d, d.connect() as s:
                self.assertEqual(self.fill(s), {b"STORED"})
                self.assertEqual(int(stats(s)["evictions"]) > 0, evicts)

    def test_disable_evictions(self):
        with Daemon("-M", "-m", "2", "-I", "1k") as d, d.connect() as s:
            self.assertEqual(self.fill(s), {b"STORED", b"SERVER_ERROR out of memory storing object"})
            self.assertEqual(stats(s)["evictions"], "0")
            self.assertEqual(stats(s, b"settings")["evictions"], "off")

    def test_max_item_size(self):
        for args, answer in ((["-I", "2k"], b"SERVER_ERROR object too large for cache\r\n"),
                             (["-I", "4k"], b"STORED\r\n")):
            self.tell(args, b"set a 0 0 3000\r\n%b\r\n" % (b"x" * 3000), answer)

    def test_disable_cas(self):
        self.tell(["-C"], b"set a 0 0 1\r\nX\r\ngets a\r\n",
                  b"STORED\r\nVALUE a 0 1 0\r\nX\r\nEND\r\n")
        with Daemon() as d, d.connect() as s:
            self.assertRegex(ask(s, b"set a 0 0 1\r\nX\r\ngets a\r\n"), rb"VALUE a 0 1 [1-9]")

    def test_disable_flush_all(self):
        self.tell(["-F"], b"flush_all\r\n", b"CLIENT_ERROR flush_all not allowed\r\n")
        self.tell([], b"flush_all\r\n", b"OK\r\n")

    def test_disable_dumping(self):
        self.tell(["-X"], b"lru_crawler metadump all\r\n", b"ERROR metadump not allowed\r\n")
        self.tell(["-X"], b"stats detail on\r\n", b"CLIENT_ERROR stats detail not allowed\r\n")
        self.tell([], b"lru_crawler metadump all\r\n", b"OK\r\nEND\r\n")

    def test_disable_watch(self):
        self.tell(["-W"], b"watch\r\n", b"CLIENT_ERROR watch commands not allowed\r\n")
        self.tell([], b"watch\r\n", b"OK\r\n")

    def test_stat_delimiter(self):
        self.tell(["-D", "/"], b"get a/b:c\r\nstats detail dump\r\n",
                  b"END\r\nPREFIX a get 1 hit 0 set 0 del 0\r\nEND\r\n")

    def test_enable_shutdown(self):
        self.tell([], b"shutdown\r\n", b"SERVER_ERROR: shutdown not enabled\r\n")
        d = Daemon("-A").start()
        self.addCleanup(d.end)
        with d.connect() as s:
            until_end(s, b"shutdown\r\n")
        self.assertEqual(d.wait(), 0)

    # cluster

    def test_local_shards(self):
        with Cluster(n=2) as c:
            self.assertEqual(len(c.children()), 2)
            self.assertEqual(states(c), {"local-1": "up", "local-2": "up"})
        # they are given what their front has
        with Cluster("--move-rate", "3m", "-v", "-C", "--enable-coredumps", n=1) as c:
            given = command_line(c.children()[0])
        self.assertLessEqual({"--move-rate=3m", "--log-level=debug", "--disable-cas",
                              "--enable-coredumps", "--shard-timeout=20s"}, set(given))

    def test_name(self):
        d = Daemon("--local-shards", "1", "--name", "here", *PATIENT)
        with d:
            up(d, 1)
            self.assertEqual(states(d), {"here-1": "up"})

    def members(self, *extra, **more):
        """Two shards and a front, started."""
        shards, (front,) = separate(2, self.folder, extra=extra, **more)
        for d in shards + [front]:
            self.addCleanup(d.end)
            d.start()
        up(front, 2)
        return shards, front

    def test_role(self):
        shards, front = self.members(*PATIENT)
        with front.connect() as s:
            for i in range(20):
                talk(s, b"set k%d 0 0 1\r\nX\r\n" % i, b"STORED\r\n")
            told = stats(s, b"shards")
        held = [int(told["%s:curr_items" % d.name]) for d in shards]
        self.assertEqual(sum(held), 20)     # none of them at the front
        for d in [front] + shards:
            d.stop()

    test_shard = test_role                  # the front knows them by it alone

    def test_peer(self):
        path = self.path("peer")
        with Daemon("--name", "s1", "--peer", path, *PATIENT) as both:
            with Daemon("--role", "front", "--shard", "s1=" + path, *PATIENT) as front:
                up(front, 1)
                with front.connect() as s, both.connect() as direct:
                    talk(s, b"set a 0 0 1\r\nX\r\n", b"STORED\r\n")
                    talk(direct, b"get a\r\n", b"VALUE a 0 1\r\nX\r\nEND\r\n")

    def test_cluster(self):
        path = self.path("peer")
        with Daemon("--name", "s1", "--peer", path, "--cluster", "one"):
            with Daemon("--role", "front", "--shard", "s1=" + path, "--cluster", "two") as front:
                wait(lambda: "it belongs to another cluster" in front.said(), "a refusal")
                self.assertEqual(states(front), {"s1": "down"})

    def test_replicas(self):
        with LocalCopies(*PATIENT, shards=2, replicas=2) as c, c.connect() as s:
            for i in range(20):
                talk(s, b"set k%d 0 0 1\r\nX\r\n" % i, b"STORED\r\n")
            with c.healing():
                os.kill(c.child("local-1"), signal.SIGKILL)
            for i in range(20):
                talk(s, b"get k%d\r\n" % i, b"VALUE k%d 0 1\r\nX\r\nEND\r\n" % i)

    def test_coordinator(self):
        with Copied(*PATIENT, shards=2) as c:
            status, told, _ = admin.ask(c.admin, "GET", "/v1/nodes")
            self.assertEqual(status, 200)
            self.assertLessEqual({"s1", "s2"}, set(re.findall(r'"(s\d)"', json.dumps(told))))
            self.assertTrue(all(self.reaches(address) for address in c.addresses()))

    def test_state_dir(self):
        with Copied(*PATIENT, shards=2) as c:
            self.assertEqual(os.listdir(c.folder.name), ["map.state"])
        for folder, why in (self.path("none"), "No such file or directory"), \
                ("/proc/version", "Not a directory"):
            code, _, said = run("--role", "front", "--name", "f", "--coordinator",
                                "f@127.0.0.1:%d" % free_port(), "--shard", "s=@s", "--state-dir",
                                folder, "-p", str(free_port()), "--http", "off")
            self.assertEqual(code, OS_ERROR, said)
            self.assertIn("chcached: cannot keep the map in %s: %s. It must be a folder that user "
                          % (folder, why), said)

    def test_hold_down(self):
        # Who is away for longer is not waited for: its items are copied elsewhere.
        with Copied(*PATIENT, "--hold-down", "0", fronts=1) as c:
            since = c.epoch()
            c.shards["s3"].kill()
            joint = c.wait_map(lambda phase, *_: phase == "joint", "items to move", since)[0]
            c.wait_map(lambda phase, *_: phase == "stable", "them to be where they belong", joint)
            c.shards["s3"].start()
            c.settle(3, since)

    def test_move_rate(self):
        with Copied(*PATIENT, "--move-rate", "0", shards=2, replicas=1, fronts=1) as c, \
                c.fronts["f1"].connect() as s:
            for i in range(50):
                talk(s, b"set k%d 0 0 1\r\nX\r\n" % i, b"STORED\r\n")
            c.wait_done(c.change("weight", "s1", "5"))
            for i in range(50):
                talk(s, b"get k%d\r\n" % i, b"VALUE k%d 0 1\r\nX\r\nEND\r\n" % i)

    def test_ack(self):
        for who in ("all", "owner"):
            with LocalCopies(*PATIENT, "--ack", who, shards=2) as c, c.connect() as s:
                talk(s, b"set a 0 0 1\r\nX\r\n", b"STORED\r\n")
                c.wait_equal()

    def test_shard_timeout(self):
        shards, front = self.members("--shard-timeout", "100ms", "-t", "1")
        freeze(shards[0].pid)
        with front.connect() as s:      # each answered, one way or another
            self.assertEqual(ask(s, b"".join(b"get k%d\r\n" % i for i in range(20))),
                             b"END\r\n" * 20)
        os.kill(shards[0].pid, signal.SIGCONT)
        for d in [front] + shards:
            d.stop()

    def test_link_queue_limit(self):
        shards, front = self.members("--shard-timeout", "1h", "-t", "1", "-I", "64k",
                                     "--link-queue-limit", "64k")
        for d in shards:
            freeze(d.pid)
        with contextlib.ExitStack() as stack:       # each fills the queue, or finds it full
            refused = wait(lambda: answer_soon(stack.enter_context(front.connect())), "a refusal")
            self.assertTrue(refused.startswith(b"SERVER_ERROR"), refused)
        for d in shards:
            os.kill(d.pid, signal.SIGCONT)
        for d in [front] + shards:
            d.stop()

    def test_admin_token_file(self):
        where = admin.address()
        change = ("POST", "/v1/nodes?dry_run", {"name": "n", "address": "/x"})
        with Folder() as folder:
            path = os.path.join(folder, "token")
            with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write("a" * 32 + "\n")
            with Daemon("--http", where, "--admin-token-file", path):
                self.assertEqual(admin.ask(where, "GET", "/v1/nodes")[0], 200)
                self.assertEqual(admin.ask(where, *change)[0], 401)
                self.assertEqual(admin.ask(where, *change, headers={
                    "Authorization": "Bearer " + "a" * 32})[0], 200)
                other = os.path.join(folder, "other")
                with open(other, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                    f.write("b" * 32 + "\n")
                for words, wanted, said in (
                        ((), 1, "chcachectl: %s wants a token: name a copy of its "
                         "--admin-token-file with --token-file\n" % where),
                        (("--token-file", other), 1, "chcachectl: %s wants another token than that "
                         "of --token-file\n" % where),
                        (("--token-file", path), 0, "")):
                    code, _, err = run("--admin", where, *words, "nodes", "add", "n=/x",
                                       "--dry-run", program=CHCACHECTL)
                    self.assertEqual((code, err), (wanted, said))
            os.chmod(path, 0o644)
            code, _, said = run("-p", str(free_port()), "--http", where,
                                "--admin-token-file", path)
            self.assertEqual((code, said), (78, "chcached: --admin-token-file: %s: others may "
                                                "read or write it, try chmod 640\n" % path))

    def test_http(self):
        where = admin.address()
        with Daemon("--http", where):
            self.assertEqual(admin.ask(where, "GET", "/v1/nodes")[0], 200)
        with Daemon("--http", "off"), self.assertRaises(OSError):
            admin.ask(where, "GET", "/v1/nodes")

    # process

    def test_threads(self):
        with Daemon("-t", "3") as d, d.connect() as s:
            self.assertEqual(stats(s)["threads"], "3")
            self.assertGreaterEqual(int(self.status(d.pid, "Threads")[0]), 3)
        with Daemon("-t", "256", "--http", admin.address()) as d, d.connect() as s:
            self.assertEqual(stats(s)["threads"], "256")

    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_user(self):
        with Daemon("-u", "nobody") as d:
            self.assertEqual(set(self.status(d.pid, "Uid")), {str(pwd.getpwnam("nobody").pw_uid)})
        code, _, said = run("--user", "no-such-user", "-p", str(free_port()), "--http", "off")
        self.assertEqual(code, NO_USER)
        self.assertTrue(said.startswith("chcached: there is no user no-such-user. "), said)

    def test_daemon(self):
        port, path = free_port(), self.path("pid")
        code, _, said = run("--daemon", "-P", path, "-p", str(port), "--http", "off")
        self.assertEqual(code, 0, said)
        with open(path) as f:
            pid = int(f.read())
        try:
            self.assertTrue(self.reaches("127.0.0.1:%d" % port))
        finally:
            os.kill(pid, signal.SIGTERM)
        wait(lambda: not is_alive(pid), "its end")

    def test_pidfile(self):
        path = self.path("pid")
        with Daemon("-P", path) as d, open(path) as f:
            self.assertEqual(f.read(), "%d\n" % d.pid)
        self.assertFalse(os.path.exists(path))
        code, _, said = run("-P", "/nowhere/pid", "-p", str(free_port()), "--http", "off")
        self.assertEqual(code, OS_ERROR)
        self.assertIn("/nowhere/pid", said)

    def test_lock_memory(self):
        if is_sanitized():
            self.skipTest("a sanitizer does not lock memory")
        self.starts_where_memory_may_not_be_locked()
        with Daemon("-k", "-m", "8") as d:
            if "memory cannot be locked" in d.said():
                self.skipTest("this machine allows too little locked memory")
            self.assertGreater(self.locked(d.pid), 0)
        path = self.path("pid")
        code, _, said = run("-k", "-d", "-m", "8", "-P", path, "-p", str(free_port()), "--http",
                            "off")
        self.assertEqual(code, 0, said)
        with open(path) as f:
            pid = int(f.read())
        try:
            self.assertGreater(self.locked(pid), 0)
        finally:
            os.kill(pid, signal.SIGTERM)
        wait(lambda: not is_alive(pid), "its end")

    def locked(self, pid):
        return int(self.status(pid, "VmLck")[0])

    def starts_where_memory_may_not_be_locked(self):
        """Root of a container may not either."""
        path = self.path("limited")
        drop = "setpriv --bounding-set -sys_resource,-ipc_lock --inh-caps -all "
        with open(path, "w") as f:
            f.write('#!/bin/sh\n(ulimit -l 8192) 2>&- && ulimit -l 8192\nexec %s"%s" "$@"\n'
                    % (drop if os.geteuid() == 0 else "", CHCACHED))
        os.chmod(path, 0o755)
        with Daemon("-k", "-m", "64", "--http", "off", program=path) as d, d.connect() as s:
            self.assertIn("memory cannot be locked and may be swapped out", d.said())
            talk(s, b"set a 0 0 1\r\n1\r\n", b"STORED\r\n")

    def test_enable_coredumps(self):
        with Daemon("-r") as d, open("/proc/%d/limits" % d.pid) as f:
            soft, most = re.search(r"^Max core file size\s+(\S+)\s+(\S+)", f.read(), re.M).groups()
            self.assertEqual(soft, most)

    def test_verbose(self):
        lines = []
        for args in ([], ["-v"], ["-vv"]):
            with Daemon(*args) as d:
                with d.connect() as s:
                    self.assertEqual(stats(s, b"settings")["verbosity"], str(len("".join(args))
                                                                             - bool(args)))
                d.stop()
                lines.append(d.said().count("\n"))
        self.assertEqual(lines, sorted(lines))

    def test_log_level(self):
        with Daemon() as d, Daemon("--log-level", "error") as quiet:
            self.assertIn(" info ", d.said())
        self.assertNotIn(" info ", quiet.said())

    def test_log_format(self):
        with Daemon("--log-format", "json") as d:
            pass
        told = [json.loads(line) for line in d.said().splitlines()]
        self.assertGreater(len(told), 1)
        self.assertLessEqual({"ts", "level", "module", "msg"}, set(told[0]))

    def test_log_file(self):
        path = self.path("log")
        with Daemon("--log-file", path) as d:
            pass
        with open(path) as f:
            self.assertIn(" started ", f.read())
        self.assertNotIn(" started ", d.said())

    def test_slow_request(self):
        for limit, told in (("10ms", True), ("0", False)):
            shards, front = self.members("--shard-timeout", "100ms", "--slow-request", limit)
            freeze(shards[0].pid)
            with front.connect() as s:
                ask(s, b"".join(b"get k%d\r\n" % i for i in range(20)))
                self.assertEqual(int(stats(s)["slow_requests"]) > 0, told)
            os.kill(shards[0].pid, signal.SIGCONT)
            for d in [front] + shards:
                d.stop()

    def test_config(self):
        path = self.file("[front]\nconn-limit = 55\n")
        self.assertEqual(self.setting(["--config", path], "maxconns"), "55")
        self.assertEqual(run("--config", "/nowhere"), (
            BAD_CONFIG, b"", "chcached: cannot read /nowhere: No such file or directory\n"))

    # what is said, and nothing started

    def test_help(self):
        for flag in ("-h", "--help"):
            code, out, err = run(flag)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith(b"Usage: chcached ") and out.endswith(b"man chcached\n"))

    def test_version(self):
        for flag in ("-V", "--version"):
            code, out, _ = run(flag)
            self.assertEqual(code, 0)
            self.assertRegex(out, rb"\Achcached \d+\.\d+\.\d+\n\Z")

    def test_license(self):
        for flag in ("-i", "--license"):
            code, out, _ = run(flag)
            self.assertEqual(code, 0)
            self.assertIn(b"BSD-3-Clause", out)

    def test_test_config(self):
        path = self.file("[node]\nthreads = 2\n")
        for flag in ("-T", "--test-config"):
            self.assertEqual(run(flag), (0, b"command line: OK\n", ""))
            self.assertEqual(run(flag, "--config", path), (0, b"%s: OK\n" % path.encode(), ""))

    def test_print_config(self):
        path = self.file("[node]\nthreads = 2\n")
        code, out, err = run("--print-config", "--config", path, "-c", "7")
        self.assertEqual((code, err), (0, ""))
        for setting, origin in (("threads += 2", path + ":2"), ("conn-limit += 7", "command line"),
                                ("port += 11211", "default")):
            self.assertRegex(out.decode(), "(?m)^%s +; %s$" % (setting, re.escape(origin)))


def answer_soon(sock):
    """To a set that may have to wait for ever."""
    sock.sendall(b"set a 0 0 50000\r\n%b\r\n" % (b"x" * 50000))
    return sock.recv(1000) if select.select([sock], [], [], 0.2)[0] else None


if __name__ == "__main__":
    tap.main()
