#!/usr/bin/python3 -B
"""
differential.py - the same random requests to memcached and to chcached

    make differential                           # from the build folder
    make differential DIFFERENTIAL_ARGS='--requests 20000 --only text,meta'

Starts a memcached and a chcached, alone and with three local shards, sends
both the same bytes in random pieces and compares the answers byte for byte.
What may differ:

    CAS tokens      each server has its own: which of one server stands for
                    which of the other must stay the same, and requests name
                    the tokens that their server told
    t l la= exp=    seconds, may differ by two: clocks tick
    cls= size=      of me: how an item is kept
    VERSION         what follows it

and what lib/generator.py never sends, because it is DECLARED.

Requests come in rounds that begin with an empty cache.  A round that differs
is cut down to the requests that matter, and shown; one like it is only counted.
The same --seed is the same run, --first N begins it with round N.
"""

import argparse
import collections
import contextlib
import itertools
import os
import random
import re
import select
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import daemon, generator, memcached, wire      # noqa: E402

BOUND_S = wire.BOUND_S / 4  # no answer within this: there is none

# Nothing that the generator sends is answered with the end of this.
LAST_LINES = b"set ## 0 0 2\r\n##\r\nget ##\r\n"
LAST_ANSWER = b"STORED\r\nVALUE ## 0 2\r\n##\r\nEND\r\n"
LAST_PACKET = b"".join(generator.packet(generator.NOOP, opaque=generator.LAST_OPAQUE))
LAST_PACKET_ANSWER = generator.RESPONSE.pack(
    0x81, generator.NOOP, 0, 0, 0, 0, 0, generator.LAST_OPAQUE, 0)

CLOSED, OPEN = b"<closed>", b"<no answer>"
NOTHING = b"<nothing>"

Difference = collections.namedtuple("Difference", "batch expected got")


# ---- one server --------------------------------------------------------------

class Server:
    """The two connections to one server, made when they are wanted."""

    def __init__(self, address):
        self.address = address
        self.socks = {}

    def close(self):
        for sock in self.socks.values():
            sock.close()
        self.socks = {}

    def begin(self, binary, ends):
        """Readies for the answer to a batch."""
        if binary not in self.socks:
            self.socks[binary] = wire.connect(self.address)
            self.socks[binary].setblocking(False)
        self.sock, self.binary, self.ends = self.socks[binary], binary, ends
        self.unsent, self.is_all, self.got, self.end = [], False, bytearray(), None
        self.last = LAST_PACKET_ANSWER if binary else LAST_ANSWER

    def give(self, piece):
        """One piece of what is to be sent."""
        if piece:
            self.unsent.append(memoryview(piece))
            self.send()

    def give_no_more(self):
        self.is_all = True
        self.send()

    def send(self):
        """Sends what it can."""
        try:
            while self.unsent:
                sent = self.sock.send(self.unsent[0])
                self.unsent[0] = self.unsent[0][sent:]
                if not self.unsent[0]:
                    self.unsent.pop(0)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.unsent = []
        if self.is_all and not self.unsent and self.ends == generator.HANG_UP:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def receive(self):
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self.got += data
        if not data:
            self.end = CLOSED
        elif self.ends in (generator.MORE, generator.ALONE) and self.got.endswith(self.last):
            self.end = b""

    def finish(self):
        """The answer.  Only a connection that is at the end of it is used again."""
        if self.end is None:
            self.end = OPEN
        if self.end:
            self.socks.pop(self.binary).close()
        return bytes(self.got)


def exchange(servers, binary, ends, outs, cuts):
    """Sends out[i] to servers[i], in pieces; returns when all of them answered."""
    for server, out in zip(servers, outs):
        server.begin(binary, ends)
    edges = [0, *cuts, 1]
    for start, stop in zip(edges, edges[1:]):
        for server, out in zip(servers, outs):
            server.give(out[int(start * len(out)):int(stop * len(out))])
    for server in servers:
        server.give_no_more()
    until = time.monotonic() + BOUND_S
    while any(server.end is None for server in servers):
        waiting = [server for server in servers if server.end is None]
        readable, writable, _ = select.select(
            [server.sock for server in waiting],
            [server.sock for server in waiting if server.unsent], [], BOUND_S)
        for server in waiting:
            if server.sock in writable:
                server.send()
            if server.sock in readable:
                server.receive()
        if time.monotonic() > until:
            break
    return [server.finish() for server in servers]


# ---- tokens ------------------------------------------------------------------

class Tokens:
    """Which CAS token of one server stands for which of the other."""

    def __init__(self):
        self.other = ({}, {})
        self.latest = {}                # key -> pairs, the latest first

    def same(self, pair, key=None):
        if any(self.other[i].setdefault(pair[i], pair[1 - i]) != pair[1 - i] for i in (0, 1)):
            return False
        if key is not None:
            self.latest[key] = [pair] + self.latest.get(key, [])[:2]
        return True

    def of(self, token, which):
        """What a server is sent for a Token; 0 stands for none."""
        known = self.latest.get(token.key, [])
        return known[token.age][which] if len(known) > token.age else 0


def bytes_of(request, which, tokens, binary):
    out = []
    for part in request.parts:
        if type(part) is not generator.Token:
            out.append(part)
        elif binary:
            out.append(struct.pack(">Q", tokens.of(part, which)))
        else:
            out.append(part.before + b"%d" % tokens.of(part, which))
    return b"".join(out)


# ---- answers -----------------------------------------------------------------

BLOCK_LENGTH = re.compile(rb"VALUE [^ ]+ [0-9]+ ([0-9]{1,9})\b|VA ([0-9]{1,9})\b")


def lines_of(got):
    """Lines, each with its block when it has one: [(line, block)]."""
    found, at = [], 0
    while at < len(got):
        end = got.find(b"\r\n", at)
        if end < 0:
            found.append((got[at:], b""))
            break
        line, at = got[at:end], end + 2
        length = BLOCK_LENGTH.match(line)
        behind = at + int(length[1] or length[2]) + 2 if length else at
        found.append((line, got[at:behind]))
        at = behind
    return found


def packets_of(got):
    found, at = [], 0
    while at < len(got):
        head = got[at:at + generator.RESPONSE.size]
        length = int.from_bytes(head[8:12], "big")
        found.append((head, got[at + len(head):at + len(head) + length]))
        at += len(head) + length
    return found


def same_seconds(a, b):
    """
    memcached's clock ticks once a second, up to two behind; its seconds wrap
    when the item has expired already, chcached's are 0.
    """
    a, b = (0 if int(n) >= 1 << 31 else int(n) for n in (a, b))
    return abs(a - b) <= 2


SECONDS = re.compile(rb"(?:[tl]|la=|exp=)(-?[0-9]+)")


def same_word(a, b, key, tokens):
    """Words of a meta answer."""
    if a == b and a[:1] != b"c":
        return True
    for token in (rb"c([0-9]+)", rb"cas=([0-9]+)"):
        both = [re.fullmatch(token, word) for word in (a, b)]
        if all(both):
            return tokens.same((int(both[0][1]), int(both[1][1])), key)
    both = [SECONDS.fullmatch(word) for word in (a, b)]
    if all(both):
        return (a[:both[0].start(1)] == b[:both[1].start(1)]
                and same_seconds(both[0][1], both[1][1]))
    return any(a.startswith(kept) and b.startswith(kept) for kept in (b"cls=", b"size="))


def key_of(words):
    """The key that a meta answer names."""
    if words[0] == b"ME":
        return words[1]
    return next((word[1:] for word in words if word.startswith(b"k")), None)


def without_mark(words):
    """
    A key that came in base64 goes out so; which items keep that mark when they
    are changed is declared.
    """
    if words[0] == b"ME" and len(words) > 1:
        return [b"ME", generator.DECODED.get(words[1], words[1]), *words[2:]]
    if b"b" not in words:
        return words
    return [b"k" + generator.DECODED.get(word[1:], word[1:]) if word.startswith(b"k") else word
            for word in words if word != b"b"]


META_ANSWERS = {b"HD", b"VA", b"EN", b"NF", b"NS", b"EX", b"ME"}


def same_line(a, b, tokens):
    (a, a_block), (b, b_block) = a, b
    if a_block != b_block:
        return False
    a, b = a.split(b" "), b.split(b" ")
    if a[0] in META_ANSWERS:
        a, b = without_mark(a), without_mark(b)
    if a[0] != b[0] or len(a) != len(b):
        return False
    if a[0] == b"VERSION":
        return True
    if a[0] == b"VALUE" and len(a) == 5 and a[4].isdigit() and b[4].isdigit():
        return a[:4] == b[:4] and tokens.same((int(a[4]), int(b[4])), a[1])
    if a[0] in META_ANSWERS:
        key = key_of(a)
        return all([same_word(*pair, key, tokens) for pair in zip(a, b)])
    return a == b


def same_packet(a, b, tokens):
    (a, a_body), (b, b_body) = a, b
    if a[:8] + a[12:16] != b[:8] + b[12:16] or not len(a) == len(b) == generator.RESPONSE.size:
        return False
    head = generator.RESPONSE.unpack(a)
    at = head[7] & 0xff
    key = generator.ALL_KEYS[at] if at < len(generator.ALL_KEYS) else None
    if not tokens.same((head[8], generator.RESPONSE.unpack(b)[8]), key if head[8] else None):
        return False
    return a_body == b_body or head[1] == generator.VERSION


def compare(batch, answers, ends, tokens):
    """The first pair of answers that are not the same, or None."""
    cut, same = (packets_of, same_packet) if batch.binary else (lines_of, same_line)
    expected, got = map(cut, answers)
    if batch.ends == generator.ALONE:       # an empty line follows memcached's error
        expected, got = ([part for part in parts if part[0]] for parts in (expected, got))
    for pair in zip(expected, got):
        if not same(*pair, tokens):
            return Difference(batch, *pair)
    if len(expected) != len(got) or ends[0] != ends[1] or ends[0] == OPEN:
        n = min(len(expected), len(got))
        return Difference(batch, *(
            parts[n] if len(parts) > n else (end or NOTHING, b"")
            for parts, end in zip((expected, got), ends)))
    return None


# ---- rounds ------------------------------------------------------------------

def play(servers, batches, seed):
    """A round from an empty cache: (requests that were compared, Difference or None)."""
    tokens, rng, n = Tokens(), random.Random(seed), 0
    flush = b"flush_all\r\n" + LAST_LINES
    exchange(servers, False, generator.MORE, [flush] * 2, [])
    for batch in batches:
        closes = batch.ends in (generator.HANG_UP, generator.CLOSES)
        last = b"" if closes else LAST_PACKET if batch.binary else LAST_LINES
        outs = [b"".join(bytes_of(request, which, tokens, batch.binary)
                         for request in batch.requests) + last for which in (0, 1)]
        cuts = sorted(rng.random() for _ in range(rng.choice([0, 0, 1, 3])))
        answers = exchange(servers, batch.binary, batch.ends, outs, cuts)
        ends = [server.end for server in servers]
        difference = compare(batch, answers, ends, tokens)
        if difference:
            for server in servers:
                server.close()
            return n, difference
        n += len(batch.requests)
    return n, None


def kind_of(difference):
    """What two differences have in common, to show one of them."""
    expected, got = difference.expected, difference.got
    if difference.batch.binary:
        return True, *(part[0][:2] + part[0][4:8] for part in (expected, got))
    words = [without_mark(part[0].split(b" ")) for part in (expected, got)]
    if not {words[0][0], words[1][0]} <= META_ANSWERS:
        words = [[part[0]] for part in (expected, got)]
    tokens = Tokens()
    first = next((pair for pair in itertools.zip_longest(*words, fillvalue=NOTHING)
                  if not same_word(*pair, None, tokens)), (NOTHING, NOTHING))
    return False, *(re.sub(rb"k\S+|\bkey\S*|[0-9]{2,}", b"#", word[:60]) for word in first)


def shorten(servers, batches, seed, kind):
    """Leaves out what may be left out; as it was, if it does not happen again."""
    def differs(batches):
        found = play(servers, batches, seed)[1]
        return found is not None and kind_of(found) == kind

    def without(batches, start, stop):
        kept, at = [], 0
        for batch in batches:
            left = [request for i, request in enumerate(batch.requests, at)
                    if not start <= i < stop]
            at += len(batch.requests)
            if left:
                kept.append(batch._replace(requests=left))
        return kept

    def count():
        return sum(len(batch.requests) for batch in batches)

    step = count() if differs(batches) else 0
    while step:
        before = count()
        for start in range(before - step, -step, -step):
            fewer = without(batches, start, start + step)
            if differs(fewer):
                batches = fewer
        step = step // 2 if step > 1 or count() == before else 1
    return batches


# ---- what is printed ---------------------------------------------------------

def short(data):
    text = repr(bytes(data))[1:]
    return text if len(text) < 200 else "%s ... %s (%d bytes)" % (text[:120], text[-40:], len(data))


def told(request):
    return " ".join("<token of %s>" % short(part.key) if type(part) is generator.Token
                    else short(part) for part in request.parts if part)


def show(batches, difference, number):
    print("\nround %d, where it differs: %s" % (
        number, "binary" if difference.batch.binary else "text"))
    for batch in batches:
        print("  sent, %s, %s:" % ("binary" if batch.binary else "text", batch.ends))
        for request in batch.requests:
            print("      " + told(request))
    print("  expected  %s\n  got       %s" % (
        short(b"\r\n".join(difference.expected)), short(b"\r\n".join(difference.got))))
    sys.stdout.flush()


def run(addresses, title, options):
    """Returns how many rounds differed."""
    servers = [Server(address) for address in addresses]
    # memcached's first tokens are those that clients may set.
    stores = b"set ## 0 0 2 noreply\r\n##\r\n" * 100 + LAST_LINES
    exchange(servers, False, generator.MORE, [stores] * 2, [])
    kinds, n, number, started = collections.Counter(), 0, options.first, time.monotonic()
    while n < options.requests and len(kinds) < options.kinds:
        batches = generator.round_of(options.seed, number, options.only)
        compared, difference = play(servers, batches, options.seed)
        n += compared
        if difference:
            kind = kind_of(difference)
            if OPEN in (difference.expected[0], difference.got[0]):
                show([difference.batch], difference, number)    # others would wait as long
            elif kind not in kinds:
                fewest = shorten(servers, batches, options.seed, kind)
                show(fewest, play(servers, fewest, options.seed)[1] or difference, number)
            kinds[kind] += 1
            n += 1
        number += 1
    for server in servers:
        server.close()
    print("%s: %d requests in %d rounds, %d s, seed %d: %d rounds differ, in %d ways%s" % (
        title, n, number - options.first, time.monotonic() - started, options.seed,
        sum(kinds.values()), len(kinds), "" if n >= options.requests else "; given up"))
    sys.stdout.flush()
    return sum(kinds.values())


def options_of(argv):
    parser = argparse.ArgumentParser(
        description="Sends memcached and chcached the same random requests.")
    parser.add_argument("--requests", type=int, default=1000000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other requests")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with round N")
    parser.add_argument("--only", default=",".join(generator.PROTOCOLS),
                        help="protocols (%(default)s)")
    parser.add_argument("--shards", default="0,3", help="local shards, 0: none (%(default)s)")
    parser.add_argument("--kinds", type=int, default=20,
                        help="give up after so many kinds of differences (%(default)s)")
    parser.add_argument("--server", metavar="HOST:PORT", help="compare this one instead")
    parser.add_argument("--reference", metavar="HOST:PORT", help="a memcached that runs")
    options = parser.parse_args(argv)
    options.only = options.only.split(",")
    if not set(options.only) <= set(generator.PROTOCOLS):
        parser.error("--only knows " + ", ".join(generator.PROTOCOLS))
    options.shards = [int(n) for n in options.shards.split(",")]
    return options


def main(argv):
    options = options_of(argv)
    with contextlib.ExitStack() as stack:
        reference = options.reference
        if reference is None:
            program, why_not = memcached.find()
            if program is None:
                sys.exit(why_not)
            reference = stack.enter_context(memcached.Memcached(program, "-m", "1024")).address
        if options.server:
            return 1 if run((reference, options.server), options.server, options) else 0
        differ = 0
        for n in options.shards:
            kind = daemon.Cluster("-m", "1024", n=n) if n else daemon.Lone("-m", "1024")
            with kind as server:
                title = "%d shards" % n if n else "one process"
                differ += run((reference, server.address), title, options)
        return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
