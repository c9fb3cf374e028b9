#!/usr/bin/python3 -B
"""
Programs that know nothing of us: a program in clients/ for each library, with
the whole of its API, and libmemcached's test of servers.  With
CHCACHED_TEST_SERVER=HOST:PORT they are asked of that server instead.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import unittest

from lib import tap, wire
from lib.daemon import BUILD, Cluster, Lone

REFERENCE = os.environ.get("CHCACHED_TEST_SERVER")
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
BUILT = os.path.join(os.path.abspath(BUILD), "tests")
MADE = os.path.join(BUILT, "made")

LIBMEMCACHED = os.path.join(BUILT, "clients", "libmemcached")
GO_FOLDER = "/usr/share/gocode"
GO_SOURCES = GO_FOLDER + "/src/github.com/bradfitz/gomemcache/memcache"
GO_BINARY = os.path.join(MADE, "gomemcache")
GO = ["env", "GO111MODULE=off", "GOFLAGS=", "CGO_ENABLED=0", "GOPATH=" + GO_FOLDER,
      "GOCACHE=" + os.path.join(MADE, "go-cache"), "go"]
JAVA_JAR = "/usr/share/java/spymemcached.jar"
JAVA_CLASS = os.path.join(MADE, "Spymemcached.class")


def source(name):
    return os.path.join(SOURCES, name)


class Client:
    """`run` starts it; the client is there when `probe` ends well; `make` makes `made`."""

    def __init__(self, wants, run, probe, make=None, made=None):
        self.wants = wants
        self.run = run
        self.probe = probe
        self.make = make
        self.made = made

    @functools.lru_cache(None)
    def is_there(self):
        program = (self.make or self.run)[0]
        return shutil.which(program) is not None and output(*self.probe)[0] == 0

    @functools.lru_cache(None)
    def command(self):
        if self.made and not self.is_made():
            os.makedirs(MADE, exist_ok=True)
            code, out = output(*self.make)
            if code != 0:
                raise AssertionError(out)
        return self.run

    def is_made(self):
        return (os.path.exists(self.made)
                and os.path.getmtime(self.made) >= os.path.getmtime(self.make[-1]))


def in_python(name, module, package):
    python = [sys.executable, "-B"]
    return Client("apt-get install " + package, [*python, source(name)],
                  [*python, "-c", "import " + module])


def in_node(module):
    return Client("npm install -g %s; export NODE_PATH=$(npm root -g)" % module,
                  ["node", source(module + ".js")], ["node", "-e", "require('%s')" % module])


CLIENTS = {
    "libmemcached": Client("apt-get install libmemcached-dev", [LIBMEMCACHED], ["true"]),
    "pymemcache": in_python("python_pymemcache.py", "pymemcache", "python3-pymemcache"),
    "pylibmc": in_python("python_pylibmc.py", "pylibmc", "python3-pylibmc"),
    "python-memcached": in_python("python_memcached.py", "memcache", "python3-memcache"),
    "python-binary-memcached": in_python("python_bmemcached.py", "bmemcached",
                                         "python3-binary-memcached"),
    "php-memcached": Client(
        "apt-get install php-cli php-memcached", ["php", source("php_memcached.php")],
        ["php", "-r", "exit(extension_loaded('memcached') ? 0 : 1);"]),
    "Cache::Memcached::Fast": Client(
        "apt-get install libcache-memcached-fast-perl",
        ["perl", source("cache_memcached_fast.pl")], ["perl", "-MCache::Memcached::Fast", "-e1"]),
    "gomemcache": Client(
        "apt-get install golang-go golang-github-bradfitz-gomemcache-dev", [GO_BINARY],
        ["sh", "-c", "command -v go && test -d " + GO_SOURCES],
        [*GO, "build", "-o", GO_BINARY, source("gomemcache.go")], GO_BINARY),
    "dalli": Client("apt-get install ruby ruby-dalli", ["ruby", source("dalli.rb")],
                    ["ruby", "-rdalli", "-e1"]),
    "spymemcached": Client(
        "apt-get install default-jdk-headless libspymemcached-java",
        # It is started often and runs briefly.
        ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", MADE + ":" + JAVA_JAR,
         "Spymemcached"],
        ["test", "-f", JAVA_JAR],
        ["javac", "-Xlint:all", "-cp", JAVA_JAR, "-d", MADE, source("Spymemcached.java")],
        JAVA_CLASS),
    "memcached of node": in_node("memcached"),
    "memjs": in_node("memjs"),
    "nc": Client("apt-get install netcat-openbsd", ["sh", source("nc.sh")],
                 ["sh", "-c", "command -v nc"]),
    "memccapable": Client("apt-get install libmemcached-tools", ["memccapable"], ["true"]),
}


def output(*args):
    """What a program says, and how it ends; what is still running is ended."""
    p = subprocess.Popen(args, cwd=SOURCES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    try:
        out = p.communicate(timeout=wire.BOUND_S)[0]
    except subprocess.TimeoutExpired:
        p.kill()
        out = p.communicate()[0]
    return p.returncode, out.decode(errors="replace")


class Clients:
    @classmethod
    def setUpClass(cls):
        if REFERENCE:
            cls.address = REFERENCE
            return
        cls.daemon = cls.kind().start()
        cls.address = cls.daemon.address

    @classmethod
    def tearDownClass(cls):
        if not REFERENCE:
            cls.daemon.stop()

    def ask(self, name, *args):
        client = CLIENTS[name]
        if not client.is_there():
            self.skipTest("no %s: %s" % (name, client.wants))
        code, out = output(*client.command(), *args)
        self.assertEqual(code, 0, out)
        return out

    def use(self, name, *protocol):
        out = self.ask(name, *self.address.split(":"), *protocol)
        plans = re.findall(r"^1\.\.(\d+)$", out, re.M)
        self.assertEqual([str(len(re.findall(r"^ok ", out, re.M)))], plans, out)

    def test_libmemcached(self):
        self.use("libmemcached")

    def test_libmemcached_in_binary(self):
        self.use("libmemcached", "binary")

    def test_pymemcache(self):
        self.use("pymemcache")

    def test_pylibmc(self):
        self.use("pylibmc")

    def test_pylibmc_in_binary(self):
        self.use("pylibmc", "binary")

    def test_python_memcached(self):
        self.use("python-memcached")

    def test_python_binary_memcached(self):
        self.use("python-binary-memcached")

    def test_php_memcached(self):
        self.use("php-memcached")

    def test_php_memcached_in_binary(self):
        self.use("php-memcached", "binary")

    def test_cache_memcached_fast(self):
        self.use("Cache::Memcached::Fast")

    def test_gomemcache(self):
        self.use("gomemcache")

    def test_dalli(self):
        self.use("dalli")

    def test_spymemcached(self):
        self.use("spymemcached")

    def test_spymemcached_in_binary(self):
        self.use("spymemcached", "binary")

    def test_memcached_of_node(self):
        self.use("memcached of node")

    def test_memjs(self):
        self.use("memjs")

    def test_nc(self):
        self.use("nc")

    def test_nc_in_meta(self):
        self.use("nc", "meta")

    def test_nc_in_binary(self):
        self.use("nc", "binary")

    @unittest.skipIf(REFERENCE, "memcached itself takes what it wants refused")
    def test_memccapable(self):
        self.is_capable("-a")

    def test_memccapable_in_binary(self):
        self.is_capable("-b")

    def is_capable(self, protocol):
        host, port = self.address.split(":")
        out = self.ask("memccapable", protocol, "-h", host, "-p", port)
        self.assertEqual(out.count("[pass]"), 27, out)


class OneProcess(Clients, unittest.TestCase):
    kind = Lone


class ThreeLocalShards(Clients, unittest.TestCase):
    kind = Cluster


if __name__ == "__main__":
    tap.main()
