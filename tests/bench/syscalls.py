"""
System calls a request

Every system call of every thread of a front and its shards, from before the
first request until after the last, divided by the requests: the accepting of
clients is in it, and the pings of the control threads, ten a second and shard,
which the floor has not.  Beside it relaylimit before servers that store nothing,
under the same load in the same run and counted in the same way.

perf counts in the kernel and disturbs nothing.  Where it may not, strace counts;
it stops a process at each call, so that more is ready at once and the figures
are lower than in truth, on both sides.
"""

import collections
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile

import cpu
import servers
from servers import Failed, daemon

EVENT = "raw_syscalls:sys_enter"
MUST = 1.15
ROWS = [load for load in cpu.LOADS if load.id in ("p1-c10", "p1-c100", "p16", "p64")]
OURS, FLOOR = "chcached", "relaylimit"
TABLE = cpu.Table("syscalls", "", True, True, False, [
    cpu.ours(servers.chcached_front()), cpu.floor(FLOOR, servers.relaylimit())])


# ---- two that can count ----------------------------------------------------------

def cannot(program, argv, advice):
    """Why this program cannot count here, or None."""
    if shutil.which(program) is None:
        return "no " + program
    if subprocess.run([program, *argv, "true"], capture_output=True, timeout=10).returncode:
        return "%s may not count (%s)" % (program, advice)
    return None


def perf_cannot():
    return cannot("perf", ["stat", "-e", EVENT, "-p", str(os.getpid())],
                  "be root, or kernel.perf_event_paranoid=-1; mount -t tracefs none "
                  "/sys/kernel/tracing")


def perf_count(pids, run):
    """(calls, what run(words) comes back with): these words before its command line."""
    with tempfile.NamedTemporaryFile("r") as out:
        said = run(["perf", "stat", "-x", ",", "-o", out.name, "-e", EVENT,
                    "-p", ",".join(map(str, pids)), "--"])
        found = re.search(r"^(\d+),.*%s" % EVENT, out.read(), re.M)
    if not found:
        raise Failed("perf counted nothing")
    return int(found[1]), said


def strace_cannot():
    return cannot("strace", ["-o", os.devnull], "kernel.yama.ptrace_scope=0, or be root")


def strace_count(pids, run):
    """The same."""
    with tempfile.NamedTemporaryFile("r") as out, tempfile.TemporaryFile("w+") as words:
        def is_there():
            words.seek(0)
            return words.read().count("attached") >= len(pids)

        strace = subprocess.Popen(["strace", "-f", "-c", "-o", out.name,
                                   *("-p%d" % pid for pid in pids)], stderr=words)
        try:
            daemon.wait(is_there, "strace to attach")
            said = run([])
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait()
        found = re.search(r"^.* total$", out.read(), re.M)
    if not found:
        raise Failed("strace counted nothing")
    return int(found[0].split()[3]), said       # share, seconds, microseconds a call, calls


Counter = collections.namedtuple("Counter", "name cannot count")
COUNTERS = [Counter("perf", perf_cannot, perf_count),
            Counter("strace", strace_cannot, strace_count)]


# ---- the table ---------------------------------------------------------------------

def measure_by(counter, found):
    """Puts the calls a request of each round of each server into `found`."""
    def measure(runner, seconds):
        pids = [pid for process in runner.processes for pid in process.family()]
        calls, said = counter.count(pids, lambda words: runner.mcload(
            seconds, "--warmup", 0, before=words))
        found.setdefault(runner.server.name, []).append(calls / said["requests"])
    return measure


def run(rows, options):
    """Prints the table; its record for --json."""
    why_not = {counter.name: counter.cannot() for counter in COUNTERS}
    counter = next((counter for counter in COUNTERS if not why_not[counter.name]), None)
    notes = ["left out: %s" % why for why in why_not.values() if why]
    if counter is None:
        print("## System calls a request: skipped\n\n%s\n" % "\n".join(notes), flush=True)
        return {"skipped": notes}
    print("## System calls a request: a front and %d shards, all threads, counted by %s\n\n"
          "Medians of %d rounds of %g s.\n\n"
          "| load | %s | floor: %s | %s / %s | must | missed |\n|%s"
          % (servers.SHARDS, counter.name, options.rounds, options.seconds, OURS, FLOOR,
             OURS, FLOOR, "---|" * 6), flush=True)
    result, checked = {}, 0
    for load in rows:
        found = {}
        checked += cpu.run_load(TABLE, load, options, notes.append, measure_by(counter, found))[1]
        ratio = cpu.ratio(found[OURS], found[FLOOR])
        print("| %s | %.3f | %.3f | %.2f | %.2f | %s |" % (
            load.title, statistics.median(found[OURS]), statistics.median(found[FLOOR]),
            ratio, MUST, "missed" if ratio > MUST else ""), flush=True)
        result[load.id] = {"calls_a_request": found, "ratio": ratio, "must": MUST}
    cpu.say_end(checked, notes)
    return {"counter": counter.name, "loads": result, "verified_requests": checked, "notes": notes}
