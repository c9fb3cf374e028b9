"""
A network of the test's own: each process on a host of its own, which can be cut
off.  A host is a network namespace; all hang on one bridge in the namespace of
this process, which must be one of the test's own: see reenter().
"""

import os
import subprocess
import sys

NET, FIRST = "10.77.0.", 10
OWN_NETWORK = ["unshare", "-n"]
# Nobody else's processes are seen either, and root of the machine is not needed.
OWN_MACHINE = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child",
               "--mount-proc"]
NOWHERE = "02:00:00:00:00:01"       # nobody's: what is sent there is lost


def run(*args):
    subprocess.run(args, check=True, capture_output=True)


def why_not(way=OWN_NETWORK):
    """Why there can be no such network, or None."""
    p = subprocess.run([*way, "sh", "-c", "ip link add bridge0 type bridge && "
                        "ip link add one0 type veth peer name two0"],
                       capture_output=True, text=True)
    return None if p.returncode == 0 else "no network namespaces: " + p.stderr.strip()[:200]


def reenter(way=OWN_NETWORK, mark="CHCACHED_TEST_OWN_NETWORK"):
    """Starts this program again in namespaces of its own."""
    if os.environ.get(mark):
        run("ip", "link", "set", "lo", "up")
        return
    os.environ[mark] = "yes"
    os.execvp(way[0], [*way, sys.executable, "-B", *sys.argv])


class Hosts:
    def __init__(self, net=NET, first=FIRST):
        self.net, self.first = net, first       # the first host has net + first
        self.hosts = {}         # name: the process that keeps its namespace

    def __enter__(self):
        run("ip", "link", "add", "bridge0", "type", "bridge")
        run("ip", "addr", "add", self.net + "1/24", "dev", "bridge0")
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
        return self.net + str(self.first + list(self.hosts).index(name))

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
