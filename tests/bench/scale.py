"""
What a front costs as its shards and clients grow

instructions: a front alone under callgrind, before 3, 30 and 300 shards in
processes of their own, the same number of requests each: user-space instructions
of the thread that serves, divided by the requests.  The thread that pings the
shards is left out; what it does goes with time and not with requests.  One request
at a time and 16 of one key make the same batches before any number of shards (the
two loads with c1); else more shards share what is on its way, each is sent less at
once, and there are more sends to a request.

shards: CPU per request beside relaylimit before as many servers that store nothing.

connections: resident bytes of a client that was answered once and is idle, and CPU
per request with more and more clients.
"""

import contextlib
import os
import re
import resource
import shutil
import statistics
import subprocess

import cpu
import servers
from servers import CORES, Failed, Host, daemon, resident_kib


# ---- instructions ------------------------------------------------------------------

SHARDS = (3, 30, 300)
GROWTH_MUST = 1.15
REQUESTS = 20_000
UP_BOUND_S = 300
LOADS = [cpu.Load(load_id, title, args, keys, 100, False) for load_id, title, args, keys in (
    ("p1-c1",      "p1 c1",           "-p 1 -c 1",  10_000),
    ("p16-c1-key", "p16 c1, one key", "-p 16 -c 1", 1),
    ("p1-c10",     "p1 c10",          "-p 1",       10_000),
    ("p16",        "p16",             "-p 16",      10_000))]


def front_under_callgrind(host, shards):
    """A front, its shards, and the prefix of what callgrind writes; 300 take a minute."""
    peers = [os.path.join(host.folder, "s%d" % i) for i in range(shards)]
    for i, peer in enumerate(peers):
        host.launch([daemon.CHCACHED, "--role", "shard", "--name", "s%d" % i, "--peer", peer,
                     "--http", "off", "-m", "2m", "-t", 1])
    port, out = daemon.free_port(), os.path.join(host.folder, "callgrind")
    front = host.start(
        ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
         "--callgrind-out-file=" + out, "--vgdb-prefix=" + out + "-vgdb",
         daemon.CHCACHED, "--role", "front", "--http", "off", "-p", port, "-t", 1,
         *("--shard=s%d=%s" % pair for pair in enumerate(peers))], port)
    front.wait(lambda: set(daemon.states(front).values()) == {"up"},
               "%d shards to be up" % shards, UP_BOUND_S)
    return front, out


def control(front, out, *words):
    done = subprocess.run(["callgrind_control", "--vgdb-prefix=" + out + "-vgdb", *words,
                           str(front.process.pid)], capture_output=True, text=True, timeout=60)
    if done.returncode or "OK" not in done.stdout:
        raise Failed("callgrind_control %s: %s" % (" ".join(words), done.stdout + done.stderr))


def instructions(out, dump):
    """Of the second thread, the one that serves."""
    with open("%s.%d-02" % (out, dump)) as f:
        return int(re.search(r"^totals: (\d+)", f.read(), re.M)[1])


def count(shards):
    """Instructions a request, for each of LOADS."""
    core = CORES[1] if len(CORES) > 1 else None
    counts = []
    with Host(core=CORES[0] if core is not None else None) as host:
        front, out = front_under_callgrind(host, shards)
        for i, load in enumerate(LOADS):
            runner = cpu.Runner(cpu.ours(None), [front], load, core)
            runner.preload()
            control(front, out, "-i", "on")
            said = runner.mcload(1, "--warmup", 0, "-n", REQUESTS)
            control(front, out, "-i", "off")
            control(front, out, "-d")
            counts.append(instructions(out, i + 1) / said["requests"])
    return counts


def run_instructions(_):
    for program in ("valgrind", "callgrind_control"):
        if shutil.which(program) is None:
            print("## Instructions of a front: skipped: no %s\n" % program, flush=True)
            return {"skipped": "no " + program}
    print("## User-space instructions a request, the thread of a front that serves\n\n"
          "| shards | %s |\n|%s" % (" | ".join(load.title for load in LOADS),
                                   "---|" * (1 + len(LOADS))), flush=True)
    counts = {}
    for shards in SHARDS:
        counts[shards] = count(shards)
        print("| %d | %s |" % (shards, " | ".join("%.0f" % n for n in counts[shards])), flush=True)
    growth = [last / first for first, last in zip(counts[SHARDS[0]], counts[SHARDS[-1]])]
    print("| %d / %d, must ≤ %.2f | %s |\n" % (SHARDS[-1], SHARDS[0], GROWTH_MUST, " | ".join(
        "%.3f%s" % (n, " missed" if n > GROWTH_MUST else "") for n in growth)), flush=True)
    return {"loads": [load.id for load in LOADS], "instructions": counts, "growth": growth,
            "must": GROWTH_MUST}


# ---- shards ------------------------------------------------------------------------

FLOOR_MUST = 1.3
FLOOR_LOADS = [load for load in cpu.LOADS if load.id in ("p1-c100", "p16")]


def run_shards(shards):
    table = cpu.Table(
        "shards-%d" % shards, "A front and %d shards, one thread each, beside the relay and as "
        "many servers that store nothing" % shards, True, True, False,
        [cpu.ours(servers.chcached_front(shards=shards)),
         cpu.floor("relaylimit", servers.relaylimit(shards))],
        cpu.bars(("relaylimit",), (("p1-c100 p16", (FLOOR_MUST,)),)))
    return lambda options: cpu.run(table, FLOOR_LOADS, options)


# ---- connections ---------------------------------------------------------------------

IDLE = 10_000
IDLE_MUST_BYTES = 4096
CLIENTS = (10, 1_000, 10_000)
LIMIT = 15_000          # of each process


def more_files():
    """This process and those that it starts may have so many; Failed if not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LIMIT + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failed("%d clients need ulimit -Hn %d, it is %d" % (IDLE, wanted, hard))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def idle_bytes(front):
    """Resident bytes a client, each of which was answered once."""
    with contextlib.ExitStack() as clients:
        before = resident_kib(front.process.pid)
        for _ in range(IDLE):
            client = clients.enter_context(front.connect())
            client.sendall(b"get x\r\n")
            if client.recv(100) != b"END\r\n":
                raise Failed("a client was not answered")
        return (resident_kib(front.process.pid) - before) * 1024 / IDLE


def run_connections(options):
    more_files()
    core = CORES[1] if len(CORES) > 1 else None
    with Host(core=CORES[0] if core is not None else None) as host:
        processes = servers.chcached_front(more=("-c", LIMIT))(host)
        idle = idle_bytes(processes[0])
        runners = [cpu.Runner(cpu.ours(None), processes, cpu.Load(
            "c%d" % n, "p1 c%d" % n, "-p 1 -c %d" % n, 100_000, 100, False), core)
            for n in CLIENTS]
        runners[0].preload()
        cpu.in_turns(runners, options.rounds, lambda runner: runner.measure(options.seconds))
        checked = sum(runner.verify(options.seconds) for runner in runners)
    print("## Clients of a front\n\n%d that are idle: %.0f resident bytes each, must ≤ %d%s.\n\n"
          "CPU per request, µs, all processes; the front alone in brackets.\n\n| %s |\n|%s\n| %s |"
          % (IDLE, idle, IDLE_MUST_BYTES, "" if idle <= IDLE_MUST_BYTES else ": **missed**",
             " | ".join(runner.load.title for runner in runners), "---|" * len(runners),
             " | ".join(cpu.with_front(statistics.median(runner.all_us),
                                       statistics.median(runner.front_us))
                        for runner in runners)), flush=True)
    cpu.say_end(checked, [])
    return {"idle": IDLE, "idle_bytes": idle, "must": IDLE_MUST_BYTES, "verified_requests": checked,
            "cpu_us": {runner.load.id: runner.all_us for runner in runners},
            "front_cpu_us": {runner.load.id: runner.front_us for runner in runners}}


# ---- the table -------------------------------------------------------------------------

MEASURES = {"instructions": run_instructions, "shards-3": run_shards(3),
            "shards-15": run_shards(15), "connections": run_connections}


def run(rows, options):
    """Prints the tables; their record for --json."""
    return {row: MEASURES[row](options) for row in rows}
