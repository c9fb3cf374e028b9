#!/usr/bin/python3 -B
"""chcachectl against a running cache, against none, and against a strange one."""

import os
import pty
import random
import socket
import threading
import unittest

from lib import tap
from lib.daemon import CHCACHECTL, Cluster, Folder, Lone, Daemon, free_port, run, wait

YES, NO, UNREACHED, USAGE = 0, 1, 3, 64


def ctl(*args, server=None, stdin=b"", env=None):
    words = ["--server", server] if server else []
    return run(*words, *args, program=CHCACHECTL, stdin=stdin,
               env={**os.environ, "CHCACHED_SERVER": "", **(env or {})})


class Usage(unittest.TestCase):
    def test_what_cannot_be_meant_is_told_in_one_line(self):
        for args, said in (
                ([], "expected a command, see chcachectl help"),
                (["fetch", "a"], "unknown command fetch, see chcachectl help"),
                (["--host", "x", "get", "a"], "unknown option --host, see chcachectl help"),
                (["--server"], "--server needs a value, HOST:PORT"),
                (["get"], "usage: chcachectl get KEY"),
                (["get", "a", "b"], "usage: chcachectl get KEY"),
                (["set", "a"], "usage: chcachectl set KEY VALUE"),
                (["delete"], "usage: chcachectl delete KEY"),
                (["ping", "a"], "usage: chcachectl ping"),
                (["get", ""], "the key has 0 bytes, expected 1 to 250"),
                (["get", "k" * 251], "the key has 251 bytes, expected 1 to 250"),
                (["get", "a b"], "the key has a blank or a control character at byte 2"),
                (["set", "a\r\nflush_all", "x"],
                 "the key has a blank or a control character at byte 2"),
                (["delete", "\x7f"], "the key has a blank or a control character at byte 1")):
            with self.subTest(args=args):
                self.assertEqual(ctl(*args), (USAGE, b"", "chcachectl: %s\n" % said))

    def test_help_and_version_need_no_server(self):
        code, out, err = ctl("help")
        self.assertEqual((code, err), (YES, ""))
        for word in (b"get KEY", b"set KEY VALUE", b"delete KEY", b"ping", b"version",
                     b"CHCACHED_SERVER"):
            self.assertIn(word, out)
        self.assertEqual(ctl("--help"), (code, out, err))
        code, out, err = ctl("--version")
        self.assertEqual((code, err), (YES, ""))
        self.assertRegex(out, rb"\Achcachectl \d+\.\d+\.\d+\n\Z")

    def test_help_on_a_command_names_its_options(self):
        for words, said in (
                ("get", b"  get KEY                         write the value to stdout\n"),
                ("nodes add",
                 b"  nodes add NAME=ADDR[*WEIGHT]    a new shard takes its share\n"
                 b"    --json\n    --no-wait\n    --dry-run\n    --zone NAME\n")):
            self.assertEqual(ctl("help", *words.split()), (YES, said, ""))
        for words, said in (
                ("fetch", "unknown command fetch, see chcachectl help"),
                ("nodes", "nodes what? see chcachectl help"),
                ("get a", "usage: chcachectl help [COMMAND]")):
            self.assertEqual(ctl("help", *words.split()), (USAGE, b"", "chcachectl: %s\n" % said))

    def test_no_server_is_exit_code_3(self):
        nobody = "127.0.0.1:%d" % free_port()
        for args in (["ping"], ["version"], ["get", "a"], ["set", "a", "b"], ["delete", "a"]):
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
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(CHCACHECTL, [CHCACHECTL, "--server", self.daemon.address, "get", "a"])
        seen = b""
        try:
            while data := os.read(terminal, 1000):
                seen += data
        except OSError:         # the other end of a terminal closes so
            pass
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), YES)
        self.assertEqual(seen, b"hello\r\n")


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

    def test_answers_that_are_none(self):
        for args, answer, code, out in (
                (["get", "a"], b"", UNREACHED, b""),
                (["get", "a"], b"VALUE a 0 100\r\nonly this", UNREACHED, b"only this"),
                (["get", "a"], b"VALUE a 0 3\r\nabcX", UNREACHED, b"abc"),
                (["get", "a"], b"VALUE a 0 99999999999\r\n", NO, b""),
                (["get", "a"], b"VALUE\r\n", NO, b""),
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
