#!/usr/bin/python3 -B
"""
compare.py - chcached, its peers and the floor: CPU, latency, memory, hit ratio

    make bench                                  # from the build folder
    make bench BENCH_ARGS='--only front/p16,mget-100 --rounds 9'
    make bench BENCH_ARGS='--only hits/zipf-64m'
    make bench BENCH_ARGS='--server cache1:11211 --server 127.0.0.1:11311,4711'

The tables, each of things that an operator could run one instead of another:

    node      a cache on one machine, one thread      CPU per request
    threads   the same with two threads
    front     three shards behind a front
    copies    the same with two copies of each item, and with one
    own       a node with all keys; a proxy and one memcached
    nodes     three nodes, two copies; a proxy and three memcached
    latency   a front at fixed rates: p50, p99, what stays unsent
    syscalls  system calls a request, a front and the floor
    scale     a front before 3 to 300 shards, with 10 to 10,000 clients
    http      a value over HTTP, and nginx with a file
    hits      hit ratio at equal resident memory
    memory    resident bytes an item

node and front are what is run when nothing is asked for.  --server takes the
place of the tables: chcached -t 1 is started here and compared with what runs
at the given addresses, by CPU per request when process ids on this machine
follow each address, else by requests per second.

Where there is a bar, it stands beside the figure, and a row that misses it
says so.  Peers are found on PATH or named by MEMCACHED, POGOCACHE, NUTCRACKER
and MEMCACHED_PROXY (a memcached that was configured with --enable-proxy);
beside them stands the floor: servers that store nothing.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys

import cpu
import hits
import httpkeys
import latency
import load
import memory
import mixes
import scale
import servers
import syscalls
from servers import CORES, Failed, daemon

SCALING = "scaling"


class Section:
    """One table of the command line: its rows by id, and what measures some of them."""

    def __init__(self, name, rows, run, by_default=False):
        self.name, self.rows, self.run, self.by_default = name, rows, run, by_default


def run_cpu(table):
    def run(wanted, options):
        loads = [row for row in wanted if row != SCALING]
        result = cpu.run(table, loads, options) if loads else {}
        if SCALING in wanted:
            result[SCALING] = cpu.run_scaling(options)
        return result
    return run


def sections():
    for table in cpu.TABLES:
        rows = {one.id: one for one in cpu.LOADS}
        if table.id == "threads":
            rows[SCALING] = SCALING
        yield Section(table.id, rows, run_cpu(table), table.id in ("node", "front"))
    yield Section("latency", {row.id: row for row in latency.ROWS}, latency.run)
    yield Section("syscalls", {row.id: row for row in syscalls.ROWS}, syscalls.run)
    yield Section("scale", {row: row for row in scale.MEASURES}, scale.run)
    yield Section("http", {row.id: row for row in httpkeys.ROWS}, httpkeys.run)
    yield Section("hits", {row.id: row for row in hits.ROWS}, hits.run)
    yield Section("memory", {row.id: row for row in memory.ROWS}, memory.run)
    yield Section("mixes", {row.id: row for row in mixes.ROWS}, mixes.run)


SECTIONS = list(sections())


# ---- options -------------------------------------------------------------------

def choice(text):
    """TABLE, TABLE/ROW,... or /ROW,...: [(section, row ids)]."""
    name, _, wanted = text.partition("/")
    chosen = [s for s in SECTIONS if s.name == name or not name and s.by_default]
    ids = wanted.split(",") if wanted else None
    for section in chosen:
        unknown = set(ids or ()) - set(section.rows)
        if unknown:
            raise argparse.ArgumentTypeError("%s: rows of %s are %s" % (
                text, section.name, ", ".join(section.rows)))
    if not chosen:
        raise argparse.ArgumentTypeError("%s: tables are %s" % (
            text, ", ".join(s.name for s in SECTIONS)))
    return [(section, ids or list(section.rows)) for section in chosen]


def address(text):
    """HOST:PORT[,PID...] or unix:PATH[,PID...]: (address, pids)."""
    where, *pids = text.split(",")
    if ":" not in where or not all(pid.isdigit() for pid in pids):
        raise argparse.ArgumentTypeError("%s: HOST:PORT or unix:PATH, then process ids" % text)
    gone = [pid for pid in pids if not os.path.exists("/proc/" + pid)]
    if gone:
        raise argparse.ArgumentTypeError("%s: no process %s here" % (text, ", ".join(gone)))
    return where, [int(pid) for pid in pids]


def at_least(least, kind):
    def convert(text):
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError("%s: at least %s" % (text, least))
        return value
    return convert


def parse():
    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares chcached with its peers and the floor: CPU, latency, memory, "
                    "hit ratio.",
        epilog="rows:\n%s\n\nMEMCACHED, POGOCACHE, NUTCRACKER and MEMCACHED_PROXY name the peers."
               % "\n".join("  %-8s %s" % (s.name, " ".join(s.rows)) for s in SECTIONS))
    parser.add_argument("--only", type=choice, action="append", metavar="TABLE[/ROW,...]",
                        help="these rows, repeatable; /ROW of node and front (node and front)")
    parser.add_argument("--server", type=address, action="append", metavar="HOST:PORT[,PID,...]",
                        help="compare with this running server instead, repeatable; it is written "
                             "to. With process ids: by CPU per request, else by requests/s; "
                             "--only /ROW chooses loads")
    parser.add_argument("--rounds", type=at_least(1, int), default=5, metavar="N",
                        help="CPU, latency, system calls: rounds a load (5)")
    parser.add_argument("--seconds", type=at_least(0.1, float), default=1, metavar="S",
                        help="the same: measured seconds a round and server (1)")
    parser.add_argument("--hits-seconds", type=at_least(2, float), default=40, metavar="S",
                        help="hits: seconds a row, the second half is measured (40)")
    parser.add_argument("--rate", type=at_least(100, float), default=100_000, metavar="R",
                        help="hits: keys asked for a second (100000)")
    parser.add_argument("--seed", type=at_least(0, int), default=1, metavar="N",
                        help="hits: the same seed asks for the same keys (1)")
    parser.add_argument("--items-divisor", type=at_least(1, int), default=1, metavar="N",
                        help="memory: an Nth of the items (1)")
    parser.add_argument("--memory-limit", type=at_least(64, int), default=2048, metavar="MB",
                        help="memory: the limit of each server (2048)")
    parser.add_argument("--mix-seconds", type=at_least(1, float), default=10, metavar="S",
                        help="mixes: seconds a mix (10); 360 for an hour of them")
    parser.add_argument("--json", metavar="FILE", help="write every figure there, too")
    return parser.parse_args()


def chosen_rows(options):
    """[(section, rows)] in the order of the tables, each row once."""
    wanted = {}
    for one in options.only or [choice("/")]:
        for section, ids in one:
            wanted.setdefault(section.name, []).extend(ids)
    return [(s, [row for key, row in s.rows.items() if key in wanted[s.name]])
            for s in SECTIONS if s.name in wanted]


def say_setting(found):
    place = ("servers on core %d, load on core %d (threads, hits, memory, mixes: on any)"
             % tuple(CORES[:2]) if len(CORES) > 1 else "one core, shared with the load")
    print("%s; Linux %s; %s.\n" % ("; ".join("%s: %s" % pair for pair in found.items()),
                                   platform.release(), place), flush=True)


def measure(options):
    """Prints the tables; {name: record}."""
    if not options.server:
        return {section.name: section.run(rows, options) for section, rows in chosen_rows(options)}
    table = cpu.given_table(options.server)
    wanted = {one.id for _, rows in chosen_rows(options) for one in rows if one in cpu.LOADS}
    return {table.id: cpu.run(table, [one for one in cpu.LOADS if one.id in wanted], options)}


def main():
    options = parse()
    for program in (daemon.CHCACHED, load.MCLOAD, servers.FIXEDREPLY, servers.RELAYLIMIT):
        if shutil.which(program) is None:
            sys.exit("compare.py: no %s: run it through `make bench`" % program)

    # As SystemExit it passes through every `with`, which ends the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = servers.versions()
    say_setting(found)
    try:
        tables = measure(options)
    except Failed as e:
        sys.exit("\ncompare.py: %s" % e)
    except KeyboardInterrupt:
        sys.exit(130)
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"rounds": options.rounds, "seconds": options.seconds, "seed": options.seed,
                       "versions": found, "tables": tables}, f, indent=1)


if __name__ == "__main__":
    main()
