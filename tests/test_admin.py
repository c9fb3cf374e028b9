#!/usr/bin/python3 -B
"""The admin address: what operators ask over HTTP, and who else is kept out."""

import contextlib
import os
import socket
import unittest

from lib import admin, tap, wire
from lib.daemon import Cluster, Daemon, Folder, free_port, run, separate, up, wait

JSON = {"Content-Type": "application/json"}


def send(where, *parts):
    """Sends bytes, and returns all that comes until the other side closes."""
    with wire.connect(where) as s:
        for part in parts:
            s.sendall(part)
        got = b""
        while data := s.recv(65536):
            got += data
        return got


def status(answer):
    """Of the first answer in those bytes."""
    return int(answer.split(b" ")[1])


class Address(unittest.TestCase):
    def test_it_is_of_this_host_or_off(self):
        for value in ("0.0.0.0:11280", "10.0.0.1:1", "[::]:11280", "192.168.1.1"):
            code, _, err = run("--http", value)
            self.assertEqual(code, 64, value)
            self.assertRegex(err, r"\Achcached: --http: read \"[^\"]+\", expected an address of "
                                  r"this host alone.*\n\Z")
        for value in ("example.org:80", "127.0.0.1:0", "127.0.0.1:99999", "on", ":80"):
            code, _, err = run("--http", value)
            self.assertEqual(code, 64, value)
            self.assertIn("expected ADDR:PORT with the address as a number, or off", err)

    def test_one_that_is_written_and_taken_ends_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            with Folder() as folder:
                path = os.path.join(folder, "sock")
                code, _, err = run("-s", path, "--http", where)
                self.assertFalse(os.path.exists(path))
        self.assertEqual(code, 71)
        self.assertRegex(err, r"chcached: %s is in use.*use --http ADDR:PORT\.\n" % where)

    def test_the_default_is_done_without_where_it_is_taken(self):
        try:
            taken = socket.create_server(("127.0.0.1", 11280))
        except OSError:
            taken = None            # by somebody else: just as well
        try:
            with DefaultAddress() as d:
                self.assertIn("no admin address, use --http ADDR:PORT or --http off: Address "
                              "already in use addr=127.0.0.1:11280",
                              d.said())
                self.assertIn("admin=none", d.said())
        finally:
            if taken:
                taken.close()

    def test_a_shard_has_none_unless_told(self):
        where = admin.address()
        with Folder() as folder:
            peer = ["--role", "shard", "--name", "s1", "--peer", os.path.join(folder, "s1")]
            with Daemon(*peer, "--http", where, port=0) as d:
                wait(lambda: "admin=%s" % where in d.said(), "the start")
                self.assertEqual(admin.get(where, "/v1/cluster")["verdict"], "down")
            with DefaultAddress(*peer, port=0) as d:
                wait(lambda: "admin=none" in d.said(), "the start")

    def test_ipv6_is_an_address_too(self):
        where = "[::1]:%d" % free_port()
        with Daemon("--http", where):
            self.assertEqual(admin.get(where, "/v1/cluster")["verdict"], "ok")


class DefaultAddress(Daemon):
    """With the address that nobody wrote."""

    def _launch(self):
        super()._launch(http=None)


class OneProcess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.daemon = Daemon("--http", cls.where).start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def ask(self, *args, **more):
        return admin.ask(self.where, *args, **more)

    def refused(self, wanted, *args, **more):
        code, answer, _ = self.ask(*args, **more)
        self.assertEqual(code, wanted, (args, more, answer))
        self.assertEqual(list(answer), ["error"])
        return answer["error"]

    def set(self, key, value=b"x"):
        with self.daemon.connect() as s:
            wire.talk(s, b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value), b"STORED\r\n")

    def test_the_cluster_is_well_and_counted(self):
        self.set(b"counted")
        c = admin.get(self.where, "/v1/cluster")
        self.assertEqual({name: c[name] for name in
                          ("name", "verdict", "words", "epoch", "phase", "leader", "leads",
                           "replicas", "shards", "shards_up")},
                         {"name": "chcached", "verdict": "ok", "words": "1/1 shards up",
                          "epoch": 1, "phase": "stable", "leader": None, "leads": False,
                          "replicas": 1, "shards": 1, "shards_up": 1})
        self.assertGreaterEqual(c["items"], 1)
        self.assertGreater(c["bytes"], 0)
        self.assertGreater(c["limit_bytes"], 60 << 20)

    def test_the_one_node_owns_all(self):
        (node,) = admin.get(self.where, "/v1/nodes")["nodes"]
        self.assertEqual({name: node[name] for name in
                          ("name", "state", "filling", "weight", "next_weight", "share",
                           "answers")},
                         {"name": "local", "state": "up", "filling": False, "weight": 1,
                          "next_weight": 1, "share": 1.0, "answers": True})
        (node,) = admin.get(self.where, "/v1/ring")["nodes"]
        self.assertEqual((node["share"], node["points"]), (1.0, 4096))

    def test_where_says_who_holds_a_key_and_which_version(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"set here 0 0 1\r\nx\r\n", b"STORED\r\n")
            s.sendall(b"gets here\r\n")
            token = int(s.recv(1000).split()[4])
        place = admin.get(self.where, "/v1/ring/where/here")
        self.assertEqual(place["owner"], {"name": "local", "state": "up", "holds": True,
                                          "version": token, "open": False, "size": 1,
                                          "ttl_ms": None})
        self.assertEqual((place["copies"], place["pending"]), ([], []))
        place = admin.get(self.where, "/v1/ring/where/nowhere")
        self.assertEqual(place["owner"], {"name": "local", "state": "up", "holds": False})

    def test_where_says_how_large_an_item_is_and_how_long_it_lives(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"set mortal 0 1000 5000\r\n" + b"x" * 5000 + b"\r\n", b"STORED\r\n")
        owner = admin.get(self.where, "/v1/ring/where/mortal")["owner"]
        self.assertEqual(owner["size"], 5000)
        self.assertIn(owner["ttl_ms"], range(800000, 1000001))

    def test_hot_keys_are_told_by_the_bytes_of_a_path(self):
        with self.daemon.connect() as s:
            for _ in range(40):
                wire.talk(s, b"set hot/%\xff 0 0 1\r\nx\r\nget hot/%\xff\r\n",
                          b"STORED\r\nVALUE hot/%\xff 0 1\r\nx\r\nEND\r\n")
        hot = admin.get(self.where, "/v1/hotkeys")
        one, = [row for row in hot["keys"] if row["key"] == "hot%2F%25%FF"]
        self.assertAlmostEqual(one["share"], one["requests_per_second"] / hot["requests_per_second"])
        self.assertTrue(0 < one["share"] <= 1)
        self.assertAlmostEqual(one["write_share"], 0.5, delta=0.1)
        self.assertEqual(one["owner"], "local")
        self.assertTrue(admin.get(self.where, "/v1/ring/where/" + one["key"])["owner"]["holds"])

    def test_keys_asked_for_over_http_are_among_the_hot_ones(self):
        for _ in range(40):
            admin.ask(self.where, "GET", "/v1/keys/over-http")
        with self.daemon.connect() as s:
            self.assertIn("over-http", wire.stats(s, b"hotkeys").values())
        self.assertIn("over-http", [k["key"] for k in admin.get(self.where, "/v1/hotkeys")["keys"]])

    def test_replicas_counts_each_item_once_for_its_owner(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"".join(b"set replica-%d 0 0 1 noreply\r\nx\r\n" % i
                                  for i in range(2000)) + b"mn\r\n", b"MN\r\n")
        (group,) = admin.get(self.where, "/v1/replicas")["groups"]
        (member,) = group["members"]
        self.assertTrue(group["equal"])
        self.assertEqual(member["items"], admin.get(self.where, "/v1/cluster")["items"])
        self.assertGreaterEqual(member["items"], 2000)
        self.assertRegex(member["digest"], r"\A[0-9a-f]{16}\Z")

    def test_keys_are_any_bytes_percent_encoded(self):
        self.set(b"a/b?c%\xff")
        place = admin.get(self.where, "/v1/ring/where/a%2Fb%3Fc%25%FF")
        self.assertTrue(place["owner"]["holds"])
        self.assertIn("251 bytes", self.refused(400, "GET", "/v1/ring/where/" + "k" * 251))
        self.refused(404, "GET", "/v1/ring/where/")

    def test_to_be_asked_is_no_use_of_an_item(self):
        self.set(b"quiet")
        admin.get(self.where, "/v1/ring/where/quiet")
        with self.daemon.connect() as s:
            wire.talk(s, b"mg quiet h\r\n", b"HD h0\r\n")

    def test_paths_and_methods_that_are_none(self):
        for path in ("/v1", "/v1/", "/v2/nodes", "/v1/nodes/", "/v1//nodes", "/v1/a/b/c/d/e/f",
                     "/v1/nodes/a/b", "/v1/../v1/nodes"):
            self.refused(404, "GET", path)
        self.assertEqual(self.refused(405, "DELETE", "/v1/cluster"),
                         "that path does not take this method, it takes GET")
        self.assertEqual(self.refused(405, "PUT", "/v1/nodes", {}),
                         "that path does not take this method, it takes GET POST")
        for path, allow in (("/v1/cluster", "GET, HEAD"), ("/v1/nodes", "GET, HEAD, POST"),
                            ("/v1/keys:get", "POST"), ("/v1/nodes/a", "DELETE"),
                            ("/v1/nodes/a/weight", "POST, PUT")):
            method = "PUT" if "PUT" not in allow else "DELETE"
            self.assertEqual(self.ask(method, path, {})[2]["Allow"], allow)
        for method in ("OPTIONS", "PATCH", "TRACE"):
            self.refused(405, method, "/v1/cluster")
        self.assertIn("has no meaning here", self.refused(400, "GET", "/v1/nodes?dry_run"))
        self.assertIn("or twice", self.refused(400, "PUT", "/v1/keys/a?ttl=5&ttl=6"))
        self.assertIn("expected dry_run", self.refused(400, "POST", "/v1/nodes?dryrun", {}))

    def test_a_head_is_a_get_without_its_body(self):
        code, answer, headers = self.ask("HEAD", "/v1/cluster")
        self.assertEqual((code, answer), (200, None))
        self.assertEqual(headers["Content-Type"], "application/json")

    def test_bodies_that_are_none(self):
        good = {"name": "n", "address": "127.0.0.1:1"}
        for body, said in (
                (b"", 'the body needs a text "name"'),
                (b"{", "the body is not JSON, line 1"),
                (b"[]", "the body must be a JSON object"),
                (b'{"name": "a", "name": "b"}', "duplicate object key"),
                (b"[" * 60000, "the body is not JSON"),
                (b'{"name": "\xff"}', "the body is not JSON"),
                ({}, 'the body needs a text "name"'),
                ({**good, "name": 1}, 'the body needs a text "name"'),
                ({**good, "name": "a b"}, "expected names of 1 to 60 letters"),
                ({**good, "name": "n" * 61}, "expected names of 1 to 60 letters"),
                ({**good, "zone": "<z>"}, "expected names of 1 to 60 letters"),
                ({**good, "address": "host.example:1"}, "expected an address"),
                ({**good, "address": "127.0.0.1"}, "expected an address"),
                ({**good, "address": "127.0.0.1:0"}, "expected an address"),
                ({**good, "address": "/" + "x" * 200}, "expected an address"),
                ({**good, "weight": 0}, "a whole number from 1 to 100"),
                ({**good, "weight": 101}, "a whole number from 1 to 100"),
                ({**good, "weight": "1"}, "a whole number from 1 to 100"),
                ({**good, "weigth": 1}, 'the body has a field "weigth"')):
            with self.subTest(body=body):
                self.assertIn(said, self.refused(400, "POST", "/v1/nodes", body))

    def test_members_that_are_none(self):
        self.assertEqual(self.refused(404, "DELETE", "/v1/nodes/x"), 'there is no member "x"')
        self.refused(404, "POST", "/v1/nodes/x/drain")
        self.refused(404, "POST", "/v1/nodes/x/weight", {"weight": 2})
        self.refused(404, "DELETE", "/v1/nodes/%00")
        self.assertEqual(self.refused(409, "POST", "/v1/nodes",
                                      {"name": "local", "address": "/x"}),
                         'there is a member "local" already')

    def test_without_a_leader_nothing_changes(self):
        said = "this cluster has no leader: its members are those of the command line"
        for args in (("POST", "/v1/nodes", {"name": "n", "address": "/x"}),
                     ("POST", "/v1/nodes/local/drain"), ("DELETE", "/v1/nodes/local"),
                     ("PUT", "/v1/nodes/local/weight", {"weight": 2}),
                     ("GET", "/v1/jobs"), ("GET", "/v1/jobs/1"), ("DELETE", "/v1/jobs/1")):
            self.assertEqual(self.refused(503, *args), said)

    def test_a_dry_run_says_what_would_move(self):
        body = {"name": "n", "address": "127.0.0.1:1", "weight": 1}
        code, dry, _ = self.ask("POST", "/v1/nodes?dry_run", body)
        self.assertEqual((code, dry["dry_run"], dry["kind"], dry["node"]),
                         (200, True, "add", "n"))
        self.assertAlmostEqual(dry["share"], 0.5, delta=0.05)
        code, dry, _ = self.ask("PUT", "/v1/nodes/local/weight?dry_run=1", {"weight": 5})
        self.assertEqual((code, dry["share"], dry["items_sent"]), (200, 0.0, 0))
        self.assertEqual(self.refused(409, "DELETE", "/v1/nodes/local?dry_run"),
                         "no shard would be left that holds items")
        self.assertIn("no leader", self.refused(503, "POST", "/v1/nodes?dry_run=0", body))

    def test_answers_are_never_pages(self):
        _, _, headers = self.ask("GET", "/v1/nodes/<script>alert(1)</script>")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertIsNone(headers["Access-Control-Allow-Origin"])

    # who is kept out

    def test_a_foreign_name_for_this_host_is_refused(self):
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "128.0.0.1",
                     "localhost.evil.example", "", "[::2]", "0x7f.1", "127.0.0.1@evil"):
            with self.subTest(host=host):
                self.refused(403, "GET", "/v1/cluster", headers={"Host": host})
        for host in ("localhost", "LocalHost:1", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:80"):
            with self.subTest(host=host):
                self.assertEqual(self.ask("GET", "/v1/cluster", headers={"Host": host})[0], 200)

    def test_what_a_form_of_a_page_can_send_changes_nothing(self):
        body = '{"name": "n", "address": "/x"}'
        for headers in ({}, {"Content-Type": "text/plain"},
                        {"Content-Type": "application/x-www-form-urlencoded"},
                        {"Content-Type": "application/jsonx"},
                        {"Content-Type": "text/plain; application/json"}):
            self.assertIn("a change needs the header",
                          self.refused(403, "POST", "/v1/nodes", body, headers=headers))
            self.refused(403, "DELETE", "/v1/nodes/local", headers=headers)
        for headers in (JSON, {"Content-Type": "application/json; charset=utf-8"},
                        {"X-Chcached-Change": "1"}):
            self.refused(503, "POST", "/v1/nodes", body, headers=headers)

    def test_requests_with_two_lengths_are_refused_and_closed(self):
        head = b"POST /v1/nodes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        smuggled = b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for lengths, body in (
                (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
                (b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n"),
                (b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}")):
            with self.subTest(lengths=lengths):
                answer = send(self.where, head + lengths + b"\r\n" + body + smuggled)
                self.assertEqual(status(answer), 400)
                self.assertEqual(answer.count(b"HTTP/1.1"), 1)
        answer = send(self.where, b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\n"
                                  b"Host: evil.example\r\n\r\n")
        self.assertEqual(status(answer), 400)

    def test_other_forms_of_an_address_are_refused(self):
        for line in (b"GET http://evil.example/v1/cluster HTTP/1.1", b"CONNECT localhost:1 HTTP/1.1"):
            answer = send(self.where, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(status(answer), (400, 405))
            self.assertNotIn(b"verdict", answer)

    def test_heads_and_bodies_have_limits(self):
        answer = send(self.where, b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\nX: "
                      + b"x" * 9000 + b"\r\n\r\n")
        self.assertIn(status(answer), (400, 413, 431))
        answer = send(self.where, b"POST /v1/nodes HTTP/1.1\r\nHost: localhost\r\n"
                                  b"Content-Type: application/json\r\n"
                                  b"Connection: close\r\n"
                                  b"Content-Length: 65537\r\n\r\n" + b" " * 65537)
        self.assertEqual(status(answer), 413)
        self.assertEqual(admin.get(self.where, "/v1/cluster")["verdict"], "ok")

    def test_several_requests_go_over_one_connection(self):
        get = b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\n"
        answer = send(self.where, get + b"\r\n", get + b"\r\n" + get + b"Connection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 3)

    def test_a_request_that_does_not_come_to_its_end_is_cut(self):
        """A byte now and then does not help; who has sent nothing yet may stay."""
        with wire.connect(self.where) as silent, wire.connect(self.where) as slow:
            slow.sendall(b"GET /v1/cluster HTTP/1.1\r\n")
            slow.settimeout(0.2)
            for _ in range(int(wire.BOUND_S * 5)):
                try:
                    slow.sendall(b"X")
                    if slow.recv(100) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                self.fail("it is still connected")
            silent.sendall(b"GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(status(silent.recv(1000)), 200)

    def test_many_keep_a_connection_and_the_longest_idle_makes_room(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(wire.connect(self.where)) for _ in range(256)]
            for s in [*held, *held[100:]]:
                s.sendall(get)
                self.assertEqual(status(s.recv(1000)), 200)
            late = stack.enter_context(wire.connect(self.where))
            late.sendall(get)
            self.assertEqual(status(late.recv(1000)), 200)
            self.assertEqual(held[0].recv(100), b"")
            for s in held[1:]:
                s.sendall(get)
                self.assertEqual(status(s.recv(1000)), 200)

    def test_where_all_connections_are_busy_the_next_is_told_so(self):
        begun = b"GET /v1/cluster HTTP/1.1\r\nHost: "
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(wire.connect(self.where)) for _ in range(256)]
            for s in held:
                s.sendall(begun)
            answer = send(self.where, begun + b"localhost\r\n\r\n")
            self.assertEqual(status(answer), 503)
            self.assertIn(b"Retry-After: 1\r\n", answer)
            self.assertIn(b"all 256 connections are busy", answer)
            well = send(self.where, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(status(well), 200)     # how it is is told all the same

    def test_who_leaves_before_the_answer_harms_nobody(self):
        for _ in range(50):
            with wire.connect(self.where) as s:
                s.sendall(b"GET /v1/nodes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(admin.get(self.where, "/v1/cluster")["verdict"], "ok")


class NoDumps(unittest.TestCase):
    def test_hot_keys_are_refused_where_keys_are_not_shown(self):
        where = admin.address()
        with Daemon("--http", where, "-X"):
            status, answer, _ = admin.ask(where, "GET", "/v1/hotkeys")
        self.assertEqual((status, answer["error"]),
                         (403, "disable-dumping is set: keys are not shown"))


class LocalShards(unittest.TestCase):
    def test_each_shard_is_asked_and_a_dead_one_named(self):
        where = admin.address()
        with Cluster("--http", where) as c:
            with c.connect() as s:
                for i in range(300):
                    wire.talk(s, b"set key-%d 0 0 1\r\nx\r\n" % i, b"STORED\r\n")
            cluster = admin.get(where, "/v1/cluster")
            self.assertEqual((cluster["verdict"], cluster["items"]), ("ok", 300))
            nodes = admin.get(where, "/v1/nodes")["nodes"]
            self.assertEqual([n["name"] for n in nodes], c.shards)
            self.assertEqual(sum(n["items"] for n in nodes), 300)
            self.assertAlmostEqual(sum(n["share"] for n in nodes), 1.0)
            for node in nodes:
                self.assertAlmostEqual(node["items"] / 300, node["share"], delta=0.1)
            replicas = admin.get(where, "/v1/replicas")
            self.assertTrue(replicas["equal"])
            self.assertEqual(sorted(m["items"] for g in replicas["groups"] for m in g["members"]),
                             sorted(n["items"] for n in nodes))
            for i in range(30):
                self.assertTrue(admin.get(where, "/v1/ring/where/key-%d" % i)["owner"]["holds"])


    def test_how_long_commands_took_lately_is_told_of_each_command_and_shard(self):
        where = admin.address()
        with Cluster("--http", where) as c, c.connect() as s:
            for i in range(30):
                wire.talk(s, b"set key-%d 0 0 1\r\nx\r\nget key-%d\r\n" % (i, i),
                          b"STORED\r\nVALUE key-%d 0 1\r\nx\r\nEND\r\n" % i)

            def look():         # a command counts when the turn that answered it has ended
                got = admin.get(where, "/v1/latency")
                by = {row["command"]: row for row in got["commands"]}
                return (by["get"]["n"], by["set"]["n"]) == (30, 30) and (got, by)
            got, by = wait(look, "all commands to be counted")
            self.assertTrue(got["since_start"])
            self.assertEqual((got["hits"], got["misses"], got["pid"]), (30, 0, c.pid))
            self.assertGreaterEqual(got["bytes_read"], 30 * len("set key-1 0 0 1  x  get key-1  "))
            self.assertGreaterEqual(got["bytes_written"], 30 * len("STORED  VALUE key-1 0 1  x  "))
            self.assertEqual(sorted(got["shards"]), c.shards)
            self.assertGreaterEqual(sum(shard["n"] for shard in got["shards"].values()), 60)
            for row in (by["get"], by["set"], got["all"]):
                self.assertTrue(0 < row["p50_ns"] <= row["p99_ns"] <= row["max_ns"], row)
            self.assertEqual(got["all"]["n"], sum(row["n"] for row in got["commands"]))
            self.assertEqual(got["all"]["max_ns"], max(row["max_ns"] for row in got["commands"]))

    def test_where_says_the_same_of_all_copies(self):
        where = admin.address()
        with Cluster("--http", where, "--replicas", "2") as c, c.connect() as s:
            wait(lambda: wire.ask(s, b"set k 0 1000 3\r\nxxx\r\n") == b"STORED\r\n", "a write")
            place = admin.get(where, "/v1/ring/where/k")
        owner, (copy,) = place["owner"], place["copies"]
        self.assertNotEqual(owner["name"], copy["name"])
        for name in ("state", "holds", "version", "size"):
            self.assertEqual(owner[name], copy[name], name)
        self.assertEqual((copy["holds"], copy["size"]), (True, 3))
        self.assertAlmostEqual(owner["ttl_ms"], copy["ttl_ms"], delta=60000)


class Fixed(unittest.TestCase):
    """Shards that are started one by one, without a leader."""

    def test_a_shard_that_is_gone_makes_it_degraded_and_all_make_it_down(self):
        where = admin.address()
        shards, (front,) = separate(2, extra=("--shard-timeout", "20s"))
        front.args += ["--http", where]
        for daemon in shards:
            self.addCleanup(daemon.start().end)
        with front:
            up(front, 2)
            self.assertEqual(admin.get(where, "/v1/cluster")["words"], "2/2 shards up")
            shards[1].kill()
            wait(lambda: admin.get(where, "/v1/cluster")["verdict"] == "degraded",
                 "the loss to be seen")
            self.assertEqual(admin.get(where, "/v1/cluster")["words"],
                             "1/2 shards up: s2 does not answer")
            nodes = {n["name"]: n for n in admin.get(where, "/v1/nodes")["nodes"]}
            self.assertTrue(nodes["s1"]["answers"])
            self.assertFalse(nodes["s2"]["answers"])
            self.assertNotEqual(nodes["s2"]["reason"], "")
            shards[0].kill()
            wait(lambda: admin.get(where, "/v1/cluster")["verdict"] == "down",
                 "the loss to be seen")


if __name__ == "__main__":
    tap.main()
