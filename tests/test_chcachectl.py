#!/usr/bin/python3 -B
"""chcachectl against a running cache, against none, and against a strange one."""

import json
import os
import pty
import random
import re
import signal
import socket
import subprocess
import threading
import unittest

from lib import tap, wire
from lib.daemon import CHCACHECTL, CHCACHED, Cluster, Folder, Lone, Daemon, free_port, run, wait

YES, NO, UNREACHED, USAGE = 0, 1, 3, 64


def ctl(*args, server=None, stdin=b"", env=None):
    words = ["--server", server] if server else []
    return run(*words, *args, program=CHCACHECTL, stdin=stdin,
               env={**os.environ, "CHCACHED_SERVER": "", **(env or {})})


def on_terminal(*args):
    """(exit code, all that a terminal was sent)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(CHCACHECTL, [CHCACHECTL, *args])
    seen = b""
    try:
        while data := os.read(terminal, 1000):
            seen += data
    except OSError:             # the other end of a terminal closes so
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


class Usage(unittest.TestCase):
    def test_what_cannot_be_meant_is_told_in_one_line(self):
        for args, said in (
                ([], "expected a command, see chcachectl help"),
                (["snapshot", "a"], "unknown command snapshot, see chcachectl help"),
                (["--host", "x", "get", "a"], "unknown option --host, see chcachectl help"),
                (["--server"], "--server needs a value, HOST:PORT"),
                (["get"], "usage: chcachectl get KEY"),
                (["get", "a", "b"], "usage: chcachectl get KEY"),
                (["set", "a"], "usage: chcachectl set KEY VALUE"),
                (["delete"], "usage: chcachectl delete KEY"),
                (["ping", "a"], "usage: chcachectl ping"),
                (["touch", "a"], "usage: chcachectl touch KEY TIME"),
                (["touch", "a", "soon"], 'read the time to live "soon", expected seconds, or a '
                                         "time like 500ms or 2m, up to 315360000s"),
                (["touch", "a", "-1"], 'read the time to live "-1", expected seconds, or a '
                                       "time like 500ms or 2m, up to 315360000s"),
                (["set", "a", "b", "--ttl", "1500ms"],
                 'read the time to live "1500ms", expected whole seconds'),
                (["set", "a", "b", "--flags", "4294967296"],
                 'read the flags "4294967296", expected a whole number from 0 to 4294967295'),
                (["set", "a", "b", "--zone", "x"], "set has no option --zone, see chcachectl help"),
                (["incr", "a", "-1"], 'read "-1", expected a whole number to incr by'),
                (["decr", "a", "x"], 'read "x", expected a whole number to decr by'),
                (["decr"], "usage: chcachectl decr KEY [N]"),
                (["ping", "--ttl", "1"], "ping has no option --ttl, see chcachectl help"),
                (["stats", "a b"], "the group has a blank or a control character at byte 2"),
                (["stats", ""], "the group has 0 bytes, expected 1 to 250"),
                (["keys", "--limit", "0"],
                 'read the limit "0", expected a whole number from 1 to 4294967295'),
                (["keys", "a", "b"], "usage: chcachectl keys [PREFIX]"),
                (["monitor", "--limit", "x"],
                 'read the limit "x", expected a whole number from 1 to 4294967295'),
                (["monitor", "fetchers"], "usage: chcachectl monitor"),
                (["moniter"], "unknown command moniter, did you mean monitor?"),
                (["nodes", "lst"], "unknown command nodes lst, did you mean nodes list?"),
                (["nodes", "q"], "unknown command nodes q, see chcachectl help"),
                (["--server", "127.0.0.1:99999", "ping"],
                 "127.0.0.1:99999: behind the colon, expected a port from 1 to 65535"),
                (["--server", "localhost:0", "get", "a"],
                 "localhost:0: behind the colon, expected a port from 1 to 65535"),
                (["--server", "localhost:", "get", "a"],
                 "localhost:: behind the colon, expected a port from 1 to 65535"),
                (["--server", "localhost:nosuch", "get", "a"],
                 "localhost:nosuch: behind the colon, expected a port from 1 to 65535"),
                (["--admin", "[::1]:65536", "status"],
                 "[::1]:65536: behind the colon, expected a port from 1 to 65535"),
                (["config"], "config what? see chcachectl help config"),
                (["config", "check"], "usage: chcachectl config check FILE"),
                (["config", "show", "x"], "usage: chcachectl config show"),
                (["get", ""], "the key has 0 bytes, expected 1 to 250"),
                (["get", "k" * 251], "the key has 251 bytes, expected 1 to 250"),
                (["get", "a b"], "the key has a blank or a control character at byte 2"),
                (["set", "a\r\nflush_all", "x"],
                 "the key has a blank or a control character at byte 2"),
                (["delete", "\x7f"], "the key has a blank or a control character at byte 1")):
            with self.subTest(args=args):
                self.assertEqual(ctl(*args), (USAGE, b"", "chcachectl: %s\n" % said))

    def commands(self):
        named = re.findall(r"^  ([a-z]+(?: [a-z]+)?)\b", ctl("help")[1].decode(), re.M)
        return [words.split() for words in named if words != "help"]

    def test_no_command_takes_what_it_does_not_know(self):
        self.assertGreater(len(self.commands()), 25)
        for words in self.commands():
            name = " ".join(words)
            with self.subTest(words=words):
                code, out, err = ctl(*words, *["a"] * 70)
                self.assertEqual((code, out), (USAGE, b""))
                self.assertRegex(err, r"\Achcachectl: usage: chcachectl %s.*\n\Z" % name)
                self.assertEqual(ctl(*words, "--no-such"), (
                    USAGE, b"", "chcachectl: %s has no option --no-such, see chcachectl help\n"
                    % name))
                self.assertEqual(ctl(*words, "--json=1"), (
                    USAGE, b"", "chcachectl: --json takes no value\n"))

    def test_help_and_version_need_no_server(self):
        code, out, err = ctl("help")
        self.assertEqual((code, err), (YES, ""))
        for word in (b"get KEY", b"set KEY VALUE", b"delete KEY", b"ping", b"version",
                     b"touch KEY", b"incr KEY", b"decr KEY", b"stats", b"config check FILE",
                     b"CHCACHED_SERVER"):
            self.assertIn(word, out)
        self.assertEqual(ctl("--help"), (code, out, err))
        code, out, err = ctl("--version")
        self.assertEqual((code, err), (YES, ""))
        self.assertRegex(out, rb"\Achcachectl \d+\.\d+\.\d+\n\Z")

    def test_help_on_a_command_names_its_options(self):
        for words, said in (
                ("get", b"  get KEY                         write the value to stdout\n"
                        b"    --json\n    --ttl TIME\n"),
                ("nodes add",
                 b"  nodes add NAME=ADDR[*WEIGHT]    a new shard takes its share\n"
                 b"    --json\n    --no-wait\n    --dry-run\n    --zone NAME\n"),
                ("config", b"  config show                     the settings it runs with\n"
                           b"  config check FILE               would chcached take the file?\n")):
            self.assertEqual(ctl("help", *words.split()), (YES, said, ""))
        for words, said in (
                ("snapshot", "unknown command snapshot, see chcachectl help"),
                ("nodes drian", "unknown command nodes drian, did you mean nodes drain?"),
                ("get a", "usage: chcachectl help [COMMAND]")):
            self.assertEqual(ctl("help", *words.split()), (USAGE, b"", "chcachectl: %s\n" % said))

    def test_no_server_is_exit_code_3(self):
        nobody = "127.0.0.1:%d" % free_port()
        for args in (["ping"], ["version"], ["get", "a"], ["set", "a", "b"], ["delete", "a"],
                     ["touch", "a", "1"], ["incr", "a"], ["decr", "a"], ["stats"],
                     ["config", "show"], ["ping", "--json"], ["stats", "--json"], ["keys"],
                     ["keys", "--json"], ["monitor"]):
            code, out, err = ctl(*args, server=nobody)
            self.assertEqual((code, out), (UNREACHED, b""))
            self.assertEqual(err, "chcachectl: %s: Connection refused\n" % nobody)
        for server in ("/nowhere/at/all.sock", "@chcached-no-such-socket",
                       "no.such.host.invalid:1"):
            self.assertEqual(ctl("ping", server=server)[0], UNREACHED)


class Running:
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.kind().start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def ctl(self, *args, **more):
        return ctl(*args, server=self.daemon.address, **more)

    def test_a_value_goes_there_and_back(self):
        self.assertEqual(self.ctl("set", "a", "hello"), (YES, b"", ""))
        self.assertEqual(self.ctl("get", "a"), (YES, b"hello", ""))
        self.assertEqual(self.ctl("delete", "a"), (YES, b"", ""))
        self.assertEqual(self.ctl("get", "a"), (NO, b"", "chcachectl: a: not found\n"))
        self.assertEqual(self.ctl("delete", "a"), (NO, b"", "chcachectl: a: not found\n"))

    def json(self, *args, code=YES, **more):
        got, out, _ = self.ctl(*args, "--json", **more)
        self.assertEqual(got, code)
        return json.loads(out)

    def test_options_stand_anywhere_and_none_behind_two_dashes(self):
        self.assertEqual(self.ctl("set", "--", "--key", "--value")[0], YES)
        self.assertEqual(self.ctl("get", "--", "--key"), (YES, b"--value", ""))
        self.assertEqual(self.ctl("set", "--ttl=50", "b", "-1")[0], YES)
        self.assertEqual(self.ctl("get", "b"), (YES, b"-1", ""))

    def test_numbers_are_counted(self):
        self.ctl("set", "n", "5")
        self.assertEqual(self.ctl("incr", "n"), (YES, b"6\n", ""))
        self.assertEqual(self.ctl("incr", "n", "10"), (YES, b"16\n", ""))
        self.assertEqual(self.ctl("decr", "n", "100"), (YES, b"0\n", ""))
        self.assertEqual(self.json("incr", "n", "3"), {"key": "n", "value": 3})
        self.ctl("delete", "n")
        self.assertEqual(self.ctl("incr", "n"), (NO, b"", "chcachectl: n: not found\n"))
        self.ctl("set", "n", "x")
        code, out, err = self.ctl("decr", "n")
        self.assertEqual((code, out), (NO, b""))
        self.assertRegex(err, "CLIENT_ERROR cannot increment or decrement")

    def ttl(self, key):
        with self.daemon.connect() as s:
            return int(wire.ask(s, b"mg %b t\r\n" % key).split()[1][1:])

    def test_items_live_as_long_as_was_said(self):
        for args, least, most in ((["set", "t", "x", "--ttl", "100"], 90, 100),
                                  (["touch", "t", "5m"], 290, 300),
                                  (["get", "t", "--ttl", "1h"], 3590, 3600),
                                  (["touch", "t", "1000h"], 3599000, 3600000),
                                  (["touch", "t", "0"], -1, -1)):
            with self.subTest(args=args):
                self.assertEqual(self.ctl(*args)[0], YES)
                self.assertIn(self.ttl(b"t"), range(least, most + 1))
        self.assertEqual(self.ctl("touch", "nobody", "1"),
                         (NO, b"", "chcachectl: nobody: not found\n"))

    def test_json_tells_what_is_told_otherwise(self):
        self.assertEqual(self.json("set", "j", "v\u00e4lue", "--flags", "7"),
                         {"key": "j", "answer": "STORED"})
        got = self.json("get", "j")
        self.assertGreater(got.pop("cas"), 0)
        self.assertEqual(got, {"key": "j", "found": True, "flags": 7, "bytes": 6,
                               "value": "v\u00e4lue"})
        self.assertEqual(self.json("touch", "j", "9"), {"key": "j", "answer": "TOUCHED"})
        self.assertEqual(self.json("delete", "j"), {"key": "j", "answer": "DELETED"})
        self.assertEqual(self.json("delete", "j", code=NO), {"key": "j", "answer": "NOT_FOUND"})
        self.assertEqual(self.json("get", "j", code=NO), {"key": "j", "found": False})
        self.ctl("set", "j", "-", stdin=b"\xff\x00")
        self.assertEqual(self.json("get", "j")["value_base64"], "/wA=")
        got = self.json("ping")
        self.assertEqual((got["server"], got["answers"]), (self.daemon.address, True))
        self.assertEqual(self.json("version")["version"].encode() + b"\n",
                         self.ctl("version")[1])

    def test_stats_are_the_servers(self):
        code, out, err = self.ctl("stats")
        self.assertEqual((code, err), (YES, ""))
        self.assertEqual(self.ctl("stats", "nosuch"), (
            NO, b"", "chcachectl: %s: it has no stats nosuch\n" % self.daemon.address))
        rows = dict(line.split(" ", 1) for line in out.decode().splitlines())
        self.assertEqual(rows["pid"], str(self.daemon.pid))
        got = self.json("stats")
        self.assertEqual(got["pid"], self.daemon.pid)
        self.assertEqual(got["version"], rows["version"])
        self.assertIsInstance(got["rusage_user"], float)
        for name in self.daemon.shards:
            self.assertEqual(self.json("stats", "shards")[name + ":state"], "up")
        for args in (["config", "show"], ["stats", "settings"]):
            self.assertEqual(self.json(*args)["tcpport"], self.daemon.port)
        self.assertIn(b"ITEM ", self.ctl("set", "a", "x")[1] +
                      self.ctl("stats", "cachedump", "1", "0")[1])
        self.assertEqual(self.ctl("stats", "reset"), (YES, b"", ""))
        code, out, err = self.ctl("stats", "detail", "nonsense")
        self.assertEqual((code, out), (NO, b""))
        self.assertRegex(err, "CLIENT_ERROR usage")

    def test_keys_of_all_shards_are_listed_once(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"flush_all\r\n", b"OK\r\n")
            for i in range(300):
                wire.talk(s, b"set walk/%d 7 0 3\r\nabc\r\n" % i, b"STORED\r\n")
            wire.talk(s, b"set other 0 0 0\r\n\r\nms d2Fsa/8KIA== 1 b\r\nx\r\n",
                      b"STORED\r\nHD\r\n")
        keys = sorted(b"walk/%d" % i for i in range(300))
        code, out, err = self.ctl("keys", "walk/")
        self.assertEqual((code, sorted(out.splitlines()), err), (YES, keys, ""))
        code, out, _ = self.ctl("keys")
        self.assertEqual(sorted(out.splitlines()), sorted(keys + [b"other", b"walk\xff%0A%20"]))
        rows = self.json("keys", "walk/")
        self.assertEqual(sorted(row["key"].encode() for row in rows), keys)
        self.assertEqual({(row["flags"], row["exp"]) for row in rows}, {(7, -1)})
        row, = self.json("keys", "walk\xff".encode("latin1"))
        self.assertEqual(row["key_base64"], "d2Fsa/8KIA==")
        self.assertEqual(len(self.json("keys", "--limit", "7")), 7)
        self.assertEqual(self.ctl("keys", "nobody"),
                         (NO, b"", "chcachectl: no key begins with nobody\n"))
        self.assertEqual(self.json("keys", "nobody", code=NO), [])

    def monitor(self, *args):
        p = subprocess.Popen([CHCACHECTL, "--server", self.daemon.address, "monitor", *args],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stderr.close)
        with self.daemon.connect() as s:        # until it is there to see it
            seen = []
            thread = threading.Thread(target=lambda: seen.append(p.stdout.readline()))
            thread.start()
            wait(lambda: wire.ask(s, b"get first\r\nset first 0 0 0\r\n\r\ndelete first\r\n")
                 and not thread.is_alive(), "something to be seen")
        return p, seen[0]

    def test_what_happens_is_seen_line_by_line(self):
        p, line = self.monitor("--fetchers", "--json")
        while json.loads(line)["key"] == "first":
            self.ctl("get", "a/b")
            line = p.stdout.readline()
        got = json.loads(line)
        self.assertEqual((got["type"], got["key"], got["status"]), ("item_get", "a/b", "not_found"))
        p.send_signal(signal.SIGINT)
        self.assertEqual((p.wait(wire.BOUND_S), p.stderr.read()), (YES, b""))

    def test_only_what_was_asked_for_is_seen(self):
        for args, types in ((["--fetchers"], {b"item_get"}), (["--deletions"], {b"deleted"}),
                            ([], {b"item_get", b"item_store", b"deleted"})):
            p, line = self.monitor(*args, "--limit", "60")
            with self.daemon.connect() as s:
                while p.poll() is None:
                    wire.ask(s, b"get b\r\nset b 0 0 0\r\n\r\ndelete b\r\n")
            lines = [line, *p.stdout.read().splitlines()]
            self.assertEqual((p.returncode, len(lines)), (YES, 60))
            self.assertEqual({re.search(rb" type=(\S+)", line)[1] for line in lines}, types)

    def test_stats_on_a_terminal_are_columns(self):
        code, seen = on_terminal("--server", self.daemon.address, "stats", "settings")
        self.assertEqual(code, YES)
        self.assertRegex(seen, r"\ANAME +VALUE\r\n(.*\r\n)*tcpport +%d\r\n" % self.daemon.port)

    def test_stats_of_several_things_stand_side_by_side(self):
        def rows(group):
            code, seen = on_terminal("--server", self.daemon.address, "stats", group)
            self.assertEqual(code, YES)
            return [line.split() for line in seen.splitlines()]

        titles, *lines = rows("shards")
        self.assertEqual(titles, ["NAME", *self.daemon.shards])
        self.assertEqual(lines[0], ["state", *["up"] * len(self.daemon.shards)])
        self.assertEqual(len({len(line) for line in lines}), 1)
        self.ctl("get", "anything")
        titles, *lines = rows("latency")
        self.assertEqual(titles, ["MICROSECONDS", "count", "p50", "p90", "p99", "p99.9", "max"])
        self.assertIn("get", [line[0] for line in lines])

    def test_values_from_stdin_are_any_bytes(self):
        for data in (b"", b"\r\nEND\r\n", b"\x00\xff" * 50000,
                     random.Random(5).randbytes(1000000)):
            self.assertEqual(self.ctl("set", "v", "-", stdin=data), (YES, b"", ""))
            self.assertEqual(self.ctl("get", "v"), (YES, data, ""))

    def test_the_servers_refusal_is_told(self):
        code, out, err = self.ctl("set", "v", "-", stdin=b"x" * (3 << 20))
        self.assertEqual((code, out), (NO, b""))
        self.assertEqual(err, "chcachectl: SERVER_ERROR object too large for cache\n")

    def test_the_environment_names_the_server(self):
        env = {"CHCACHED_SERVER": self.daemon.address}
        self.assertEqual(ctl("ping", env=env),
                         (YES, b"%b answers\n" % self.daemon.address.encode(), ""))
        self.assertEqual(ctl("ping", server="127.0.0.1:%d" % free_port(), env=env)[0],
                         UNREACHED)
        self.assertEqual(ctl("--server=" + self.daemon.address, "ping")[0], YES)

    def test_the_version_is_the_servers(self):
        with self.daemon.connect() as s:
            s.sendall(b"version\r\n")
            told = s.recv(100)
        code, out, _ = self.ctl("version")
        self.assertEqual((code, b"VERSION %b\r\n" % out.strip()), (YES, told))

    def test_a_terminal_gets_a_newline_behind_the_value(self):
        self.assertEqual(self.ctl("set", "a", "hello")[0], YES)
        self.assertEqual(on_terminal("--server", self.daemon.address, "get", "a"),
                         (YES, "hello\r\n"))


class OneProcess(Running, unittest.TestCase):
    kind = Lone

    def test_a_unix_socket_is_a_server_too(self):
        with Folder() as folder:
            path = os.path.join(folder, "sock")
            with Daemon("-s", path, port=0):
                wait(lambda: ctl("ping", server=path)[0] == YES, "the daemon")
                self.assertEqual(ctl("set", "a", "x", server=path)[0], YES)
                self.assertEqual(ctl("get", "a", server=path), (YES, b"x", ""))


class ThreeLocalShards(Running, unittest.TestCase):
    kind = Cluster


class Files(unittest.TestCase):
    def check(self, text, *more):
        with Folder() as folder:
            path = os.path.join(folder, "c.conf")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            code, out, err = ctl("config", "check", path, *more, env={"CHCACHED": CHCACHED})
            return code, out.decode().replace(path, "FILE"), err.replace(path, "FILE")

    def test_a_file_is_checked_by_who_would_take_it(self):
        self.assertEqual(self.check("[node]\nthreads = 2\n"), (YES, "FILE: OK\n", ""))
        bad = 'FILE:2: unknown key "thread"'
        code, out, err = self.check("[node]\nthread = 2\n")
        self.assertEqual((code, out, err[:len(bad)]), (78, "", bad))
        code, out, _ = self.check("[node]\nthread = 2\n", "--json")
        self.assertEqual((code, json.loads(out)["ok"]), (78, False))
        named = '[cluster]\ncoordinator = f@127.0.0.1:1\n[shard "s1"]\naddress = 127.0.0.1:2\n'
        self.assertEqual(self.check(named, "--name", "s1"), (YES, "FILE: OK\n", ""))
        code, out, err = ctl("config", "check", "/nowhere", env={"CHCACHED": CHCACHED})
        self.assertEqual((code, out, err), (78, b"", "chcached: cannot read /nowhere: "
                                                     "No such file or directory\n"))

    def test_where_chcached_is_not_that_is_told(self):
        code, out, err = ctl("config", "check", "x", env={"CHCACHED": "/nowhere/chcached"})
        self.assertEqual((code, out), (NO, b""))
        self.assertRegex(err, "/nowhere/chcached could not be run")


class Strange(unittest.TestCase):
    """Servers that do not keep to the protocol."""

    def serve(self, answer):
        listener = socket.create_server(("127.0.0.1", 0))

        def once():
            conn, _ = listener.accept()
            with conn:
                conn.recv(1000)
                conn.sendall(answer)
        thread = threading.Thread(target=once)
        thread.start()
        self.addCleanup(listener.close)
        self.addCleanup(thread.join)
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def test_what_a_server_calls_its_counters_cannot_reach_the_terminal(self):
        answer = (b"STAT all 7\r\nSTAT a\x1b[2J:n\x1b[31m 1\r\nSTAT b:n\x1b[31m \x1b[0m\r\n"
                  b"STAT b:m 0.5\r\nSTAT :x 5\r\nEND\r\n")
        code, seen = on_terminal("--server", self.serve(answer), "stats")
        self.assertEqual((code, seen.splitlines()), (YES, [
            "NAME  VALUE", "all   7", ":x    5", "",
            "NAME   n?[31m    m",
            "a?[2J       1    -",
            "b        ?[0m  0.5"]))

    def test_answers_that_are_none(self):
        for args, answer, code, out in (
                (["get", "a"], b"", UNREACHED, b""),
                (["get", "a"], b"VALUE a 0 100\r\nonly this", UNREACHED, b"only this"),
                (["get", "a"], b"VALUE a 0 3\r\nabcX", UNREACHED, b"abc"),
                (["get", "a"], b"VALUE a 0 99999999999\r\n", NO, b""),
                (["get", "a"], b"VALUE\r\n", NO, b""),
                (["get", "a", "--json"], b"VALUE a 0 3 1\r\nab", UNREACHED, b""),
                (["get", "a", "--json"], b"VALUE a 0 3 x\r\nabc\r\nEND\r\n", NO, b""),
                (["keys"], b"ERROR metadump not allowed\r\n", NO, b""),
                (["keys"], b"OK\r\nkey=a exp=-1\r\n", UNREACHED, b"a\n"),
                (["keys"], b"OK\r\nkey=a%2 exp\r\nSERVER_ERROR no\r\n", NO, b"a%2\n"),
                (["keys", "--json"], b"OK\r\nkey=a exp=-1\r\n", UNREACHED,
                 b'[\n{"key":"a","exp":-1}\n]\n'),
                (["monitor"], b"ERROR\r\n", NO, b""),
                (["monitor"], b"OK\r\n\x1b[31m\r\n", UNREACHED, b"?[31m\n"),
                (["monitor", "--json"], b"OK\r\n=\x00 a= b\r\n", UNREACHED, b'{"":""}\n'),
                (["incr", "a"], b"1x\r\n", NO, b""),
                (["touch", "a", "1"], b"\r\n", NO, b""),
                (["stats", "--json"], b"STAT a 1\r\nSTAT b\r\n", UNREACHED, b""),
                (["stats", "x"], b"STAT a 1\r\nSERVER_ERROR no\r\n", NO, b"a 1\n"),
                (["get", "a"], b"SERVER_ERROR no\r\n", NO, b""),
                (["ping"], b"x" * 5000, UNREACHED, b""),
                (["ping"], b"HTTP/1.1 400 Bad Request\r\n", NO, b""),
                (["version"], b"ERROR\r\n", NO, b""),
                (["set", "a", "b"], b"\x1b[31mEXISTS\r\n", NO, b"")):
            with self.subTest(args=args, answer=answer[:40]):
                got, data, err = ctl(*args, server=self.serve(answer))
                self.assertEqual((got, data), (code, out))
                self.assertRegex(err, r"\Achcachectl: [ -~]+\n\Z")


if __name__ == "__main__":
    tap.main()
