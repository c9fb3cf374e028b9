#!/usr/bin/python3 -B
"""chcachectl's commands about a cluster: real ones, made-up leaders, and none."""

import http.server
import json
import os
import pty
import re
import threading
import unittest
import xml.etree.ElementTree

from lib import admin, tap, wire
from lib.cases import END, STORED, found
from lib.cluster import Copied
from lib.daemon import CHCACHECTL, Cluster, Folder, free_port, run, separate, up, wait

YES, NO, DEGRADED, UNREACHED, USAGE = 0, 1, 2, 3, 64


def ctl(*args, where=None, stdin=b"", env=None):
    words = ["--admin", where] if where else []
    code, out, err = run(*words, *args, program=CHCACHECTL, stdin=stdin,
                         env={**os.environ, "CHCACHED_ADMIN": "", "NO_COLOR": "", **(env or {})})
    return code, out.decode(), err


def on_terminal(*args, where, env=None):
    """(exit code, all that a terminal was sent)."""
    env = {**os.environ, "NO_COLOR": "", **(env or {})}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(CHCACHECTL, [CHCACHECTL, "--admin", where, *args], env)
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
        for line, said in (
                ("nodes", "nodes what? see chcachectl help nodes"),
                ("nodes shut", "unknown command nodes shut, see chcachectl help"),
                ("ring --svg --json", "--json and --svg do not go together"),
                ("status now", "usage: chcachectl status"),
                ("where", "usage: chcachectl where KEY..."),
                ("where " + "k" * 251, "the key has 251 bytes, expected 1 to 250"),
                ("where a " + "k" * 251, "the key has 251 bytes, expected 1 to 250"),
                ("nodes drain", "usage: chcachectl nodes drain NAME"),
                ("nodes drain a b", "usage: chcachectl nodes drain NAME"),
                ("nodes weight a", "usage: chcachectl nodes weight NAME WEIGHT"),
                ("nodes weight a x",
                 'read the weight "x", expected a whole number from 1 to 100'),
                ("nodes weight a 101",
                 'read the weight "101", expected a whole number from 1 to 100'),
                ("nodes add a",
                 'read "a", expected NAME=ADDR:PORT or NAME=ADDR:PORT*WEIGHT'),
                ("nodes add =a",
                 'read "=a", expected NAME=ADDR:PORT or NAME=ADDR:PORT*WEIGHT'),
                ("nodes add a=b*0", 'read the weight "0", expected a whole number from 1 to 100'),
                ("jobs wait x", 'read the job "x", expected its number'),
                ("jobs abort -1", 'read the job "-1", expected its number'),
                ("status --dry-run", "status has no option --dry-run, see chcachectl help"),
                ("nodes drain a --zone z",
                 "nodes drain has no option --zone, see chcachectl help"),
                ("nodes drain a --dry-run=1", "--dry-run takes no value"),
                ("nodes add a=b --zone", "--zone needs a value, NAME"),
                ("--dry-run nodes drain a", "unknown option --dry-run, see chcachectl help"),
                ("--admin", "--admin needs a value, HOST:PORT")):
            with self.subTest(line=line):
                self.assertEqual(ctl(*line.split()), (USAGE, "", "chcachectl: %s\n" % said))

    def test_nobody_there_is_exit_code_3(self):
        where = "127.0.0.1:%d" % free_port()
        for line in ("status", "status --json", "ring", "nodes list", "jobs", "where a b",
                     "nodes add n=127.0.0.1:1", "nodes drain n --dry-run"):
            code, out, err = ctl(*line.split(), where=where)
            self.assertEqual((code, err), (UNREACHED, "chcachectl: %s: Connection refused\n"
                                           % where), line)
        code, _, _ = ctl("status", env={"CHCACHED_ADMIN": where})
        self.assertEqual(code, UNREACHED)


class ThreeLocalShards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.cluster = Cluster("--http", cls.where).start()
        with cls.cluster.connect() as s:
            for i in range(200):
                wire.talk(s, b"set key-%d 0 0 1\r\nx\r\n" % i, b"STORED\r\n")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def ctl(self, *args, **more):
        return ctl(*args, where=self.where, **more)

    def json(self, *args, code=YES):
        got, out, err = self.ctl(*args, "--json")
        self.assertEqual((got, err), (code, ""))
        return json.loads(out)

    def test_status_begins_with_the_verdict(self):
        code, out, err = self.ctl("status")
        self.assertEqual((code, err), (YES, ""))
        lines = out.splitlines()
        self.assertRegex(lines[0], r"\Achcached: OK  3/3 shards up, 1 copy, map epoch \d+, "
                                   r"200 items, [\d.]+ [KM]iB of 64 MiB\Z")
        self.assertEqual(lines[1].split(), ["SHARD", "ADDRESS", "STATE", "SHARE", "ITEMS",
                                            "MEMORY", "HIT", "%", "P99", "COPIES"])
        self.assertEqual([line.split()[0] for line in lines[2:]], self.cluster.shards)
        status = self.json("status")
        self.assertEqual((status["verdict"], status["items"]), ("ok", 200))
        self.assertEqual([n["name"] for n in status["nodes"]], self.cluster.shards)

    def test_colour_is_for_terminals_that_want_it(self):
        self.assertNotIn("\033", self.ctl("status")[1])
        self.assertIn("\033[32mOK\033[0m", on_terminal("status", where=self.where)[1])
        for args, env in ((["--no-color", "status"], {}), (["status", "--no-color"], {}),
                          (["status"], {"NO_COLOR": "1"})):
            code, seen = on_terminal(*args, where=self.where, env=env)
            self.assertEqual((code, "\033" in seen), (YES, False))

    def test_the_environment_names_the_address(self):
        self.assertEqual(ctl("status", env={"CHCACHED_ADMIN": self.where})[0], YES)

    def test_where_tells_of_every_key(self):
        code, out, err = self.ctl("where", "key-1", "key-2")
        self.assertEqual((code, err), (YES, ""))
        for line, key in zip(out.splitlines(), ("key-1", "key-2"), strict=True):
            self.assertRegex(line, r"\A%s  hash [0-9a-f]{8}  owner local-[123] "
                                   r"\(has it, version \d+, 1 byte, never expires\)\Z" % key)
        code, out, _ = self.ctl("where", "key-1", "no-such-key")
        self.assertEqual(code, NO)
        self.assertIn("(has it not)", out.splitlines()[1])
        places = self.json("where", "key-1", "a/b?", code=NO)
        self.assertEqual([p["key"] for p in places], ["key-1", "a/b?"])
        self.assertEqual([p["owner"]["holds"] for p in places], [True, False])

    def test_hotkeys_are_shown_as_people_write_them(self):
        with self.cluster.connect() as s:
            for _ in range(100):
                wire.talk(s, b"get hot:50%\x1b[2J\r\nget hot:50%\x1b[2J\r\n", b"END\r\n" * 2)
        code, out, err = self.ctl("hotkeys")
        self.assertEqual((code, err), (YES, ""))
        self.assertRegex(out.splitlines()[0], r"\AA SECOND +SHARE +WRITES +OWNER +KEY\Z")
        self.assertRegex(out, r"\n *\d+\.\d +\d+\.\d % +0\.0 % +local-[123] +hot:50%%1B\[2J\n")
        self.assertIn("hot:50%\x1b[2J", [k["key"] for k in self.json("hotkeys")["keys"]])

    def test_where_tells_when_an_item_expires(self):
        with self.cluster.connect() as s:
            wire.talk(s, b"set mortal 0 1000 2\r\nxx\r\n", b"STORED\r\n")
        left, = re.findall(r", 2 bytes, expires in (\d+) s\)\n\Z", self.ctl("where", "mortal")[1])
        self.assertIn(int(left), range(800, 1001))

    def test_ring_shows_shares_that_sum_to_one(self):
        code, out, err = self.ctl("ring")
        self.assertEqual((code, err), (YES, ""))
        rows = out.splitlines()[1:]
        shares = [[float(n) for n in re.findall(r"([\d.]+) %", row)] for row in rows]
        for column in zip(*shares):
            self.assertAlmostEqual(sum(column), 100, delta=0.3)
        self.assertEqual(len(shares[0]), 3)
        self.assertNotIn("#", out)
        _, seen = on_terminal("ring", where=self.where)
        for row, (_, share, _) in zip(seen.splitlines()[1:], shares, strict=True):
            self.assertEqual(row.count("#"), round(share * 40 / 100))
        self.assertAlmostEqual(sum(n["share"] for n in self.json("ring")["nodes"]), 1)

    def test_ring_can_be_drawn(self):
        code, out, err = self.ctl("ring", "--svg")
        self.assertEqual((code, err), (YES, ""))
        picture = xml.etree.ElementTree.fromstring(out)
        space = {"": "http://www.w3.org/2000/svg"}
        parts = [float(c.get("stroke-dasharray").split()[0])
                 for c in picture.findall("circle", space)]
        self.assertAlmostEqual(sum(parts), 1, places=4)
        for text, name, share in zip(picture.findall("text", space), self.cluster.shards, parts):
            self.assertEqual(text.text, "%s  %.1f %%" % (name, 100 * share))

    def test_replicas_are_equal_where_there_is_one_each(self):
        code, out, err = self.ctl("replicas")
        self.assertEqual((code, err), (YES, ""))
        rows = out.splitlines()[1:]
        self.assertEqual(sorted(row.split()[0] for row in rows), self.cluster.shards)
        self.assertEqual([row.split()[-1] for row in rows], ["equal"] * 3)
        self.assertTrue(self.json("replicas")["equal"])

    def test_the_members_are_listed(self):
        code, out, err = self.ctl("nodes", "list")
        self.assertEqual((code, err), (YES, ""))
        self.assertEqual([line.split()[0] for line in out.splitlines()[1:]],
                         self.cluster.shards)
        self.assertEqual([n["weight"] for n in self.json("nodes", "list")["nodes"]], [1, 1, 1])

    def test_a_dry_run_says_how_many_keys_would_move(self):
        code, out, err = self.ctl("nodes", "add", "n=127.0.0.1:1*3", "--dry-run")
        self.assertEqual((code, err), (YES, ""))
        share, moved, keys = re.match(
            r"would move ([\d.]+) % of all keys, (\d+) of (\d+); \d+ items would be sent\n\Z",
            out).groups()
        self.assertAlmostEqual(float(share), 50, delta=3)
        self.assertAlmostEqual(int(moved), 100, delta=6)
        self.assertEqual(int(keys), 200)
        dry = self.json("nodes", "remove", "local-1", "--dry-run")
        self.assertAlmostEqual(dry["share"], 1 / 3, delta=0.03)
        self.assertEqual(self.ctl("nodes", "drain", "--dry-run", "local-9"),
                         (NO, "", 'chcachectl: there is no member "local-9"\n'))
        self.assertEqual(self.ctl("nodes", "add", "n=example.org:1", "--dry-run")[0], NO)

    def test_the_bytes_of_the_other_port_are_no_answer(self):
        code, _, err = ctl("status", where=self.cluster.address)
        self.assertEqual((code, err), (UNREACHED, "chcachectl: %s: no answer in HTTP; an admin "
                                       "address is what chcached has as --http\n"
                                       % self.cluster.address))
        code, _, err = run("--server", self.where, "ping", program=CHCACHECTL)
        self.assertEqual((code, err), (NO, "chcachectl: this is an admin address: name it with "
                                       "--admin, and with --server the address of clients\n"))


class OneThatWasDrained(unittest.TestCase):
    def test_whoever_adds_it_again_is_told_how(self):
        where = admin.address()
        with Cluster("--http", where):
            self.assertEqual(ctl("nodes", "drain", "local-2", where=where)[0], YES)
            code, out, err = ctl("nodes", "add", "local-2=127.0.0.1:1", where=where)
            self.assertEqual((code, out), (NO, ""))
            self.assertIn("was drained", err)
            advice = re.search(r"chcachectl (nodes weight local-2 1)\n\Z", err)[1]
            self.assertEqual(ctl(*advice.split(), where=where)[0], YES)
            nodes = json.loads(ctl("nodes", "list", "--json", where=where)[1])["nodes"]
            self.assertEqual([n["weight"] for n in nodes], [1, 1, 1])


class HowShardsAre(unittest.TestCase):
    """Hits, answers and copies of each."""

    def setUp(self):
        self.cluster = self.enterContext(Copied())
        self.where = self.cluster.admin

    def nodes(self):
        return json.loads(ctl("nodes", "list", "--json", where=self.where)[1])["nodes"]

    def test_nothing_is_claimed_of_who_was_not_asked(self):
        for node in self.nodes():
            self.assertEqual((node["hits"], node["misses"], node["copies"]), (0, 0, 2))
        for line in ctl("status", where=self.where)[1].splitlines()[2:]:
            self.assertRegex(line, r"iB  +-  +.*  2\Z")

    def test_gets_are_counted_where_they_are_asked(self):
        with self.cluster.leader.connect() as s:
            wire.talk(s, b"".join(b"set k%d 0 0 1\r\nv\r\n" % i for i in range(60)), STORED * 60)
            for _ in range(3):
                wire.talk(s, b"".join(b"get k%d\r\n" % i for i in range(80)),
                          b"".join(found(b"k%d" % i, b"v") for i in range(60)) + END * 20)
        nodes = self.nodes()
        self.assertEqual((sum(n["hits"] for n in nodes), sum(n["misses"] for n in nodes)), (180, 60))
        lines = ctl("status", where=self.where)[1].splitlines()[2:]
        for node, line in zip(nodes, lines, strict=True):
            self.assertGreater(node["p99_ns"], 0)
            hits = 100 * node["hits"] / (node["hits"] + node["misses"])
            self.assertRegex(line, r" %.1f  +[\d.]+ (us|ms|s)  +2\Z" % hits)

    def test_a_known_part_of_the_gets_is_found(self):
        """A key that is there 3 times in 4, on each shard: HIT % is 75.0 on all of them."""
        keys = {}
        for i in range(1000):
            owner = admin.get(self.where, "/v1/ring/where/there-%d" % i)["owner"]["name"]
            keys.setdefault(owner, b"there-%d" % i)
            if len(keys) == 3:
                break
        self.assertEqual(sorted(keys), ["s1", "s2", "s3"])
        with self.cluster.leader.connect() as s:
            for key in keys.values():
                wire.talk(s, b"get %b\r\nset %b 0 0 1\r\nv\r\n" % (key, key), END + STORED)
                wire.talk(s, b"get %b\r\n" % key * 3, found(key, b"v") * 3)
        self.assertEqual([(n["hits"], n["misses"]) for n in self.nodes()], [(3, 1)] * 3)
        for line in ctl("status", where=self.where)[1].splitlines()[2:]:
            self.assertRegex(line, r" 75\.0  +[\d.]+ (us|ms|s)  +2\Z")

    def test_all_who_tell_of_nodes_tell_the_same(self):
        with self.cluster.leader.connect() as s:
            wire.talk(s, b"set k 0 0 1\r\nv\r\nget k\r\nget none\r\n",
                      STORED + found(b"k", b"v") + END)
        told = [admin.get(self.where, "/v1/nodes")["nodes"], self.nodes(),
                json.loads(ctl("status", "--json", where=self.where)[1])["nodes"]]
        for nodes in told:
            self.assertEqual((sum(n["hits"] for n in nodes), sum(n["misses"] for n in nodes)),
                             (1, 1))
            self.assertEqual([n["copies"] for n in nodes], [2, 2, 2])
            self.assertTrue(any(n["p99_ns"] for n in nodes))

    def test_who_is_left_says_that_copies_are_missing(self):
        self.cluster.shards["s1"].kill()
        wait(lambda: self.nodes()[0]["state"] == "ejected", "it to be let go")
        self.assertEqual([n["copies"] for n in self.nodes()], [0, 1, 1])
        lines = ctl("status", where=self.where)[1].splitlines()[2:]
        self.assertRegex(lines[0], r"\As1 .* ejected .* %( +-){5}\Z")
        for line in lines[1:]:
            self.assertRegex(line, r" 1\Z")


class ShardsThatGo(unittest.TestCase):
    def test_a_lost_shard_is_exit_code_2_and_all_of_them_1(self):
        where = admin.address()
        shards, (front,) = separate(2, extra=("--shard-timeout", "20s"))
        front.args += ["--http", where]
        for daemon in shards:
            self.addCleanup(daemon.start().end)
        with front:
            up(front, 2)
            self.assertEqual(ctl("status", where=where)[0], YES)
            shards[0].kill()
            wait(lambda: ctl("status", where=where)[0] == DEGRADED, "the loss to be seen")
            out = ctl("status", where=where)[1].splitlines()
            self.assertRegex(out[0], r": DEGRADED  1/2 shards up: s1 does not answer, ")
            self.assertRegex(out[2], r"\As1 .* no answer +[\d.]+ %( +-){5}\Z")
            shards[1].kill()
            wait(lambda: ctl("status", where=where)[0] == NO, "the loss to be seen")

    def test_who_is_back_is_so_at_once(self):
        where = admin.address()
        shards, (front,) = separate(1, extra=("--shard-timeout", "20s"))
        front.args += ["--http", where]
        self.addCleanup(shards[0].start().end)
        peer = shards[0].args[shards[0].args.index("--peer") + 1]
        with front:
            up(front, 1)
            for _ in range(2):
                shards[0].kill()
                for _ in range(20):     # each time it is tried later again
                    self.assertEqual(ctl("status", where=where)[0], NO)
                self.addCleanup(shards[0].start().end)
                wait(lambda: can_connect(peer), "it to listen")
                self.assertEqual(ctl("status", where=where)[0], YES)
            shards[0].stop()


def can_connect(address):
    try:
        with wire.connect(address):
            return True
    except OSError:
        return False


class Leader:
    """A made-up one: says what it was told to say, and notes what it is asked."""

    def __init__(self):
        self.asked = []
        self.jobs = []              # answers to /v1/jobs/7, one after the other
        self.answer = (202, {"job": 7})
        leader = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self):
                length = int(self.headers["Content-Length"] or 0)
                body = self.rfile.read(length)
                status, data = 200, None
                if self.command == "GET" and self.path == "/v1/jobs/7":
                    data = leader.jobs.pop(0) if len(leader.jobs) > 1 else leader.jobs[0]
                    if data is None:            # it is away for a moment
                        return
                else:
                    leader.asked.append((self.command, self.path,
                                         json.loads(body) if body else None,
                                         self.headers["Content-Type"]))
                    status, data = leader.answer
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = reply

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.where = "127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def job(status, done=0, left=0, **more):
    return {"id": 7, "kind": "drain", "node": "s2", "status": status, "words": "",
            "items_done": done, "items_left": left, "eta_ms": -1, **more}


class Changes(unittest.TestCase):
    def test_each_command_asks_for_what_it_says(self):
        kind = "application/json"
        for line, asked in (
                ("nodes add n=10.0.0.1:1*3", ("POST", "/v1/nodes", {
                    "name": "n", "address": "10.0.0.1:1", "zone": "", "weight": 3}, kind)),
                ("nodes add n=/a=b*c*2 --zone z", ("POST", "/v1/nodes", {
                    "name": "n", "address": "/a=b*c", "zone": "z", "weight": 2}, kind)),
                ("nodes remove a/b", ("DELETE", "/v1/nodes/a%2Fb", None, kind)),
                ("nodes remove a --force", ("DELETE", "/v1/nodes/a?force", None, kind)),
                ("nodes drain a", ("POST", "/v1/nodes/a/drain", None, kind)),
                ("nodes weight a 5", ("PUT", "/v1/nodes/a/weight", {"weight": 5}, kind))):
            with self.subTest(line=line), Leader() as leader:
                self.assertEqual(ctl(*line.split(), "--no-wait", where=leader.where),
                                 (YES, "7\n", ""))
                self.assertEqual(leader.asked, [asked])
        with Leader() as leader:
            leader.answer = (200, job("aborted"))
            self.assertEqual(ctl("jobs", "abort", "7", where=leader.where), (YES, "", ""))
            self.assertEqual(leader.asked, [("DELETE", "/v1/jobs/7", None, kind)])

    def test_a_job_is_waited_for_with_a_line_each_ten_percent(self):
        with Leader() as leader:
            leader.jobs = [job("queued", words="after job 6"), job("running", 5, 95),
                           job("running", 12, 88, eta_ms=9001), job("running", 19, 81),
                           job("running", 63000, 37000, eta_ms=11000), job("done", 100000, 0)]
            code, out, err = ctl("nodes", "drain", "s2", where=leader.where)
        self.assertEqual((code, out), (YES, ""))
        self.assertEqual(err.splitlines(), [
            "waits: draining s2, after job 6  0 %  0 / 0 items",
            "draining s2  12 %  12 / 100 items  10 s left",
            "draining s2  63 %  63 000 / 100 000 items  11 s left",
            "draining s2  100 %  100 000 / 100 000 items"])

    def test_on_a_terminal_it_is_one_line_with_a_bar(self):
        with Leader() as leader:
            leader.jobs = [job("running", 1, 1, eta_ms=1), job("done", 2, 0)]
            code, seen = on_terminal("nodes", "drain", "s2", where=leader.where)
        self.assertEqual(code, YES)
        self.assertIn("\r\033[Kdraining s2  [###########...........]  50 %  1 / 2 items  1 s left",
                      seen)
        self.assertTrue(seen.endswith("[######################]  100 %  2 / 2 items\r\n"), seen)

    def test_a_job_that_fails_or_is_aborted_is_a_no(self):
        for status, words, said in (("failed", "no memory on s3", "no memory on s3"),
                                    ("aborted", "", "aborted")):
            with Leader() as leader:
                leader.jobs = [job("running", 1, 9), job("aborting", 1, 9),
                               job(status, 1, 9, words=words)]
                code, _, err = ctl("jobs", "wait", "7", where=leader.where)
            self.assertEqual(code, NO)
            self.assertEqual(err.splitlines()[-1], "chcachectl: job 7: " + said)

    def test_json_is_the_job_at_its_end(self):
        with Leader() as leader:
            leader.jobs = [job("done", 3, 0)]
            code, out, _ = ctl("nodes", "drain", "s2", "--json", where=leader.where)
        self.assertEqual((code, json.loads(out)["status"]), (YES, "done"))
        with Leader() as leader:
            code, out, err = ctl("nodes", "drain", "s2", "--json", "--no-wait",
                                 where=leader.where)
        self.assertEqual((code, json.loads(out), err), (YES, {"job": 7}, ""))

    def test_a_leader_that_is_away_for_a_moment_is_asked_again(self):
        with Leader() as leader:
            leader.jobs = [job("running", 1, 9), None, None, job("done", 10, 0)]
            code, _, err = ctl("nodes", "drain", "s2", where=leader.where)
        self.assertEqual(code, YES)
        self.assertEqual(err.splitlines(), ["draining s2  10 %  1 / 10 items",
                                            "draining s2  100 %  10 / 10 items"])

    def test_a_leader_that_stays_away_is_exit_code_3(self):
        with Leader() as leader:
            leader.jobs = [job("running", 1, 9), None]
            code, _, err = ctl("nodes", "drain", "s2", where=leader.where)
        self.assertEqual(code, UNREACHED)
        self.assertEqual(err.splitlines()[1:], [
            "chcachectl: %s: no answer; the job may go on, see chcachectl jobs wait 7"
            % leader.where])

    def test_a_leader_that_forgot_the_job_is_a_no(self):
        with Leader() as leader:
            leader.jobs = [b"{}"]
            leader.answer = (404, {"error": "there is no job 8, or it ended long ago"})
            code, _, err = ctl("jobs", "wait", "8", where=leader.where)
        self.assertEqual((code, err),
                         (NO, "chcachectl: there is no job 8, or it ended long ago\n"))

    def test_what_is_refused_is_told_and_cannot_forge_a_terminal(self):
        with Leader() as leader:
            leader.answer = (503, {"error": "not the leader, ask a\033[31m\nb at c"})
            self.assertEqual(ctl("nodes", "drain", "s2", where=leader.where),
                             (NO, "", "chcachectl: not the leader, ask a?[31m?b at c\n"))

    def test_jobs_are_listed(self):
        with Leader() as leader:
            leader.answer = (200, {"jobs": [job("done", 1000, 0), job("running", 1, 2,
                                                                     words="wo\033rds")]})
            code, out, err = ctl("jobs", where=leader.where)
        self.assertEqual((code, err), (YES, ""))
        self.assertEqual(out.splitlines(), [
            "JOB  KIND   NODE  STATUS           ITEMS",
            "  7  drain  s2    done     1 000 / 1 000",
            "  7  drain  s2    running          1 / 3  wo?rds"])

    def test_replicas_that_differ_are_exit_code_2(self):
        def group(equal, *counts):
            return {"equal": equal, "members": [{"name": "s%d" % (i + 1), "items": n}
                                                for i, n in enumerate(counts)]}
        with Leader() as leader:
            leader.answer = (200, {"equal": False,
                                   "groups": [group(True, 1000, 1000), group(False, 5, 4)],
                                   "nodes": [{"name": "s1", "answers": True, "strays": 3},
                                             {"name": "s2", "answers": False, "strays": 0,
                                              "reason": "refused"}]})
            code, out, err = ctl("replicas", where=leader.where)
        self.assertEqual((code, err), (DEGRADED, ""))
        self.assertEqual(out.splitlines(), [
            "OWNER, COPIES         ITEMS",
            "s1, s2         1 000, 1 000  equal",
            "s1, s2                 5, 4  DIFFERENT",
            "s1: 3 items that it is not to have",
            "s2: no answer, refused"])

    def test_answers_that_are_none_are_told(self):
        for status, data in ((200, b"hello"), (200, b"[]"), (200, b""), (500, {"no": "error"}),
                             (404, b"<html>"), (200, b"\xff")):
            with self.subTest(data=data), Leader() as leader:
                leader.answer = (status, data)
                code, out, err = ctl("status", where=leader.where)
                self.assertEqual((code, out), (UNREACHED, ""))
                self.assertRegex(err, r"\Achcachectl: 127[ -~]+\n\Z")


class Simulation(unittest.TestCase):
    """Nobody is asked."""

    def simulate(self, *args, **more):
        code, out, err = ctl("ring", "simulate", "--json", *args, **more)
        self.assertEqual((code, err), (YES, ""))
        return json.loads(out)

    def test_shards_get_keys_by_their_weight(self):
        result = self.simulate("--weights", "1,2,1", "--n-keys", "40000")
        self.assertEqual(result["keys"], 40000)
        self.assertEqual([n["fair_share"] for n in result["nodes"]], [0.25, 0.5, 0.25])
        self.assertEqual(sum(n["keys"] for n in result["nodes"]), 40000)
        for node in result["nodes"]:
            self.assertAlmostEqual(node["share"], node["fair_share"], delta=0.02)
            self.assertAlmostEqual(node["keys"] / 40000, node["share"], delta=0.01)

    def test_the_variation_is_that_of_all_shards_of_weight(self):
        def off(nodes):
            return [n["keys"] / (1000 * n["fair_share"]) - 1 for n in nodes if n["fair_share"] > 0]

        def deviation(values):
            return (sum(v * v for v in values) / len(values)) ** 0.5
        result = self.simulate("--weights", "1,2,0", "--to-weights", "1,1,3", "--n-keys", "1000")
        self.assertEqual(len(off(result["nodes"])), 2)
        self.assertAlmostEqual(result["variation"], deviation(off(result["nodes"])))
        self.assertAlmostEqual(result["then_variation"], deviation(off(result["then"])))

    def test_a_change_moves_little_more_than_it_must(self):
        for args, least in ((["--shards", "4", "--to-shards", "5"], 0.2),
                            (["--shards", "4", "--to-weights", "1,1,1,0"], 0.25),
                            (["--weights", "1,1", "--to-weights", "1,3"], 0.25),
                            (["--shards", "3", "--to-shards", "3"], 0)):
            with self.subTest(args=args):
                result = self.simulate(*args)
                self.assertAlmostEqual(result["least_share"], least)
                self.assertAlmostEqual(result["keys_moved"] / result["keys"], least, delta=0.02)

    def test_only_keys_of_the_shard_that_goes_move(self):
        result = self.simulate("--shards", "4", "--to-weights", "1,1,1,0")
        self.assertEqual(result["keys_moved"], result["nodes"][3]["keys"])

    def test_it_places_keys_as_a_cluster_does(self):
        where = admin.address()
        keys = ["a-%d" % i for i in range(40)]
        shards, (front,) = separate(3)
        for daemon in shards + [front]:
            daemon.args = [re.sub(r"\bs(\d)(=|$)", r"shard-\1\2", arg) for arg in daemon.args]
        front.args += ["--http", where]
        with shards[0], shards[1], shards[2], front:
            owners = {}
            for key in keys:
                owner = admin.get(where, "/v1/ring/where/" + key)["owner"]["name"]
                owners[owner] = owners.get(owner, 0) + 1
        result = self.simulate("--shards", "3", "--keys", "-", stdin="\n".join(keys).encode())
        self.assertEqual({n["name"]: n["keys"] for n in result["nodes"]}, owners)

    def test_keys_come_from_a_file_one_a_line(self):
        with Folder() as folder:
            path = os.path.join(folder, "keys")
            with open(path, "wb") as f:
                f.write(b"a\nb\n\n\xff\x00c\nlast")
            self.assertEqual(self.simulate("--shards", "1", "--keys", path)["keys"], 4)
            with open(path, "wb"):
                pass
            self.assertEqual(ctl("ring", "simulate", "--shards", "1", "--keys", path),
                             (USAGE, "", "chcachectl: %s: there is no key in it\n" % path))
        self.assertEqual(ctl("ring", "simulate", "--shards", "1", "--keys", path),
                         (USAGE, "", "chcachectl: %s: No such file or directory\n" % path))

    def test_people_get_tables(self):
        code, out, err = ctl("ring", "simulate", "--shards", "2", "--to-shards", "3",
                             "--n-keys", "1000")
        self.assertEqual((code, err), (YES, ""))
        self.assertRegex(out, r"\ASHARD +WEIGHT +SHARE +KEYS +OFF\n(shard-\d .*\n){2}"
                              r"variation: [\d.]+ %\n\nthen\n"
                              r"SHARD.*\n(shard-\d .*\n){3}variation: [\d.]+ %\n\n"
                              r"moved: \d+ of 1 000 keys, [\d.]+ %; the least that could be is "
                              r"33\.3 %\n\Z")

    def test_what_cannot_be_simulated(self):
        for line, said in (
                ("", "expected --shards N or --weights W,W,..."),
                ("--shards 0", 'read "0" shards, expected 1 to 1024'),
                ("--shards 1025", 'read "1025" shards, expected 1 to 1024'),
                ("--shards x", 'read "x" shards, expected 1 to 1024'),
                ("--shards 2 --weights 1,1",
                 "a number of shards and their weights do not go together"),
                ("--weights 1,,1", 'read the weights "1,,1", expected whole numbers from 0 to '
                                   "100 with commas between them"),
                ("--weights 101", 'read the weights "101", expected whole numbers from 0 to '
                                  "100 with commas between them"),
                ("--weights 0,0", "no shard has a weight"),
                ("--shards 2 --to-weights 0", "no shard has a weight"),
                ("--weights " + ",".join(["100"] * 164),
                 "the weights sum to more than 16384, or memory is short"),
                ("--shards 1 --n-keys 0", 'read "0" keys, expected 1 to 1000000000'),
                ("--shards 1 --n-keys 5 --keys -", "--keys and --n-keys do not go together")):
            with self.subTest(line=line):
                self.assertEqual(ctl("ring", "simulate", *line.split()),
                                 (USAGE, "", "chcachectl: %s\n" % said))


if __name__ == "__main__":
    tap.main()
