#!/usr/bin/python3 -B
"""
What people try first on a cache of several shards, as tables for a README.

    make experiments                    in build/, a minute
    tests/run_py tests/bench/experiments.py --only loss --seconds 60

spread      requests on three shards: how evenly do they fall?
shards      two shards to six: the split, and what one more moves
inputs      keys of other kinds: does the split depend on how they are named?
loss        a shard is killed under load, and comes back: what do clients see?
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib import admin, wire
from lib.daemon import CHCACHECTL, Cluster, run, wait

KEYS = 100_000


def heading(title):
    print("\n### %s\n" % title)


def table(titles, rows):
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def spread(counts):
    """[what each got, most off the fair share, standard deviation / mean]"""
    mean = statistics.mean(counts)
    return [" / ".join("%.1f %%" % (100 * n / sum(counts)) for n in counts),
            "%+.1f %%" % max((100 * (n / mean - 1) for n in counts), key=abs),
            "%.1f %%" % (100 * statistics.pstdev(counts) / mean)]


def simulate(*args, keys=()):
    code, out, err = run("ring", "simulate", "--json", *args, program=CHCACHECTL,
                         stdin="\n".join(keys).encode())
    assert code == 0, err
    return json.loads(out)


def counts_of(simulated):
    return [node["keys"] for node in simulated["nodes"]]


# ---- where keys go ---------------------------------------------------------


def experiment_spread(args):
    heading("%s requests on three shards" % format(args.requests, ","))
    with Cluster() as cluster, cluster.connect() as sock:
        for i in range(args.requests):
            assert wire.ask(sock, b"set key-%d 0 0 1\r\nx\r\n" % i) == b"STORED\r\n"
        stats = wire.stats(sock, b"shards")
        counts = [int(stats[name + ":curr_items"]) for name in cluster.shards]
    assert sum(counts) == args.requests, counts
    table(["shard", "keys", "share"],
          [[name, format(n, ","), "%.1f %%" % (100 * n / sum(counts))]
           for name, n in zip(cluster.shards, counts)])
    _, off, variation = spread(counts)
    print("\nMost off a third: %s; variation (standard deviation / mean): %s." % (off, variation))


def experiment_shards(_):
    heading("Two shards to six, %s keys" % format(KEYS, ","))
    rows = []
    for n in range(2, 7):
        got = simulate("--shards", str(n), "--to-shards", str(n + 1), "--n-keys", str(KEYS))
        rows.append([str(n), *spread(counts_of(got)),
                     "%.1f %%" % (100 * got["keys_moved"] / KEYS),
                     "%.1f %%" % (100 * got["least_share"])])
    table(["shards", "split", "most off", "variation", "one more moves", "the least possible"], rows)


def experiment_inputs(_):
    heading("Other keys, three shards, %s of each" % format(KEYS, ","))
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    kinds = [
        ("sequential: `1`, `2`, ...", [str(i) for i in range(KEYS)]),
        ("random: 16 letters and digits", ["".join(chance.choices(letters, k=16))
                                           for _ in range(KEYS)]),
        ("one long prefix: `app:production:session:user:000042`",
         ["app:production:session:user:%06d" % i for i in range(KEYS)]),
        ("one long suffix: `42:user:session:production:app`",
         ["%d:user:session:production:app" % i for i in range(KEYS)]),
        ("UUIDs", [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(KEYS)]),
        ("paths: `/shop/7/item/42.html`",
         ["/shop/%d/item/%d.html" % (i % 100, i) for i in range(KEYS)]),
    ]
    table(["keys", "split", "most off", "variation"],
          [[kind, *spread(counts_of(simulate("--shards", "3", "--keys", "-", keys=keys)))]
           for kind, keys in kinds])


# ---- a shard is lost -------------------------------------------------------


def state(where, name):
    nodes = {node["name"]: node for node in admin.get(where, "/v1/nodes")["nodes"]}
    return nodes[name]


def is_well(where):
    cluster = admin.get(where, "/v1/cluster")
    return cluster["verdict"] == "ok" and cluster["phase"] == "stable"


def watch_loss(cluster, where, name):
    """Kills a shard; seconds until it is ejected, and until all is as it was."""
    epoch = admin.get(where, "/v1/cluster")["epoch"]
    killed = cluster.child(name)
    begun = time.monotonic()
    os.kill(killed, signal.SIGKILL)
    wait(lambda: admin.get(where, "/v1/cluster")["epoch"] > epoch
         or not state(where, name)["answers"] or state(where, name)["state"] != "up",
         "the loss to be noticed")
    noticed = time.monotonic() - begun
    wait(lambda: cluster.child(name) not in (None, killed) and is_well(where)
         and admin.get(where, "/v1/cluster")["epoch"] > epoch, "the shard to be back")
    return noticed, time.monotonic() - begun


def experiment_loss(args):
    heading("A shard is killed under load: three shards, two copies, %s keys, %s requests/s"
            % (format(args.keys, ","), format(args.rate, ",")))
    where = admin.address()
    with Cluster("--http", where, "--replicas", "2", "-m", "256",
                 "--shard-timeout", "1s") as cluster:
        load = subprocess.Popen(
            [CHCACHECTL, "--server", cluster.address, "bench", "--json", "--rate", str(args.rate),
             "--duration", "%ds" % args.seconds, "--clients", "50", "--keys", str(args.keys)],
            stdout=subprocess.PIPE)
        with cluster.connect() as sock:
            wait(lambda: int(wire.stats(sock)["cmd_get"]) > args.rate, "the load to run")
        noticed, back = watch_loss(cluster, where, "local-2")
        out, _ = load.communicate(timeout=args.seconds + wire.BOUND_S)
        replicas = json.loads(run("--admin", where, "replicas", "--json",
                                  program=CHCACHECTL)[1])
    got = json.loads(out)
    table(["", ""], [
        ["noticed after", "%.0f ms" % (1000 * noticed)],
        ["started again, filled, and owner of its keys after", "%.0f ms" % (1000 * back)],
        ["requests answered", format(got["all"]["count"], ",")],
        ["gets that hit", "%.3f %%" % (100 * got["hit_ratio"])],
        ["requests refused or lost", "%d (%.3f %%)" % (
            sum(got["errors"].values()),
            100 * sum(got["errors"].values()) / (got["all"]["count"] or 1))],
        ["wrong values", str(got["errors"]["wrong"])],
        ["p50 / p99 / longest", "%.2f / %.1f / %.0f ms" % (
            got["all"]["p50_ms"], got["all"]["p99_ms"], got["all"]["max_ms"])],
        ["copies equal afterwards", "yes" if replicas["equal"] else "no"]])
    if got["hit_ratio"] < 0.999 or got["errors"]["wrong"] or not replicas["equal"]:
        print("\nThat is not as it must be: 99.9 % hits, no wrong value, equal copies.")
        return False
    return True


EXPERIMENTS = {"spread": experiment_spread, "shards": experiment_shards,
               "inputs": experiment_inputs, "loss": experiment_loss}


def main():
    parser = argparse.ArgumentParser(description="What people try first, as tables.")
    parser.add_argument("--only", metavar="NAME,...", default=",".join(EXPERIMENTS),
                        help="of " + ", ".join(EXPERIMENTS))
    parser.add_argument("--requests", type=int, default=10_000, help="of spread")
    parser.add_argument("--keys", type=int, default=100_000, help="of loss")
    parser.add_argument("--rate", type=int, default=5_000, help="of loss, a second")
    parser.add_argument("--seconds", type=int, default=20, help="of loss")
    args = parser.parse_args()
    names = args.only.split(",")
    for name in names:
        if name not in EXPERIMENTS:
            parser.error("there is no %s, but %s" % (name, ", ".join(EXPERIMENTS)))
    results = [EXPERIMENTS[name](args) for name in names]
    sys.exit(1 if False in results else 0)


if __name__ == "__main__":
    main()
