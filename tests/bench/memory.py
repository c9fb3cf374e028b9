"""
Resident bytes an item

One server at a time, with room for all: every value is set once, then every
key is read and its value checked.  What is resident then, less what the empty
server had, is divided by the items; beside it the same without subtracting.
"""

import collections

import load
import servers
from servers import Failed, Host, resident_kib

KEY_SIZE, KEYS_A_GET = 20, 100

Row = collections.namedtuple("Row", "id items value must aim")
ROWS = [Row("small", 10_000_000, 30, 76, 72), Row("large", 1_000_000, 1024, 1075, 1068)]

OURS = "chcached"
NODES = {OURS: (servers.chcached, ()), "memcached": (servers.memcached, ("MEMCACHED",)),
         "pogocache": (servers.pogocache, ("POGOCACHE",))}


def measure(name, row, items, limit_mb):
    """(bytes an item, the same with the empty process).  Failed when one cannot be read."""
    with Host() as host:
        processes = NODES[name][0](1, limit_mb * 1024)(host)
        empty = resident_kib(processes[0].process.pid)
        said = load.Mcload(name, processes, [
            "-k", items, "--key-size", KEY_SIZE, "-v", row.value, "--preload", "--in-order",
            "-g", 1, "-m", KEYS_A_GET, "-n", items // KEYS_A_GET,
            "--verify", "--strict", "--no-flags"]).result()
        full = resident_kib(processes[0].process.pid)
    if said["hits"] != items:
        raise Failed("%s: %d of %d items could be read" % (name, said["hits"], items))
    return (full - empty) * 1024 / items, full * 1024 / items


def run(rows, options):
    """Prints the table line by line; its record for --json."""
    names = [name for name, (_, needs) in NODES.items() if not servers.missing(*needs)]
    header = ["items"]
    for name in names:
        header += [name, "must", "aim"] if name == OURS else [name]
    header.append("")
    print("## Resident bytes an item; with the empty process in brackets\n\n| %s |\n|%s"
          % (" | ".join(header), "---|" * len(header)), flush=True)
    result = {}
    for row in rows:
        items = max(1, row.items // options.items_divisor // KEYS_A_GET) * KEYS_A_GET
        found = {name: measure(name, row, items, options.memory_limit) for name in names}
        line = ["%d × (%d + %d B)" % (items, KEY_SIZE, row.value)]
        for name in names:
            line.append("%.1f (%.1f)" % found[name])
            if name == OURS:
                line += ["≤ %d" % row.must, "%d" % row.aim]
        line.append("" if found[OURS][0] <= row.must else "missed")
        print("| %s |" % " | ".join(line), flush=True)
        result[row.id] = {"items": items, "must": row.must, "aim": row.aim, "servers": {
            name: {"bytes": net, "bytes_with_process": gross}
            for name, (net, gross) in found.items()}}
    print("\nEvery item was read and checked: 0 missing, 0 wrong, 0 stale, 0 errors.\n", flush=True)
    return result
