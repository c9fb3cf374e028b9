"""
A network of the test's own: each process on a host of its own, which can be cut
off.  A host is a network namespace; all hang on one bridge in the namespace of
this process, which must be one of the test's own: see reenter().
"""

import os
import subprocess
import sys

NET = "10.77.0."
NOWHERE = "02:00:00:00:00:01"       # nobody's: what is sent there is lost


def run(*args):
    subprocess.run(args, check=True, capture_output=True)


def why_not():
    """Why there can be no such network, or None."""
    p = subprocess.run(["unshare", "-n", "sh", "-c", "ip link add bridge0 type bridge && "
                        "ip link add one0 type veth peer name two0"],
                       capture_output=True, text=True)
    return None if p.returncode == 0 else "no network namespaces: " + p.stderr.strip()[:200]


def reenter(mark="CHCACHED_TEST_OWN_NETWORK"):
    """Starts this program again in a network namespace of its own."""
    if os.environ.get(mark):
        run("ip", "link", "set", "lo", "up")
        return
    os.environ[mark] = "yes"
    os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv])


class Hosts:
    def __init__(self):
        self.hosts = {}         # name: the process that keeps its namespace

    def __enter__(self):
        run("ip", "link", "add", "bridge0", "type", "bridge")
        run("ip", "addr", "add", NET + "1/24", "dev", "bridge0")
        run("ip", "link", "set", "bridge0", "up")
        return self

    def __exit__(self, *_):
        for keeper in self.hosts.values():
            keeper.kill()
            keeper.wait()
        for name in self.hosts:
            subprocess.run(["ip", "link", "del", name], capture_output=True)
        run("ip", "link", "del", "bridge0")

    def inside(self, name):
        return ["nsenter", "-t", str(self.hosts[name].pid), "-n"]

    def address(self, name):
        return NET + str(10 + list(self.hosts).index(name))

    def __call__(self, name):
        """The words before a command line that is to run there, and the address."""
        if name not in self.hosts:
            self._make(name)
        return self.inside(name), self.address(name)

    def _make(self, name):
        keeper = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 100000"],
                                  stdout=subprocess.PIPE)
        keeper.stdout.readline()
        self.hosts[name] = keeper
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth",
            "netns", str(keeper.pid))
        run("ip", "link", "set", name, "master", "bridge0", "up")
        for words in (["ip", "link", "set", "lo", "up"], ["ip", "link", "set", "eth", "up"],
                      ["ip", "addr", "add", self.address(name) + "/24", "dev", "eth"]):
            run(*self.inside(name), *words)

    def cut(self, name):
        """Nobody reaches it, it reaches nobody."""
        run("ip", "link", "set", name, "nomaster")

    def join(self, name):
        run("ip", "link", "set", name, "master", "bridge0")

    def cut_way(self, here, there):
        """What `here` sends to `there` is lost; the other way it goes on."""
        run(*self.inside(here), "ip", "neigh", "replace", self.address(there), "lladdr", NOWHERE,
            "dev", "eth", "nud", "permanent")

    def join_way(self, here, there):
        run(*self.inside(here), "ip", "neigh", "del", self.address(there), "dev", "eth")
