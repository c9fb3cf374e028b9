#!/usr/bin/python3 -B
"""Keys over HTTP: each status that programs meet, and what must not get through."""

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import unittest
import urllib.parse

from lib import admin, tap, wire
from lib.cluster import LocalCopies
from lib.daemon import Cluster, Daemon, Folder, freeze, separate, up, wait

BOUND_S = wire.BOUND_S


def send(where, method, path, body=None, **headers):
    """(status, body, headers); If_Match=... is If-Match."""
    host, _, port = where.rpartition(":")
    conn = http.client.HTTPConnection(host, int(port), timeout=BOUND_S)
    try:
        conn.request(method, path, body=body,
                     headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = conn.getresponse()
        return response.status, response.read(), response.headers
    finally:
        conn.close()


def raw(where, *parts):
    """Sends bytes, and returns all that comes until the other side closes."""
    with wire.connect(where) as s:
        for part in parts:
            s.sendall(part)
        got = b""
        while data := s.recv(65536):
            got += data
        return got


def quoted(key):
    return "/v1/keys/" + urllib.parse.quote(key, safe="")


class Http(unittest.TestCase):
    """Against one daemon with `ARGS`."""

    ARGS = ()

    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.daemon = Daemon("--http", cls.where, *cls.ARGS).start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def send(self, *args, **more):
        return send(self.where, *args, **more)

    def expect(self, status, *args, **more):
        got, body, headers = self.send(*args, **more)
        self.assertEqual(got, status, (args, more, body))
        return body, headers

    def refused(self, status, *args, **more):
        body, headers = self.expect(status, *args, **more)
        self.assertEqual(headers["Content-Type"], "application/json")
        answer = json.loads(body)
        self.assertLessEqual(set(answer), {"error", "hint"})
        return answer["error"]

    def put(self, key, value, **more):
        return self.expect(204, "PUT", quoted(key), value, **more)[1]["ETag"]

    def talk(self, out, expected):
        with self.daemon.connect() as s:
            wire.talk(s, out, expected)


class Keys(Http):
    def test_what_is_put_is_got(self):
        for value in (b"", b"hello", bytes(range(256)) * 100, b"\r\n\0END\r\n"):
            tag = self.put("round", value)
            body, headers = self.expect(200, "GET", "/v1/keys/round")
            self.assertEqual((body, headers["ETag"]), (value, tag))
            self.assertEqual(headers["Content-Type"], "application/octet-stream")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Cache-Control"], "no-cache")

    def test_a_head_is_all_but_the_value(self):
        tag = self.put("head", b"12345", X_Flags="9")
        body, headers = self.expect(200, "HEAD", "/v1/keys/head")
        self.assertEqual((body, headers["ETag"], headers["X-Flags"], headers["Content-Length"]),
                         (b"", tag, "9", "5"))
        self.expect(404, "HEAD", "/v1/keys/no-head")

    def test_clients_of_memcached_see_the_same_items(self):
        tag = self.put("both", b"v", X_Flags="7")
        self.talk(b"gets both\r\n", b"VALUE both 7 1 %s\r\nv\r\nEND\r\n" % tag.strip('"').encode())
        self.talk(b"set both 4294967295 0 2\r\nab\r\n", b"STORED\r\n")
        body, headers = self.expect(200, "GET", "/v1/keys/both")
        self.assertEqual((body, headers["X-Flags"]), (b"ab", "4294967295"))
        self.put("both", b"x")
        self.assertIsNone(self.expect(200, "GET", "/v1/keys/both")[1]["X-Flags"])

    def test_what_is_not_there_is_404(self):
        self.assertEqual(self.refused(404, "GET", "/v1/keys/none"), "there is no such item")
        self.refused(404, "DELETE", "/v1/keys/none")
        self.put("gone", b"x")
        self.assertEqual(self.expect(204, "DELETE", "/v1/keys/gone")[0], b"")
        self.refused(404, "GET", "/v1/keys/gone")

    def test_a_time_to_live_is_in_seconds(self):
        for ttl, shown in (("60", b"60"), ("0", b"-1"), ("4294967295", b"4294967295")):
            self.expect(204, "PUT", "/v1/keys/ttl?ttl=" + ttl, b"x")
            self.talk(b"mg ttl t\r\n", b"HD t%s\r\n" % shown)
        for ttl in ("", "-1", "1.5", "60s", "4294967296", "99999999999999999999", "%31"):
            self.assertIn("expected seconds", self.refused(400, "PUT", "/v1/keys/x?ttl=" + ttl))
        self.assertIn("expected ttl", self.refused(400, "PUT", "/v1/keys/x?tlt=1", b""))
        self.refused(400, "GET", "/v1/keys/x?ttl=1")

    def test_flags_are_a_number(self):
        for flags in ("-1", "4294967296", "0x1", "", "1 2"):
            self.assertIn("X-Flags", self.refused(400, "PUT", "/v1/keys/f", b"x", X_Flags=flags))

    # keys

    def test_keys_are_any_bytes(self):
        for key in (b"a/b", b"a b", b"%", b"\xff\xfe", b"\r\n", b"\0", b"a\0b", b"k" * 250, b"+",
                    b"?x=1", b"..", "ü".encode(), b"\x01\x7f"):
            with self.subTest(key=key):
                self.put(key, key)
                self.assertEqual(self.expect(200, "GET", quoted(key))[0], key)
                wanted = base64.b64encode(key)
                if len(wanted) <= 250:  # the text protocol takes no longer ones
                    self.talk(b"mg %s b s\r\n" % wanted, b"HD s%d\r\n" % len(key))
                self.expect(204, "DELETE", quoted(key))
                self.expect(404, "GET", quoted(key))

    def test_keys_that_are_none(self):
        self.assertIn("251 bytes", self.refused(400, "PUT", quoted(b"k" * 251), b"x"))
        for path in ("/v1/keys/", "/v1/keys", "/v1/keys/a/b", "/v1/keys//", "/v1/keys/a/"):
            self.refused(404, "GET", path)
        for path in ("/v1/keys/%", "/v1/keys/%4", "/v1/keys/%zz", "/v1/keys/a%2", "/v1/%k/x"):
            self.assertIn("two digits", self.refused(400, "GET", path))
        self.refused(405, "POST", "/v1/keys/a", b"x")

    # conditions

    def test_if_match_is_a_cas(self):
        first = self.put("cas", b"1")
        second = self.put("cas", b"2", If_Match=first)
        self.assertNotEqual(first, second)
        self.assertEqual(self.refused(412, "PUT", "/v1/keys/cas", b"3", If_Match=first),
                         "the item has another ETag")
        self.assertEqual(self.expect(200, "GET", "/v1/keys/cas")[0], b"2")
        self.refused(412, "PUT", "/v1/keys/no-cas", b"3", If_Match=first)
        self.expect(404, "GET", "/v1/keys/no-cas")
        for miss in ('W/' + second, '"other"', '"0"', '"1", "2"'):
            self.refused(412, "PUT", "/v1/keys/cas", b"3", If_Match=miss)
        third = self.put("cas", b"", If_Match='"1", ' + second)
        self.assertEqual(self.expect(200, "GET", "/v1/keys/cas")[0], b"")
        self.put("cas", b"4", If_Match='"1", W/"2", "x" ,%s' % third)
        self.assertEqual(self.expect(200, "GET", "/v1/keys/cas")[0], b"4")

    def test_if_match_any_is_a_replace(self):
        self.assertEqual(self.refused(412, "PUT", "/v1/keys/replace", b"1", If_Match="*"),
                         "there is no such item")
        self.put("replace", b"1")
        self.put("replace", b"2", If_Match="*")

    def test_if_none_match_any_is_an_add(self):
        self.put("add", b"1", If_None_Match="*")
        self.assertEqual(self.refused(412, "PUT", "/v1/keys/add", b"2", If_None_Match="*"),
                         "there is such an item already")
        self.assertEqual(self.expect(200, "GET", "/v1/keys/add")[0], b"1")

    def test_a_get_of_what_one_has_is_304(self):
        tag = self.put("seen", b"1")
        for has in (tag, "W/" + tag, '"5", ' + tag, "*"):
            body, headers = self.expect(304, "GET", "/v1/keys/seen", If_None_Match=has)
            self.assertEqual((body, headers["ETag"]), (b"", tag))
        self.expect(200, "GET", "/v1/keys/seen", If_None_Match='"5"')
        self.expect(404, "GET", "/v1/keys/unseen", If_None_Match="*")
        self.expect(200, "GET", "/v1/keys/seen", If_Match=tag)
        self.refused(412, "GET", "/v1/keys/seen", If_Match='"5"')

    def test_a_delete_of_what_one_knows(self):
        tag = self.put("del", b"1")
        self.refused(412, "DELETE", "/v1/keys/del", If_Match='"5"')
        self.expect(204, "DELETE", "/v1/keys/del", If_Match='"5", ' + tag)
        self.refused(412, "DELETE", "/v1/keys/del", If_Match=tag)
        self.refused(412, "DELETE", "/v1/keys/del", If_Match="*")
        self.put("del", b"1")
        self.expect(204, "DELETE", "/v1/keys/del", If_Match="*")

    def test_conditions_that_are_none(self):
        tag = self.put("cond", b"1")
        for method, headers in (("PUT", {"If_Match": "5"}), ("PUT", {"If_Match": ""}),
                                ("PUT", {"If_Match": '"5'}), ("PUT", {"If_Match": '"5",'}),
                                ("PUT", {"If_Match": '* "5"'}), ("PUT", {"If_Match": '"5" "6"'}),
                                ("PUT", {"If_Match": ", ".join('"%d"' % i for i in range(1, 10))}),
                                ("PUT", {"If_None_Match": tag}),
                                ("PUT", {"If_None_Match": "*", "If_Match": "*"}),
                                ("GET", {"If_None_Match": "5"}),
                                ("DELETE", {"If_None_Match": "*"})):
            self.refused(400, method, "/v1/keys/cond", b"2" if method == "PUT" else None,
                         **headers)
        self.assertEqual(self.expect(200, "GET", "/v1/keys/cond")[0], b"1")

    # many

    def many(self, keys, status=200):
        body, _ = self.expect(status, "POST", "/v1/keys:get", json.dumps(keys))
        return json.loads(body)

    def test_many_keys_at_once(self):
        tag = self.put("m1", b"one", X_Flags="3")
        self.put(b"\0\xff", b"\0two")
        binary = {"base64": base64.b64encode(b"\0\xff").decode()}
        self.assertEqual(self.many(["m1", "m-none", binary, "m1"])["items"], [
            {"key": "m1", "status": 200, "etag": tag, "flags": 3, "value": "b25l"},
            {"key": "m-none", "status": 404},
            {"key": binary, "status": 200, "flags": 0, "value": "AHR3bw==",
             "etag": self.expect(200, "GET", quoted(b"\0\xff"))[1]["ETag"]},
            {"key": "m1", "status": 200, "etag": tag, "flags": 3, "value": "b25l"}])
        self.assertEqual(self.many([])["items"], [])
        rows = self.many(["n%d" % i for i in range(256)])["items"]
        self.assertEqual([r["key"] for r in rows], ["n%d" % i for i in range(256)])

    def test_many_values_are_bounded(self):
        for i in range(12):
            self.put("wide%d" % i, b"x" * 1000000)
        rows = self.many(["wide%d" % i for i in range(12)])["items"]
        self.assertEqual([r["status"] for r in rows], [200] * 8 + [413] * 4)

    def test_answers_that_nobody_reads_are_bounded(self):
        """Some are kept; then there is a 503, and one who reads makes room again."""
        for i in range(8):
            self.put("unread%d" % i, b"x" * 1000000)
        body = json.dumps(["unread%d" % i for i in range(8)]).encode()
        ask = (b"POST /v1/keys:get HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
               % (len(body), body))
        seen = []
        with contextlib.ExitStack() as stack:
            while len(seen) < 60 and 503 not in seen:
                s = stack.enter_context(socket.socket())
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.settimeout(BOUND_S)
                s.connect(self.daemon_http())
                s.sendall(ask)
                seen.append(int(s.recv(12).split(b" ")[1]))
            self.expect(404, "GET", "/v1/keys/unread")      # what is small is told
        self.assertEqual(seen[-1], 503)
        self.assertGreater(len(seen), 3)
        wait(lambda: self.send("POST", "/v1/keys:get", body)[0] == 200, "room")

    def daemon_http(self):
        host, _, port = self.where.rpartition(":")
        return host, int(port)

    def test_lists_of_keys_that_are_none(self):
        for keys in ({}, "a", 1, [1], [""], ["k" * 251], [{"base64": "A"}], [{"base64": ""}],
                     [{"base64": "AAAA", "x": 1}], [["a"]], [None], ["a"] * 257,
                     [{"base64": base64.b64encode(b"k" * 251).decode()}]):
            with self.subTest(keys=keys):
                self.assertIn("error", self.many(keys, 400))
        self.refused(400, "POST", "/v1/keys:get", b"")
        self.refused(400, "POST", "/v1/keys:get", b'["\xff"]')
        self.refused(413, "POST", "/v1/keys:get", b" " * 65537)

    # limits and refusals

    def test_a_value_may_be_as_large_as_an_item(self):
        most = (1 << 20) - 250 - 100
        self.put("large", b"x" * most)
        self.assertEqual(len(self.expect(200, "GET", "/v1/keys/large")[0]), most)
        self.assertIn("more than an item may have",
                      self.refused(413, "PUT", "/v1/keys/large", b"x" * (1 << 20)))
        self.expect(404, "GET", "/v1/keys/large")   # none rather than an old one
        answer = raw(self.where, b"PUT /v1/keys/large HTTP/1.1\r\nHost: localhost\r\n"
                                 b"Content-Length: 1048577\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer)

    def test_pages_of_others_change_nothing(self):
        self.put("page", b"1")
        for origin in ("http://evil.example", "null", "https://" + self.where):
            self.assertIn("origin", self.refused(403, "PUT", "/v1/keys/page", b"2", Origin=origin))
            self.refused(403, "DELETE", "/v1/keys/page", Origin=origin)
        self.expect(204, "PUT", "/v1/keys/page", b"2", Origin="http://" + self.where)
        for method in ("GET", "PUT", "DELETE"):
            self.refused(403, method, "/v1/keys/page", Host="evil.example")

    def test_what_is_smuggled_is_not_executed(self):
        inner = b"DELETE /v1/keys/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = b"PUT /v1/keys/carrier HTTP/1.1\r\nHost: localhost\r\n"
        for lengths, body in (
                (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(inner), b"0\r\n\r\n"),
                (b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n"),
                (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(inner), b""),
                (b"Content-Length: 0, 0\r\n", b""), (b"Content-Length: +0\r\n", b""),
                (b"Content-Length: -1\r\n", b""), (b"Content-Length: 0x0\r\n", b""),
                (b"Content-Length: \r\n", b""),
                (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
                (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
                (b"Transfer-Encoding: chunked\r\n", b"-1\r\n"),
                (b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
                (b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\nx"),
                (b"Transfer-Encoding: chunked\r\n", b"0x1\r\nx\r\n0\r\n\r\n")):
            with self.subTest(lengths=lengths, body=body):
                self.put("smuggled", b"1")
                answer = raw(self.where, head + lengths + b"\r\n" + body + inner)
                self.assertLessEqual(answer.count(b"HTTP/1.1 "), 1)
                if not body.startswith(b"0x1"):     # the size is understood, what follows not
                    self.assertNotIn(b"HTTP/1.1 2", answer)
                self.assertEqual(self.expect(200, "GET", "/v1/keys/smuggled")[0], b"1")

    def test_what_others_take_for_a_body_is_no_request(self):
        """Bytes behind a head that libevent reads on from, and a balancer would not."""
        inner = b"DELETE /v1/keys/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
        put = b"PUT /v1/keys/carrier HTTP/1.1\r\nHost: localhost\r\n"
        for head in (b"HEAD /v1/keys/hidden HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: %d\r\n",
                     put + b"Content-Length : %d\r\n", put + b"Content-Length\t: %d\r\n",
                     put + b"Content-Length\x0b: %d\r\n", put + b": %d\r\n"):
            with self.subTest(head=head):
                self.put("hidden", b"1")
                answer = raw(self.where, head % len(inner) + b"\r\n" + inner)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
                self.assertEqual(self.expect(200, "GET", "/v1/keys/hidden")[0], b"1")
        chunked = b"Transfer-Encoding : chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        answer = raw(self.where, put + chunked % (len(inner), inner))
        self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
        self.assertEqual(self.expect(200, "HEAD", "/v1/keys/hidden", Content_Length="0")[0], b"")

    def test_a_hash_that_is_not_encoded_names_no_other_key(self):
        self.put("cut", b"1")
        for method in (b"GET", b"DELETE"):
            answer = raw(self.where, method + b" /v1/keys/cut#off HTTP/1.1\r\n"
                                     b"Host: localhost\r\n\r\n")
            self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
            self.assertIn(b"%23", answer)
        self.assertEqual(self.expect(200, "GET", "/v1/keys/cut")[0], b"1")

    def test_chunks_are_put_together(self):
        answer = raw(self.where, b"PUT /v1/keys/chunks HTTP/1.1\r\nHost: localhost\r\n"
                                 b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 204"), answer)
        self.assertEqual(self.expect(200, "GET", "/v1/keys/chunks")[0], b"abcde")

    def test_no_line_of_a_head_is_made_of_what_was_sent(self):
        answer = raw(self.where, b"GET /v1/keys/%0d%0aX-Bad:1 HTTP/1.1\r\nHost: localhost\r\n"
                                 b"X-Flags: 1\r\n X-Bad: 2\r\nConnection: close\r\n\r\n")
        self.assertNotIn(b"X-Bad", answer)

    def test_bytes_that_are_no_request_end_the_connection(self):
        for text in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET /v1/keys/a\r\n\r\n" * 2,
                     b"GET /v1/keys/a\0b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"\x16\x03\x01\x02\x00", b"get a\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            with self.subTest(text=text):
                with wire.connect(self.where) as s:
                    s.sendall(text)
                    s.shutdown(1)
                    while s.recv(65536):
                        pass
        self.assertEqual(admin.get(self.where, "/v1/cluster")["verdict"], "ok")

    def test_requests_over_one_connection_are_answered_in_order(self):
        out = b"".join(b"PUT /v1/keys/row HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
                       b"%02dGET /v1/keys/row HTTP/1.1\r\nHost: localhost\r\n\r\n" % i
                       for i in range(20))
        answer = raw(self.where, out + b"GET /v1/keys/row HTTP/1.1\r\nHost: localhost\r\n"
                                       b"Connection: close\r\n\r\n")
        self.assertEqual([a[:2] for a in answer.split(b"\r\n\r\n")[2::2]],
                         [b"%02d" % i for i in range(20)])

    def test_who_leaves_before_the_answer_harms_nobody(self):
        for _ in range(50):
            with wire.connect(self.where) as s:
                s.sendall(b"PUT /v1/keys/left HTTP/1.1\r\nHost: localhost\r\n"
                          b"Content-Length: 5\r\n\r\nhello")
        self.put("left", b"x")

    def test_commands_are_counted(self):
        with self.daemon.connect() as s:
            before = wire.stats(s)
            self.put("counted", b"x")
            self.expect(200, "GET", "/v1/keys/counted")
            self.expect(404, "GET", "/v1/keys/uncounted")
            after = wire.stats(s)
        for name, n in (("cmd_get", 2), ("get_hits", 1), ("get_misses", 1), ("cmd_set", 1)):
            self.assertEqual(int(after[name]) - int(before[name]), n, name)


class Aliases(Http):
    """Paths that small distributed caches have."""

    def test_data_are_keys(self):
        tag = self.expect(204, "PUT", "/data/d%2F1?ttl=60", b"1")[1]["ETag"]
        self.assertEqual(self.expect(200, "GET", "/v1/keys/d%2F1")[1]["ETag"], tag)
        self.assertEqual(self.expect(200, "GET", "/data/d%2F1")[0], b"1")
        self.refused(412, "DELETE", "/data/d%2F1", If_Match='"1"')
        self.expect(204, "DELETE", "/data/d%2F1")
        self.refused(404, "GET", "/data/d%2F1")
        self.refused(404, "GET", "/data/")
        self.refused(405, "POST", "/data/x", b"1")

    def test_route_takes_a_form(self):
        self.expect(204, "POST", "/route?ttl=60", b"key=r+%2F&val=a%20b%00+%2B")
        self.assertEqual(self.expect(200, "GET", "/route?key=r%20/")[0], b"a b\0 +")
        self.assertEqual(self.expect(200, "GET", "/v1/keys/r%20%2F")[0], b"a b\0 +")
        self.expect(204, "POST", "/route", b"val=&key=empty&other=1")
        tag = self.expect(200, "GET", "/route?key=empty")[1]["ETag"]
        self.expect(204, "POST", "/route", b"key=empty&val=again", If_Match='"1", ' + tag)
        self.assertEqual(self.expect(200, "GET", "/route?key=empty")[0], b"again")
        self.expect(204, "POST", "/route", b"key=empty&val=")
        self.assertEqual(self.expect(200, "GET", "/route?key=empty")[0], b"")
        self.refused(404, "GET", "/route?key=no-route")
        for query in ("", "?", "?key", "?key=", "?key=%", "?key=" + "k" * 251, "?k=1"):
            self.refused(400, "GET", "/route" + query)
        for form in (b"", b"key=a", b"val=a", b"key=%&val=a", b"key=&val=a", b"key=a&val=%1",
                     b"key=" + b"k" * 251 + b"&val=a"):
            self.refused(400, "POST", "/route", form)
        self.refused(403, "POST", "/route", b"key=a&val=b", Origin="http://evil.example")

    def test_home_and_rep_tell_of_the_cluster(self):
        self.assertEqual(json.loads(self.expect(200, "GET", "/home")[0])["verdict"], "ok")
        self.assertTrue(json.loads(self.expect(200, "GET", "/rep")[0])["equal"])
        self.assertTrue(json.loads(self.expect(200, "GET", "/heartbeat")[0])["ready"])

    def test_add_and_rm_change_members(self):
        change = {"X_Chcached_Change": "1"}
        form = "name=n&address=127.0.0.1%3A1&weight=2"
        for body in (form, '{"name": "n", "address": "127.0.0.1:1", "weight": 2}'):
            dry = json.loads(self.expect(200, "POST", "/add?dry_run", body, **change)[0])
            self.assertEqual((dry["kind"], dry["node"]), ("add", "n"))
            self.assertIn("no leader", self.refused(503, "POST", "/add", body, **change))
        for body in ("", "name=n", "name=%&address=/x", "name=\xff&address=/x", "name=n&weight=x",
                     form + "&more=1", "{", "[]"):
            self.refused(400, "POST", "/add", body.encode("latin-1"), **change)
        self.refused(403, "POST", "/add", form)
        self.assertIn("no leader", self.refused(503, "DELETE", "/rm?name=local", **change))
        self.refused(404, "DELETE", "/rm?name=other", **change)
        self.refused(404, "DELETE", "/rm?name=%00", **change)
        self.refused(400, "DELETE", "/rm", **change)
        self.refused(403, "DELETE", "/rm?name=local")

    def test_other_paths_are_none(self):
        for path in ("/v1", "/keys/a", "/data", "/v2/keys/a", "/route/a", "/favicon.ico"):
            self.refused(404, "GET", path)


class Small(Http):
    ARGS = ("--disable-evictions", "-m", "8", "--disable-cas")

    def test_no_memory_is_507(self):
        for i in range(200):
            status, body, _ = self.send("PUT", "/v1/keys/big%d" % i, b"x" * 500000)
            if status != 204:
                break
        self.assertEqual(status, 507, body)
        self.assertEqual(json.loads(body)["error"], "there is no memory for the item")

    def test_without_cas_there_are_no_tags(self):
        _, headers = self.expect(204, "PUT", "/v1/keys/tagless", b"1")
        self.assertIsNone(headers["ETag"])
        self.assertIsNone(self.expect(200, "GET", "/v1/keys/tagless")[1]["ETag"])
        self.assertIn("--disable-cas",
                      self.refused(400, "PUT", "/v1/keys/tagless", b"2", If_Match='"1"'))


class Members(unittest.TestCase):
    def test_a_shard_alone_has_no_keys_to_ask_for(self):
        where = admin.address()
        with Folder() as folder, \
             Daemon("--role", "shard", "--name", "s1", "--peer", os.path.join(folder, "s1"),
                    "--http", where, port=0) as d:
            wait(lambda: "admin=%s" % where in d.said(), "the start")
            for method, path, body in (("GET", "/v1/keys/a", None), ("PUT", "/v1/keys/a", b"x"),
                                       ("DELETE", "/v1/keys/a", None),
                                       ("POST", "/v1/keys:get", b"[]")):
                status, answer, _ = send(where, method, path, body)
                self.assertEqual((status, json.loads(answer)["hint"]), (503, "ask a front"))

    def test_children_hold_what_is_put(self):
        where = admin.address()
        with Cluster("--http", where) as c:
            for i in range(60):
                self.assertEqual(send(where, "PUT", "/v1/keys/k%d" % i, b"%d" % i)[0], 204)
            rows = json.loads(send(where, "POST", "/v1/keys:get",
                                   json.dumps(["k%d" % i for i in range(60)]))[1])["items"]
            self.assertEqual([base64.b64decode(r["value"]) for r in rows],
                             [b"%d" % i for i in range(60)])
            with c.connect() as s:
                wire.talk(s, b"get k1\r\n", b"VALUE k1 0 1\r\n1\r\nEND\r\n")
            nodes = admin.get(where, "/v1/nodes")["nodes"]
            self.assertTrue(all(n["items"] > 0 for n in nodes), nodes)

    def test_a_shard_that_is_gone_is_503_and_what_it_may_have_done_504(self):
        where = admin.address()
        shards, (front,) = separate(2, extra=("--shard-timeout", "500ms"))
        front.args += ["--http", where]
        for daemon in shards:
            self.addCleanup(daemon.start().end)
        with front:
            up(front, 2)
            owners = {}
            for i in range(50):
                place = admin.get(where, "/v1/ring/where/k%d" % i)
                owners.setdefault(place["owner"]["name"], "k%d" % i)
            lost = "/v1/keys/" + owners["s2"]
            freeze(shards[1].pid)
            status, body, headers = send(where, "DELETE", lost)
            self.assertEqual((status, headers["Retry-After"]), (504, None), body)
            self.assertIn("shard s2: ", json.loads(body)["error"])
            self.assertIn("hint", json.loads(body))
            shards[1].kill()
            for method in ("GET", "PUT", "DELETE"):
                status, body, headers = send(where, method, lost, b"x" if method == "PUT" else None)
                self.assertEqual((status, headers["Retry-After"]), (503, "1"), body)
                self.assertIn("shard s2: ", json.loads(body)["error"])
            rows = json.loads(send(where, "POST", "/v1/keys:get",
                                   json.dumps([owners["s2"], owners["s1"]]))[1])["items"]
            self.assertEqual([r["status"] for r in rows], [503, 404])


class Stopped(unittest.TestCase):
    """A front whose shard is frozen when it is told to stop."""

    def setUp(self):
        self.where = admin.address()
        shards, (self.front,) = separate(1, extra=("--shard-timeout", "20s"))
        self.shard = shards[0]
        self.front.args += ["--http", self.where]
        for daemon in (self.shard, self.front):
            self.addCleanup(daemon.start().end)
        up(self.front, 1)

    def get(self, sock, path):
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)

    def answer(self, sock):
        """(status, whether it is the last of this connection)."""
        response = http.client.HTTPResponse(sock)
        response.begin()
        response.read()
        return response.status, response.headers["Connection"] == "close"

    def stop(self):
        self.front.process.send_signal(signal.SIGTERM)
        wait(lambda: send(self.where, "GET", "/readyz")[0] == 503, "the stop")

    def test_what_had_come_is_answered_and_health_told_meanwhile(self):
        with wire.connect(self.where) as asks, wire.connect(self.where) as late, \
             wire.connect(self.where) as probe, wire.connect(self.where) as half:
            self.get(probe, b"/readyz")
            self.assertEqual(self.answer(probe), (200, False))
            freeze(self.shard.pid)
            asks.sendall(b"PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\n"
                         b"Content-Length: 1\r\n\r\nx")
            half.sendall(b"GET /v1/keys/a HTTP/1.1\r\nHo")
            self.stop()
            for _ in range(200):        # new connections are told, too, as long as one waits
                self.assertEqual(send(self.where, "GET", "/readyz")[0], 503)
            self.get(probe, b"/readyz")
            self.assertEqual(self.answer(probe), (503, True))
            self.assertEqual(probe.recv(100), b"")
            self.get(late, b"/v1/keys/a")
            os.kill(self.shard.pid, signal.SIGCONT)
            self.assertEqual(self.answer(asks), (204, True))
            self.assertEqual(self.answer(late), (200, True))
            half.sendall(b"st: localhost\r\n\r\n")
            self.assertEqual(self.answer(half), (200, True))
            self.assertEqual(self.front.wait(), 0)

    def test_who_is_told_twice_ends_though_somebody_waits(self):
        many = json.dumps(["k%d" % i for i in range(64)]).encode()
        with wire.connect(self.where) as asks, wire.connect(self.where) as lists:
            freeze(self.shard.pid)
            self.get(asks, b"/v1/keys/a")
            lists.sendall(b"POST /v1/keys:get HTTP/1.1\r\nHost: localhost\r\n"
                          b"Content-Length: %d\r\n\r\n%b" % (len(many), many))
            self.stop()
            self.front.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.front.wait(), 0)
        os.kill(self.shard.pid, signal.SIGCONT)


class Copies(unittest.TestCase):
    def test_no_write_that_was_answered_is_lost_with_its_owner(self):
        with LocalCopies("--shard-timeout", "1s") as c:
            for i in range(60):
                self.assertEqual(send(c.admin, "PUT", "/v1/keys/c%d" % i, b"%d" % i)[0], 204)
            os.kill(c.child("local-2"), signal.SIGKILL)
            for i in range(60):
                path = "/v1/keys/c%d" % i
                status, body, _ = wait(lambda p=path: self.answered(c.admin, "GET", p),
                                       "an answer")
                self.assertEqual((status, body), (200, b"%d" % i))
                status, body, _ = wait(lambda p=path: self.answered(c.admin, "PUT", p, b"new"),
                                       "an answer")
                self.assertEqual(status, 204, body)

    def answered(self, *args):
        """None: nothing was done, it is to be asked again."""
        answer = send(*args)
        return None if answer[0] in (503, 504) else answer


if __name__ == "__main__":
    tap.main()
