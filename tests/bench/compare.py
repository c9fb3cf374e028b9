#!/usr/bin/python3 -B
"""
compare.py - CPU per request: chcached, its peers, and the floor

    make bench                                  # from the build folder
    make bench BENCH_ARGS='--only front/p16,mget-100 --rounds 9'

Three tables, each a thing an operator could run instead of another:

    node      a cache on one machine: chcached -t 1, memcached -t 1
    threads   the same with two threads (only when asked for)
    front     three shards behind a front: chcached --local-shards 3,
              twemproxy and memcached's proxy with three memcacheds each

Beside them the floor: servers that store nothing (fixedreply, relaylimit).
CPU per request is the time on CPU of all processes of a server, user and
system, divided by the requests that mcload counted: on a machine that others
use it repeats far better than requests per second.  For one load all servers
run at once and are measured in turn, round after round, so that what slows
the machine slows each of them; a ratio is the median of the rounds' ratios.
Servers share one core, the load has another (tables node and front).

After its rounds every load is run once more against chcached with each value
checked; a wrong, stale or refused one fails the run.

Peers are found on PATH or named by MEMCACHED, NUTCRACKER and MEMCACHED_PROXY
(a memcached that was configured with --enable-proxy).
"""

import argparse
import collections
import contextlib
import ctypes
import itertools
import json
import os
import platform
import pwd
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import daemon, wire        # noqa: E402

MCLOAD, FIXEDREPLY, RELAYLIMIT = (os.path.join(daemon.BUILD, "tests", "bench", program)
                                  for program in ("mcload", "fixedreply", "relaylimit"))
MEMCACHED = os.environ.get("MEMCACHED", "memcached")
MEMCACHED_PROXY = os.environ.get("MEMCACHED_PROXY", "")
NUTCRACKER = os.environ.get("NUTCRACKER", "nutcracker")

MEMORY_MB = 1024            # nothing is evicted
SHARDS = 3
FLOOR_LIVES_S = 3600        # the floors end by themselves, too
WARMUP_S = 0.2

Load = collections.namedtuple("Load", "id title args keys value floor")

#   pN cN: requests in a batch, connections (10).  95 % get, keys of 20 bytes.
#   floor: whether relaylimit, which knows single keys and short values, can.
LOADS = [Load(*row) for row in (
    ("p1-c10",   "p1 c10",    "-p 1",        100_000, 100,   True),
    ("p1-c100",  "p1 c100",   "-p 1 -c 100", 100_000, 100,   True),
    ("p16",      "p16",       "-p 16",       100_000, 100,   True),
    ("p64",      "p64",       "-p 64",       100_000, 100,   True),
    ("p16-sets", "p16 sets",  "-p 16 -g 0",  100_000, 100,   True),
    ("mget-10",  "mget 10",   "-m 10",       100_000, 100,   False),
    ("mget-100", "mget 100",  "-m 100",      100_000, 100,   False),
    ("p16-1k",   "p16 1 KiB", "-p 16",       100_000, 1024,  False),
    ("p1-32k",   "p1 32 KiB", "-p 1",        2_000,   32768, False),
)]


class Failed(Exception):
    """A server or a run did not do what it must; the text says what."""


# ---- processes ---------------------------------------------------------------

CORES = sorted(os.sched_getaffinity(0))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def before_exec(core):
    """What a child does before it becomes a program: go to its core, die with us."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})
    return prepare


class Process:
    """One server process, from `with` to its end; `port` is where clients go."""

    def __init__(self, argv, port, core):
        self.argv, self.port, self.core = [str(arg) for arg in argv], port, core

    def __enter__(self):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, preexec_fn=before_exec(self.core))
        try:
            daemon.wait(self._answers, "%s to answer" % self.argv[0], 10)
        except AssertionError as e:
            self.__exit__()
            raise Failed("%s: %s" % (e, self.said().strip()[-500:])) from None
        except BaseException:
            self.__exit__()
            raise
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
        return wire.connect("127.0.0.1:%d" % self.port)

    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def family(self):
        """Its process id and those of its children."""
        pid = self.process.pid
        every = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        return [pid] + sorted(p for p in every if daemon.parent_of(p) == pid)


class Host:
    """Where the servers of one load run; all of them are gone after `with`."""

    def __init__(self, load, core):
        self.load, self.core = load, core
        self.ends = contextlib.ExitStack()

    def __enter__(self):
        self.folder = self.ends.enter_context(tempfile.TemporaryDirectory(prefix="chcached-bench-"))
        return self

    def __exit__(self, *_):
        self.ends.close()

    def start(self, argv, port):
        return self.ends.enter_context(Process(argv, port, self.core))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path


# ---- servers: each starts on a host and returns its processes, the front first ----

def chcached(threads):
    def start(host):
        port = daemon.free_port()
        return [host.start([daemon.CHCACHED, "-p", port, "-t", threads, "-m", MEMORY_MB], port)]
    return start


def chcached_front(host):
    port = daemon.free_port()
    front = host.start([daemon.CHCACHED, "--local-shards", SHARDS, "-p", port, "-t", 1,
                        "-m", MEMORY_MB], port)
    daemon.up(front, SHARDS)
    return [front]


def memcached_argv(program, port, threads=1):
    user = pwd.getpwuid(os.geteuid()).pw_name
    return [program, "-l", "127.0.0.1", "-p", port, "-U", 0, "-u", user,
            "-t", threads, "-m", MEMORY_MB]


def memcached(threads):
    def start(host):
        port = daemon.free_port()
        return [host.start(memcached_argv(MEMCACHED, port, threads), port)]
    return start


def memcacheds(host):
    ports = [daemon.free_port() for _ in range(SHARDS)]
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
    shards = memcacheds(host)
    port, stats_port = daemon.free_port(), daemon.free_port()
    pool = host.write("nutcracker.yml", NUTCRACKER_POOL % port + "".join(
        "   - 127.0.0.1:%d:1 shard-%d\n" % (s.port, i) for i, s in enumerate(shards)))
    argv = [NUTCRACKER, "-c", pool, "-a", "127.0.0.1", "-s", stats_port]
    return [host.start(argv, port), *shards]


PROXY_ROUTES = """\
function mcp_config_pools()
    return mcp.pool({ %s })
end

function mcp_config_routes(pool)
    local fg = mcp.funcgen_new()
    local handle = fg:new_handle(pool)
    fg:ready({ f = function(rctx)
        return function(r) return rctx:enqueue_and_wait(r, handle) end
    end })
    mcp.attach(mcp.CMD_ANY_STORAGE, fg)
end
"""


def memcached_proxy(host):
    shards = memcacheds(host)
    port = daemon.free_port()
    routes = host.write("proxy.lua", PROXY_ROUTES % ", ".join(
        "mcp.backend('shard-%d', '127.0.0.1', %d)" % (i, s.port) for i, s in enumerate(shards)))
    return [host.start(memcached_argv(MEMCACHED_PROXY, port) + ["-o", "proxy_config=" + routes],
                       port), *shards]


def fixedreply(host):
    port = daemon.free_port()
    return [host.start([FIXEDREPLY, port, host.load.value, FLOOR_LIVES_S], port)]


def relaylimit(host):
    if not host.load.floor:
        return None
    shards = list(itertools.chain.from_iterable(fixedreply(host) for _ in range(SHARDS)))
    port = daemon.free_port()
    return [host.start([RELAYLIMIT, port, FLOOR_LIVES_S, *(s.port for s in shards)], port), *shards]


#   ours comes first in its table; needs: the programs without which it is left out
Server = collections.namedtuple("Server", "name start needs ours floor")
Table = collections.namedtuple("Table", "id title pinned has_front servers")


def ours(start):
    return Server("chcached", start, (), True, False)


def peer(name, start, **needs):
    return Server(name, start, tuple(needs.items()), False, False)


def floor(name, start):
    return Server(name, start, (), False, True)


TABLES = [
    Table("node", "One node, one thread", True, False,
          [ours(chcached(1)), peer("memcached", memcached(1), MEMCACHED=MEMCACHED),
           floor("fixedreply", fixedreply)]),
    Table("threads", "One node, two threads", False, False,
          [ours(chcached(2)), peer("memcached", memcached(2), MEMCACHED=MEMCACHED)]),
    Table("front", "A front and %d shards, one thread each; the front alone in brackets" % SHARDS,
          True, True,
          [ours(chcached_front),
           peer("twemproxy", twemproxy, NUTCRACKER=NUTCRACKER, MEMCACHED=MEMCACHED),
           peer("memcached proxy", memcached_proxy, MEMCACHED_PROXY=MEMCACHED_PROXY,
                MEMCACHED=MEMCACHED),
           floor("relaylimit", relaylimit)]),
]


def missing(server):
    """Why a server cannot be started here, or None."""
    for variable, program in server.needs:
        if not program:
            return "%s names none" % variable
        if shutil.which(program) is None:
            return "no %s; %s may name one" % (program, variable)
    return None


# ---- measuring ---------------------------------------------------------------

class Runner:
    """A server that is up, and what mcload said about it."""

    def __init__(self, server, processes, load, core):
        self.server, self.load, self.core = server, load, core
        self.port = processes[0].port
        self.pids = list(itertools.chain.from_iterable(p.family() for p in processes))
        self.all_us, self.front_us = [], []

    def mcload(self, seconds, *more):
        """One run; its JSON.  Failed when it met an error or a server forgot keys."""
        argv = [MCLOAD, "--json", "--warmup", WARMUP_S, "--time-limit", 60, "-d", seconds,
                "-k", self.load.keys, "-v", self.load.value, *self.load.args.split(),
                "--pid", ",".join(map(str, self.pids)), *more, "127.0.0.1:%d" % self.port]
        try:
            run = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True,
                                 timeout=seconds + 200, preexec_fn=before_exec(self.core))
        except subprocess.TimeoutExpired:
            raise Failed("mcload did not end") from None
        if run.returncode != 0:
            raise Failed("mcload: exit %d: %s %s" % (run.returncode, run.stderr.strip()[-300:],
                                                     run.stdout.strip()[:600]))
        said = json.loads(run.stdout)
        if said["hits"] + said["misses"] and said["hit_rate"] < 0.99:
            raise Failed("only %.1f %% hits" % (said["hit_rate"] * 100))
        return said

    def preload(self):
        if not self.server.floor:       # which keep nothing
            self.mcload(0.1, "--preload")

    def measure(self, seconds):
        said = self.mcload(seconds)
        self.all_us.append(said["server_cpu_us_per_request"])
        self.front_us.append(said["processes"][0]["cpu_us_per_request"])

    def verify(self, seconds):
        """Requests whose answers were checked.  Failed when one was wrong."""
        said = self.mcload(seconds, "--preload", "--verify", "--strict")
        for fault in ("wrong_values", "stale_values", "error_replies", "protocol_errors",
                      "disconnects", "lost_requests", "preload_errors"):
            if said[fault]:
                raise Failed("%d %s" % (said[fault], fault))
        return said["requests"]


def start_all(table, load, host, core, note):
    """The servers of a table that are here and can do this load, with their keys."""
    runners = []
    for server in table.servers:
        if missing(server):
            continue
        try:
            processes = server.start(host)
            if processes is None:
                continue
            runners.append(Runner(server, processes, load, core))
            runners[-1].preload()
        except Failed as e:
            if server.ours:
                raise
            runners = [r for r in runners if r.server is not server]
            note("%s, %s: left out: %s" % (server.name, load.title, e))
    return runners


def run_load(table, load, options, note):
    """{name: Runner} after all rounds, and the number of verified requests."""
    pin = table.pinned and len(CORES) > 1
    with Host(load, CORES[0] if pin else None) as host:
        runners = start_all(table, load, host, CORES[1] if pin else None, note)
        for number in range(options.rounds):
            first = number % len(runners)           # nobody is always the first
            for runner in runners[first:] + runners[:first]:
                try:
                    runner.measure(options.seconds)
                except Failed as e:
                    if runner.server.ours:
                        raise
                    runners.remove(runner)
                    note("%s, %s: left out: %s" % (runner.server.name, load.title, e))
        checked = sum(r.verify(options.seconds) for r in runners if r.server.ours)
    return {r.server.name: r for r in runners}, checked


# ---- what is printed -----------------------------------------------------------

def ratio(one, other):
    return statistics.median(a / b for a, b in zip(one, other))


def cell(value, front, digits):
    text = "%.*f" % (digits, value)
    return text if front is None else "%s (%.*f)" % (text, digits, front)


def cells(table, present, runners):
    """One line's cells: each server's CPU, and ours divided by each peer's."""
    our = runners[present[0].name]
    for server in present:
        it = runners.get(server.name)
        both = table.has_front and it
        yield "–" if it is None else cell(
            statistics.median(it.all_us), statistics.median(it.front_us) if both else None, 2)
        if not server.ours and not server.floor:
            yield "–" if it is None else cell(
                ratio(our.all_us, it.all_us), ratio(our.front_us, it.front_us) if both else None, 2)


def heading(present):
    names = ["load"]
    for server in present:
        names.append("floor: " + server.name if server.floor else server.name)
        if not server.ours and not server.floor:
            names.append("chcached / " + server.name)
    return "| %s |\n|%s" % (" | ".join(names), "---|" * len(names))


def record(runners):
    """The figures of one load for --json."""
    our = next(r for r in runners.values() if r.server.ours)
    return {name: {"cpu_us": r.all_us, "front_cpu_us": r.front_us,
                   "median_us": statistics.median(r.all_us),
                   "chcached_ratio": ratio(our.all_us, r.all_us),
                   "chcached_front_ratio": ratio(our.front_us, r.front_us)}
            for name, r in runners.items()}


def versions():
    """What each program calls itself."""
    found = {}
    for name, program in (("chcached", daemon.CHCACHED), ("memcached", MEMCACHED),
                          ("memcached proxy", MEMCACHED_PROXY), ("twemproxy", NUTCRACKER)):
        if program and shutil.which(program):
            run = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10)
            found[name] = (run.stdout + run.stderr).strip().split("\n")[0].replace("This is ", "")
    return found


def say_setting(options, found):
    place = ("servers on core %d, load on core %d (two threads: on any)" % tuple(CORES[:2])
             if len(CORES) > 1 else "one core, shared with the load")
    print("CPU per request, µs, all server processes: medians of %d rounds of %g s.\n"
          "A ratio is the median of the rounds' ratios.\n\n"
          "%s; Linux %s; %s.\n" % (options.rounds, options.seconds, "; ".join(
              "%s: %s" % pair for pair in found.items()), platform.release(), place))


def run_table(table, loads, options):
    """Prints the table line by line; its record for --json."""
    present = [s for s in table.servers if not missing(s)]
    notes, result, checked = [], {}, 0
    for server in table.servers:
        if missing(server):
            notes.append("%s: left out: %s" % (server.name, missing(server)))
    print("## %s\n\n%s" % (table.title, heading(present)), flush=True)
    for load in loads:
        runners, n = run_load(table, load, options, notes.append)
        checked += n
        result[load.id] = record(runners)
        print("| %s | %s |" % (load.title, " | ".join(cells(table, present, runners))), flush=True)
    print("\nchcached verified on %d requests: 0 wrong, 0 stale, 0 errors." % checked)
    print("".join("%s\n" % line for line in notes), flush=True)
    return {"loads": result, "verified_requests": checked, "notes": notes}


# ---- options -------------------------------------------------------------------

def choice(text):
    """TABLE, TABLE/LOAD,... or /LOAD,...: {table id: loads}, in the order of the tables."""
    name, _, wanted = text.partition("/")
    tables = [t.id for t in TABLES if t.id == name or not name and t.id != "threads"]
    ids = wanted.split(",") if wanted else [load.id for load in LOADS]
    unknown = set(ids) - {load.id for load in LOADS}
    if not tables or unknown:
        raise argparse.ArgumentTypeError(
            "%s: tables are %s; loads are %s" % (text, ", ".join(t.id for t in TABLES),
                                                 ", ".join(load.id for load in LOADS)))
    return {t: [load for load in LOADS if load.id in ids] for t in tables}


def at_least(least, kind):
    def convert(text):
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError("%s: at least %s" % (text, least))
        return value
    return convert


def parse():
    parser = argparse.ArgumentParser(
        description="CPU per request of chcached, its peers and the floor.",
        epilog="Loads: %s. Peers: MEMCACHED, NUTCRACKER and MEMCACHED_PROXY name them."
               % ", ".join(load.id for load in LOADS))
    parser.add_argument("--rounds", type=at_least(1, int), default=5, metavar="N",
                        help="rounds a load (5)")
    parser.add_argument("--seconds", type=at_least(0.1, float), default=1, metavar="S",
                        help="measured seconds a round and server (1)")
    parser.add_argument("--only", type=choice, action="append", metavar="TABLE[/LOAD,...]",
                        help="node, threads or front, or /LOAD; repeatable (node and front)")
    parser.add_argument("--json", metavar="FILE", help="write every round there, too")
    return parser.parse_args()


def main():
    options = parse()
    wanted = {}
    for one in options.only or [choice("/")]:
        for name, loads in one.items():
            wanted.setdefault(name, []).extend(x for x in loads if x not in wanted[name])
    for program in (daemon.CHCACHED, MCLOAD, FIXEDREPLY, RELAYLIMIT):
        if shutil.which(program) is None:
            sys.exit("compare.py: no %s: run it through `make bench`" % program)

    # As SystemExit it passes through every `with`, which ends the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = versions()
    say_setting(options, found)
    result = {"rounds": options.rounds, "seconds": options.seconds, "versions": found, "tables": {}}
    try:
        for table in TABLES:
            if table.id in wanted:
                result["tables"][table.id] = run_table(table, wanted[table.id], options)
    except Failed as e:
        sys.exit("\ncompare.py: chcached failed: %s" % e)
    except KeyboardInterrupt:
        sys.exit(130)
    if options.json:
        with open(options.json, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
