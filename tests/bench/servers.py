"""Servers that are compared: how each is found, started, looked at and ended."""

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import cluster, daemon, wire        # noqa: E402

FIXEDREPLY, RELAYLIMIT = (os.path.join(daemon.BUILD, "tests", "bench", program)
                          for program in ("fixedreply", "relaylimit"))
MEMCACHED = os.environ.get("MEMCACHED", "memcached")
MEMCACHED_PROXY = os.environ.get("MEMCACHED_PROXY", "")
NUTCRACKER = os.environ.get("NUTCRACKER", "nutcracker")
POGOCACHE = os.environ.get("POGOCACHE", "pogocache")

ROOMY_KIB = 1024 * 1024     # nothing is evicted
SHARDS = 3
FLOOR_LIVES_S = 3600        # the floors end by themselves, too

CORES = sorted(os.sched_getaffinity(0))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A server or a run did not do what it must; the text says what."""


# ---- processes ---------------------------------------------------------------

def before_exec(core):
    """What a child does before it becomes a program: go to its core, die with us."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})
    return prepare


def resident_kib(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


class Process:
    """One server process, from `with` to its end; `address` is where clients go, if they do."""

    def __init__(self, argv, port=None, core=None):
        self.argv, self.port, self.core = [str(arg) for arg in argv], port, core
        self.address = port and "127.0.0.1:%d" % port

    def __enter__(self):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, preexec_fn=before_exec(self.core))
        return self

    def wait(self, condition, what, bound_s=10):
        """Until condition(); Failed, and its end, when that is too long."""
        try:
            daemon.wait(condition, what, bound_s)
        except AssertionError as e:
            self.__exit__()
            raise Failed("%s: %s" % (e, self.said().strip()[-500:])) from None

    def ready(self):
        self.wait(self._answers, "%s to answer" % self.argv[0])
        return self

    def __exit__(self, *_):
        if self.argv[0] == daemon.CHCACHED:     # it has children and sockets to tidy up
            self.process.terminate()
        else:                                   # seconds of good-byes with nothing to lose
            self.process.kill()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with %d" % (self.argv[0], self.process.returncode))
        try:
            with self.connect() as s:
                s.sendall(b"get x\r\n")     # the one thing that even the floors understand
                return s.recv(100)[:3] in (b"END", b"VAL")
        except OSError:
            return False

    def connect(self):
        return wire.connect(self.address)

    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def family(self):
        """Its process id and those of its children."""
        pid = self.process.pid
        every = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        return [pid] + sorted(p for p in every if daemon.parent_of(p) == pid)


class Given:
    """A server that somebody else runs: HOST:PORT or unix:PATH, its process ids if known."""

    def __init__(self, address, pids):
        self.address, self.pids = address, pids

    def family(self):
        return self.pids


class Host:
    """Where servers run; all of them are gone after `with`.  `load`: what they will get."""

    def __init__(self, load=None, core=None):
        self.load, self.core = load, core
        self.ends = contextlib.ExitStack()

    def __enter__(self):
        self.folder = self.ends.enter_context(tempfile.TemporaryDirectory(prefix="chcached-bench-"))
        return self

    def __exit__(self, *_):
        self.ends.close()

    def launch(self, argv, port=None):
        """Comes back at once; no port: no client can ask whether it is there."""
        return self.ends.enter_context(Process(argv, port, self.core))

    def start(self, argv, port):
        return self.launch(argv, port).ready()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path


# ---- one node: each starts on a host and returns its processes ------------------

def chcached(threads=1, memory_kib=ROOMY_KIB, *more):
    def start(host):
        port = daemon.free_port()
        return [host.start([daemon.CHCACHED, "-p", port, "-t", threads,
                            "-m", "%dk" % memory_kib, *more], port)]
    return start


def memcached_argv(program, port, threads=1, memory_kib=ROOMY_KIB):
    user = pwd.getpwuid(os.geteuid()).pw_name
    return [program, "-l", "127.0.0.1", "-p", port, "-U", 0, "-u", user,
            "-t", threads, "-m", memory_kib // 1024, "-c", 4096]


def memcached(threads=1, memory_kib=ROOMY_KIB):
    def start(host):
        port = daemon.free_port()
        return [host.start(memcached_argv(MEMCACHED, port, threads, memory_kib), port)]
    return start


def pogocache(threads=1, memory_kib=ROOMY_KIB):
    def start(host):
        port = daemon.free_port()
        return [host.start([POGOCACHE, "-h", "127.0.0.1", "-p", port, "--threads", threads,
                            "--maxmemory", "%dk" % memory_kib, "--maxconns", 4096], port)]
    return start


def given(address, pids):
    return lambda host: [Given(address, pids)]


# ---- a front and shards: the front is the first of the processes ------------------

def chcached_front(copies=1, shards=SHARDS, more=()):
    def start(host):
        port = daemon.free_port()
        front = host.start([daemon.CHCACHED, "--local-shards", shards, "--replicas", copies,
                            "-p", port, "-t", 1, "-m", "%dk" % ROOMY_KIB, *more], port)
        daemon.up(front, shards)
        return [front]
    return start


def chcached_nodes(copies):
    """As many members as there are shards elsewhere, each a front and a shard in one process."""
    def start(host):
        names = ["n%d" % (i + 1) for i in range(SHARDS)]
        peers = ["127.0.0.1:%d" % daemon.free_port() for _ in names]
        coordinator = "%s@127.0.0.1:%d" % (names[0], daemon.free_port())
        leads = ["--replicas", copies, "--state-dir", host.folder,
                 *("--shard=%s=%s" % pair for pair in zip(names, peers))]
        nodes = []
        for name, peer in zip(names, peers):
            port = daemon.free_port()
            nodes.append(host.launch(
                [daemon.CHCACHED, "--role", "both", "--name", name, "--peer", peer,
                 "--coordinator", coordinator, "--http", "off", "-p", port, "-t", 1,
                 "-m", "%dk" % ROOMY_KIB, *(leads if name == names[0] else ())], port))
        for node in nodes:      # not before all are launched: keys are everywhere
            node.ready()
            daemon.up(node, SHARDS)
        nodes[0].wait(lambda: is_settled(nodes[0]), "all copies to serve")
        return nodes
    return start


def is_settled(leader):
    """Its last map is stable, every shard serves, and none is filling, suspended or ejected."""
    maps = cluster.MAP.findall(leader.said())
    return maps and maps[-1][1:] == ("stable", str(SHARDS), "0", "0", "0")


def memcacheds(host, shards):
    ports = [daemon.free_port() for _ in range(shards)]
    return [host.start(memcached_argv(MEMCACHED, port), port) for port in ports]


NUTCRACKER_POOL = """\
bench:
  listen: 127.0.0.1:%d
  hash: murmur
  distribution: ketama
  server_connections: 1
  auto_eject_hosts: false
  servers:
"""


def twemproxy(host):
    shards = memcacheds(host, SHARDS)
    port, stats_port = daemon.free_port(), daemon.free_port()
    pool = host.write("nutcracker.yml", NUTCRACKER_POOL % port + "".join(
        "   - 127.0.0.1:%d:1 shard-%d\n" % (s.port, i) for i, s in enumerate(shards)))
    argv = [NUTCRACKER, "-c", pool, "-a", "127.0.0.1", "-s", stats_port,
            "-o", os.path.join(host.folder, "nutcracker.log")]
    return [host.start(argv, port), *shards]


#   Each copy has a pool of its own, that begins with another shard: what is
#   written goes to all of them and is answered when all have answered.
PROXY_ROUTES = """\
function mcp_config_pools()
    local shards, pools = { %s }, {}
    for copy = 1, %d do
        pools[copy] = mcp.pool(shards)
        table.insert(shards, table.remove(shards, 1))
    end
    return pools
end

local function one(pool)
    local fg = mcp.funcgen_new()
    local handle = fg:new_handle(pool)
    fg:ready({ f = function(rctx)
        return function(r) return rctx:enqueue_and_wait(r, handle) end
    end })
    return fg
end

local function all(pools)
    local fg, handles = mcp.funcgen_new(), {}
    for i, pool in ipairs(pools) do handles[i] = fg:new_handle(pool) end
    fg:ready({ f = function(rctx)
        return function(r)
            rctx:enqueue(r, handles)
            rctx:wait_cond(#handles, mcp.WAIT_ANY)
            local worst = rctx:worst_result(handles)
            return worst
        end
    end })
    return fg
end

function mcp_config_routes(pools)
    local first = one(pools[1])
    mcp.attach(mcp.CMD_ANY_STORAGE, #pools == 1 and first or all(pools))
    for _, read in ipairs({ mcp.CMD_GET, mcp.CMD_GETS, mcp.CMD_MG }) do
        mcp.attach(read, first)
    end
end
"""


def memcached_proxy(copies=1, shards=SHARDS):
    def start(host):
        behind = memcacheds(host, shards)
        port = daemon.free_port()
        routes = host.write("proxy-%d.lua" % port, PROXY_ROUTES % (", ".join(
            "mcp.backend('shard-%d', '127.0.0.1', %d)" % (i, s.port)
            for i, s in enumerate(behind)), copies))
        return [host.start(memcached_argv(MEMCACHED_PROXY, port)
                           + ["-o", "proxy_config=" + routes], port), *behind]
    return start


# ---- floors ----------------------------------------------------------------------

def fixedreply(host):
    port = daemon.free_port()
    return [host.start([FIXEDREPLY, port, host.load.value, FLOOR_LIVES_S], port)]


def relaylimit(shards=SHARDS):
    def start(host):
        if not host.load.floor:
            return None
        behind = list(itertools.chain.from_iterable(fixedreply(host) for _ in range(shards)))
        port = daemon.free_port()
        return [host.start([RELAYLIMIT, port, FLOOR_LIVES_S, *(s.port for s in behind)], port),
                *behind]
    return start


# ---- which programs are here -------------------------------------------------------

PROGRAMS = {"MEMCACHED": MEMCACHED, "MEMCACHED_PROXY": MEMCACHED_PROXY,
            "NUTCRACKER": NUTCRACKER, "POGOCACHE": POGOCACHE}


def missing(*variables):
    """Why a server that needs these programs cannot be started here, or None."""
    for variable in variables:
        program = PROGRAMS[variable]
        if not program:
            return "%s names none" % variable
        if shutil.which(program) is None:
            return "no %s; %s may name one" % (program, variable)
    return None


def versions():
    """What each program calls itself."""
    found = {}
    for name, program, option in (
            ("chcached", daemon.CHCACHED, "-V"), ("memcached", MEMCACHED, "-V"),
            ("memcached proxy", MEMCACHED_PROXY, "-V"), ("twemproxy", NUTCRACKER, "-V"),
            ("pogocache", POGOCACHE, "--version")):
        if program and shutil.which(program):
            run = subprocess.run([program, option], capture_output=True, text=True, timeout=10)
            found[name] = (run.stdout + run.stderr).strip().split("\n")[0].replace("This is ", "")
    return found
