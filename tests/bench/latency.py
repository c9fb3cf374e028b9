"""
Latency at a fixed rate

Requests are due at Poisson times, whether the ones before are answered or not,
and each is timed from when it was due.  A front with its shards stands against
the better of its peers; servers share one core, the load has another, and they
are measured in turn, as CPU is (cpu.py).  What is unsent at the end was due
more than a millisecond before and found no connection free.
"""

import collections
import statistics

import cpu

Row = collections.namedtuple("Row", "id load must")

#   Batches of 16: who has stalled may catch up.
ROWS = [Row(row_id, cpu.Load(row_id, title, "-c 50 -p 16 --arrivals poisson --rate %d" % rate,
                             100_000, 100, False), 0.90)
        for row_id, title, rate in (("rate-20k", "20,000/s", 20_000),
                                    ("rate-50k", "50,000/s", 50_000))]

TABLE = cpu.Table("latency", "", True, True, False, cpu.FRONTS)
OURS = "chcached"


def percentile(said, which):
    return [one["latency_us"]["all"][which] for one in said]


def against_better(said, which):
    """(the peer whose median is the lowest, ours / its), or None without a peer."""
    medians = {name: statistics.median(percentile(of, which))
               for name, of in said.items() if name != OURS}
    if not medians:
        return None
    better = min(medians, key=medians.get)
    return better, cpu.ratio(percentile(said[OURS], which), percentile(said[better], which))


def misses(row, said, p50):
    if p50 and p50[1] > row.must:
        yield "p50"
    if any(one["unsent"] for one in said[OURS]):
        yield "unsent"


def cells(row, names, said):
    for name in names:
        of = said.get(name)
        yield of and "%.0f, %.0f, %d" % (
            statistics.median(percentile(of, "p50")), statistics.median(percentile(of, "p99")),
            max(one["unsent"] for one in of)) or "–"
    p50, p99 = against_better(said, "p50"), against_better(said, "p99")
    yield "%.2f (%s)" % p50[::-1] if p50 else "–"
    yield "%.2f" % row.must
    yield "%.2f (%s)" % p99[::-1] if p99 else "–"
    yield ", ".join(misses(row, said, p50))


def run(rows, options):
    """Prints the table; its record for --json."""
    notes = cpu.left_out(TABLE)
    names = [s.name for s in TABLE.servers if not cpu.missing(s)]
    header = ["rate", *names, "p50, chcached / the better peer's", "must",
              "p99, the same", "missed"]
    print("## Latency of a front and its shards, open loop: p50, p99, µs, and the most unsent\n\n"
          "Medians of %d rounds of %g s; chcached must leave nothing unsent.\n\n| %s |\n|%s"
          % (options.rounds, options.seconds, " | ".join(header), "---|" * len(header)), flush=True)
    result, checked = {}, 0
    for row in rows:
        runners, n = cpu.run_load(TABLE, row.load, options, notes.append)
        checked += n
        said = {name: runner.said for name, runner in runners.items()}
        print("| %s | %s |" % (row.load.title, " | ".join(cells(row, names, said))), flush=True)
        result[row.id] = {"must": row.must, "servers": {
            name: [{"unsent": one["unsent"], **one["latency_us"]["all"]} for one in of]
            for name, of in said.items()}}
    cpu.say_end(checked, notes)
    return {"rows": result, "verified_requests": checked, "notes": notes}
