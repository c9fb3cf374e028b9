#!/usr/bin/python3 -B
"""What monitoring and balancers ask of the admin address: /metrics, /healthz, /readyz."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import unittest

from lib import admin, tap, wire
from lib.cases import STORED
from lib.daemon import Cluster, Daemon, Folder, Lone, free_port, separate, up, wait
from lib.wire import stats, talk

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STATUSES = [(command, status) for command in ("get", "delete", "incr", "decr", "cas", "touch")
            for status in ("hit", "miss")] + [("cas", "badval"), ("flush", "hit"), ("set", "hit")]

# memcached_exporter's, that its users' dashboards and alerts go by.
EXPORTER = """
    up uptime_seconds time_seconds process_user_cpu_seconds_total
    process_system_cpu_seconds_total read_bytes_total written_bytes_total current_connections
    max_connections connections_total connections_rejected_total connections_yielded_total
    connections_listener_disabled_total accepting_connections current_bytes limit_bytes
    malloced_bytes current_items items_total items_evicted_total items_reclaimed_total
    item_too_large_total item_no_memory_total direct_reclaims_total""".split()

MOVING = {"bytes_read", "bytes_written", "oldest_ms"}       # by being looked at, too


def same():
    """Series of /metrics beside the lines of `stats` that say the same: rows of src/stats.def."""
    with open(os.path.join(TOP, "src", "stats.def"), encoding="utf-8") as f:
        rows = re.findall(r'^(?:STAT|USAGE|INSIDE)\((\w+),[^()]*?"((?:[^"\\]|\\.)*)"\)$', f.read(), re.M)
    return {metric.replace('\\"', '"'): line for line, metric in rows if metric and line not in MOVING}


SAME = same()


def counted(sock):
    """What `stats` tells, and `stats segments`."""
    return {**stats(sock), **stats(sock, b"segments")}


def fill(daemon, n, data=b"x"):
    with daemon.connect() as s:
        talk(s, b"".join(b"set key-%d 0 0 %d\r\n%b\r\n" % (i, len(data), data) for i in range(n)),
             STORED * n)


def families(where):
    """{"memcached_up": ("gauge", "always 1: it has answered"), ...}"""
    text = admin.text(where, "/metrics")[0]
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    return {name: (kind, helps[name])
            for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M)}


def status_of(where, path):
    return admin.ask(where, "GET", path)[0]


class OneProcess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.server = Lone("--http", cls.where).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_prometheus_is_told_what_it_reads(self):
        text, headers = admin.text(self.where, "/metrics")
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertTrue(text.endswith("\n"))
        names = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
        self.assertEqual(len(names), len(set(names)))
        told = re.findall(r"^# TYPE (\S+)", text, re.M)
        self.assertEqual(len(told), len(set(told)))

    def test_the_series_of_memcached_exporter_are_there(self):
        told = admin.metrics(self.where)
        wanted = ["memcached_" + name for name in EXPORTER] + [
            'memcached_commands_total{command="%s",status="%s"}' % pair for pair in STATUSES]
        self.assertEqual([name for name in wanted if name not in told], [])
        self.assertEqual(told["memcached_up"], 1)
        with self.server.connect() as s:
            self.assertIn('memcached_version{version="%s"}' % stats(s)["version"], told)

    @unittest.skipUnless(shutil.which("promtool"), "no promtool: apt-get install prometheus")
    def test_promtool_has_nothing_to_say(self):
        for kind, more in ((self.server, None), (Cluster, ("--replicas", "2"))):
            with contextlib.ExitStack() as stack:
                where = self.where
                if more is not None:
                    where = admin.address()
                    stack.enter_context(kind("--http", where, *more))
                done = subprocess.run(["promtool", "check", "metrics"], text=True,
                                      input=admin.text(where, "/metrics")[0],
                                      capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_a_set_is_no_cas_and_a_cas_no_set(self):
        def sets():
            told = admin.metrics(self.where)
            return [told['memcached_commands_total{command="%s",status="%s"}' % pair]
                    for pair in (("set", "hit"), ("cas", "hit"), ("cas", "miss"),
                                 ("cas", "badval"))]

        before = sets()
        with self.server.connect() as s:
            talk(s, b"set c 0 0 1\r\nx\r\nadd c 0 0 1\r\nx\r\ncas c 0 0 1 1\r\nx\r\n"
                 b"cas none 0 0 1 1\r\nx\r\n", STORED + b"NOT_STORED\r\nEXISTS\r\nNOT_FOUND\r\n")
            token = int(re.search(rb" (\d+)\r\n", wire.ask(s, b"gets c\r\n"))[1])
            talk(s, b"cas c 0 0 1 %d\r\ny\r\n" % token, STORED)
        wait(lambda: [b - a for a, b in zip(before, sets())] == [2, 1, 1, 1], "them to be counted")

    def test_no_key_and_no_value_is_ever_in_it(self):
        with self.server.connect() as s:
            talk(s, b"set very-secret-key 0 0 8\r\nhush4711\r\nget very-secret-key\r\n",
                 STORED + b"VALUE very-secret-key 0 8\r\nhush4711\r\nEND\r\n")
        text = admin.text(self.where, "/metrics")[0]
        self.assertNotIn("secret", text)
        self.assertNotIn("hush", text)

    def test_durations_are_histograms_that_add_up(self):
        name = 'chcached_request_duration_seconds%s{command="set"%s}'
        fill(self.server, 500)
        with self.server.connect() as s:
            wait(lambda: int(stats(s, b"latency")["set:count"]) ==
                 admin.metrics(self.where)[name % ("_count", "")], "both to say the same")
        told = admin.metrics(self.where)
        self.assertGreaterEqual(told[name % ("_count", "")], 500)
        self.assertGreater(told[name % ("_sum", "")], 0)
        buckets = [(float(bound), told[line]) for line in told for bound in
                   re.findall(re.escape(name % ("_bucket", ',le="%s"')).replace("%s", r"([^\"]+)"),
                              line)]
        self.assertGreater(len(buckets), 10)
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual([n for _, n in buckets], sorted(n for _, n in buckets))
        self.assertEqual(buckets[-1], (float("inf"), told[name % ("_count", "")]))

    def test_what_needs_no_cluster_says_nothing_of_one(self):
        told = admin.metrics(self.where)
        self.assertEqual(told['chcached_shard_up{shard="%s"}' % self.server.shards[0]], 1)
        self.assertNotIn("chcached_lease_held", told)
        self.assertEqual(told["chcached_ready"], 1)

    def test_it_is_alive_and_ready(self):
        self.assertEqual(admin.get(self.where, "/healthz"), {"alive": True})
        self.assertEqual(admin.get(self.where, "/readyz"), {"ready": True})
        self.assertEqual(admin.get(self.where, "/v1/heartbeat")["ready"], True)
        for path in ("/v1/healthz", "/v1/metrics", "/healthz/x", "/heartbeat/x"):
            self.assertEqual(status_of(self.where, path), 404, path)
        self.assertEqual(admin.ask(self.where, "POST", "/metrics", {})[0], 405)


class Parts(unittest.TestCase):
    """A series is told by one process."""

    def test_a_front_tells_of_clients_and_shards_of_items(self):
        shards, (front,) = separate(2, extra=("--shard-timeout", "20s"))
        wheres = [admin.address() for _ in shards]
        for shard, where in zip(shards, wheres):
            shard.args += ["--http", where]
            self.addCleanup(shard.start().end)
        of_front = admin.address()
        front.args += ["--http", of_front]
        with front:
            up(front, 2)
            fill(front, 300)
            of_shards = [families(where) for where in wheres]
            both = set(families(of_front)) & set(of_shards[0])
            self.assertEqual(of_shards[0], of_shards[1])
            self.assertEqual({name for name in both if not re.match(
                r"memcached_(up|version|\w+_seconds|process_\w+)$|chcached_(build_info|ready|"
                r"map_epoch|leader|members|replicas|copies_missing_ratio)$", name)}, set())
            for name in ("current_items", "items_evicted_total", "current_bytes"):
                self.assertIn("memcached_" + name, of_shards[0])
            for name in ("commands_total", "current_connections", "read_bytes_total"):
                self.assertIn("memcached_" + name, families(of_front))
            self.assertEqual(sum(admin.metrics(w)["memcached_current_items"] for w in wheres), 300)

    def test_a_shard_that_is_gone_is_told(self):
        shards, (front,) = separate(2, extra=("--shard-timeout", "20s"))
        where = admin.address()
        front.args += ["--http", where]
        for daemon in shards:
            self.addCleanup(daemon.start().end)
        with front:
            up(front, 2)
            self.assertEqual(admin.metrics(where)['chcached_shard_up{shard="s2"}'], 1)
            shards[1].kill()
            wait(lambda: admin.metrics(where)['chcached_shard_up{shard="s2"}'] == 0,
                 "the loss to be told")
            self.assertEqual(admin.metrics(where)['chcached_shard_up{shard="s1"}'], 1)


class EachCounter(unittest.TestCase):
    """Of one process: each is told by /metrics as by stats, and those of memory are seen to move."""

    def moves(self, s, *names):
        wait(lambda: all(int(counted(s)[name]) > 0 for name in names), "%s to move" % (names,))

    def test_metrics_and_stats_say_the_same_of_memory_and_of_what_was_refused(self):
        self.assertGreater(len(SAME), 60)
        where = admin.address()
        with Daemon("--http", where, "-m", "8") as d, d.connect() as s:
            self.assertEqual(wire.ask(s, b"bogus\r\n"), b"ERROR\r\n")
            for ttl in (30, 3000, 80000, 1000000, 0):
                talk(s, b"set ttl-%d 0 %d 1\r\nx\r\n" % (ttl, ttl), STORED)
            lines = counted(s)
            self.assertEqual([lines[name] for name in (
                "protocol_errors", "ttl_minute", "ttl_hour", "ttl_day", "ttl_longer", "ttl_never")],
                ["1"] * 6)
            talk(s, b"set short 0 1 1\r\nx\r\n", STORED)
            fill(d, 2, b"x" * 2000)
            talk(s, b"delete key-0\r\n", b"DELETED\r\n")
            self.moves(s, "hole_bytes", "dropped_segments")
            for _ in range(20):
                fill(d, 500, b"x" * 2000)
                s.sendall(b"".join(b"delete key-%d noreply\r\n" % i for i in range(0, 500, 2)))
                talk(s, b"".join(b"set large-%d 0 0 600000\r\n%b\r\n" % (i, b"x" * 600000)
                                 for i in range(15)), STORED * 15)
            self.moves(s, "squeezed_segments", "evicted_segments", "evicted_large", "moved_bytes",
                       "large_items", "large_bytes", "segments", "live_bytes")
            talk(s, b"flush_all\r\n", b"OK\r\n")
            self.moves(s, "segments_spare")

            def differ():
                told, lines = admin.metrics(where), counted(s)
                return {name: (told.get(name), lines[line]) for name, line in SAME.items()
                        if told.get(name) != float(lines[line])}
            wait(lambda: differ() == {}, "/metrics and stats to say the same")

    def test_what_is_refused_for_want_of_memory_is_counted(self):
        where = admin.address()
        with Daemon("--http", where, "-M", "-m", "8") as d, d.connect() as s:
            answers = [wire.ask(s, b"set k-%d 0 0 500000\r\n%b\r\n" % (i, b"x" * 500000))
                       for i in range(30)]
            refused = sum(answer.startswith(b"SERVER_ERROR out of memory") for answer in answers)
            self.assertGreater(refused, 0)
            wait(lambda: admin.metrics(where)["memcached_item_no_memory_total"] == refused,
                 "%d refusals to be told" % refused)
            self.assertEqual(int(counted(s)["store_no_memory"]), refused)


class LocalShards(unittest.TestCase):
    """The parent tells what its children hold."""

    def setUp(self):
        self.where = admin.address()
        self.cluster = Cluster("--replicas", "2", "--http", self.where)
        self.cluster.start()
        self.addCleanup(self.cluster.end)

    def says_the_same(self, sock):
        told, lines = admin.metrics(self.where), counted(sock)
        return {name: told[name] for name in SAME} == {
            name: float(lines[line]) for name, line in SAME.items()}

    def test_sums_are_those_of_stats_and_of_the_shards(self):
        fill(self.cluster, 400, b"x" * 50)
        with self.cluster.connect() as s:
            talk(s, b"get key-1 key-2 none\r\ndelete none\r\nset n 0 0 1\r\n1\r\nincr n 1\r\n",
                 b"VALUE key-1 0 50\r\n%b\r\nVALUE key-2 0 50\r\n%b\r\nEND\r\nNOT_FOUND\r\n"
                 b"STORED\r\n2\r\n" % (b"x" * 50, b"x" * 50))
            wait(lambda: self.says_the_same(s), "/metrics and stats to say the same")
            told = admin.metrics(self.where)
            shards = stats(s, b"shards")
            for name in ("memcached_current_items", "memcached_items_total",
                         "memcached_current_bytes", "memcached_limit_bytes"):
                self.assertEqual(told[name], sum(int(shards["%s:%s" % (shard, SAME[name])])
                                                 for shard in self.cluster.shards), name)
            self.assertEqual(told["memcached_current_items"], 2 * 401)
            nodes = admin.get(self.where, "/v1/nodes")["nodes"]
            for name, n in (("hit", 2), ("miss", 1)):
                self.assertEqual(told['chcached_shard_reads_total{outcome="%s"}' % name], n)
            self.assertEqual((sum(n["hits"] for n in nodes), sum(n["misses"] for n in nodes)),
                             (2, 1))
        self.assertEqual(told["chcached_copies_missing_ratio"], 0)
        self.assertEqual(told['chcached_members{state="up"}'], 3)
        self.assertAlmostEqual(sum(told['chcached_ring_share_ratio{shard="%s"}' % shard]
                                   for shard in self.cluster.shards), 1)
        for shard in self.cluster.shards:
            self.assertGreater(
                told['chcached_shard_request_duration_seconds_count{shard="%s"}' % shard], 0)

    def counters(self):
        kinds = families(self.where)
        return {name: value for name, value in admin.metrics(self.where).items()
                if kinds.get(name.partition("{")[0], ("histogram",))[0] != "gauge"}

    def no_counter_fell(self, before):
        after = self.counters()
        return {name: (value, after.get(name)) for name, value in before.items()
                if after.get(name, -1) < value}

    def test_no_counter_falls_when_stats_are_reset_or_a_child_starts_again(self):
        fill(self.cluster, 300)
        before = self.counters()
        self.assertGreaterEqual(before["memcached_items_total"], 600)
        with self.cluster.connect() as s:
            talk(s, b"stats reset\r\n", b"RESET\r\n")
            self.assertEqual(stats(s)["total_items"], "0")
        self.assertEqual(self.no_counter_fell(before), {})
        child = self.cluster.child("local-2")
        wait(lambda: self.counters()["memcached_items_total"] >= 600, "it to be told")
        fill(self.cluster, 300)
        before = self.counters()
        os.kill(child, signal.SIGKILL)
        wait(lambda: self.cluster.child("local-2") not in (None, child), "another child")
        self.assertEqual(self.no_counter_fell(before), {})
        self.cluster.wait_up()
        self.assertEqual(self.no_counter_fell(before), {})


class Page(unittest.TestCase):
    def test_it_has_every_family_with_its_kind_its_labels_and_what_it_says(self):
        where = admin.address()
        with Cluster("--replicas", "2", "--http", where):
            text = admin.text(where, "/metrics")[0]
            told = {(name, kind, said[0].upper() + said[1:] + ".")
                    for name, (kind, said) in families(where).items()}
        told.add(("chcached_lease_held", "gauge", "1: its shard may serve keys."))  # see Ready
        with open(os.path.join(TOP, "man", "chcached-metrics.7"), encoding="utf-8") as page:
            items = re.findall(r"^\.It Cm (\w+)(?: Ns Bro (.*) Brc)? Pq (\w+)\n(.*)$", page.read(),
                               re.M)
        self.assertEqual({(name, kind, said) for name, _, kind, said in items}, told)
        for name, labels, kind, _ in items:
            if name == "chcached_lease_held":
                continue
            line = re.search(r"^%s(?:_count)?(?:\{(.*)\})? \S+$" % name, text, re.M)
            self.assertEqual(re.findall(r"(\w+)=", line[1] or ""), re.findall(r"Ar (\w+)", labels),
                             name)


class Ready(unittest.TestCase):
    def test_who_is_being_stopped_is_alive_and_not_ready(self):
        where = admin.address()
        with Lone("--http", where) as d, d.connect() as s:
            s.sendall(b"set a 0 0 5\r\nhel")        # what is begun is finished
            wait(lambda: admin.metrics(where)["memcached_current_connections"] == 1, "the client")
            wait(lambda: admin.metrics(where)["memcached_read_bytes_total"] >= 16, "its bytes")
            d.process.send_signal(signal.SIGTERM)
            wait(lambda: status_of(where, "/readyz") == 503, "the drain")
            self.assertEqual(admin.ask(where, "GET", "/readyz")[1],
                             {"error": "it is being stopped"})
            self.assertEqual(status_of(where, "/healthz"), 200)
            told = admin.metrics(where)
            self.assertEqual((told["chcached_ready"], told["memcached_accepting_connections"]),
                             (0, 0))
            s.sendall(b"lo\r\n")
            self.assertEqual(s.recv(100), STORED)

    def test_who_has_no_map_is_alive_and_not_ready(self):
        where = admin.address()
        with Daemon("--role", "front", "--coordinator", "c@127.0.0.1:%d" % free_port(),
                    "--http", where, "-p", str(free_port()), port=0) as d:
            wait(lambda: self.alive(where) or d.process.poll() is not None, "its admin address")
            self.assertEqual(admin.ask(where, "GET", "/readyz")[1],
                             {"error": "there is no map yet"})
            self.assertEqual(admin.get(where, "/v1/heartbeat"),
                             {"cluster": "chcached", "ready": False, "epoch": 0})
            told = admin.metrics(where)
            self.assertEqual((told["chcached_map_epoch"], told["chcached_ready"],
                              told["memcached_accepting_connections"]), (0, 0, 0))

    def test_a_shard_without_a_lease_is_not_ready(self):
        where = admin.address()
        with Folder() as folder:
            peers = {name: "127.0.0.1:%d" % free_port() for name in ("c", "s1", "s2")}
            at = "c@" + peers["c"]
            lead = Daemon("--role", "front", "--name", "c", "--peer", peers["c"], "--coordinator",
                          at, "--state-dir", folder, "--shard=s1=" + peers["s1"],
                          "--shard=s2=" + peers["s2"])
            shards = [Daemon("--role", "shard", "--name", name, "--peer", peers[name],
                             "--coordinator", at, port=0, name=name) for name in ("s1", "s2")]
            shards[0].args += ["--http", where]
            for daemon in [*shards, lead]:
                self.addCleanup(daemon.start().end)
            wait(lambda: status_of(where, "/readyz") == 200, "a lease")
            self.assertEqual(admin.metrics(where)["chcached_lease_held"], 1)
            shards[1].kill()            # two of three voters are gone
            lead.kill()
            wait(lambda: status_of(where, "/readyz") == 503, "the lease to run out")
            self.assertEqual(admin.ask(where, "GET", "/readyz")[1],
                             {"error": "its shard holds no lease"})
            self.assertEqual(admin.metrics(where)["chcached_lease_held"], 0)

    @staticmethod
    def alive(where):
        try:
            return status_of(where, "/healthz") == 200
        except OSError:
            return False


if __name__ == "__main__":
    tap.main()
