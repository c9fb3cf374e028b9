"""
The memory limit as a promise, and sizes that change

One chcached with a small limit is given one mix after the other: short values,
values that change their length, large ones, all sizes with times to live, and
again.  Every answer is checked.  What is resident at the worst must stay below
the limit, a twentieth and 32 MiB.

The last row is a change of sizes: a server full of short values is given long
ones only; beside it a fresh server with the same load.  Their hit ratios in
the last seconds must be about the same.
"""

import collections

import load
import servers
from servers import Failed, Host, resident_kib

LIMIT_MB = 256
SLACK_KIB = 32 << 10
THREADS = 2

Mix = collections.namedtuple("Mix", "title args")
MIXES = [Mix(*row) for row in (
    ("10–100 B", "-c 4 -p 16 -g 0.3 -k 3000000 -v 10-100"),
    ("10 B–10 KB, changing, deleted",
     "-c 4 -p 8 -g 0.3 -k 200000 -v 10-10000 --resize --delete-ratio 0.1"),
    ("1 KB–1 MB, changing", "-c 4 -p 4 -g 0.3 -k 3000 -v 1000-1000000 --resize"),
    ("0–4 MB, changing, 1 to 20 s to live",
     "-c 4 -p 8 -g 0.3 -k 300000 --resize --ttl 1-20 "
     "-v 0-1000:90,1000-100000:9,100000-4000000:1"),
    ("9–40 KB, changing", "-c 4 -p 16 -g 0.2 -k 20000 -v 9000-40000 --resize"),
)]
TURNS = 2

Row = collections.namedtuple("Row", "id")
ROWS = [Row("promise"), Row("sizes")]

CHANGE_MB = 64
SHORT = "-c 2 -p 16 -g 0 -n 1500000 -k 1500000 -v 100"
LONG = "-c 2 -p 4 -g 1 --fill -k 8000 --zipf 1.0 -v 10240"
WITHIN_POINTS = 1.0


def run_mcload(name, processes, prefix, args):
    return load.Mcload(name, processes,
                       [*args.split(), "--prefix", prefix, "--verify", "--strict"]).result()


def high_water_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def promise(seconds):
    bound = (LIMIT_MB << 10) * 105 // 100 + SLACK_KIB
    print("## Resident memory under changing mixes, limit %d MiB, at most %d MiB\n\n"
          "| mix | MiB after it | MiB at the most so far |  |\n|---|---|---|---|"
          % (LIMIT_MB, bound >> 10), flush=True)
    record = []
    with Host() as host:
        processes = servers.chcached(THREADS, LIMIT_MB << 10, "-I", "8m")(host)
        pid = processes[0].process.pid
        for turn in range(TURNS):
            for i, mix in enumerate(MIXES):
                run_mcload(mix.title, processes, "m%d-%d-" % (turn, i),
                           "%s --fill -d %g" % (mix.args, seconds))
                now, most = resident_kib(pid), high_water_kib(pid)
                print("| %s | %.1f | %.1f | %s |" % (mix.title, now / 1024, most / 1024,
                                                     "" if most <= bound else "missed"),
                      flush=True)
                record.append({"mix": mix.title, "kib": now, "most_kib": most})
    print("\nEvery answer was checked: 0 wrong, 0 stale, 0 errors.\n", flush=True)
    return {"bound_kib": bound, "mixes": record}


def hit_ratio(first, seconds):
    """Of long values, in the second half of twice `seconds`."""
    with Host() as host:
        processes = servers.chcached(THREADS, CHANGE_MB << 10)(host)
        if first:
            run_mcload("short values", processes, "short-", SHORT)
        for part in range(2):
            said = run_mcload("long values", processes, "long-", "%s -d %g" % (LONG, seconds))
    return 100 * said["hit_rate"]


def sizes(seconds):
    fresh, full = hit_ratio(False, seconds), hit_ratio(True, seconds)
    late = fresh - full > WITHIN_POINTS
    print("## Hit ratio of 10 KiB values, %g s after the first of them, %d MiB\n\n"
          "| a fresh server | one that was full of 100 B values |  |\n|---|---|---|\n"
          "| %.2f %% | %.2f %% | %s |\n" % (seconds, CHANGE_MB, fresh, full,
                                           "missed" if late else ""), flush=True)
    return {"fresh": fresh, "full": full}


def run(rows, options):
    """Prints the tables; their record for --json."""
    measures = {"promise": promise, "sizes": sizes}
    return {row.id: measures[row.id](options.mix_seconds) for row in rows}
