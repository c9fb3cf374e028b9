"""
Random requests of memcached clients, by the grammars of the text, the meta and
the binary protocol.

    rounds of batches of requests: round_of(seed, number) is always the same

A round begins with an empty cache.  Its requests are about a few keys, so that
they meet; most are right, some have a word too many, too few or wrong.  What
is not generated, because chcached is meant to answer otherwise, is DECLARED.
"""

import base64
import collections
import random
import re
import struct

PROTOCOLS = ("text", "meta", "binary")

# In the place of bytes: the CAS token that each server itself told of `key`, the
# `age`th before the latest, with `before` before it.
Token = collections.namedtuple("Token", "key age before", defaults=[b""])

# parts: bytes and tokens, one after the other.  ends: how the answer ends.
# reads, counts: the keys whose items it sends, and does arithmetic with.
Request = collections.namedtuple("Request", "parts ends reads counts")

# What is sent at once; `binary` tells on which connection.
Batch = collections.namedtuple("Batch", "binary requests ends")

MORE = "more"           # other requests may follow
ALONE = "alone"         # in a batch of its own
HANG_UP = "hang up"     # alone, and the client says that nothing follows
CLOSES = "closes"       # alone, and the server closes the connection

NOTHING = frozenset()

# ---- words -------------------------------------------------------------------

K250, K251 = b"k" * 250, b"k" * 251

# Keys for every protocol, and those which only base64 and binary can write.
KEYS = [b"key-%d" % i for i in range(32)] + [
    b"a", b"large", b"noreply", b"0", b"\x80\xff\x01", b"VALUE", b"key-" + b"x" * 120, K250]
ODD_KEYS = [b"\x00", b"\t\x7f", b"\x00\xff" * 90]

ALL_KEYS = KEYS + ODD_KEYS

ENCODED = {key: base64.b64encode(key) for key in ALL_KEYS if len(key) <= 186}
DECODED = {encoded: key for key, encoded in ENCODED.items()}
ENCODED_WORDS = list(DECODED)

# Nothing expires during a round but at once; no time of one list is near a
# time of the other, so that a tick between two requests does not matter.
TIMES = [b"0"] * 8 + [b"-1", b"-5", b"60", b"600", b"86400", b"2592000", b"2592001",
                      b"2000000000", b"2147483647", b"0060"]
RECACHE_TIMES = [b"0", b"-1", b"30", b"300", b"5000", b"100000", b"2100000000"]

BAD_NUMBERS = [b"x", b"-1", b"2147483648", b"4294967296", b"18446744073709551616", b"1x",
               b"0x1", b"1.5", b"+5", b"-0", b"", b"007", b"-2147483648", b"9" * 40]

BAD_TOKENS = [b"", b"x", b"-1", b"1x", b"18446744073709551616", b"9" * 40]

DELTAS = [b"1", b"0", b"5", b"9", b"10", b"999", b"18446744073709551615", b"007",
          b"18446744073709551614", b"4294967296"]

# memcached counts its own tokens up from 1, chcached's have 63 bits: those that
# clients set are below (the first ones are used up) or above, so that they
# compare alike.
SET_TOKENS = [b"1", b"7", b"42", b"9223372036854775808", b"12345678901234567890",
              b"18446744073709551615"]

NUMBERS = [b"0", b"1", b"9", b"10", b"99", b"100", b"007", b"18446744073709551615",
           b"18446744073709551616", b"9999999999", b"-1", b"5 ", b"1x", b"12 34"]
TEXTS = [b"", b"x", b"hello", b" 7", b"\n\nx", b"END\r\n", b"a\r\nb", b"\x00\x01\xff", b"word " * 20,
         b"0123456789" * 30, b"y" * 1023, b"z\n" * 1500]
LARGE_KEY = b"large"
LARGE_TEXTS = [b"L" * 1000000, b"T" * 1048577, b"T" * 1100000]

GARBAGE = bytes(range(33, 127)) + b"\x01\x7f\x80\xff"

STORING = {b"set", b"add", b"replace", b"append", b"prepend", b"cas"}
GETTING = {b"get", b"gets", b"gat", b"gats"}
META = {b"mg", b"ms", b"md", b"ma", b"me"}
ADMINISTRATIVE = {b"flush_all", b"verbosity"}
LONGEST_BLOCK = 2147483647


def number(word):
    """The number that a word of digits is, or None."""
    return int(word) if re.fullmatch(rb"[0-9]+", word) else None


# ---- what is declared --------------------------------------------------------

def number_with_sign(words, _):
    numbers = words[2:5] if words[0] in STORING else words[2:3] if words[0] == b"ms" else []
    return any(re.match(rb"\+|-0", word) for word in numbers) or any(
        re.fullmatch(rb"[TNR]?-", word) for word in words[1:])


def flags_above_32_bits(words, _):
    return (words[0] in STORING and len(words) > 4
            and (number(words[2]) or 0) >= 1 << 32)


def time_above_31_bits(words, _):
    if words[0] in META:
        return any(word[:1] in b"TNR" and (number(word[1:].lstrip(b"-")) or 0) >= 1 << 31
                   for word in words[2:])
    at = {b"gat": 1, b"gats": 1, b"flush_all": 1, b"touch": 2}.get(words[0], 3)
    if words[0] not in STORING and at == 3 or len(words) <= at:
        return False
    return (number(words[at].lstrip(b"-")) or 0) >= 1 << 31


def long_key_behind_others(words, _):
    at = {b"get": 1, b"gets": 1, b"gat": 2, b"gats": 2}.get(words[0], len(words))
    return any(len(word) > 250 for word in words[at:]) and (
        len(words[at]) <= 250 or words[-1] == b"noreply")


def delete_with_time(words, _):
    return words[0] == b"delete" and len(words) > 2 and not (
        words[2:] in ([b"0"], [b"noreply"], [b"0", b"noreply"]))


def administrative_after_blank(words, line):
    return line.startswith(b" ") and words[0] in ADMINISTRATIVE


def shut_down_or_tune(words, _):
    return words[0] in {b"shutdown", b"slabs", b"lru", b"lru_crawler", b"watch", b"stats",
                        b"cache_memlimit"}


def token_left_behind(words, _):
    """The E of an ms that fails; of a bad block: see Meta.block()."""
    return words[0] == b"ms" and any(w.startswith(b"E") for w in words[2:]) and any(
        w.startswith(b"O") and len(w) > 32 for w in words[2:])


def me_with_encoded_key(words, _):
    return words[0] == b"me" and len(words) == 3 and words[2] == b"b"


def encoded_loosely(words, _):
    return words[0] in META and any(word.startswith(b"b") for word in words[2:]) and (
        words[1] not in DECODED)


def opaque_too_long(words, _):
    return words[0] in {b"mg", b"ma"} and any(
        word.startswith(b"O") and len(word) > 32 for word in words[2:])


def token_for_large_value(words, _):
    return (words[0] == b"ma" and words[1:2] in ([LARGE_KEY], [ENCODED[LARGE_KEY]])
            and any(word.startswith(b"C") for word in words[2:]))


def odd_flag_of_ms(words, _):
    return words[0] == b"ms" and any(
        not (64 < word[0] < 123 or word[:1].isdigit()) for word in words[3:])


def number_that_may_grow(words, _):
    flags = {word[:1] for word in words[2:]}
    return words[0] == b"ma" and flags & {b"E", b"T"} and not any(
        word[:2] in {b"MD", b"M-"} for word in words[2:])


def token_0(words, _):
    return words[0] in META and any(
        word.startswith(b"E") and number(word[1:]) == 0 for word in words[2:])


def too_large_for_its_mode(words, _):
    return words[0] == b"ms" and (number(words[2]) or 0 if len(words) > 2 else 0) > 1 << 20 and (
        any(word[:1] in {b"M", b"C"} for word in words[3:]))


# Lines that are not sent, because the answers are meant to differ: what
# chcached-protocol(7) says under DIFFERENCES FROM MEMCACHED, and what no two
# servers answer alike.  Not in the list, for the generator has no way to say
# them: NUL and carriage return in lines, tabs, lines above 2 KiB, numbers with
# more than 11 digits of which some are leading zeros.
DECLARED = [
    # A sign +, -0 and a lone - are errors; memcached takes them in some places.
    number_with_sign,
    # memcached cuts such flags off.
    flags_above_32_bits,
    # They do not wrap, where memcached wraps or complains.
    time_above_31_bits,
    # Of a get with a key that is too long nothing is executed; memcached fetches
    # or touches the keys before it, and takes a last key noreply for the word.
    long_key_behind_others,
    # "delete key 5" is an error, not a deletion now.
    delete_with_time,
    # memcached executes some administrative commands behind a blank.
    administrative_after_blank,
    # Figures of one server; commands for the slabs and lists of memcached.
    shut_down_or_tune,
    # memcached decodes the key only if one more word follows.
    me_with_encoded_key,
    # Base64 is read strictly; memcached passes over what is none.
    encoded_loosely,
    # The block is swallowed all the same; memcached executes it.
    odd_flag_of_ms,
    # A number keeps its E and T when it grows; memcached's loses them.
    number_that_may_grow,
    # E0 gives no token; memcached gives it sometimes.
    token_0,
    # Of a command with such an opaque nothing is executed; memcached's mg and ma
    # say so after they have done their work.
    opaque_too_long,
    # memcached does not compare tokens for values above 512 KiB, no numbers.
    token_for_large_value,
    # Such an ms removes the old value in mode set only, memcached's in any.
    too_large_for_its_mode,
    # memcached gives the E of an ms that failed to the next item that the
    # connection stores.
    token_left_behind,
]

# More that is declared, and is seen to elsewhere:
# - a line that stores, with an unreadable length, closes the connection: it is
#   sent alone and without a block, see Text.finish();
# - for a get with a key that is too long memcached forgets what it was asked
#   in the same packet, and sends an empty line: it is sent alone, see
#   Text.finish() and differential.py;
# - incr and decr never shorten an item; memcached's do when its bytes are on
#   their way to a client: they are not in one batch, see _batches().


# ---- text --------------------------------------------------------------------

class Text:
    """Classic commands.  next() is one request."""

    binary = False

    def __init__(self, rng, keys):
        self.rng, self.keys = rng, keys
        self.verbs = rng.choices(self.VERBS, [weight for _, weight in self.VERBS], k=600)

    def chance(self, n):
        """True once in `n` times."""
        return self.rng.random() * n < 1

    def pick(self, seq):
        return seq[int(self.rng.random() * len(seq))]

    def key(self):
        if self.chance(100):
            return K251
        return self.pick(self.keys)

    def time(self):
        return self.pick(BAD_NUMBERS if self.chance(40) else TIMES)

    def value(self):
        chance = self.rng.random()
        if chance < 0.45:
            return self.pick(NUMBERS)
        if chance < 0.999:
            return self.pick(TEXTS)
        return self.pick(LARGE_TEXTS)

    def token(self, key):
        """Of the key, of the past, of another key or of nobody."""
        chance = self.rng.random()
        if chance < 0.7:
            return Token(key, 0)
        if chance < 0.8:
            return Token(key, 1)
        if chance < 0.85:
            return Token(self.pick(self.keys), 0)
        return self.pick(SET_TOKENS + [b"0", b"99"])

    def next(self):
        if self.chance(250):
            return self.finish([self.garbage(20)], b"", b"\r\n")
        verb = self.pick(self.verbs)[0]
        words = getattr(self, verb)()
        block = self.value() if words[0] in STORING or words[0] == b"ms" else None
        if block is not None:
            if block in LARGE_TEXTS:
                words[1] = LARGE_KEY
            self.say_length(words, block)
        glue, end = b" ", b"\n" if self.chance(50) else b"\r\n"
        if self.chance(12):
            words, glue = self.mutate(words)
        return self.finish(words, block, end, glue)

    def say_length(self, words, block):
        words[4] = b"%d" % len(block)

    # -- commands

    def noreply(self, words):
        if self.chance(8):
            words.append(b"noreply")
        return words

    def get(self):
        return [self.pick([b"get", b"gets", b"gets"])] + [
            self.key() for _ in range(1 if self.chance(2) else self.rng.randint(1, 8))]

    def gat(self):
        return [self.pick([b"gat", b"gats"]), self.time()] + [
            self.key() for _ in range(self.rng.randint(1, 3))]

    def store(self):
        verb = self.pick([b"set", b"set", b"set", b"add", b"replace", b"append", b"prepend"])
        flags = self.pick([b"0", b"0", b"1", b"65535", b"4294967295", b"007"])
        return self.noreply([verb, self.key(), flags, self.time(), b""])

    def cas(self):
        key = self.key()
        return self.noreply([b"cas", key, self.pick([b"0", b"5"]), self.time(), b"",
                             self.token(key)])

    def delete(self):
        words = [b"delete", self.key()]
        if self.chance(10):
            words.append(b"0")
        return self.noreply(words)

    def arithmetic(self):
        return self.noreply([self.pick([b"incr", b"decr"]), self.key(),
                             self.pick(BAD_NUMBERS if self.chance(30) else DELTAS)])

    def touch(self):
        return self.noreply([b"touch", self.key(), self.time()])

    def administer(self):
        chance = self.rng.random()
        if chance < 0.3:
            return [b"version"]
        if chance < 0.5:
            return self.noreply([b"verbosity", self.pick([b"0", b"1", b"x", b"-1"])])
        if chance < 0.55:
            return [b"quit"]
        return self.noreply([b"flush_all"] + self.pick([[], [], [b"0"], [b"-1"], [b"100000"],
                                                        [b"x"]]))

    VERBS = (("get", 25), ("gat", 6), ("store", 30), ("cas", 10), ("delete", 7),
             ("arithmetic", 14), ("touch", 5), ("administer", 1))

    # -- faults

    def garbage(self, longest):
        return bytes(self.pick(GARBAGE) for _ in range(self.rng.randint(0, longest)))

    def mutate(self, words):
        """One thing wrong with a line; returns its words and what is between them."""
        at = int(self.rng.random() * len(words))
        kind = int(self.rng.random() * 10)
        if kind == 0:
            del words[at]
        elif kind == 1:
            words.insert(at, words[at])
        elif kind == 2:
            other = int(self.rng.random() * len(words))
            words[at], words[other] = words[other], words[at]
        elif kind == 3:
            return words, b"  "
        elif kind == 4:
            words.insert(0, b"")
        elif kind == 5:
            words.append(b"")
        elif kind == 6:
            words[at] = self.garbage(8)
        elif kind == 7:
            words[at] = self.pick([K250, K251, b"x" * 300])
        elif kind == 8:
            words.append(self.pick([b"noreply", b"0", b"k", b"q", b"v", b"noreplyx"]))
        else:
            words[at] = self.pick(BAD_NUMBERS)
        return words, b" "

    # -- from words to a request

    def finish(self, words, block, end, glue=b" "):
        """The request of a line and its block, or another one if it is declared."""
        line = glue.join(word.before + b"1" if type(word) is Token else word for word in words)
        plain = [word for word in line.split(b" ") if word]
        first = plain[0] if plain else b""
        at = [i for i, word in enumerate(filter(None, words)) if type(word) is Token]
        if at and not self.is_token_there(first, at[0]):
            words = [b"7" if type(word) is Token else word for word in words]
            return self.finish(words, block, end, glue)
        if plain and any(declared(plain, line) for declared in DECLARED):
            return self.next()
        if line.startswith(b"\x80"):        # on a new connection that is the binary protocol
            return self.next()
        ends = MORE
        if line.startswith(b" "):
            first = b""
        elif first == b"quit" or plain and plain[-1].startswith(b"HTTP/"):
            ends = CLOSES
        elif first in GETTING and any(len(word) > 250 for word in plain[1:]):
            ends = ALONE
        tail = end
        at = 4 if first in STORING else 2 if first == b"ms" else None
        if at:
            length = number(plain[at]) if len(plain) > at else None
            if length is None or length > LONGEST_BLOCK:
                ends = HANG_UP
            elif length > 1200000:
                return self.next()
            else:
                tail += self.block(plain, block, length)
        reads = counts = NOTHING
        if first in GETTING:
            reads = frozenset(plain[1:])
        elif first == b"mg":
            reads = frozenset([*plain[1:2], *map(DECODED.get, plain[1:2])])
        elif first in (b"incr", b"decr", b"ma"):
            counts = frozenset([*plain[1:2], *map(DECODED.get, plain[1:2])])
        return Request(parts_of(words, glue, tail), ends, reads, counts)

    def is_token_there(self, first, at):
        """Whether word `at` is read as a token: nothing else may differ."""
        return first == b"cas" and at == 5

    def block(self, _, block, length):
        """What follows a line that says `length`; now and then it is another."""
        if block is None or len(block) != length:
            block = b"b" * length
        if self.chance(200):
            if length > 3 and self.chance(2):
                return block[:-2] + b"\r\nbbbbbb\r\n"   # too short: the rest is a line
            return block + b"bb\r\n"
        return block + b"\r\n"


def parts_of(words, glue, tail):
    """The bytes of a line and what follows it, cut where a token stands."""
    parts, run = [], []
    for i, word in enumerate(words):
        if i:
            run.append(glue)
        if type(word) is Token:
            parts += [b"".join(run), word]
            run = []
        else:
            run.append(word)
    run.append(tail)
    parts.append(b"".join(run))
    return tuple(parts)


# ---- meta --------------------------------------------------------------------

class Meta(Text):
    """Meta commands with their flags in any order."""

    VERBS = (("mg", 38), ("ms", 30), ("md", 10), ("ma", 16), ("me", 4), ("mn", 2))

    modes = b"S"

    ANY = b"bcfhklOqstuvxCDEFIJMNRTSPLXWZ01-"

    def say_length(self, words, block):
        words[2] = b"%d" % len(block)

    def command(self, verb, flags, most, more=()):
        """`flags` have as many letters of a kind as they are likely."""
        key = self.pick(ODD_KEYS) if self.chance(20) else self.key()
        encoded = key in ODD_KEYS or key in ENCODED and self.chance(10)
        words = [verb, ENCODED[key] if encoded else key, *more]
        chosen = {self.pick(flags) for _ in range(int(self.rng.random() * (most + 1)))}
        if encoded:
            chosen.add(ord("b"))
        if self.chance(25):
            chosen.add(self.pick(self.ANY))
        chosen = sorted(chosen)
        self.rng.shuffle(chosen)
        words += [self.flag(letter, key) for letter in chosen]
        return words

    def flag(self, letter, key):
        letter = b"%c" % letter
        argument = self.argument(letter, key)
        if self.chance(60):
            argument = self.pick(BAD_TOKENS if letter in b"CE" else [b"", b"5", *BAD_NUMBERS])
        if type(argument) is Token:
            return argument._replace(before=letter)
        return letter + argument

    def argument(self, letter, key):
        if letter in b"TN":
            return self.pick(TIMES)
        if letter == b"R":
            return self.pick(RECACHE_TIMES)
        if letter == b"C":
            return self.token(key)
        if letter == b"E":
            return self.pick(SET_TOKENS)
        if letter == b"O":
            return b"o" * self.pick([31, 32]) if self.chance(30) else b"%d" % int(self.rng.random() * 1000)
        if letter == b"M":
            return b"%c" % self.pick(b"EAPRSIDeaprsid+-" if self.chance(8) else self.modes)
        if letter in b"JD":
            return self.pick(DELTAS)
        if letter == b"F":
            return self.pick([b"0", b"1", b"65535", b"4294967295"])
        return b""

    def mg(self):
        return self.command(b"mg", b"vvvvvvvccckkkkffhhllssttttuqOOTTNNNRRCE", 8)

    def ms(self):
        self.modes = b"EAAPPRS"
        return self.command(b"ms", b"ccckkkssFFTTTTOOqICCCEENMMMMM", 7, [b""])

    def md(self):
        return self.command(b"md", b"IIITTxCCCEqkO", 4)

    def ma(self):
        self.modes = b"IID+-"
        return self.command(b"ma", b"vvvvttcckkNNNJJDDDTTMMMCEqO", 7)

    def me(self):
        if self.chance(2):
            return [b"me", self.key()]
        return [b"me", self.pick(ENCODED_WORDS), b"b", *self.pick([[], [b"b"]])]

    def mn(self):
        return [b"mn"]

    def token(self, key):
        """With I older tokens count, which only those of one key always are."""
        return Token(key, self.pick([0, 0, 0, 0, 1, 2])) if self.chance(2) \
            else self.pick(SET_TOKENS + [b"0", b"99"])

    def is_token_there(self, first, at):
        return at > 2 or at == 2 and first != b"ms"

    def block(self, words, block, length):
        if any(word.startswith(b"E") for word in words):
            return (block if block is not None and len(block) == length
                    else b"b" * length) + b"\r\n"
        return super().block(words, block, length)


# ---- binary ------------------------------------------------------------------

HEADER = struct.Struct(">BBHBBHII")         # all but the token at its end
RESPONSE = struct.Struct(">BBHBBHIIQ")

GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT, FLUSH, GETQ, NOOP, VERSION = range(12)
GETK, GETKQ, APPEND, PREPEND, _, SETQ, ADDQ, REPLACEQ, DELETEQ = range(12, 21)
INCRQ, DECRQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ, _, TOUCH, GAT, GATQ = range(21, 31)
SASL_LIST, SASL_AUTH, SASL_STEP, GATK, GATKQ = range(32, 37)
UNKNOWN = (27, 31, 37, 64, 127, 255)

BINARY_TIMES = [0] * 6 + [60, 600, 86400, 2592000, 2592001, 2000000000, 2147483647, 2147483648]
NOT_CREATED = 0xffffffff

NO_TOKEN = bytes(8)
LAST_OPAQUE = 0xffffffff


def packet(opcode, key=b"", extras=b"", value=b"", token=NO_TOKEN, opaque=0, magic=0x80,
           key_length=None, extras_length=None, body_length=None):
    """The parts of a packet; lengths may lie."""
    body = extras + key + value
    head = HEADER.pack(
        magic, opcode, len(key) if key_length is None else key_length,
        len(extras) if extras_length is None else extras_length, 0, 0,
        len(body) if body_length is None else body_length, opaque)
    return (head, token, body)


class Binary:
    """Packets.  The last byte of an opaque is a key's place in ALL_KEYS."""

    binary = True

    chance, pick, value = Text.chance, Text.pick, Text.value

    def __init__(self, rng, keys):
        self.rng, self.keys = rng, keys
        self.kinds = rng.choices(self.KINDS, [weight for _, weight in self.KINDS], k=600)

    def key(self):
        return self.pick(ODD_KEYS) if self.chance(20) else self.pick(self.keys)

    def token(self, key, n):
        """One in `n` packets has one."""
        if not self.chance(n):
            return NO_TOKEN
        if self.chance(5):
            return struct.pack(">Q", int(self.pick(SET_TOKENS)))
        return Token(key, self.pick([0, 0, 0, 1]))

    def next(self):
        if self.chance(150):
            return self.fault()
        return getattr(self, self.pick(self.kinds)[0])()

    def request(self, opcode, key, *args, sends=False, counts=False, **more):
        opaque = int(self.rng.random() * 0xffffff) << 8 | ALL_KEYS.index(key)
        held = frozenset([key])
        return Request(packet(opcode, key, *args, opaque=opaque, **more), MORE,
                       held if sends else NOTHING, held if counts else NOTHING)

    # -- commands

    def get(self):
        return self.request(self.pick([GET, GETQ, GETK, GETKQ]), self.key(), sends=True)

    def store(self):
        key = self.key()
        opcode = self.pick([SET, SET, SETQ, SETQ, ADD, ADDQ, REPLACE, REPLACEQ])
        extras = struct.pack(">II", self.pick([0, 0, 1, 65535, 0xffffffff]),
                             self.pick(BINARY_TIMES))
        value = self.value()
        if value in LARGE_TEXTS:        # as too_large_for_its_mode()
            return self.request(opcode, LARGE_KEY, extras, value)
        return self.request(opcode, key, extras, value, token=self.token(key, 4))

    def join(self):
        key, value = self.key(), self.value()
        if value in LARGE_TEXTS:
            key = LARGE_KEY
        return self.request(self.pick([APPEND, APPENDQ, PREPEND, PREPENDQ]), key, b"", value,
                            token=self.token(key, 4))

    def delete(self):
        key = self.key()
        return self.request(self.pick([DELETE, DELETEQ]), key, token=self.token(key, 4))

    def arithmetic(self):
        key = self.key()
        time = NOT_CREATED if self.chance(2) else self.pick(BINARY_TIMES)
        extras = struct.pack(">QQI", int(self.pick(DELTAS)), int(self.pick(DELTAS)), time)
        return self.request(self.pick([INCR, INCRQ, DECR, DECRQ]), key, extras,
                            token=NO_TOKEN if key == LARGE_KEY else self.token(key, 4),
                            counts=True)

    def touch(self):
        return self.request(self.pick([TOUCH, GAT, GATQ, GATK, GATKQ]), self.key(),
                            struct.pack(">I", self.pick(BINARY_TIMES)), sends=True)

    def administer(self):
        chance = self.rng.random()
        if chance < 0.5:
            return Request(packet(NOOP, opaque=7), MORE, NOTHING, NOTHING)
        if chance < 0.8:
            return Request(packet(VERSION, opaque=8), MORE, NOTHING, NOTHING)
        return Request(packet(self.pick([FLUSH, FLUSHQ]), opaque=9,
                              extras=self.pick([b"", bytes(4), struct.pack(">I", 100000)])),
                       MORE, NOTHING, NOTHING)

    KINDS = (("get", 32), ("store", 28), ("join", 8), ("delete", 7), ("arithmetic", 14),
             ("touch", 8), ("administer", 2))

    # -- faults

    def fault(self):
        key, opcode = self.pick(self.keys), self.pick(range(37))
        ends = CLOSES
        kind = int(self.rng.random() * 8)
        if kind == 0:
            parts = packet(self.pick([QUIT, QUITQ]))
        elif kind == 1:
            # memcached swallows a key and extras of what it does not know twice
            parts, ends = packet(self.pick(UNKNOWN), value=self.value()[:100]), MORE
        elif kind == 2:
            parts, ends = packet(self.pick([SASL_AUTH, SASL_STEP]), b"PLAIN", b"", b"\0a\0b"), MORE
        elif kind == 3:
            parts, ends = packet(SASL_LIST), MORE
        elif kind == 4:
            parts = packet(self.pick([GET, SET, DELETE, INCR, APPEND, TOUCH]), b"",
                           bytes(self.pick([1, 4, 5, 8])))
        elif kind == 5:
            parts = packet(self.pick([GET, SET, DELETE, INCR, APPEND, TOUCH, GATKQ]), K251,
                           bytes(self.pick([0, 4, 8, 20])))
        elif kind == 6:
            parts = packet(self.pick([GET, GETQ, NOOP, DELETE, SET, INCR, VERSION, FLUSH]), key,
                           bytes(7))
        else:
            parts = packet(opcode, key, bytes(8), body_length=self.rng.randint(0, len(key) + 7))
        return Request(parts, ends, NOTHING, NOTHING)


# ---- rounds ------------------------------------------------------------------

SPEAKERS = {"text": Text, "meta": Meta, "binary": Binary}


def round_of(seed, number, protocols=PROTOCOLS, n_talks=20):
    """The batches of a round, some 500 requests."""
    rng = random.Random("%d %d" % (seed, number))
    keys = rng.sample(KEYS, rng.randint(2, len(KEYS)))
    speakers = [SPEAKERS[protocol](rng, keys) for protocol in protocols]
    batches = []
    for _ in range(n_talks):
        binary = rng.choice(speakers).binary
        talkers = [speaker for speaker in speakers if speaker.binary == binary]
        n = rng.choice([1, 5, 25, 40, 50])
        batches += _batches(binary, [rng.choice(talkers).next() for _ in range(n)])
    return batches


def _batches(binary, requests):
    """Cuts a list of requests where one must be alone, or may not see another."""
    batches, run, reads = [], [], set()

    def cut():
        nonlocal run, reads
        if run:
            batches.append(Batch(binary, run, MORE))
        run, reads = [], set()

    for request in requests:
        if request.ends != MORE:
            cut()
            batches.append(Batch(binary, [request], request.ends))
            continue
        if not reads.isdisjoint(request.counts - {None}):
            cut()
        run.append(request)
        reads |= request.reads
    cut()
    return batches
