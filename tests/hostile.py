#!/usr/bin/python3 -B
"""
A longer campaign than test_hostile.py: for SECONDS, clients do at random what
clients should not.  `make hostile SECONDS=60 SEED=7`: the same seed makes the
same choices.
"""

import random
import sys
import time

from lib import hostile
from lib.bystander import Bystander, Household, leave, push, reset
from lib.cases import END
from lib.daemon import Cluster, Lone, is_sanitized, wait
from lib.wire import ask, stats, talk

GROWTH_MAX_MIB = 64
ROUND = 500                 # steps between two looks at the server
CONNECTIONS = 100


def pieces_with_blocks():
    """Commands hide in their blocks: sent as they are, or cut off."""
    yield from (line + hostile.TELL + b"\r\n" for line, _ in hostile.storage_in_error())
    yield from (line + hostile.TELL + b"\r\n" for line in hostile.meta_storage())
    yield from (lie + hostile.B_TELL for lie in hostile.binary_lies())
    yield from hostile.binary_extras()
    yield from hostile.binary_odd()
    yield from hostile.COMMANDS
    yield from hostile.SPACES_AND_NEWLINES


def pieces_without():
    """No harm in executing any part of them."""
    harmless = [c for c in hostile.COMMANDS + hostile.VARYING if hostile.TELL not in c]
    yield from harmless
    yield from hostile.meta_lines()
    for line in hostile.LINES_OF_WORDS:
        yield from (short + b"\r\n" for short in hostile.with_words_missing(line))
    yield b"set large 0 0 300000\r\n" + b"v" * 300000 + b"\r\n"
    yield b"get large a b c\r\n" * 20
    yield b"get " + b"key " * 30000 + b"\r\n"


def mutated(chance, data):
    data = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 1:
            del data[at:at + chance.randrange(1, 9)]
        elif kind == 2:
            data[at:at + 1] = bytes([chance.choice(b"\0\n\r -09azA\x80\xff")])
        else:
            data[at:at] = data[at // 2:at]
    return bytes(data)


class Campaign:
    def __init__(self, kind, seed):
        self.seed = seed
        self.chance = None          # of the step at hand
        self.server = kind("-r").start()
        self.household = Household(self.server)
        self.bystander = Bystander(self.server.address)
        self.blocks, self.plain = list(pieces_with_blocks()), list(pieces_without())
        wait(lambda: self.n_clients() == Bystander.N_CONNS + 1, "earlier connections to be gone")
        self.start_kib = self.household.resident_kib()
        self.open = []
        self.longest = 0.0
        self.grown_mib = 0.0

    def n_clients(self):
        with self.server.connect() as s:
            return int(stats(s)["curr_connections"])

    def piece(self):
        """What is sent, and may more be said behind it?"""
        if self.chance.random() < 0.5:
            data = self.chance.choice(self.blocks)
            whole = self.chance.random() < 0.7
            return data if whole else data[:self.chance.randrange(len(data))], False
        data = self.chance.choice(self.plain)
        if self.chance.random() < 0.5:
            data = mutated(self.chance, data)
        return data * self.chance.choice((1, 1, 1, 5, 50) if len(data) < 5000 else (1,)), True

    def step(self, n):
        """Goes by the seed and its number, not by how quick the server is."""
        self.chance = random.Random("%d.%d" % (self.seed, n))
        data, more = self.piece()
        if self.open and more and self.chance.random() < 0.5:
            sock = self.open.pop(self.chance.randrange(len(self.open)))
        else:
            sock = self.server.connect()
        ending = self.chance.randrange(4)
        if ending == 0:
            leave(sock, data)
            sock.close()
            return
        # It may be one that takes no more: nobody waits for it.
        sock.setblocking(False)
        try:
            push(sock, data)
        except BlockingIOError:
            ending = 1
        if ending == 1:
            reset(sock)
        elif ending == 2 or not more:
            sock.close()
        else:
            self.open.append(sock)
        if len(self.open) > CONNECTIONS:
            self.open.pop(0).close()

    def look(self):
        self.longest = max(self.longest, self.bystander.lap())
        self.grown_mib = (self.household.peak_kib() - self.start_kib) / 1024
        with self.server.connect() as s:
            talk(s, b"get pwned\r\n", END)
        if self.grown_mib > GROWTH_MAX_MIB and not is_sanitized():
            raise AssertionError("memory grew by %.1f MiB" % self.grown_mib)

    def run(self, seconds):
        end, steps = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for n in range(steps, steps + ROUND):
                self.step(n)
            steps += ROUND
            try:
                self.look()
            except AssertionError as e:
                raise AssertionError("after step %d: %s" % (steps, e)) from None
        for sock in self.open:
            sock.close()
        wait(lambda: self.n_clients() == Bystander.N_CONNS + 1, "all connections to be gone")
        return steps

    def end(self):
        self.bystander.end()
        self.server.end()


def main():
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else random.randrange(1 << 32)
    for kind in (Lone, Cluster):
        print("%s: SEED=%d" % (kind.__name__, seed), flush=True)
        campaign = Campaign(kind, seed)
        try:
            steps = campaign.run(seconds / 2)
            campaign.server.stop()
        finally:
            campaign.end()
        print("%s: %d steps, others waited %.0f ms at most, memory grew by %.1f MiB"
              % (kind.__name__, steps, campaign.longest * 1000, campaign.grown_mib), flush=True)


if __name__ == "__main__":
    main()
