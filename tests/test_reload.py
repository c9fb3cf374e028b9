#!/usr/bin/python3 -B
"""SIGHUP: what of a changed file takes effect, what waits, and that nobody notices."""

import json
import contextlib
import os
import re
import signal
import unittest

from lib import tap, wire
from lib.cluster import Copied, LocalCopies, Member
from lib.daemon import Daemon, Folder, free_port, wait
from lib.history import KINDS, Load
from lib.wire import stats, talk

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Each LIVE row of options.def: (section, two values, what tells of the second: a key
# of `stats settings`, and its value; None: its effect is tried below, or cannot be seen
# but by what waits that long)
LIVE = {
    "memory-limit": ("node", "64m", "100m", ("maxbytes", str(100 << 20))),
    "conn-limit": ("front", "100", "200", ("maxconns", "200")),
    "shard-timeout": ("front", "1s", "1500ms", ("shard_timeout_ms", "1500")),
    "max-reqs-per-event": ("front", "20", "30", ("reqs_per_event", "30")),
    "disable-flush-all": ("front", "no", "yes", ("flush_enabled", "no")),
    "disable-dumping": ("front", "no", "yes", None),
    "verbose": ("log", "0", "2", ("verbosity", "2")),
    "slow-request": ("log", "1s", "500ms", ("slow_request_ms", "500")),
    "log-level": ("log", "info", "debug", None),
    "request-timeout": ("front", "60s", "50s", None),
    "link-queue-limit": ("front", "64m", "32m", ("link_queue_limit", str(32 << 20))),
    "output-limit": ("front", "64m", "32m", None),
    "disable-watch": ("front", "no", "yes", None),
    "enable-shutdown": ("front", "no", "yes", ("shutdown_command", "yes")),
    "hold-down": ("cluster", "30s", "20s", None),
    "move-rate": ("cluster", "64m", "32m", None),
}


def settings(sock):
    return stats(sock, b"settings")


class Reloaded(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.path = os.path.join(folder.__enter__(), "chcached.conf")
        self.addCleanup(folder.__exit__)

    def write(self, text):
        """As an editor does: another file of that name."""
        with open(self.path + ".new", "w") as f:
            f.write(text)
        os.rename(self.path + ".new", self.path)

    def begin(self, text, *args, **more):
        self.write(text)
        d = Member("--config", self.path, *args, **more)
        self.addCleanup(d.end)
        return d.start()

    def hup(self, d, text=None):
        """What it says of that."""
        before = len(d.said())
        ended = re.compile(r"settings were read again|all settings stay as they were")
        if text is not None:
            self.write(text)
        os.kill(d.pid, signal.SIGHUP)
        wait(lambda: ended.search(d.said()[before:]), "the settings to be read")
        return d.said()[before:]


class Settings(Reloaded):

    def test_the_table_here_is_that_of_the_program(self):
        with open(os.path.join(TOP, "src", "options.def")) as f:
            rows = re.findall(r'^OPTION\w*\(\w+, "([\w-]+)".*, LIVE, (?:"[^"]*"|NULL),$',
                              f.read(), re.M)
        self.assertEqual(set(rows) - {"shard", "log-format", "log-file"}, set(LIVE))

    def test_each_setting_that_is_live_is_applied(self):
        def text(i):
            return "".join("[%s]\n%s = %s\n" % (row[0], name, row[i])
                           for name, row in LIVE.items())

        d = self.begin(text(1))
        said = self.hup(d, text(2))
        for name, row in LIVE.items():
            self.assertIn("%s: %s to %s" % (name, row[1], row[2]), said)
            if row[3]:
                with d.connect() as s:
                    self.assertEqual(settings(s)[row[3][0]], row[3][1], name)
        self.assertIn("settings were read again applied=%d waiting=0" % len(LIVE), said)
        self.assertIn("applied=0 waiting=0", self.hup(d))
        d.stop()

    def test_what_needs_a_restart_says_so_and_waits(self):
        d = self.begin("[node]\nthreads = 2\n[front]\nconn-limit = 100\n")
        said = self.hup(d, "[node]\nthreads = 3\n[front]\nconn-limit = 200\n")
        self.assertIn('warn reload: settings wait for a restart changes="threads: 2 to 3"', said)
        self.assertIn("applied=1 waiting=1", said)
        with d.connect() as s:
            self.assertEqual(settings(s)["num_threads"], "2")
            self.assertEqual(settings(s)["maxconns"], "200")
        self.assertIn("threads: 2 to 3", self.hup(d))      # and is not forgotten
        d.stop()

    def test_a_bad_file_changes_nothing_and_is_told_of(self):
        d = self.begin("[front]\nconn-limit = 100\n")
        for text, why in (
                ("[front]\nconn-limit = 200\nlisten = no.such\n",
                 '%s:3: --listen: read "no.such", expected ADDR or ADDR:PORT with the address '
                 "as a number"),
                ("[front]\nconn-limit = 200\nconn-limt = 300\n",
                 '%s:3: unknown key "conn-limt", did you mean "conn-limit"?'),
                ("[front]\nconn-limit = 200\n[cluster]\nreplicas = 2\n",
                 "%s:4: --replicas needs --local-shards or --coordinator")):
            said = self.hup(d, text)
            self.assertIn("error reload: all settings stay as they were: " + why % self.path, said)
            with d.connect() as s:
                self.assertEqual(settings(s)["maxconns"], "100")
        os.unlink(self.path)
        self.assertIn("all settings stay as they were: chcached: cannot read %s: No such file"
                      % self.path, self.hup(d))
        self.assertIn("applied=1 waiting=0", self.hup(d, "[front]\nconn-limit = 200\n"))
        d.stop()

    def test_the_command_line_still_wins(self):
        d = self.begin("[front]\nconn-limit = 100\n", "--conn-limit", "50")
        self.assertIn("applied=0 waiting=0", self.hup(d, "[front]\nconn-limit = 200\n"))
        with d.connect() as s:
            self.assertEqual(settings(s)["maxconns"], "50")
        d.stop()

    def test_a_setting_that_is_gone_from_the_file_has_its_default_again(self):
        d = self.begin("[front]\nconn-limit = 100\n")
        self.assertIn("settings are applied changes=\"conn-limit: 100 to 1024", self.hup(d, ""))
        d.stop()

    def test_without_a_file_there_is_nothing_new(self):
        with Daemon() as d:
            self.assertIn("applied=0 waiting=0", self.hup(d))


class Effects(Reloaded):

    def test_the_limit_of_clients(self):
        d = self.begin("[front]\nconn-limit = 2\n")
        full = b"ERROR Too many open connections\r\n"
        with contextlib.ExitStack() as stack:
            one = stack.enter_context(d.connect())
            # who asked whether it answers counts until its end was seen
            wait(lambda: stats(one)["curr_connections"] == "1", "the others to be gone")
            two = stack.enter_context(d.connect())
            talk(two, b"mn\r\n", b"MN\r\n")
            with d.connect() as three:
                self.assertEqual(wire.exchange(three, b"", lambda got: False)[0], full)
            self.hup(d, "[front]\nconn-limit = 3\n")
            with d.connect() as three:
                talk(three, b"mn\r\n", b"MN\r\n")
                self.hup(d, "[front]\nconn-limit = 1\n")
                for s in one, two, three:       # who is in stays
                    talk(s, b"mn\r\n", b"MN\r\n")
                with d.connect() as four:
                    self.assertEqual(wire.exchange(four, b"", lambda got: False)[0], full)
        d.stop()

    def test_commands_are_refused_and_granted(self):
        d = self.begin("")
        with d.connect() as s:
            talk(s, b"flush_all\r\n", b"OK\r\n")
            self.hup(d, "[front]\ndisable-flush-all = yes\ndisable-watch = yes\n")
            talk(s, b"flush_all\r\n", b"CLIENT_ERROR flush_all not allowed\r\n")
            talk(s, b"watch fetchers\r\n", b"CLIENT_ERROR watch commands not allowed\r\n")
            self.hup(d, "[front]\ndisable-dumping = yes\n")
            talk(s, b"lru_crawler metadump all\r\n", b"ERROR metadump not allowed\r\n")
            self.hup(d, "")
            talk(s, b"lru_crawler metadump all\r\n", b"OK\r\nEND\r\n")
            talk(s, b"flush_all\r\n", b"OK\r\n")
            talk(s, b"watch fetchers\r\n", b"OK\r\n")
        d.stop()

    def test_a_client_that_dawdles_is_judged_by_the_new_time(self):
        d = self.begin("[front]\nrequest-timeout = 0\n")
        with d.connect() as s:
            s.sendall(b"set a 0 0 5\r\nhel")
            self.hup(d, "[front]\nrequest-timeout = 1s\n")
            got, ended = wire.exchange(s, b"", lambda got: False)
            self.assertTrue(ended)
            self.assertIn(b"ERROR", got)
        d.stop()

    def test_memory_shrinks_and_grows(self):
        d = self.begin("[node]\nmemory-limit = 64m\n")
        value = b"x" * 1000
        with d.connect() as s:
            for i in range(20000):
                s.sendall(b"set k%d 0 0 1000 noreply\r\n%b\r\n" % (i, value))
            wait(lambda: stats(s)["total_items"] == "20000", "all to be stored")
            self.hup(d, "[node]\nmemory-limit = 16m\n")
            self.assertLessEqual(int(stats(s)["bytes"]), 16 << 20)
            self.assertEqual(stats(s)["limit_maxbytes"], str(16 << 20))
            self.hup(d, "[node]\nmemory-limit = 64m\n")
            self.assertEqual(stats(s)["limit_maxbytes"], str(64 << 20))
            said = self.hup(d, "[node]\nmemory-limit = 4g\n")
            self.assertIn('settings wait for a restart changes="memory-limit: 64m to 4g"', said)
            self.assertEqual(stats(s)["limit_maxbytes"], str(64 << 20))
        d.stop()

    def test_what_local_shards_have_waits(self):
        d = self.begin("[cluster]\nlocal-shards = 2\n[node]\nmemory-limit = 64m\n")
        self.assertIn('settings wait for a restart changes="memory-limit: 64m to 128m, '
                      'move-rate: 64m to 1m"',
                      self.hup(d, "[cluster]\nlocal-shards = 2\nmove-rate = 1m\n"
                                  "[node]\nmemory-limit = 128m\n"))
        d.stop()


class Log(Reloaded):

    def test_level_and_form(self):
        d = self.begin("[log]\nlog-level = error\n")
        self.assertEqual(d.said(), "")
        said = self.hup(d, "[log]\nlog-level = info\nlog-format = json\n")
        for line in said.splitlines():
            self.assertEqual(json.loads(line)["module"], "reload")
        self.write("[log]\nlog-level = error\n")
        before = len(d.said())
        os.kill(d.pid, signal.SIGHUP)
        with d.connect() as s:
            talk(s, b"mn\r\n", b"MN\r\n")
        d.stop()
        self.assertNotIn("stopping", d.said()[before:])

    def test_it_moves_to_a_file_and_back(self):
        path = os.path.join(os.path.dirname(self.path), "log")
        d = self.begin("")

        def logged():
            with open(path) as f:
                return f.read()

        self.write("[log]\nlog-file = %s\n" % path)
        os.kill(d.pid, signal.SIGHUP)
        wait(lambda: os.path.exists(path) and "settings were read again" in logged(),
             "the file to be written")
        self.assertIn('settings are applied changes="log-file:  to %s"' % path, logged())
        before = logged()
        self.assertIn("settings were read again", self.hup(d, ""))
        self.assertEqual(logged(), before)
        said = self.hup(d, "[log]\nlog-file = %s/none/log\n" % path)
        self.assertIn("error reload: the log file cannot be opened: Not a directory file=", said)
        self.assertIn("applied=0 waiting=1", said)
        d.stop()


class UnderLoad(Reloaded):

    def flawless(self, report):
        self.assertEqual((report.faults, report["missing_at_end"], report["unread_at_end"]),
                         ({}, 0, 0), report)
        self.assertEqual([kind for kind in KINDS if report[kind][3:] != [0, 0]], [], report)

    def test_no_request_fails_and_no_line_is_lost_while_the_log_is_rotated(self):
        path = os.path.join(os.path.dirname(self.path), "log")
        self.write("[log]\nlog-file = %s\nlog-level = debug\n" % path)

        def logged(name):
            try:
                with open(name) as f:
                    return f.read()
            except FileNotFoundError:
                return ""

        c = LocalCopies("--config", self.path)
        c.said = lambda: "".join(logged("%s.%d" % (path, i)) for i in range(6)) + logged(path)
        with c, Load(*c.addresses()) as load:
            for i in range(6):
                load.do(300)
                os.rename(path, "%s.%d" % (path, i))
                os.kill(c.pid, signal.SIGHUP)
                wait(lambda: "settings were read again" in logged(path), "the new file")
            report = load.stop()
            self.assertEqual(c.said().count("settings were read again"), 6)
        self.flawless(report)

    def test_no_request_fails_while_files_come_and_go(self):
        good = "[front]\nconn-limit = %d\nshard-timeout = %dms\nmax-reqs-per-event = %d\n"
        self.write(good % (1000, 20000, 100))
        with LocalCopies("--config", self.path) as c, Load(*c.addresses()) as load:
            load.do(500)
            for i in range(1, 11):
                said = self.hup(c, good % (1000 + i, 20000 + i, 100 + i))
                self.assertIn("applied=3 waiting=0", said)
                load.do(200)
                self.assertIn("all settings stay as they were",
                              self.hup(c, "[front]\nconn-limit = none\n"))
                load.do(200)
            report = load.stop()
        self.flawless(report)


class Shards(Reloaded):
    """Of a coordinator: what differs from the file before is done."""

    def test_shards_of_the_file_join_and_get_other_weights(self):
        c = Copied(shards=2, fronts=1)
        listed = {"s1": 1, "s2": 1}

        def text():
            return "".join('[shard "%s"]\naddress = %s\nweight = %d\n' % (name, c.peers[name], w)
                           for name, w in listed.items())

        leader = c.leader
        leader.args = [arg for arg in leader.args if not arg.startswith("--shard=")]
        leader.args += ["--config", self.path]
        self.write(text())
        with c:
            c.add("s3").launch()
            listed.update(s1=2, s3=3)
            said = self.hup(leader, text())
            jobs = re.findall(r"info reload: a shard (.*) job=(\d+)", said)
            self.assertEqual([words for words, _ in jobs],
                             ["gets another weight name=s1 weight=2", "joins name=s3 weight=3"])
            for _, job in jobs:
                c.wait_done(int(job))
            self.assertNotIn("a shard", self.hup(leader))
            del listed["s2"]
            self.assertIn("warn reload: a shard is in the settings no more, and stays a member "
                          "until: chcachectl nodes remove s2", self.hup(leader, text()))
            c.settle(3)

    def test_a_list_that_nobody_leads_waits_for_a_restart(self):
        ports = free_port(), free_port()
        text = '[shard "s1"]\naddress = 127.0.0.1:%d\nweight = %d\n'
        shard = Daemon("--role", "shard", "--name", "s1", "--peer", "127.0.0.1:%d" % ports[0],
                       port=0)
        self.addCleanup(shard.end)
        shard.start()
        d = self.begin(text % (ports[0], 1), "--name", "f1")
        self.assertIn("warn reload: settings wait for a restart changes=shard\n",
                      self.hup(d, text % (ports[0], 2)))
        d.stop()
        shard.stop()


if __name__ == "__main__":
    tap.main()
