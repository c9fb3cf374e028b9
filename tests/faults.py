#!/usr/bin/python3 -B
"""
Real processes under load, and what befalls them: killed, frozen, cut off, added,
removed.  Clients remember what they were answered (tests/history/load.c); a row
says what contradicts it.

    make faults FAULTS_ARGS='--seeds 20 --only kill'

Exit status: 0 nothing was lost, stale, torn... and no key was away for longer
than its scenario allows; 1 something was.
"""

import argparse
import contextlib
import os
import random
import re
import sys
import time
import traceback

from lib import hosts, wire
from lib.cluster import Copied
from lib.daemon import wait
from lib.history import FAULTS, KINDS, Load

# A key may be away for so long, in milliseconds, when a member is lost so.
KILLED = 1200
SILENT = 2500

JOB_BOUND_S = 600
ITEM_BYTES = 5000                       # of a shard's memory for each of --items, amply
LITTLE = {"args": ["--move-rate", "1m"], "preload": 6000}       # time to do something meanwhile

SCENARIOS = {}


def scenario(outage=None, **how):
    """
    `outage` None: not looked at; the rest makes the cluster, or its load.  `loses`:
    values may be gone.  `clean`: none may be missed meanwhile, and nothing fail.
    """
    def note(function):
        SCENARIOS[function.__name__.replace("_", " ")] = (function, outage, how)
        return function
    return note


class Run:
    """One scenario with one seed."""

    def __init__(self, cluster, load, chance, net):
        self.c, self.load, self.chance, self.net = cluster, load, chance, net

    def pause(self, most_s, least_s=0.0):
        """So long, by chance, is somebody away: that is what is tried."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def some(self, most=2000):
        self.load.do(self.chance.randint(1, most))

    def shard(self, *but):
        return self.chance.choice([s for n, s in self.c.shards.items() if n not in but])

    def returns(self, shard, most_s=5.0):
        self.pause(most_s)
        shard.launch()

    def come(self, name="s4"):
        """The words for one more shard, which runs."""
        self.c.add(name).launch()
        return "add", "%s=%s" % (name, self.c.peers[name])

    @contextlib.contextmanager
    def changing(self, *words):
        """While items move; afterwards the change is done."""
        since = self.c.epoch()
        job = self.c.change(*words)
        self.c.wait_map(lambda phase, *_: phase == "joint", "the move to begin", since)
        self.pause(0.5)
        yield
        self.c.wait_done(job, JOB_BOUND_S)

    @contextlib.contextmanager
    def healing(self, up=None):
        with self.c.healing(up):
            yield


# ---- killed ----

@scenario(KILLED)
def kill_of_a_shard(r):
    with r.healing():
        shard = r.shard()
        shard.kill()
        r.returns(shard)


@scenario(KILLED)
def kill_of_a_shard_that_is_back_at_once(r):
    since = r.c.epoch()
    shard = r.shard()
    shard.kill()
    shard.launch()
    r.c.settle(3, since)


@scenario(KILLED)
def ten_kills_in_a_row(r):
    for _ in range(10):
        with r.healing():
            shard = r.shard()
            shard.kill()
            r.returns(shard, 1.0)
        r.load.do(2000)             # a key is away once at a time


@scenario(KILLED + 500, shards=4, replicas=3)
def two_killed_of_three_copies(r):
    with r.healing():
        one = r.shard()
        two = r.shard(one.name)
        one.kill()
        r.pause(0.5)
        two.kill()
        r.returns(one)
        r.returns(two)


@scenario(KILLED, args=["--move-rate", "1m"], preload=6000)
def kill_of_a_shard_that_joins(r):
    since = r.c.epoch()
    shard = r.shard()
    shard.kill()
    shard.launch()
    r.c.wait_map(lambda phase, *_: phase == "joint", "the shard to be filled", since)
    r.pause(1.0)
    since = r.c.epoch()
    shard.kill()
    r.returns(shard)
    r.c.settle(3, since)


@scenario(None, args=["--move-rate", "1m"], preload=6000, loses=True)
def kill_of_a_shard_that_fills_another(r):
    """Two are lost at once: values may be gone, never older."""
    since = r.c.epoch()
    shard = r.shard()
    shard.kill()
    shard.launch()
    r.c.wait_map(lambda phase, *_: phase == "joint", "the shard to be filled", since)
    r.pause(1.0)
    since = r.c.epoch()
    other = r.shard(shard.name)
    other.kill()
    r.returns(other)
    r.c.settle(3, since)


@scenario(None, loses=True)
def kill_of_all_shards(r):
    since = r.c.epoch()
    for shard in r.c.shards.values():
        shard.kill()
    for shard in r.c.shards.values():
        r.returns(shard, 1.0)
    r.c.settle(3, since)


@scenario(None, replicas=1, loses=True)
def kill_of_a_shard_without_copies(r):
    with r.healing():
        shard = r.shard()
        shard.kill()
        r.returns(shard, 2.0)


@scenario(KILLED)
def kill_of_a_front(r):
    r.c.fronts["f2"].kill()
    r.returns(r.c.fronts["f2"], 2.0)
    r.c.fronts["f2"].ready()


@scenario(KILLED)
def kill_of_the_coordinator(r):
    r.c.leader.kill()
    r.returns(r.c.leader)
    r.c.leader.ready()
    r.c.settle(3)


@scenario(None)
def kill_of_the_coordinator_and_a_shard(r):
    r.c.leader.kill()
    r.pause(1.0)
    shard = r.shard()
    shard.kill()
    r.returns(r.c.leader, 2.0)
    r.c.leader.ready()
    r.returns(shard, 2.0)
    r.c.settle(3)


@scenario(None, args=["--move-rate", "1m"], preload=6000)
def kill_of_the_coordinator_while_a_shard_joins(r):
    since = r.c.epoch()
    shard = r.shard()
    shard.kill()
    shard.launch()
    r.c.wait_map(lambda phase, *_: phase == "joint", "the shard to be filled", since)
    r.pause(1.0)
    r.c.leader.kill()
    r.returns(r.c.leader, 2.0)
    r.c.leader.ready()
    r.c.settle(3)


@scenario(KILLED)
def kill_of_each_shard_with_time_to_heal(r):
    for shard in r.c.shards.values():
        with r.healing():
            shard.kill()
            r.returns(shard)
        r.load.do(2000)


# ---- members come and go ----

@scenario(KILLED, clean=True, preload=10000, items=True)
def shards_are_added_drained_and_removed_and_get_other_weights(r):
    one = r.shard()
    two = r.shard(one.name)
    for words in (r.come(), ("weight", one.name, "3"), ("drain", two.name),
                  ("remove", one.name), ("weight", two.name, "2"), ("remove", "s4")):
        r.c.wait_done(r.c.change(*words), JOB_BOUND_S)
        r.load.do(500)


@scenario(KILLED, clean=True, preload=3000)
def shards_are_stopped_and_started_in_turn(r):
    for shard in r.c.shards.values():
        with r.healing():
            shard.stop()
            r.returns(shard, 1.0)
        r.load.do(500)


@scenario(KILLED, **LITTLE)
def kill_of_a_shard_while_another_is_added(r):
    with r.changing(*r.come()):
        shard = r.shard("s4")
        shard.kill()
        r.returns(shard, 2.0)
    r.c.settle(4)


@scenario(KILLED, **LITTLE)
def kill_of_a_shard_that_is_added(r):
    with r.changing(*r.come()):
        r.c.shards["s4"].kill()
        r.returns(r.c.shards["s4"], 2.0)
    r.c.settle(4)


@scenario(KILLED, **LITTLE)
def kill_of_a_shard_while_another_leaves(r):
    leaves = r.shard()
    with r.changing(r.chance.choice(["drain", "remove"]), leaves.name):
        shard = r.shard(leaves.name)
        shard.kill()
        r.returns(shard, 2.0)
    r.c.wait_map(lambda phase, up, filling, suspended, ejected:
                 phase == "stable" and ejected == 0, "all to serve")


@scenario(KILLED, **LITTLE)
def kill_of_a_shard_that_leaves(r):
    leaves = r.shard()
    with r.changing("drain", leaves.name):
        leaves.kill()
        r.returns(leaves, 2.0)
    r.c.settle(3)


@scenario(KILLED, **LITTLE)
def kill_of_a_shard_while_weights_change(r):
    with r.changing("weight", r.shard().name, "4"):
        shard = r.shard()
        shard.kill()
        r.returns(shard, 2.0)
    r.c.settle(3)


@scenario(None, **LITTLE)
def kill_of_the_coordinator_while_a_shard_leaves(r):
    with r.changing(r.chance.choice(["drain", "remove"]), r.shard().name):
        r.c.leader.kill()
        r.returns(r.c.leader, 2.0)
        r.c.leader.ready()


# ---- frozen ----

@scenario(SILENT)
def freeze_of_a_shard(r):
    since = r.c.epoch()
    shard = r.shard()
    shard.freeze()
    r.pause(10.0, 10.0)
    shard.thaw()
    r.c.settle(3, since)


@scenario(SILENT)
def freeze_of_a_shard_for_a_moment(r):
    for _ in range(5):
        shard = r.shard()
        shard.freeze()
        r.pause(2.5)
        shard.thaw()
        r.pause(1.0)
    r.c.settle(3)


@scenario(None)
def freeze_of_a_front(r):
    """Its clients wait, and may ask for a key that nobody else asks for."""
    r.c.fronts["f2"].freeze()
    r.pause(10.0, 10.0)
    r.c.fronts["f2"].thaw()


@scenario(None)
def freeze_of_the_coordinator(r):
    r.c.leader.freeze()
    r.pause(10.0, 10.0)
    r.c.leader.thaw()
    r.c.settle(3)


# ---- cut off ----

@scenario(SILENT, net=True)
def cut_of_a_shard(r):
    with r.healing():
        shard = r.shard().name
        r.net.cut(shard)
        r.pause(8.0, 3.0)
        r.net.join(shard)


@scenario(SILENT, net=True)
def cut_of_a_shard_for_a_moment(r):
    for _ in range(3):
        shard = r.shard().name
        r.net.cut(shard)
        r.pause(2.5)
        r.net.join(shard)
        r.pause(1.0)
    r.c.settle(3)


def cut_ways(r, pairs, least_s=3.0, most_s=6.0):
    for pair in pairs:
        r.net.cut_way(*pair)
    r.pause(most_s, least_s)
    for pair in pairs:
        r.net.join_way(*pair)
    r.c.settle(3)


@scenario(SILENT, net=True)
def what_a_shard_says_is_lost(r):
    shard = r.shard().name
    cut_ways(r, [(shard, other.name) for other in r.c.members() if other.name != shard])


@scenario(SILENT, net=True)
def what_is_said_to_a_shard_is_lost(r):
    shard = r.shard().name
    cut_ways(r, [(other.name, shard) for other in r.c.members() if other.name != shard])


@scenario(None, net=True)
def a_shard_and_a_front_do_not_reach_each_other(r):
    """All have their leases; that front refuses, the other goes on."""
    shard = r.shard().name
    cut_ways(r, [(shard, "f2"), ("f2", shard)])


@scenario(None, net=True)
def two_shards_do_not_reach_each_other(r):
    one = r.shard().name
    two = r.shard(one).name
    cut_ways(r, [(one, two), (two, one)])


@scenario(None, net=True)
def cut_of_the_coordinator(r):
    """Its clients go to the other front."""
    r.net.cut("f1")
    r.pause(6.0, 3.0)
    r.net.join("f1")
    r.c.settle(3)


# ---- the table ----

class Row:
    def __init__(self, name, outage):
        self.name, self.outage = name, outage
        self.seeds = self.acknowledged = self.gone = self.misses = 0
        self.read_ms = self.write_ms = 0
        self.faults = dict.fromkeys(FAULTS, 0)
        self.failed = []            # seeds
        self.last = ""              # report

    def take(self, seed, report, how):
        self.seeds += 1
        self.last = report.text
        self.acknowledged += report["acknowledged"]
        for fault, n in report.faults.items():
            self.faults[fault] += n
        self.misses += report["allowed_misses"]
        self.gone += report["missing_at_end"]
        self.read_ms = max(self.read_ms, report["longest_read_outage_ms"])
        self.write_ms = max(self.write_ms, report["longest_write_outage_ms"])
        slow = self.outage is not None and max(report["longest_read_outage_ms"],
                                               report["longest_write_outage_ms"]) > self.outage
        gone = report["missing_at_end"] > 0 and not how.get("loses")
        errors = sum(sum(report[kind][3:]) for kind in KINDS) if how.get("clean") else 0
        if report.faults or report["unread_at_end"] or slow or gone or errors:
            self.failed.append(seed)
            print("\n".join("# " + said for said in report.said[:20]))
            print("# %s, seed %d:%s away %d and %d ms, gone %d, errors %d" % (
                self.name, seed, "".join(" %s=%s" % f for f in report.faults.items()),
                report["longest_read_outage_ms"], report["longest_write_outage_ms"],
                report["missing_at_end"], errors), flush=True)

    def text(self):
        allowed = self.outage if self.outage is not None else "-"
        return "%-58s %5d %9d %s %7d %6d %6d %6d %6s  %s" % (
            self.name, self.seeds, self.acknowledged,
            " ".join("%6d" % self.faults[f] for f in FAULTS), self.misses, self.gone,
            self.read_ms, self.write_ms, allowed,
            "ok" if not self.failed else "seeds %s" % ",".join(map(str, self.failed)))


HEAD = "%-58s %5s %9s %s %7s %6s %6s %6s %6s" % (
    "scenario", "seeds", "ackd", " ".join("%6.6s" % f for f in FAULTS), "allowed", "gone",
    "read", "write", "bound")


def run_one(row, function, seed, how, args):
    logs = args.logs
    chance = random.Random("%s %d" % (row.name, seed))
    net = hosts.Hosts() if how.get("net") else contextlib.nullcontext()
    preload, more = how.get("preload", 1000), []
    if how.get("items") and args.items:
        preload, more = args.items, ["-m", str(64 + args.items * ITEM_BYTES // 1000000)]
    with net:
        cluster = Copied(*how.get("args", ()), *args.daemon, *more, shards=how.get("shards", 3),
                         replicas=how.get("replicas", 2), host=net if how.get("net") else None)
        try:
            cluster.start()
            with Load(*cluster.addresses(), "--seed", str(seed), "--clients", "12",
                      "--keys", "160", "--preload", str(preload),
                      "--rate", "4000", "--pipeline", "2", "--too-large", "2000000",
                      "--timeout", "4000") as load:
                r = Run(cluster, load, chance, net)
                r.some()
                # a gat is not sent twice: it may miss
                with contextlib.nullcontext() if how.get("clean") else load.window():
                    function(r)
                r.some()
                row.take(seed, load.stop(JOB_BOUND_S), how)
            cluster.wait_equal()
            if seed not in row.failed:
                cluster.stop()
        except Exception:
            row.failed.append(seed)
            row.seeds += 1
            print("# %s, seed %d: %s" % (row.name, seed,
                                         traceback.format_exc().replace("\n", "\n# ")), flush=True)
        finally:
            if seed in row.failed and logs:
                os.makedirs(logs, exist_ok=True)
                with open(os.path.join(logs, "%s.%d.report" % (row.name.replace(" ", "-"), seed)),
                          "w") as f:
                    f.write(row.last)
                for m in cluster.members():
                    path = os.path.join(logs, "%s.%d.%s" % (row.name.replace(" ", "-"), seed,
                                                            m.name))
                    with open(path, "w") as f:
                        f.write(m.said() if m.process else "")
            cluster.end()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seeds", type=int, default=3, help="of each scenario (3)")
    p.add_argument("--first", type=int, default=1, help="seed (1)")
    p.add_argument("--only", action="append", default=[], help="scenarios with such names, a regex")
    p.add_argument("--items", type=int,
                   help="keys that move where members come and go (10000)")
    p.add_argument("--logs", help="a folder for what the processes of failed runs said")
    p.add_argument("--daemon", action="append", default=[], help="one more word for each process")
    p.add_argument("--minutes", type=float, default=60, help="nothing is begun after (60)")
    p.add_argument("--list", action="store_true", help="the scenarios")
    args = p.parse_args()
    if args.list:
        print("\n".join(SCENARIOS))
        return 0
    no_net = hosts.why_not()
    if no_net is None:
        hosts.reenter()
    end = time.monotonic() + args.minutes * 60
    print(HEAD, flush=True)
    failed = False
    for name, (function, outage, how) in SCENARIOS.items():
        if args.only and not any(re.search(only, name) for only in args.only):
            continue
        if how.get("net") and no_net:
            print("%-58s skipped: %s" % (name, no_net))
            continue
        row = Row(name, outage)
        for seed in range(args.first, args.first + args.seeds):
            if time.monotonic() < end:
                run_one(row, function, seed, how, args)
        print(row.text(), flush=True)
        failed |= bool(row.failed)
    return failed


if __name__ == "__main__":
    sys.exit(main())
