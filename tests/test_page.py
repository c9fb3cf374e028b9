#!/usr/bin/python3 -B
"""The page at / of the admin address, by itself and in a browser."""

import html.parser
import os
import re
import unittest

from lib import admin, browser, tap, wire
from lib.cluster import Copied
from lib.daemon import Daemon, Folder, separate, up, wait

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VOID = {"meta", "br", "rect"}


class Page(html.parser.HTMLParser):
    """What stands in it: `text` of all, `tables` by id as lists of rows, `facts`."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tables, self.facts = [], {}, {}
        self.nonces, self.links, self.text, self.captions = [], [], "", 0
        self.scopes, self.n_heads = 0, 0
        self._table = self._term = None
        self.feed(source)
        self.close()
        if self.open:
            raise AssertionError("still open: %s" % self.open)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "style" in attributes or any(name.startswith("on") for name in attributes):
            raise AssertionError("the policy forbids that: %s %s" % (tag, attributes))
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag in ("style", "script"):
            self.nonces.append(attributes.get("nonce"))
        if tag == "table":
            self._table = self.tables.setdefault(attributes["id"], [])
        if tag == "tr":
            self._table.append([])
        if tag in ("th", "td"):
            self._table[-1].append("")
        if tag == "th":
            self.n_heads += 1
            self.scopes += attributes.get("scope") in ("row", "col")
        self.captions += tag == "caption"
        if tag == "dt":
            self._term = ""

    def handle_startendtag(self, tag, attributes):
        if tag not in VOID:
            raise AssertionError("ends itself: " + tag)
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError("ends, and is not open: %s" % tag)
        if tag == "dt":
            self.facts[self._term] = ""

    def handle_data(self, data):
        if not self.open or self.open[-1] in ("style", "script"):
            return
        self.text += data
        if "th" in self.open or "td" in self.open:
            self._table[-1][-1] += data
        elif "dt" in self.open:
            self._term += data
        elif "dd" in self.open:
            self.facts[self._term] += data

    def shards(self):
        """{"s1": {"State": "up", ...}, ...}"""
        head, *rows = self.tables["shards"]
        return {row[0]: dict(zip(head, row)) for row in rows}


def look(where):
    return Page(admin.text(where, "/")[0])


def number(text):
    """The whole number at its beginning, with the spaces that it is written with."""
    return int(re.match(r"[\d\u202f]+", text)[0].replace("\u202f", ""))


def fill(daemon, n):
    with daemon.connect() as s:
        wire.talk(s, b"".join(b"set key-%d 0 0 1\r\nx\r\n" % i for i in range(n)), b"STORED\r\n" * n)


class Lone(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = admin.address()
        cls.daemon = Daemon("--http", cls.where).start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def test_it_is_whole_and_loads_nothing(self):
        page = look(self.where)
        self.assertEqual(page.links, ["/v1/cluster", "/v1/nodes", "/v1/jobs"])
        self.assertIn("OK", page.text)
        self.assertIn("chcachectl --admin %s status" % self.where, page.text)

    def test_tables_can_be_read_aloud(self):
        page = look(self.where)
        self.assertEqual(page.captions, len(page.tables))
        self.assertGreater(page.n_heads, 5)
        self.assertEqual(page.scopes, page.n_heads)

    def test_only_its_own_styles_and_scripts_may_be_there(self):
        seen = set()
        for _ in range(2):
            text, headers = admin.text(self.where, "/")
            nonce = re.fullmatch(
                r"default-src 'none'; style-src 'nonce-([0-9a-f]{32})'; script-src 'nonce-\1'; "
                r"connect-src 'self'; base-uri 'none'; form-action 'none'; "
                r"frame-ancestors 'none'", headers["Content-Security-Policy"])[1]
            self.assertEqual(set(Page(text).nonces), {nonce})
            seen.add(nonce)
        self.assertEqual(len(seen), 2)

    def test_nobody_keeps_it_or_takes_it_for_something_else(self):
        _, headers = admin.text(self.where, "/")
        self.assertEqual({name: headers[name] for name in
                          ("Content-Type", "X-Content-Type-Options", "Cache-Control",
                           "Referrer-Policy", "Cross-Origin-Resource-Policy")},
                         {"Content-Type": "text/html; charset=utf-8",
                          "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
                          "Referrer-Policy": "no-referrer",
                          "Cross-Origin-Resource-Policy": "same-origin"})

    def test_it_is_no_page_for_others(self):
        for args, code in ((("GET", "/", None, {"Host": "evil.example"}), 403),
                           (("POST", "/", {}), 405), (("GET", "/?a=1"), 400),
                           (("HEAD", "/v0"), 404)):
            self.assertEqual(admin.ask(self.where, *args)[0], code, args)

    def test_it_tells_of_a_cluster_that_nobody_leads(self):
        page = look(self.where)
        self.assertIn("none", page.facts["Coordinator"])
        self.assertIn("This cluster has no coordinator", page.text)
        self.assertEqual(page.shards()["local"]["State"], "up")

    def test_commands_of_the_last_seconds_are_there(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"set timed 0 0 1\r\nx\r\n", b"STORED\r\n")
            wire.talk(s, b"get timed\r\n", b"VALUE timed 0 1\r\nx\r\nEND\r\n")

        def look_at_times():    # a command counts when the turn that answered it has ended
            rows = {row[0]: row[1:] for row in look(self.where).tables["times"]}
            return {"get", "set"} <= rows.keys() and rows
        rows = wait(look_at_times, "the commands")
        self.assertEqual(rows["Command"], ["A second", "p50", "p99", "max"])
        for command in ("get", "set"):
            for cell in rows[command][1:]:
                self.assertRegex(cell, r"^[\d.]+\xa0(µs|ms|s)$")
        facts = look(self.where).facts
        self.assertRegex(facts["Gets that hit"], r"^[\d.]+\xa0%")
        self.assertRegex(facts["Sent to clients"],
                         r"^[\d.]+\xa0(B|KiB) a second, received [\d.]+\xa0(B|KiB)$")

    def test_who_wonders_why_it_is_slow_sees_that_values_are_large(self):
        with self.daemon.connect() as s:
            wire.talk(s, b"set large 0 0 1000000\r\n" + b"x" * 1000000 + b"\r\n", b"STORED\r\n")

            def look_at_traffic():
                for _ in range(50):
                    wire.ask(s, b"get large\r\n")
                return re.match(r"[\d.]+\xa0MiB a second", look(self.where).facts["Sent to clients"])
            wait(look_at_traffic, "much traffic to be told")


class HotKeys(unittest.TestCase):
    def test_which_key_is_hot_and_who_has_it(self):
        where = admin.address()
        with Daemon("--http", where) as d, d.connect() as s:
            self.assertIn("None has a thousandth", look(where).text)
            wire.talk(s, b"touch user:<42> 0\r\n" * 500 + b"touch other 0\r\n" * 100,
                      b"NOT_FOUND\r\n" * 600)
            def rows():
                return [row for row in look(where).tables["hot"][1:]]
            first = wait(lambda: len(rows()) >= 2 and rows()[0], "the keys")
            self.assertEqual((first[0], first[3:]), ("user:<42>", ["100.0\xa0%", "local"]))
            self.assertGreater(float(first[2].partition("\xa0")[0]), 60)

    def test_keys_stay_hidden_where_that_is_wanted(self):
        where = admin.address()
        with Daemon("--http", where, "--disable-dumping") as d, d.connect() as s:
            wire.talk(s, b"touch hidden 0\r\n" * 500, b"NOT_FOUND\r\n" * 500)
            page = look(where)
            self.assertIn("disable-dumping is set: keys are not shown", page.text)
            self.assertNotIn("hidden", page.text)


class Numbers(unittest.TestCase):
    def test_they_are_those_that_programs_are_told(self):
        where = admin.address()
        with Daemon("--local-shards", "3", "--replicas", "2", "--shard-timeout", "20s",
                    "--http", where) as d:
            up(d, 3)
            wait(lambda: admin.get(where, "/v1/cluster")["verdict"] == "ok", "all to be well")
            fill(d, 1200)
            cluster, page = admin.get(where, "/v1/cluster"), look(where)
            self.assertIn(cluster["words"], page.text)
            self.assertEqual(number(page.facts["Items"]), cluster["items"])
            self.assertEqual(number(page.facts["Map"]), cluster["epoch"])
            self.assertEqual(page.facts["Copies of each key"], "2 all there")
            self.assertEqual(cluster["copies_missing"], 0)
            self.assertEqual(page.facts["Coordinator"], "local this process")
            shards = page.shards()
            self.assertEqual(list(shards), [n["name"] for n in admin.get(where, "/v1/nodes")["nodes"]])
            for node in admin.get(where, "/v1/nodes")["nodes"]:
                shard = shards[node["name"]]
                self.assertEqual(number(shard["Items"]), node["items"])
                self.assertEqual(shard["Share of keys"], "%.1f\xa0%%" % (100 * node["share"]))
                self.assertEqual(shard["Address"], node["address"])


class Losses(unittest.TestCase):
    def test_who_is_lost_is_named_with_what_to_do(self):
        where = admin.address()
        shards, (front,) = separate(2, extra=("--shard-timeout", "20s"))
        front.args += ["--http", where]
        for daemon in shards:
            self.addCleanup(daemon.start().end)
        with front:
            up(front, 2)
            self.assertNotIn("What to do", look(where).text)
            shards[1].kill()
            wait(lambda: "DEGRADED" in look(where).text, "the loss to be seen")
            page = look(where)
            self.assertIn("What to do", page.text)
            self.assertIn("s2 does not answer this process", page.text)
            self.assertTrue(page.shards()["s2"]["State"].startswith("no answer"))
            self.assertEqual(page.shards()["s2"]["Items"], "–")
            self.assertEqual(page.shards()["s1"]["State"], "up")


@unittest.skipUnless(browser.PROGRAM, browser.MISSING)
class InABrowser(unittest.TestCase):
    """A cluster with two copies, and one page of a browser."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Copied("--shard-timeout", "20s", fronts=1)
        cls.cluster.start()
        try:
            cls.browser = browser.Browser().__enter__()
        except BaseException:
            cls.cluster.end()
            raise
        cls.url = "http://%s/" % cls.cluster.admin

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        try:
            cls.cluster.stop()
        finally:
            cls.cluster.end()

    def text(self, selector):
        return self.browser.value('document.querySelector("%s").textContent' % selector)

    def wait_text(self, selector, wanted):
        try:
            wait(lambda: wanted in self.text(selector), wanted)
        except AssertionError as e:
            raise AssertionError("%s\n%s: %s" % (e, selector, self.text(selector))) from None

    def open(self, **more):
        self.browser.look(**more)
        self.browser.open(self.url)
        del self.browser.said[:]

    def test_it_follows_the_cluster_without_being_loaded_again(self):
        self.open(width=1200)
        self.wait_text("#live", "live")
        self.browser.value("window.mark = 1; document.querySelector('#shards').mark = 1")
        with self.cluster.healing():
            self.cluster.shards["s2"].kill()
            self.wait_text(".verdict", "DEGRADED2/3 shards up: s2 is ejected")
            self.wait_text("#advice", "nodes remove s2 --force")
            self.wait_text("dl", "% of keys have fewer")
            self.assertIn("DEGRADED", self.browser.value("document.title"))
            self.cluster.shards["s2"].start()
        self.wait_text(".verdict", "OK3/3 shards up")
        self.wait_text("#jobs", "heal s2")
        self.wait_text("dl", "all there")
        self.assertEqual(self.text("#advice"), "")
        # what did not change is the same element still, so that a selection stays
        self.assertEqual(self.browser.value("[window.mark, document.querySelector('#shards').mark]"),
                         [1, 1])
        self.assertEqual(self.browser.said, [])

    def test_nothing_is_wider_than_the_window(self):
        for width in (320, 400, 920, 930, 1000, 1400):
            for dark in (False, True):
                self.open(width=width, dark=dark)
                self.wait_text("#live", "live")
                self.assertLessEqual(
                    self.browser.value("document.documentElement.scrollWidth"), width)
                self.assertEqual(self.browser.said, [])

    def test_the_longest_names_and_addresses_fit(self):
        where = admin.address()
        with Folder() as folder:
            peer = os.path.join(folder, "p" * (100 - len(folder)))
            with Daemon("--http", where, "--name", "n" * 60, "--peer", peer):
                for width in (320, 400, 920, 930, 1400):
                    self.browser.look(width=width)
                    self.browser.open("http://%s/" % where)
                    self.assertIn("n" * 60, self.text("#shards"))
                    self.assertLessEqual(
                        self.browser.value("document.documentElement.scrollWidth"), width)

    def test_dark_is_dark(self):
        def light_of(dark):
            self.open(width=600, dark=dark)
            colour = self.browser.value("getComputedStyle(document.body).backgroundColor")
            return sum(map(int, re.findall(r"\d+", colour)[:3]))
        self.assertLess(light_of(True), 150)
        self.assertGreater(light_of(False), 600)

    def test_without_scripts_it_is_there_and_loaded_again_by_itself(self):
        self.browser.scripts(False)
        try:
            self.open(width=400)
            self.assertIn("3/3 shards up", self.text(".verdict"))
            self.assertEqual(self.browser.value("document.querySelectorAll('#shards tbody tr').length"),
                             3)
            # by its place in the noscript element, which is an element only then
            self.assertEqual(self.browser.value(
                "document.querySelector('noscript meta').httpEquiv"), "refresh")
        finally:
            self.browser.scripts(True)

    def test_it_says_when_nobody_answers(self):
        where = admin.address()
        with Daemon("--http", where) as d:
            self.browser.look(width=1200)
            self.browser.open("http://%s/" % where)
            self.wait_text("#live", "live")
            d.stop()
            self.wait_text("#live", "no answer since")
            self.assertRegex(self.browser.value("document.title"), r"^\? OK")
            d.start()
            self.wait_text("#live", "live")
            self.assertRegex(self.browser.value("document.title"), r"^OK")


if __name__ == "__main__":
    tap.main()
