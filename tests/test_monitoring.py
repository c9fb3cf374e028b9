#!/usr/bin/python3 -B
"""The alerts and the dashboard in contrib: right as such, and of series that there are."""

import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from lib import admin, tap
from lib.daemon import Cluster, Daemon, Folder, free_port, wait

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RULES = os.path.join(TOP, "contrib", "prometheus", "chcached.rules.yml")
CASES = os.path.join(TOP, "contrib", "prometheus", "chcached.test.yml")
DASHBOARD = os.path.join(TOP, "contrib", "grafana", "chcached.json")

needs_promtool = unittest.skipUnless(shutil.which("promtool"),
                                     "no promtool: apt-get install prometheus")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def promtool(*args):
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def alerts():
    """{name: expression}"""
    return dict(re.findall(r"^ +- alert: (\w+)\n +expr: (.*)$", read(RULES), re.M))


def panels():
    return json.loads(read(DASHBOARD))["panels"]


def expressions():
    """[(panel's title, expression)] of the dashboard."""
    return [(panel["title"], target["expr"]) for panel in panels()
            for target in panel.get("targets", [])]


def families_named(expression):
    return {re.sub(r"_(bucket|sum|count)$", "", name) if "duration" in name else name
            for name in re.findall(r"\b(?:memcached|chcached)_\w+", expression)}


def families_of(where):
    return set(re.findall(r"^# TYPE (\S+)", admin.text(where, "/metrics")[0], re.M))


def of_a_cluster():
    where = admin.address()
    with Cluster("--replicas", "2", "--http", where):
        return families_of(where)


def of_a_shard_with_a_lease():
    where = admin.address()
    with Folder() as folder:
        peers = {name: "127.0.0.1:%d" % free_port() for name in ("c", "s1")}
        at = ["--coordinator", "c@" + peers["c"]]
        with Daemon("--role", "shard", "--name", "s1", "--peer", peers["s1"], *at, "--http",
                    where, port=0), \
             Daemon("--role", "front", "--name", "c", "--peer", peers["c"], *at, "--state-dir",
                    folder, "--shard=s1=" + peers["s1"]):
            wait(lambda: admin.ask(where, "GET", "/readyz")[0] == 200, "the shard to serve")
            return families_of(where)


class Alerts(unittest.TestCase):
    @needs_promtool
    def test_promtool_takes_them_and_they_fire_when_they_are_to(self):
        self.assertEqual(promtool("check", "rules", RULES)[0], 0)
        code, said = promtool("test", "rules", CASES)
        self.assertEqual(code, 0, said)

    def test_each_is_seen_to_fire(self):
        fired = set(re.findall(r"labels: '.*alertname=\"(\w+)\".*value: [1-9]", read(CASES)))
        self.assertGreater(len(alerts()), 10)
        self.assertEqual(fired, set(alerts()))

    def test_each_says_how_bad_it_is_and_what_to_do(self):
        for text in re.split(r"^ +- alert: ", read(RULES), flags=re.M)[1:]:
            self.assertRegex(text, r"severity: (warning|critical)\}")
            self.assertRegex(text, r'summary: ".+"\n +description: ".+\."\n')


class Dashboard(unittest.TestCase):
    @needs_promtool
    def test_promtool_takes_every_expression(self):
        rules = []
        for i, (_, expression) in enumerate(expressions()):
            expression = expression.replace("$__rate_interval", "5m")
            rules.append({"record": "panel:number:%d" % i,
                          "expr": re.sub(r"\$\w+", "word", expression)})
        self.assertGreater(len(rules), 30)
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            code, said = promtool("check", "rules", file.name)
        self.assertEqual(code, 0, said)

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        ids = [panel["id"] for panel in panels()]
        self.assertEqual(len(ids), len(set(ids)))
        for one, other in itertools.combinations([panel["gridPos"] for panel in panels()], 2):
            apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
                     or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])
            self.assertTrue(apart, (one, other))
        self.assertTrue(all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
                            for panel in panels()))

    def test_variables_are_declared(self):
        dashboard = json.loads(read(DASHBOARD))
        declared = {"$" + v["name"] for v in dashboard["templating"]["list"]}
        used = set(re.findall(r"\$\w+", json.dumps([e for _, e in expressions()])))
        self.assertEqual(used - declared - {"$__rate_interval"}, set())
        sources = {json.dumps(t["datasource"]) for p in dashboard["panels"]
                   for t in p.get("targets", [])}
        self.assertEqual(sources, {'{"type": "prometheus", "uid": "${datasource}"}'})


class Series(unittest.TestCase):
    def test_all_that_are_named_are_told(self):
        told = of_a_cluster() | of_a_shard_with_a_lease()
        named = [("alert " + name, expression) for name, expression in alerts().items()]
        named += [("panel " + title, expression) for title, expression in expressions()]
        for where, expression in named:
            self.assertEqual(families_named(expression) - told, set(), where)
        labels = re.findall(r'(?:command|status)="(\w+)"', " ".join(e for _, e in named))
        self.assertEqual(set(labels) - {"get", "hit"}, set())


if __name__ == "__main__":
    tap.main()
