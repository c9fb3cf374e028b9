#!/usr/bin/python3 -B
"""What each option does, what is said about bad ones, and the exit codes."""

import os
import pwd
import re
import signal
import socket
import stat
import unittest

from lib import tap, wire
from lib.daemon import Daemon, Folder, free_port, has_ipv6, is_alive, run, wait
from lib.wire import ask, stats, talk

USAGE, NO_USER, OS_ERROR = 64, 67, 71

# Every line is the whole of what is said, after "chcached: ".
REFUSED = [
    (["--thread", "4"], "unknown option --thread, did you mean --threads?"),
    (["--memory=5"], "unknown option --memory, did you mean --memory-limit?"),
    (["--local-shard", "3"], "unknown option --local-shard, did you mean --local-shards?"),
    (["--xyzzy"], "unknown option --xyzzy, see chcached --help"),
    (["-J", "file"], "unknown option -J, see chcached --help"),
    (["11211"], 'read "11211", expected an option'),
    (["-p"], "-p (--port) needs a value, N"),
    (["-p", "x"], '--port: read "x", expected a whole number, from 0 to 65535'),
    (["--port=65536"], '--port: read "65536", expected a whole number, from 0 to 65535'),
    (["-t", "0"], '--threads: read "0", expected a whole number, from 1 to 256'),
    (["-c", "0"], '--conn-limit: read "0", expected a whole number, from 1 to 1000000'),
    (["-b", "0"], '--listen-backlog: read "0", expected a whole number, from 1 to 65535'),
    (["-R", "0"], '--max-reqs-per-event: read "0", expected a whole number, from 1 to 1000000'),
    (["-a", "9"], '--unix-mask: read "9", expected an octal number, from 0 to 777'),
    (["--role", "proxy"], '--role: read "proxy", expected both, front or shard'),
    (["--daemon=yes"], '--daemon takes no value, read "yes"'),
    (["-S"], "--enable-sasl: there is no SASL"),
    (["-B", "binary"], '--protocol: read "binary", expected auto or ascii: '
                       "the text protocol is always spoken"),
    (["--role", "front"], "--role front needs --shard, --local-shards or --coordinator: "
                          "a front keeps nothing itself"),
    (["--role", "shard", "--name", "s"], "--role shard needs --peer, "
                                         "the address where fronts reach it"),
    (["--role", "shard", "--peer", "@x"], "--role shard needs --name: "
                                          "fronts know a shard by its name"),
    (["--local-shards", "2", "--role", "shard"],
     "--local-shards makes this process a front: it does not go with --role shard"),
]

# The reason is the message's own; the start of it says which option it is.
REFUSED_VALUES = [
    ["-m", "0"], ["-m", "x"], ["-m", "5y"], ["-I", "1023"], ["-I", "129m"], ["-I", ""],
    ["-U", "11211"], ["-l", "no.such.host"], ["-l", "127.0.0.1:99999"], ["-l", ""],
    ["--local-shards", "65"], ["--shard-timeout", "soon"], ["--shard", "s1"],
    ["--shard", "s1=127.0.0.1:1*0"], ["--shard", "s 1=127.0.0.1:1"], ["--name", "a b"],
    ["--cluster", ""], ["--link-queue-limit", "1"], ["--output-limit", "1"],
]

IGNORED = [["-f", "1.25"], ["-n", "48"], ["-L"], ["-e", "/nowhere"], ["-N", "1"],
           ["-o", "modern,no_lru_crawler"]]


class Refusals(unittest.TestCase):
    def test_a_bad_line_is_answered_with_one_line(self):
        for args, said in REFUSED:
            with self.subTest(args=args):
                self.assertEqual(run(*args), (USAGE, b"", "chcached: %s\n" % said))

    def test_a_bad_value_names_option_value_and_what_was_expected(self):
        for args in REFUSED_VALUES:
            with self.subTest(args=args):
                code, out, err = run(*args)
                self.assertEqual((code, out), (USAGE, b""))
                self.assertRegex(err, r"\Achcached: --[a-z-]+: .*(expected|never fit).*\n\Z")

    def test_a_port_in_use_is_told_with_its_owner(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, out, err = run("-p", str(port))
        self.assertEqual((code, out), (OS_ERROR, b""))
        self.assertIn("127.0.0.1:%d is in use" % port, err)
        self.assertIn("pid %d" % os.getpid(), err)
        self.assertIn("-p", err)

    def test_an_address_that_is_not_ours_is_told(self):
        code, _, err = run("-l", "192.0.2.1", "-p", str(free_port()))
        self.assertEqual(code, OS_ERROR)
        self.assertIn("192.0.2.1", err)

    def test_a_socket_in_no_folder_is_told(self):
        code, _, err = run("-s", "/nowhere/at/all.sock")
        self.assertEqual(code, OS_ERROR)
        self.assertIn("/nowhere/at/all.sock", err)

    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_a_user_that_does_not_exist_is_told(self):
        code, _, err = run("-u", "no-such-user", "-p", str(free_port()))
        self.assertEqual(code, NO_USER)
        self.assertIn("no-such-user", err)


class Texts(unittest.TestCase):
    def test_help_is_a_screen_and_ends_with_the_manual(self):
        for args in (["-h"], ["--help"], ["-p", "5", "--help"]):
            code, out, err = run(*args)
            lines = out.decode().splitlines()
            self.assertEqual((code, err), (0, ""))
            self.assertLessEqual(len(lines), 22)
            self.assertTrue(all(len(line) < 80 for line in lines))
            self.assertTrue(lines[-1].endswith("man chcached"), lines[-1])

    def test_version_is_one_line(self):
        for arg in ("-V", "--version"):
            code, out, err = run(arg)
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, rb"\Achcached \d+\.\d+\.\d+\n\Z")

    def test_the_licence_is_told(self):
        code, out, _ = run("-i")
        self.assertEqual(code, 0)
        self.assertIn(b"BSD-3-Clause", out)


class Effects(unittest.TestCase):
    def status(self, daemon, field):
        with open("/proc/%d/status" % daemon.pid) as f:
            return re.search(r"^%s:\s*(.*)$" % field, f.read(), re.M)[1].split()

    def test_memcacheds_tuning_is_ignored_with_a_warning(self):
        args = [word for words in IGNORED for word in words]
        with Daemon(*args) as d:
            self.assertEqual(d.said().count(" is ignored: "), len(IGNORED))

    def test_clients_come_by_every_address(self):
        one, two = free_port(), free_port()
        with Daemon("-l", "127.0.0.1,127.0.0.1:%d" % one, "-l", "127.0.0.1:%d" % two) as d:
            for port in (d.port, one, two):
                with wire.connect("127.0.0.1:%d" % port) as s:
                    talk(s, b"get a\r\n", b"END\r\n")

    def test_ipv6_addresses(self):
        if not has_ipv6():
            self.skipTest("this machine has no ::1")
        with Daemon("-l", "::1,127.0.0.1") as d:
            with wire.connect("[::1]:%d" % d.port) as s:
                talk(s, b"get a\r\n", b"END\r\n")

    def test_only_loopback_is_listened_on_by_itself(self):
        with Daemon() as d, open("/proc/net/tcp") as f:
            listening = [line.split()[1] for line in f if line.split()[3] == "0A"]
            mine = [a for a in listening if a.endswith(":%04X" % d.port)]
            self.assertEqual(mine, ["0100007F:%04X" % d.port])

    def test_a_unix_socket_takes_the_place_of_tcp(self):
        with Folder() as folder:
            path = os.path.join(folder, "sock")
            d = Daemon("-s", path, "-a", "750", port=0).start()
            self.addCleanup(d.end)
            wait(lambda: ask_or_none(path), "an answer")
            with wire.connect(path) as s:
                talk(s, b"set a 0 0 1\r\nX\r\n", b"STORED\r\n")
                self.assertEqual(stats(s, b"settings")["domain_socket"], path)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o750)
            d.kill()
            with Daemon("-s", path, port=0) as d:       # what was left is no trouble
                wait(lambda: ask_or_none(path), "an answer")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)

    def test_a_unix_socket_in_use_is_left_alone(self):
        with Folder() as folder:
            path = os.path.join(folder, "sock")
            with Daemon("-s", path, port=0):
                wait(lambda: ask_or_none(path), "an answer")
                code, _, err = run("-s", path)
                self.assertEqual(code, OS_ERROR)
                self.assertIn(path, err)
                self.assertTrue(ask_or_none(path))

    def test_a_start_that_fails_leaves_the_pidfile_of_another(self):
        with Folder() as folder:
            path = os.path.join(folder, "pid")
            with Daemon("-P", path) as running:
                code, _, _ = run("-P", path, "-p", str(running.port))
                self.assertEqual(code, OS_ERROR)
                with open(path) as f:
                    self.assertEqual(f.read(), "%d\n" % running.pid)

    def test_numbers_reach_the_settings(self):
        for args, group, name, wanted in (
                (["-m", "100"], b"settings", "maxbytes", str(100 << 20)),
                (["-m", "8192k"], b"settings", "maxbytes", str(8 << 20)),
                (["-c", "77"], b"settings", "maxconns", "77"),
                (["-t", "3"], b"settings", "num_threads", "3"),
                (["-t", "3"], b"", "threads", "3"),
                (["-R", "55"], b"settings", "reqs_per_event", "55"),
                (["-b", "66"], b"settings", "tcp_backlog", "66"),
                (["-I", "2m"], b"settings", "item_size_max", str(2 << 20)),
                (["-C"], b"settings", "cas_enabled", "no"),
                (["-F"], b"settings", "flush_enabled", "no"),
                (["-M"], b"settings", "evictions", "off"),
                (["-B", "ascii"], b"settings", "binding_protocol", "ascii"),
                ([], b"settings", "binding_protocol", "auto-negotiate"),
                (["-vv"], b"settings", "verbosity", "2")):
            with self.subTest(args=args), Daemon(*args) as d, d.connect() as s:
                self.assertEqual(stats(s, group)[name], wanted)

    def test_v_logs_more_and_v_for_each_command_only_when_asked(self):
        lines = []
        for args in ([], ["-v"], ["-vv"]):
            with Daemon(*args) as d:
                with d.connect() as s:
                    ask(s, b"get a\r\n")
                d.stop()
                lines.append(d.said().count("\n"))
        self.assertEqual(lines, sorted(lines))

    def test_a_daemon_in_the_background_has_a_pidfile(self):
        with Folder() as folder:
            os.chmod(folder, 0o777)
            path = os.path.join(folder, "pid")
            port = free_port()
            code, _, err = run("-d", "-P", path, "-p", str(port))
            self.assertEqual(code, 0, err)
            # Who started it may go on: all is there already.
            told = None
            if os.path.exists(path):
                with open(path) as f:
                    told = f.read()
            with wire.connect("127.0.0.1:%d" % port) as s:
                pid = int(stats(s)["pid"])
            self.addCleanup(end, pid)
            self.assertEqual(told, "%d\n" % pid)
            os.kill(pid, signal.SIGTERM)
            wait(lambda: not is_alive(pid), "the daemon to end")
            self.assertFalse(os.path.exists(path))

    def test_a_start_that_fails_in_the_background_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, _, err = run("-d", "-p", str(port))
        self.assertEqual(code, OS_ERROR)
        self.assertIn("in use", err)

    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_root_becomes_the_user(self):
        with Daemon("-u", "nobody") as d:
            user = pwd.getpwnam("nobody")
            self.assertEqual(set(self.status(d, "Uid")), {str(user.pw_uid)})
            self.assertEqual(set(self.status(d, "Gid")), {str(user.pw_gid)})
            self.assertLessEqual(set(self.status(d, "Groups")), {str(user.pw_gid)})

    def test_core_files_only_when_asked_for(self):
        def limit(d):
            with open("/proc/%d/limits" % d.pid) as f:
                return re.search(r"^Max core file size\s+(\S+)", f.read(), re.M)[1]
        with open("/proc/self/limits") as f:
            most = re.search(r"^Max core file size\s+\S+\s+(\S+)", f.read(), re.M)[1]
        with Daemon("-r") as d:
            self.assertEqual(limit(d), most)

    def test_interrupt_stops_it_cleanly_too(self):
        with Daemon() as d:
            d.process.send_signal(signal.SIGINT)
            self.assertEqual(d.wait(), 0)

    def test_open_connections_do_not_keep_it_from_stopping(self):
        with Daemon() as d:
            with d.connect() as idle, d.connect() as half:
                talk(idle, b"get a\r\n", b"END\r\n")
                half.sendall(b"set a 0 0 100\r\nhalf of")
                d.stop()


def end(pid):
    """What a failed test left in the background."""
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)


def ask_or_none(path):
    try:
        with wire.connect(path) as s:
            return ask(s, b"get a\r\n") == b"END\r\n"
    except OSError:
        return None


if __name__ == "__main__":
    tap.main()
