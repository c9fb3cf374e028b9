"""
Hit ratios at equal resident memory

Cache-aside: a million keys, each that was missed is set.  A third of them
lives 5 seconds, a third 20, the rest until it is evicted.  The second half
of the time is measured.  The keys asked for, their values' sizes and their
times to live follow from the seed alone and are the same for every server;
all servers run at once, and every value that comes back is checked.

memcached gets its -m and says how much memory that is; chcached gets the
limit with which it has as much after half a million values were set.  The
limit of pogocache is one on resident memory already, looked at now and then.
"""

import collections
import functools

import load
import servers
from servers import Failed, Host, resident_kib

KEYS, KEYS_A_GET = 1_000_000, 10
WARM_KEYS = 500_000
TRIES = 6
CLOSE, TOO_CLOSE = 0.015, 0.005     # less than the target by these parts; runs add a little
POGOCACHE_PART = 0.92       # of the target: it goes beyond its limit before it looks
AT_LEAST_OF_RATE = 0.98

Size = collections.namedtuple("Size", "limit_kib title value")
SIZES = {
    "64m": Size(64 * 1024, "64 MB, 30–2000 B", "30-100:35,100-500:47,500-2000:18"),
    "16m": Size(16 * 1024, "16 MB, 30 B", "30"),
}

#   must: points of the hit ratio above memcached's.
#   In keys asked for: the hot set changes every 500,000, and of each million
#   200,000 in a row are keys that nobody asks for again.
Row = collections.namedtuple("Row", "id title size args must")
ROWS = [
    Row("zipf-64m", "zipf 1.0", "64m", "--zipf 1.0", 1.5),
    Row("zipf-16m", "zipf 1.0", "16m", "--zipf 1.0", 3.5),
    Row("scan-64m", "zipf and scans", "64m", "--zipf 1.0 --scan 200000:1000000", 0),
    Row("scan-16m", "zipf and scans", "16m", "--zipf 1.0 --scan 200000:1000000", 0),
    Row("shift-64m", "shifting zipf", "64m", "--zipf 1.0 --shift 500000", 0),
    Row("shift-16m", "shifting zipf", "16m", "--zipf 1.0 --shift 500000", 0),
    Row("uniform-64m", "uniform", "64m", "", 0),
    Row("uniform-16m", "uniform", "16m", "", 0),
]

OURS, YARDSTICK = "chcached", "memcached"
NODES = {OURS: (servers.chcached, ()), YARDSTICK: (servers.memcached, ("MEMCACHED",)),
         "pogocache": (servers.pogocache, ("POGOCACHE",))}


def data(name, size):
    """Arguments; a peer may refuse a set when memory is short, as memcached does now and then."""
    return ["-v", SIZES[size].value, "--ttl", "5:1,20:1,0:1", "--verify", "--strict", "--no-flags",
            "--max-error-replies", 0 if name == OURS else -1]


# ---- equal memory --------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def warm_kib(name, size, limit_kib):
    """Resident memory of a server with this limit after more was set than it can hold."""
    with Host() as host:
        processes = NODES[name][0](1, limit_kib)(host)
        load.Mcload(name, processes, ["-k", WARM_KEYS, "--preload", "-c", 1, "-n", 1, "-g", 1,
                                      *data(name, size)]).result()
        return resident_kib(processes[0].process.pid)


@functools.lru_cache(maxsize=None)
def limit_for(name, size):
    """The memory limit, in KiB, with which a server is resident in what memcached is."""
    if name == YARDSTICK:
        return SIZES[size].limit_kib
    target = warm_kib(YARDSTICK, size, SIZES[size].limit_kib)
    if name != OURS:
        return int(target * POGOCACHE_PART)
    limit, best = SIZES[size].limit_kib, None
    for _ in range(TRIES):
        resident = warm_kib(name, size, limit)
        if resident <= target * (1 - TOO_CLOSE):
            best = max(best or 0, limit)
            if resident >= target * (1 - CLOSE):
                return best
        limit = int(limit + target * (1 - (CLOSE + TOO_CLOSE) / 2) - resident)
    if best is None:
        raise Failed("%s: more than %d MB with every limit tried" % (name, target // 1024))
    return best


# ---- one row ---------------------------------------------------------------------

def measure(row, names, options):
    """{name: what mcload said} of one traffic to all servers at once."""
    half = options.hits_seconds / 2
    with Host() as host:
        started = {name: NODES[name][0](1, limit_for(name, row.size))(host) for name in names}
        runs = {name: load.Mcload(name, processes, [
            "-k", KEYS, *row.args.split(), *data(name, row.size), "--fill", "-g", 1, "-c", 1, "-p", 64,
            "-m", KEYS_A_GET, "--rate", options.rate / KEYS_A_GET, "--arrivals", "fixed",
            "--seed", options.seed, "--warmup", half, "-d", half,
        ]) for name, processes in started.items()}
        return {name: run.result() for name, run in runs.items()}


def rate_of(said):
    return (said["hits"] + said["misses"]) / said["seconds"]


def judge(row, said, options):
    """(points over memcached, what is wrong with the row)"""
    points = 100 * (said[OURS]["hit_rate"] - said[YARDSTICK]["hit_rate"])
    faults = []
    if points < row.must:
        faults.append("missed")
    if said[OURS]["server_rss_kib"] > said[YARDSTICK]["server_rss_kib"] * (1 + TOO_CLOSE):
        faults.append("more memory")
    slow = min(rate_of(one) for one in said.values())
    if slow < AT_LEAST_OF_RATE * options.rate:
        faults.append("not comparable: only %.0f keys/s" % slow)
    return points, ", ".join(faults)


def run(rows, options):
    """Prints the table line by line; its record for --json."""
    print("## Hit ratio at equal resident memory, %.0f keys/s for %g s, seed %d\n"
          % (options.rate, options.hits_seconds, options.seed))
    if servers.missing("MEMCACHED"):
        print("left out: %s\n" % servers.missing("MEMCACHED"))
        return {}
    names = [name for name, (_, needs) in NODES.items() if not servers.missing(*needs)]
    header = ["traffic", "memory, values", *names, "points over memcached", "must",
              *("MB " + name for name in names), ""]
    print("| %s |\n|%s" % (" | ".join(header), "---|" * len(header)), flush=True)
    result, refused = {}, dict.fromkeys(names, 0)
    for row in rows:
        said = measure(row, names, options)
        points, fault = judge(row, said, options)
        print("| %s |" % " | ".join([
            row.title, SIZES[row.size].title, *("%.4f" % said[n]["hit_rate"] for n in names),
            "%+.2f" % points, "≥ %+.1f" % row.must,
            *("%.1f" % (said[n]["server_rss_kib"] / 1024) for n in names), fault]), flush=True)
        for name in names:
            refused[name] += said[name]["error_replies"]
        result[row.id] = {"points": points, "must": row.must, "fault": fault, "servers": {
            n: {"hit_ratio": said[n]["hit_rate"], "resident_kib": said[n]["server_rss_kib"],
                "limit_kib": limit_for(n, row.size), "gets_per_s": rate_of(said[n])}
            for n in names}}
    print("\nEvery answer was checked: 0 wrong, 0 stale; refused sets: %s.\n"
          % ", ".join("%s %d" % pair for pair in refused.items()), flush=True)
    return result
