"""
CPU per request

Time on CPU of all processes of a server, user and system, divided by the
requests that mcload counted: on a machine that others use it repeats far
better than requests per second.  For one load all servers run at once and
are measured in turn, round after round, so that what slows the machine slows
each of them; a ratio is the median of the rounds' ratios.  Servers share one
core, the load has another (all tables but threads).

After its rounds every load is run once more against chcached with each value
checked; a wrong, stale or refused one fails the run.
"""

import collections
import statistics

import servers
from load import Mcload
from servers import CORES, SHARDS, Failed, Host

WARMUP_S = 0.2

Load = collections.namedtuple("Load", "id title args keys value floor")

#   pN cN: requests in a batch, connections (10).  95 % get, keys of 20 bytes.
#   floor: whether relaylimit, which knows single keys and short values, can.
LOADS = [Load(*row) for row in (
    ("p1-c10",   "p1 c10",    "-p 1",         100_000, 100,   True),
    ("p1-c100",  "p1 c100",   "-p 1 -c 100",  100_000, 100,   True),
    ("p1-c1000", "p1 c1000",  "-p 1 -c 1000", 100_000, 100,   False),
    ("p16",      "p16",       "-p 16",        100_000, 100,   True),
    ("p16-c100", "p16 c100",  "-p 16 -c 100", 100_000, 100,   True),
    ("p64",      "p64",       "-p 64",        100_000, 100,   True),
    ("p16-sets", "p16 sets",  "-p 16 -g 0",   100_000, 100,   True),
    ("mget-10",  "mget 10",   "-m 10",        100_000, 100,   False),
    ("mget-100", "mget 100",  "-m 100",       100_000, 100,   False),
    ("p16-1k",   "p16 1 KiB", "-p 16",        100_000, 1024,  False),
    ("p1-32k",   "p1 32 KiB", "-p 1",         2_000,   32768, False),
)]

#   The most that a ratio chcached / peer may be, and the front's alone; what
#   the limits of the machine would allow.  None: nothing was set.
Bar = collections.namedtuple("Bar", "must front aim", defaults=(None, None))


def bars(columns, rows):
    """{(load id, column): Bar}; a row is the load ids and a tuple for each column."""
    return {(load, column): Bar(*bar) for loads, *row in rows
            for load in loads.split() for column, bar in zip(columns, row) if bar}


#   ours comes first in its table; needs: the programs without which it is left out;
#   entries: how many of its processes, the first ones, clients speak to
Server = collections.namedtuple("Server", "name start needs ours floor entries", defaults=(1,))
Table = collections.namedtuple("Table", "id title pinned has_front by_rate servers bars",
                               defaults=({},))


def ours(start, entries=1):
    return Server("chcached", start, (), True, False, entries)


def peer(name, start, *needs):
    return Server(name, start, needs, False, False)


def floor(name, start):
    return Server(name, start, (), False, True)


def proxy(**options):
    return peer("memcached proxy", servers.memcached_proxy(**options),
                "MEMCACHED_PROXY", "MEMCACHED")


FRONTS = [ours(servers.chcached_front()),
          peer("twemproxy", servers.twemproxy, "NUTCRACKER", "MEMCACHED"), proxy()]

TABLES = [
    Table("node", "One node, one thread", True, False, False,
          [ours(servers.chcached(1)), peer("memcached", servers.memcached(1), "MEMCACHED"),
           peer("pogocache", servers.pogocache(1), "POGOCACHE"),
           floor("fixedreply", servers.fixedreply)],
          bars(("memcached", "pogocache"), (
              ("p1-c10 p1-c100 p1-c1000", (0.82, None, 0.72), (0.97,)),
              ("p16 p16-c100",            (0.40, None, 0.28), (0.75,)),
              ("p64",                     (0.25, None, 0.15), (0.75,)),
              ("p16-sets",                (0.45, None, 0.30), (0.85,)),
              ("mget-10",                 (0.45, None, 0.35), (0.70,)),
              ("mget-100",                (0.25, None, 0.15), (0.45,)),
              ("p16-1k",                  (0.45, None, 0.30), (0.75,)),
              ("p1-32k",                  (0.85, None, 0.70), (0.80,))))),
    Table("threads", "One node, two threads", False, False, False,
          [ours(servers.chcached(2)), peer("memcached", servers.memcached(2), "MEMCACHED"),
           peer("pogocache", servers.pogocache(2), "POGOCACHE")],
          bars(("memcached", "pogocache"), (
              ("p1-c10 p1-c100 p1-c1000", (0.90,), (0.95,)),
              ("p16 p16-c100",            (0.50,), (0.75,)),
              ("p16-sets",                (0.40,), (0.80,)),
              ("mget-100",                (0.30,), (0.50,))))),
    Table("front", "A front and %d shards, one thread each; the front alone in brackets" % SHARDS,
          True, True, False,
          FRONTS + [floor("relaylimit", servers.relaylimit())],
          bars(("twemproxy", "memcached proxy"), ((loads, bar, bar) for loads, bar in (
              ("p1-c10",   (0.90, 0.90, 0.80)),
              ("p1-c100",  (0.80, 0.80, 0.68)),
              ("p16",      (0.45, 0.55, 0.33)),
              ("p64",      (0.30, 0.35, 0.18)),
              ("mget-10",  (0.65, 0.65, 0.50)),
              ("mget-100", (0.25, 0.30, 0.12)),
              ("p1-32k",   (0.90, 0.90, 0.75)))))),
    Table("copies", "A front and %d shards, two copies of each item; the front alone in brackets"
          % SHARDS, True, True, False,
          [ours(servers.chcached_front(2)), peer("one copy", servers.chcached_front(1)),
           proxy(copies=2)],
          bars(("one copy", "memcached proxy"), (
              ("p16-sets", (1.70, 1.50), (0.50, 0.50, 0.35)),))),
    Table("own", "One node, whose keys are all its own, against a proxy and one memcached",
          True, False, False,
          [ours(servers.chcached(1)), proxy(shards=1), floor("fixedreply", servers.fixedreply)],
          bars(("memcached proxy",), (
              ("p1-c10",   (0.40,)),
              ("p16",      (0.18,)),
              ("mget-100", (0.10,))))),
    Table("nodes", "%d nodes, each a front and a shard, against a proxy and %d memcached; two "
          "copies of each item" % (SHARDS, SHARDS), True, False, False,
          [ours(servers.chcached_nodes(2), SHARDS), proxy(copies=2)],
          bars(("memcached proxy",), (
              ("p1-c10", (0.60,)),
              ("p16",    (0.35,))))),
]


def given_table(addresses):
    """A node of ours and servers that others run; `addresses`: [(address, pids)].

    By requests per second when there is one whose CPU time cannot be seen.
    """
    by_rate = not all(pids for _, pids in addresses)
    return Table("given", "One node, one thread, and what runs at the given addresses",
                 False, False, by_rate, [ours(servers.chcached(1))] + [
                     peer(address, servers.given(address, pids)) for address, pids in addresses])


def missing(server):
    return servers.missing(*server.needs)


# ---- measuring ---------------------------------------------------------------

class Runner:
    """A server that is up, and what mcload said about it."""

    def __init__(self, server, processes, load, core):
        self.server, self.load, self.core = server, load, core
        self.processes = processes
        self.said, self.all_us, self.front_us, self.per_s = [], [], [], []

    def mcload(self, seconds, *more, before=()):
        """One run; its JSON.  Failed when it met an error or a server forgot keys."""
        said = Mcload("%s, %s" % (self.server.name, self.load.title), self.processes,
                      ["--warmup", WARMUP_S, "-d", seconds, "-k", self.load.keys,
                       "-v", self.load.value, *self.load.args.split(), *more],
                      self.core, bound_s=60 + seconds, entries=self.server.entries,
                      before=before).result()
        if said["hits"] + said["misses"] and said["hit_rate"] < 0.99:
            raise Failed("%s, %s: only %.1f %% hits" % (self.server.name, self.load.title,
                                                        said["hit_rate"] * 100))
        return said

    def preload(self):
        if not self.server.floor:       # which keep nothing
            self.mcload(0.1, "--preload")

    def measure(self, seconds):
        said = self.mcload(seconds)
        self.said.append(said)
        self.per_s.append(said["requests_per_s"])
        if "processes" in said:
            self.all_us.append(said["server_cpu_us_per_request"])
            self.front_us.append(said["processes"][0]["cpu_us_per_request"])

    def verify(self, seconds):
        """Requests whose answers were checked.  Failed when one was wrong."""
        return self.mcload(seconds, "--preload", "--verify", "--strict")["requests"]


def left_out(table):
    """A note for each server that is not here."""
    return ["left out: %s: %s" % (server.name, missing(server))
            for server in table.servers if missing(server)]


def leave_out(table, server, why, note):
    """A peer may fail, and the table goes on; not ours, and not what the user named."""
    if server.ours or table.id == "given":
        raise why
    note("left out: %s" % why)


def start(server, load, host):
    try:
        return server.start(host)
    except Failed as e:
        raise Failed("%s, %s: %s" % (server.name, load.title, e)) from None


def start_all(table, load, host, core, note):
    """The servers of a table that are here and can do this load, with their keys."""
    runners = []
    for server in table.servers:
        if missing(server):
            continue
        try:
            processes = start(server, load, host)
            if processes is None:
                continue
            runners.append(Runner(server, processes, load, core))
            runners[-1].preload()
        except Failed as e:
            runners = [r for r in runners if r.server is not server]
            leave_out(table, server, e, note)
    return runners


def in_turns(runners, rounds, measure):
    """measure(runner) for each, round after round; nobody is always the first."""
    for number in range(rounds):
        first = number % len(runners)
        for runner in runners[first:] + runners[:first]:
            measure(runner)


def run_load(table, load, options, note, measure_one=Runner.measure):
    """{name: Runner} after all rounds, and the number of verified requests."""
    pin = table.pinned and len(CORES) > 1
    with Host(load, CORES[0] if pin else None) as host:
        runners = start_all(table, load, host, CORES[1] if pin else None, note)
        failed = set()

        def measure(runner):
            if runner in failed:
                return
            try:
                measure_one(runner, options.seconds)
            except Failed as e:
                failed.add(runner)
                leave_out(table, runner.server, e, note)

        in_turns(runners, options.rounds, measure)
        checked = sum(r.verify(options.seconds) for r in runners if r.server.ours)
    return {r.server.name: r for r in runners if r not in failed}, checked


# ---- two threads against one ----------------------------------------------------

SCALING_LOAD = next(load for load in LOADS if load.id == "p16-sets")
SCALING_MUST = 1.2


def run_scaling(options):
    """Requests per second of sets, two threads / one; its record for --json."""
    with Host(SCALING_LOAD) as host:
        one, two = (Runner(ours(None), servers.chcached(threads)(host), SCALING_LOAD, None)
                    for threads in (1, 2))
        in_turns([one, two], options.rounds, lambda runner: runner.measure(options.seconds))
        checked = one.verify(options.seconds) + two.verify(options.seconds)
    value = ratio(two.per_s, one.per_s)
    print("Sets (%s) on two threads: %.0f requests/s, on one: %.0f; ratio %.2f, must ≥ %.2f%s.\n"
          "Verified on %d requests: 0 wrong, 0 stale, 0 errors.\n"
          % (SCALING_LOAD.title, statistics.median(two.per_s), statistics.median(one.per_s), value,
             SCALING_MUST, "" if value >= SCALING_MUST else ": **missed**", checked), flush=True)
    return {"one_per_s": one.per_s, "two_per_s": two.per_s, "ratio": value, "must": SCALING_MUST,
            "verified_requests": checked}


# ---- what is printed -----------------------------------------------------------

def ratio(ours_, others):
    return statistics.median(a / b for a, b in zip(ours_, others))


def with_front(whole, front, digits=2):
    text = "–" if whole is None else "%.*f" % (digits, whole)
    return text if front is None else "%s (%.*f)" % (text, digits, front)


def ratios(table, our, it):
    """ours / theirs: (of all processes, of the front or None)."""
    if table.by_rate:
        return ratio(our.per_s, it.per_s), None
    front = ratio(our.front_us, it.front_us) if table.has_front else None
    return ratio(our.all_us, it.all_us), front


def is_compared(table, server):
    """A floor is, where it has a bar."""
    return not server.ours and (not server.floor or any(name == server.name
                                                        for _, name in table.bars))


def is_missed(bar, whole, front):
    return whole > bar.must or bar.front is not None and front > bar.front


def cells(table, present, load, runners):
    """One line: each server's figure, ours / each peer's, its bar; which bars are missed."""
    our = runners["chcached"]
    missed = []
    for server in present:
        it = runners.get(server.name)
        if it is None:
            yield "–"
        elif table.by_rate:
            yield "%.0f" % statistics.median(it.per_s)
        else:
            yield with_front(statistics.median(it.all_us),
                             statistics.median(it.front_us) if table.has_front else None)
        if not is_compared(table, server):
            continue
        whole, front = ratios(table, our, it) if it else (None, None)
        yield with_front(whole, front)
        if table.bars:
            bar = table.bars.get((load.id, server.name), Bar(None))
            yield with_front(bar.must, bar.front)
            yield with_front(bar.aim, None)
            if it and bar.must and is_missed(bar, whole, front):
                missed.append(server.name)
    if table.bars:
        yield ", ".join(missed)


def heading(table, present):
    names = ["load"]
    for server in present:
        names.append("floor: " + server.name if server.floor else server.name)
        if is_compared(table, server):
            names.append("chcached / " + server.name)
            if table.bars:
                names += ["must", "aim"]
    if table.bars:
        names.append("missed against")
    return "| %s |\n|%s" % (" | ".join(names), "---|" * len(names))


def record(table, load, runners):
    """The figures of one load for --json."""
    result = {}
    for name, it in runners.items():
        whole, front = ratios(table, runners["chcached"], it)
        bar = table.bars.get((load.id, name))
        result[name] = {"cpu_us": it.all_us, "front_cpu_us": it.front_us,
                        "requests_per_s": it.per_s, "chcached_ratio": whole,
                        "chcached_front_ratio": front, "bar": bar and bar._asdict()}
    return result


def say_end(checked, notes):
    print("\nchcached verified on %d requests: 0 wrong, 0 stale, 0 errors." % checked)
    print("".join("%s\n" % line for line in notes), flush=True)


def run(table, loads, options):
    """Prints the table line by line; its record for --json."""
    present = [s for s in table.servers if not missing(s)]
    notes, result, checked = left_out(table), {}, 0
    what = ("requests per second; a ratio of more than 1 is for chcached" if table.by_rate else
            "CPU per request, µs, all server processes")
    print("## %s\n\n%s: medians of %d rounds of %g s.\nA ratio is the median of the rounds' "
          "ratios.\n\n%s" % (table.title, what, options.rounds, options.seconds,
                             heading(table, present)), flush=True)
    for load in loads:
        runners, n = run_load(table, load, options, notes.append)
        checked += n
        result[load.id] = record(table, load, runners)
        print("| %s | %s |" % (load.title, " | ".join(cells(table, present, load, runners))),
              flush=True)
    say_end(checked, notes)
    return {"loads": result, "verified_requests": checked, "notes": notes}
