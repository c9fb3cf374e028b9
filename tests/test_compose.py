#!/usr/bin/python3
"""
The cluster of contrib/container/compose.yaml: the same command lines and the same
files as processes of this host, on free ports of 127.0.0.1.  And what the tools
that read these files say of them.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from lib import balancer, tap, wire
from lib.daemon import CHCACHECTL, Daemon, free_port, run, wait

try:
    import yaml
except ImportError:
    yaml = None

FOLDER = os.path.join(balancer.TOP, "contrib", "container")
COMPOSE = os.path.join(FOLDER, "compose.yaml")
INSIDE = "/etc/chcached/chcached.conf"


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def services():
    return yaml.safe_load(read("compose.yaml"))["services"]


def members():
    return {name: s for name, s in services().items() if s["image"] == "chcached"}


def needs(program, package):
    return unittest.skipUnless(balancer.program(program),
                               "no %s: apt-get install %s" % (program, package))


class Service(Daemon):
    """A container's process; its addresses are of this host, and it has a folder."""

    def __init__(self, name, service, peers, folder):
        os.mkdir(os.path.join(folder, name))
        self.client = "127.0.0.1:%d" % free_port()
        self.admin = "127.0.0.1:%d" % free_port()
        self.service = service
        self.swaps = {**peers, "0.0.0.0:11211": self.client, "127.0.0.1:11280": self.admin,
                      INSIDE: os.path.join(folder, name + ".conf"),
                      "/var/lib/chcached": os.path.join(folder, name)}
        with open(self.swaps[INSIDE], "w", encoding="utf-8") as file:
            file.write(self.swap(read("chcached.conf")))
        super().__init__(*self.swap(service["command"]).split(), port=0, name=name)

    def swap(self, text):
        for old, new in self.swaps.items():
            text = text.replace(old, new)
        return text

    def _launch(self):
        super()._launch(http=None)      # it stands in the file

    @property
    def address(self):
        return self.client

    def health(self):
        """The exit code of its health check: its own, or the image's."""
        check = self.service.get("healthcheck", {}).get("test") or json.loads(
            '["CMD", ' + re.search(r"^HEALTHCHECK .*CMD \[(.*)", read("Containerfile"), re.M)[1])
        assert check[:2] == ["CMD", "chcachectl"], check
        return run(*check[2:], program=CHCACHECTL, env={
            **os.environ, "CHCACHED_SERVER": self.client, "CHCACHED_ADMIN": self.admin})[0]


@unittest.skipUnless(yaml, "no yaml: apt-get install python3-yaml")
class Topology(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="chcached-test-")
        peers = {s["networks"]["cluster"]["ipv4_address"] + ":11301": "127.0.0.1:%d" % free_port()
                 for s in members().values()}
        cls.services = {name: Service(name, s, peers, cls.folder)
                        for name, s in members().items()}
        try:
            for service in cls.services.values():
                service.start()
            wait(lambda: cls.ctl("status")[0] == 0, "all three shards to serve")
            wait(lambda: all(s.health() == 0 for s in cls.services.values()),
                 "all to be healthy")
        except BaseException as e:
            said = "\n".join("%s: %s" % (s.name, s.said()[-800:])
                             for s in cls.services.values() if s.process)
            cls.end()
            raise AssertionError("%s\n%s" % (e, said)) from None

    @classmethod
    def tearDownClass(cls):
        try:
            for service in cls.services.values():
                service.stop()
        finally:
            cls.end()

    @classmethod
    def end(cls):
        for service in cls.services.values():
            service.end()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def ctl(cls, *words):
        return run("--admin", cls.services["front-a"].admin, *words, program=CHCACHECTL)

    def test_it_is_three_shards_and_two_fronts(self):
        self.assertEqual(list(members()), ["s1", "s2", "s3", "front-a", "front-b"])
        self.assertIn(b"3/3 shards up, 2 copies", self.ctl("status")[1])

    def test_what_one_front_took_the_other_gives_though_a_shard_dies(self):
        with self.services["front-a"].connect() as sock:
            for i in range(50):
                wire.talk(sock, b"set key%d 0 0 2\r\nhi\r\n" % i, b"STORED\r\n")
        shard = self.services["s1"]
        shard.kill()
        try:
            self.assertNotEqual(shard.health(), 0)
            with self.services["front-b"].connect() as sock:
                for i in range(50):
                    wire.talk(sock, b"get key%d\r\n" % i,
                              b"VALUE key%d 0 2\r\nhi\r\nEND\r\n" % i)
        finally:
            shard.start()
            wait(lambda: self.ctl("status")[0] == 0, "the shard to serve again")
        self.assertEqual(shard.health(), 0)

    @needs("haproxy", "haproxy")
    def test_a_relay_hands_on_metrics_alone(self):
        with Relay(self.services["s1"].admin) as relay:
            for method, path in (("GET", "/v1/cluster"), ("GET", "/metrics/"),
                                 ("POST", "/metrics"), ("DELETE", "/v1/nodes/s1?force"),
                                 ("GET", "/metrics/../v1/cluster")):
                self.assertEqual(relay.ask(method, path), (403, None), (method, path))
            status, kind = relay.ask("GET", "/metrics")
            self.assertNotIn(status, (403, 502, 503))
            self.assertIsNotNone(kind)          # the member's own answer


class Relay(balancer.Balancer):
    """relay.cfg before an admin address."""

    def __init__(self, admin):
        super().__init__([])
        self.admin = admin

    def command(self):
        path = os.path.join(self.folder, "relay.cfg")
        text = read("relay.cfg")
        for old, new in (("bind :9280", "bind " + self.address), ("127.0.0.1:11280", self.admin)):
            assert old in text, old
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return [balancer.program("haproxy"), "-db", "-f", path]

    def answers(self):
        try:
            return self.ask("GET", "/")[0] == 403
        except OSError:
            return False

    def ask(self, method, path):
        """(status, the Content-Type of a member's answer, None of the relay's own)"""
        c = http.client.HTTPConnection(*self.address.split(":"), timeout=wire.BOUND_S)
        c.request(method, path)
        answer = c.getresponse()
        body = answer.read()
        kind = None if b"<html>" in body else answer.getheader("Content-Type")
        c.close()
        return answer.status, kind


class Files(unittest.TestCase):
    def check(self, *command):
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    @needs("docker-compose", "docker-compose")
    def test_compose_takes_its_file(self):
        self.check("docker-compose", "-f", COMPOSE, "config", "-q")

    @needs("promtool", "prometheus")
    def test_prometheus_takes_its_file(self):
        self.check("promtool", "check", "config", os.path.join(FOLDER, "prometheus.yml"))

    @unittest.skipUnless(yaml, "no yaml: apt-get install python3-yaml")
    def test_prometheus_asks_the_relay_of_each_member(self):
        scraped = yaml.safe_load(read("prometheus.yml"))["scrape_configs"]
        targets = [target for config in scraped[0]["static_configs"]
                   for target in config["targets"]]
        port = re.search(r"bind :(\d+)", read("relay.cfg"))[1]
        self.assertEqual(targets, ["%s:%s" % (name, port) for name in members()])
        for name in members():
            self.assertEqual(services()[name + "-metrics"]["network_mode"], "service:" + name)

    @unittest.skipUnless(yaml, "no yaml: apt-get install python3-yaml")
    def test_prometheus_and_grafana_find_what_they_are_given(self):
        def inside(service):
            return {path: os.path.normpath(os.path.join(FOLDER, file)) for file, path, *_ in
                    (volume.split(":") for volume in services()[service]["volumes"])}

        rules, = yaml.safe_load(read("prometheus.yml"))["rule_files"]
        self.assertEqual(inside("prometheus")[os.path.normpath("/etc/prometheus/" + rules)],
                         os.path.normpath(os.path.join(FOLDER, rules)))
        provider, = yaml.safe_load(read("grafana/dashboards.yml"))["providers"]
        self.assertEqual(
            inside("grafana")[os.path.join(provider["options"]["path"], "chcached.json")],
            os.path.join(balancer.TOP, "contrib", "grafana", "chcached.json"))

    @unittest.skipUnless(yaml, "no yaml: apt-get install python3-yaml")
    def test_files_that_containers_are_given_exist(self):
        for name, service in services().items():
            for volume in service.get("volumes", []):
                path = volume.split(":")[0]
                if path.startswith("."):
                    self.assertTrue(os.path.isfile(os.path.join(FOLDER, path)), (name, path))


if __name__ == "__main__":
    tap.main()
