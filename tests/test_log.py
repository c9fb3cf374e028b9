#!/usr/bin/python3 -B
"""What operators read: level, form, file, and messages that say what to do."""

import json
import os
import pwd
import re
import signal
import socket
import stat
import time
import unittest

from lib import admin, tap, wire
from lib.daemon import SEEN, Cluster, Daemon, Folder, free_port, freeze, is_alive, run, wait
from lib.wire import ask, stats

OS_ERROR, USAGE = 71, 64
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) ([a-z]+): (.*)")


def lines(text, level=None):
    """(level, module, rest) of each; all have the form they should."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [m.groups() for m in found if level in (None, m[1])]


def content(path):
    with open(path) as f:
        return f.read()


class Summary(unittest.TestCase):
    def summary(self, d):
        return wait(lambda: (lambda found: found if len(found) >= 4 else None)(
            [rest for _, module, rest in lines(d.said(), "info") if module == "main"]), "a summary")

    def test_a_start_is_told_in_four_lines(self):
        with Daemon() as d:
            d.stop()
            said = [rest for _, _, rest in lines(d.said(), "info")]
        self.assertEqual(len(said), 5, said)       # the last one says that it stops
        self.assertRegex(said[0], r"^chcached \S+ started role=both name=local cluster=chcached$")
        self.assertEqual(said[1], "addresses clients=%s peers=none admin=none" % d.address)
        self.assertEqual(said[2], "map shards=1 copies=1 epoch=1")
        self.assertRegex(said[3], r"^memory limit=64M largest_item=1024K threads=\d+$")
        self.assertRegex(said[4], r"^stopping signal=15$")

    def test_all_addresses_are_told(self):
        with Folder() as folder:
            second, path = free_port(), os.path.join(folder, "sock")
            http = admin.address()
            with Daemon("-l", "127.0.0.1", "-l", "127.0.0.1:%d" % second, "-s", path,
                        "--http", http) as d:
                self.assertIn("addresses clients=%s,%s,127.0.0.1:%d peers=none admin=%s"
                              % (path, d.address, second, http), self.summary(d))

    def test_shards_and_copies_are_told(self):
        with Cluster("--replicas", "2", "-m", "96") as c:
            said = self.summary(c)
        self.assertRegex(said[0], "started role=front name=local")
        self.assertRegex(said[1], r"clients=%s peers=/\S+/local.sock admin=none" % c.address)
        self.assertRegex(said[2], r"^map shards=3 copies=2 epoch=\d+$")
        self.assertRegex(said[3], "^memory limit=96M ")

    def test_a_front_that_keeps_nothing_tells_no_memory(self):
        with Daemon("--role", "front", "--shard", "s1=127.0.0.1:%d" % free_port()) as d:
            self.assertIn("memory limit=none", self.summary(d)[3])


class Levels(unittest.TestCase):
    def levels(self, *args, commands=()):
        with Daemon("--local-shards", "2", *args) as d:
            for command in commands:
                with d.connect() as s:
                    self.assertEqual(ask(s, command), b"OK\r\n")
            d.stop()
            return {level for level, _, _ in lines(d.said())}

    def test_a_level_hides_what_is_less_important(self):
        self.assertLessEqual(self.levels("--log-level=error"), {"error"})
        self.assertLessEqual(self.levels("--log-level", "warn"), {"error", "warn"})
        self.assertEqual(self.levels("--log-level", "info") & {"info", "debug"}, {"info"})
        self.assertIn("debug", self.levels("--log-level", "debug"))

    def test_verbose_is_debug_whatever_the_level_is(self):
        self.assertIn("debug", self.levels("--log-level", "error", "-v"))
        self.assertIn("debug", self.levels("-v", "--log-level", "warn"))

    def test_a_client_that_asks_for_less_gets_the_level_back(self):
        self.assertNotIn("info", self.levels("--log-level", "warn",
                                             commands=(b"verbosity 1\r\n", b"verbosity 0\r\n")))
        self.assertIn("info", self.levels("--log-level", "warn", commands=(b"verbosity 1\r\n",)))

    def test_bad_words_are_refused(self):
        for args, said in (
                (["--log-level", "warning"],
                 '--log-level: read "warning", expected error, warn, info or debug'),
                (["--log-format=xml"], '--log-format: read "xml", expected text or json'),
                (["--log-file", "a" * 5000], '--log-file: read "%s", expected 1 to 4095 bytes of text' % ("a" * 5000)),
                (["--log-levle", "warn"], "unknown option --log-levle, did you mean --log-level?")):
            self.assertEqual(run(*args), (USAGE, b"", "chcached: %s\n" % said))


class Json(unittest.TestCase):
    def check(self, text):
        found = [json.loads(line) for line in text.splitlines()]
        for line in found:
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("error", "warn", "info", "debug"))
            self.assertGreaterEqual(line.keys(), {"ts", "level", "module", "msg"})
        return found

    def test_every_line_is_an_object_those_of_children_too(self):
        with Cluster("--log-format", "json", "-v") as c, c.connect() as s:
            ask(s, b"get a\r\n")
            os.kill(c.child("local-2"), signal.SIGKILL)
            wait(lambda: "a shard ended" in c.said(), "the front to say so")
            c.stop()
            found = self.check(c.said())
        ended = [line for line in found if "a shard ended" in line["msg"]][0]
        self.assertEqual((ended["shard"], ended["by"], ended["code"]), ("local-2", "signal", 9))
        shards = [line for line in found if line["msg"] == "map"]
        self.assertEqual([(line["shards"], line["copies"]) for line in shards], [(3, 1)])

    def test_a_start_that_fails_is_an_object_too(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, _, err = run("-p", str(taken.getsockname()[1]), "--log-format", "json")
        self.assertEqual(code, OS_ERROR)
        found = self.check(err)
        self.assertEqual(found[-1]["level"], "error")
        self.assertIn("is in use", found[-1]["msg"])


class Files(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__)
        os.chmod(self.folder, 0o777)
        self.path = os.path.join(self.folder, "log")

    def test_lines_go_to_the_file_and_none_to_stderr(self):
        with open(self.path, "w") as f:
            f.write("2026-01-01T00:00:00.000Z info main: what was there\n")
        with Daemon("--log-file", self.path) as d:
            wait(lambda: "memory" in content(self.path), "the summary")
            d.stop()
            self.assertNotIn(" info ", d.said())
        said = lines(content(self.path))
        self.assertEqual(said[0][2], "what was there")
        self.assertEqual(said[-1][2], "stopping signal=15")

    def test_only_its_user_and_group_read_a_new_file(self):
        with Daemon("--log-file", self.path):
            self.assertEqual(os.stat(self.path).st_mode & 0o137, 0)

    def test_a_file_that_was_moved_is_opened_again(self):
        moved = self.path + ".1"
        with Cluster("--log-file", self.path, "-v", *SEEN) as c:
            wait(lambda: "memory" in content(self.path), "the summary")
            files = {pid: self.files_of(pid) for pid in [c.pid, *c.children()]}
            self.assertEqual({pid for pid, f in files.items() if self.path not in f}, set())
            os.rename(self.path, moved)
            c.process.send_signal(signal.SIGHUP)
            wait(lambda: all(self.is_written_by(pid) for pid in files),
                 "all processes to have the new file")
            self.assertEqual([pid for pid in files if moved in self.files_of(pid)], [])
            wait(lambda: "settings were read again" in content(self.path), "the front to say so")
            # A shard that is started later has it as well.
            before = c.child("local-1")
            os.kill(before, signal.SIGKILL)
            wait(lambda: c.child("local-1") not in (None, before), "another child")
            wait(lambda: self.is_written_by(c.child("local-1")), "it to have the new file")
        self.assertIn("a shard ended", content(self.path))
        self.assertNotIn("a shard ended", content(moved))
        lines(content(moved))
        lines(content(self.path))

    @staticmethod
    def files_of(pid):
        folder, found = "/proc/%d/fd" % pid, []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(os.path.join(folder, name)))
            except OSError:
                pass
        return found

    def is_written_by(self, pid):
        return os.path.exists(self.path) and self.path in self.files_of(pid)

    def test_a_file_that_cannot_be_opened_again_leaves_the_old_one(self):
        with Daemon("--log-file", self.path) as d:
            wait(lambda: "memory" in content(self.path), "the summary")
            os.rename(self.path, self.path + ".1")
            os.mkdir(self.path)
            d.process.send_signal(signal.SIGHUP)
            wait(lambda: "cannot be opened again, lines go to the old one: Is a directory "
                 "file=%s\n" % self.path in content(self.path + ".1"), "the old file to say so")

    def test_a_file_that_cannot_be_opened_ends_the_start(self):
        code, _, err = run("--log-file", "/nowhere/at/all", "-p", str(free_port()), "--http=off")
        self.assertEqual(code, OS_ERROR)
        self.assertRegex(err, "chcached: cannot open the log file /nowhere/at/all: No such file "
                              r"or directory\. .* --log-file\.\n\Z")

    def test_a_start_that_fails_is_told_on_stderr_and_in_the_file(self):
        with Folder() as state:
            with open(os.path.join(state, "map.state"), "w") as f:
                f.write("no map")
            os.chmod(state, 0o755)
            where = "127.0.0.1:%d" % free_port()
            code, _, err = run("--name", "s1", "--coordinator", "s1@" + where, "--peer", where,
                               "--shard", "s1=" + where, "--state-dir", state,
                               "-p", str(free_port()), "--http=off", "--log-file", self.path)
        self.assertEqual(code, 78)
        self.assertRegex(err, r"chcached: no map can be made of what is in %s: .*\. Put its "
                              r"map.state back, or name another --state-dir\.\n\Z" % state)
        self.assertIn("no map can be made of what is in %s" % state,
                      lines(content(self.path), "error")[0][2])

    def test_the_background_has_a_log(self):
        port = free_port()
        code, _, err = run("-d", "--log-file", self.path, "-p", str(port), "--http=off", *SEEN)
        self.assertEqual(code, 0, err)
        with wire.connect("127.0.0.1:%d" % port) as s:
            pid = int(stats(s)["pid"])
        self.addCleanup(lambda: is_alive(pid) and os.kill(pid, signal.SIGKILL))
        self.assertEqual(os.readlink("/proc/%d/fd/2" % pid), self.path)
        os.kill(pid, signal.SIGTERM)
        wait(lambda: not is_alive(pid), "the daemon to end")
        self.assertEqual(lines(content(self.path))[-1][2], "stopping signal=15")

    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_the_user_that_root_becomes_opens_the_file_again(self):
        with Daemon("-u", "nobody", "--log-file", self.path) as d:
            self.assertEqual(os.stat(self.path).st_uid, pwd.getpwnam("nobody").pw_uid)
            os.rename(self.path, self.path + ".1")
            d.process.send_signal(signal.SIGHUP)
            wait(lambda: self.is_written_by(d.pid), "it to have the new file")


class Slow(unittest.TestCase):
    """A shard that does not answer, given up after 100 ms: its requests take so long."""

    def setUp(self):
        self.shard = Daemon("--role", "shard", "--name", "s1", "--peer",
                            "127.0.0.1:%d" % free_port(), port=0)
        self.addCleanup(self.shard.end)
        self.shard.start()

    def front(self, *args, timeout="100ms"):
        front = Daemon("--role", "front", "--shard", "s1=" + self.shard.args[5],
                       "--shard-timeout", timeout, *args, "-t", "1")
        self.addCleanup(front.end)
        front.start()
        with front.connect() as s:
            wait(lambda: ask(s, b"set warm 0 0 1\r\nx\r\n") == b"STORED\r\n", "the shard")
        return front

    @staticmethod
    def slow(front):
        return [rest for _, _, rest in lines(front.said(), "warn") if "was slow" in rest]

    def freeze(self):
        freeze(self.shard.pid)
        self.addCleanup(os.kill, self.shard.pid, signal.SIGCONT)

    def test_each_kind_is_told(self):
        for command, answer, said in (
                (b"get a\r\n", b"END\r\n", "command=get key=a keys=1 "),
                (b"get a b c\r\n", b"END\r\n", r"command=get key=[abc] keys=[13] "),
                (b"set " + b"k" * 200 + b" 0 0 1\r\nx\r\n", None,
                 r"command=set key=k{64}\.\.\. keys=1 "),
                (b"mg a%d\x1b[2J v\r\n", None, r"command=get key=a%d\\x1b\[2J keys=1 "),
                (b"incr n 1\r\n", None, "command=incr key=n keys=1 ")):
            with self.subTest(command=command):
                front = self.front("--slow-request", "50ms")
                with front.connect() as s:
                    self.freeze()
                    got = ask(s, command)
                    os.kill(self.shard.pid, signal.SIGCONT)
                    if answer is not None:
                        self.assertEqual(got, answer)
                    told = wait(lambda: self.slow(front), "the line")
                    self.assertEqual(len(told), 1)
                    self.assertRegex(told[0], "^a request was slow " + said + r"shard=s1 "
                                     r"took_ms=\d+ waited_for=shard result=(answered|\"it does not "
                                     r'answer") not_shown=\d+$')
                    self.assertGreaterEqual(int(re.search(r"took_ms=(\d+)", told[0])[1]), 50)
                    self.assertGreaterEqual(int(stats(s)["slow_requests"]), 1)
                front.stop()

    def test_one_that_is_answered_late_is_told(self):
        front = self.front("--slow-request", "50ms", timeout="20s")
        with front.connect() as s, front.connect() as other:
            self.freeze()
            s.sendall(b"get warm many warm\r\n")
            end = time.monotonic() + 0.2
            wait(lambda: ask(other, b"version\r\n") and time.monotonic() > end, "a while")
            os.kill(self.shard.pid, signal.SIGCONT)
            wire.exchange(s, b"", lambda got: got.endswith(b"END\r\n"))
            told = wait(lambda: self.slow(front), "the line")
            self.assertRegex(told[0], "command=get key=warm keys=3 shard=s1 .*result=answered")

    def test_of_many_few_are_logged_and_all_are_counted(self):
        front = self.front("--slow-request", "50ms")
        with front.connect() as s:
            before = int(stats(s)["slow_requests"])
            self.freeze()
            answers = wire.exchange(s, b"delete a\r\n" * 200,
                                    lambda got: got.count(b"\r\n") == 200)[0]
            self.assertIn(b"SERVER_ERROR", answers)
            self.assertEqual(int(stats(s)["slow_requests"]) - before, 200)
            self.assertLess(len(self.slow(front)), 10)
            os.kill(self.shard.pid, signal.SIGCONT)

            def another():
                freeze(self.shard.pid)
                ask(s, b"get a\r\n")
                os.kill(self.shard.pid, signal.SIGCONT)
                wait(lambda: ask(s, b"set warm 0 0 1\r\nx\r\n") == b"STORED\r\n", "the shard")
                return sum(int(re.search(r"not_shown=(\d+)", line)[1])
                           for line in self.slow(front)) >= 199 - len(self.slow(front))
            wait(another, "the rest to be told")

    def test_none_is_slow_when_it_is_off_or_quick(self):
        for limit in ("0", "1h"):
            front = self.front("--slow-request", limit)
            with front.connect() as s:
                self.freeze()
                ask(s, b"get a b\r\n")
                ask(s, b"delete a\r\n")
                os.kill(self.shard.pid, signal.SIGCONT)
                self.assertEqual(stats(s)["slow_requests"], "0")
            front.stop()
            self.assertEqual(self.slow(front), [])

    def test_bad_times_are_refused(self):
        for value in ("soon", "-1s", "2h", ""):
            code, out, err = run("--slow-request", value)
            self.assertEqual((code, out), (USAGE, b""))
            self.assertRegex(err, r"chcached: --slow-request: read .*, expected seconds or a number "
                                  r"with ms, s, m or h, from 0 to 1h\n\Z")


class Owners(unittest.TestCase):
    """Who has the address is told, and what to do."""

    def check(self, args, address, instead, pid=None):
        code, _, err = run(*args, "--http=off") if "--http" not in args else run(*args)
        self.assertEqual(code, OS_ERROR)
        self.assertRegex(err, r"(?m)^chcached: %s is in use \(\S+, pid %d\)\. Stop it or use %s\.$"
                         % (re.escape(address), pid or os.getpid(), re.escape(instead)))

    def test_of_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError as e:
            self.skipTest("no IPv6 here: %s" % e)
        with taken:
            address = "[::1]:%d" % taken.getsockname()[1]
            self.check(["-l", address], address, "-p PORT")

    def test_of_a_port_that_another_has_on_another_address(self):
        port = free_port()
        with socket.create_server(("127.0.0.1", port)), \
                Daemon("-l", "127.0.0.2:%d" % port, "-l", "127.0.0.1", *SEEN) as other:
            for address, pid in (("127.0.0.1", os.getpid()), ("127.0.0.2", other.pid)):
                where = "%s:%d" % (address, port)
                self.check(["-l", where], where, "-p PORT", pid)

    def test_of_one_that_listens_everywhere(self):
        with socket.create_server(("0.0.0.0", 0)) as taken:
            port = taken.getsockname()[1]
            self.check(["-p", str(port)], "127.0.0.1:%d" % port, "-p PORT")

    def test_of_a_unix_socket(self):
        with Folder() as folder, socket.socket(socket.AF_UNIX) as taken:
            path = os.path.join(folder, "with blank")
            taken.bind(path)
            taken.listen()
            self.check(["-s", path], path, "-s FILE")

    def test_of_the_admin_address(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            self.check(["-p", str(free_port()), "--http", where], where, "--http ADDR:PORT")

    def test_of_the_peer_address(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            self.check(["--role", "shard", "--name", "s1", "--peer", where], where,
                       "--peer ADDR:PORT")

    def test_what_is_no_socket_is_left_alone(self):
        with Folder() as folder:
            path = os.path.join(folder, "file")
            with open(path, "w") as f:
                f.write("mine")
            code, _, err = run("-s", path, "--http=off")
            self.assertEqual((code, content(path)), (OS_ERROR, "mine"))
            self.assertTrue(stat.S_ISREG(os.stat(path).st_mode))
            self.assertIn("%s is in use" % path, err)


if __name__ == "__main__":
    tap.main()
