"""
What clients should not send, and what must not come of it.

Each piece is a stream of bytes for one connection.  Commands hide in its data
blocks: should one of them ever run, there is a key `pwned`.
"""

import base64
import struct

from lib.cases import K250, K251, STORED

TELL = b"set pwned 0 0 1\r\nx\r\n"

# ---- text ----

STORAGE = [b"set", b"add", b"replace", b"append", b"prepend", b"cas"]

# Too short, but with a number at its end, such a line may have lost its key.
STORAGE_LINES = [verb + b" a 0 0 20" for verb in STORAGE] + [b"ms a 20"]

# Every command, in a form that is well; what is answered does not vary.
COMMANDS = [
    b"get a\r\n", b"get a b a nothing\r\n", b"gat 0 a b\r\n", b"get " + K250 + b" a\r\n",
    b"set c 7 0 5\r\nhe\r\nl\r\n", b"set c 7 0 5 noreply\r\nhello\r\nget c\r\n",
    b"add a 0 0 1\r\nX\r\n", b"replace nothing 0 0 1\r\nX\r\n", b"append c 0 0 2\r\n\r\n\r\n",
    b"prepend nothing 0 0 0\r\n\r\n", b"cas a 0 0 1 1\r\nX\r\n",
    b"set c 0 0 20\r\n" + TELL + b"\r\n",
    b"delete nothing\r\n", b"incr n 0\r\n", b"decr n 0\r\n", b"touch a 0\r\n",
    b"verbosity 0\r\n", b"cache_memlimit 64\r\n", b"version\r\n", b"shutdown\r\n", b"foo\r\n",
    b"\r\n", b"\n", b"set c x 0 20\r\n" + TELL + b"\r\n", b"set " + K251 + b" 0 0 3\r\nabc\r\n",
    b"mn\r\n", b"mg a v f s k q Oopaque\r\nmn\r\n", b"mg YQ== b v k\r\n", b"me nothing\r\n",
    b"ms c 5 T0 F1 I MS\r\nhello\r\n", b"md nothing q\r\nmn\r\n", b"ma n D0 v\r\n",
]

# The same for those whose answer does.
VARYING = [
    b"stats\r\n", b"stats settings\r\n", b"stats items\r\n", b"stats slabs\r\n",
    b"stats sizes\r\n", b"stats conns\r\n", b"gets a\r\n", b"me a\r\n", b"stats detail dump\r\n",
    b"lru_crawler metadump all\r\n", b"lru_crawler mgdump all\r\n", b"flush_all 1000\r\n",
]

# What "a" and "n" have to be for COMMANDS.
PREPARATION = b"flush_all\r\nset a 5 0 3\r\n123\r\nset n 0 0 1\r\n7\r\n"
PREPARED = b"OK\r\n" + STORED * 2

# (what stands for the length, is its block swallowed and the session kept?)
LENGTHS = [(text, False) for text in [
    b"-1", b"-20", b"-2147483648", b"-9223372036854775808", b"+20", b"0x14", b"20a", b"2e1",
    b"20.0", b"x", b"\xff", b"2147483648", b"4294967295", b"4294967296", b"4294967316",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"18446744073709551636", b"9" * 40, b"1" + b"0" * 300, b"-" * 40,
]] + [(b"0" * 40 + b"20", True), (b"20", True)]

# What else may be wrong with a line of length 20: (key, flags, exptime, what follows).
WRONGS = [
    (K251, b"0", b"0", b""), (b"k" * 5000, b"0", b"0", b""), (b"a\0b", b"0", b"0", b""),
    (b"a\rb", b"0", b"0", b""), (b"a", b"x", b"0", b""), (b"a", b"-1", b"0", b""),
    (b"a", b"4294967296", b"0", b""), (b"a", b"9" * 40, b"0", b""), (b"a", b"0", b"x", b""),
    (b"a", b"0", b"9" * 40, b""), (b"a", b"0", b"-" + b"9" * 40, b""), (b"a", b"0\0", b"0", b""),
    (K251, b"x", b"x", b" noreply"), (b"a", b"x", b"0", b" noreply"),
    (b"a", b"x", b"0", b" noreply noreply"), (b"a", b"x", b"0", b" " * 3000),
]


def storage_line(verb, length, key=b"a", flags=b"0", exptime=b"0", rest=b""):
    token = b" 7" if verb == b"cas" else b""
    return b"%b %b %b %b %b%b%b\r\n" % (verb, key, flags, exptime, length, token, rest)


def storage_in_error():
    """(a line, is its block swallowed?): the block TELL follows."""
    for verb in STORAGE:
        for length, swallowed in LENGTHS[:-2]:
            yield storage_line(verb, length), swallowed
        for length, _ in LENGTHS[-2:]:
            for key, flags, exptime, rest in WRONGS:
                yield storage_line(verb, length, key, flags, exptime, rest), True
    for token in (b"x", b"-1", b"9" * 40, b"18446744073709551616", b"7\0"):
        yield b"cas a 0 0 20 " + token + b"\r\n", True


def with_words_missing(line):
    """The line cut behind each word, and without each single one."""
    words = line.split(b" ")
    for n in range(1, len(words)):
        yield b" ".join(words[:n])
        yield b" ".join(words[:n]) + b" "
        yield b" ".join(words[:n] + words[n + 1:])


LINES_OF_WORDS = [
    b"get a b", b"gets a b", b"gat 0 a b", b"gats 0 a b", b"delete a noreply", b"incr n 1 noreply",
    b"decr n 1 noreply", b"touch a 0 noreply", b"flush_all 1000 noreply", b"verbosity 0 noreply",
    b"cache_memlimit 64 noreply", b"stats items", b"stats detail on", b"lru_crawler metadump all",
    b"lru_crawler crawl 1,2", b"lru tune 10 25 0.1 2.0", b"slabs reassign 1 2",
    b"slabs automove 0", b"watch fetchers mutations", b"extstore free_memchunks 1 1",
    b"mg a s v q f Oabc k t", b"md a q I T30", b"ma n N0 J1 D1 T0 MI v", b"me a b",
]


def garbage(byte):
    """A byte value in all places.  (A newline would end the line before the block.)"""
    b = bytes([byte])
    yield b
    yield b + b"\r\n"
    yield b * 3000 + b"\r\nget a\r\n"
    yield b"get a" + b + b"b " + b + b"\r\n" + b + b"get a\r\n" + b"get" + b + b"a\r\n"
    if b != b"\n":
        yield b"set a" + b + b"b 0 0 20\r\n" + TELL + b"\r\n"
        yield b"set a 0 0 20\r\n" + TELL + b"\r" + b + b"\r\n"


SPACES_AND_NEWLINES = [
    b" \r\n", b" " * 100 + b"\r\n", b" " * 65000 + b"\r\n", b" \n" * 1000, b"\n" * 10000,
    b"\r\n" * 5000, b"\r" * 1000 + b"\n", b"\r\r\n", b"\n\r" * 1000, b"get a\n\n\nget a\n",
    b" get a\r\n", b"get" + b" " * 60000 + b"a" + b" " * 5000 + b"\r\n",
    b"get" + b" " * 100000 + b"\r\n", b"\0" * 1000 + b"\n", b"\0\n" * 1000, b"get \0\r\n",
    b"set a 0 0 20" + b" " * 60000 + b"\r\n" + TELL + b"\r\n",
    b"set " + b" " * 200 + b"a " * 30 + b"\r\n",
    b"set a 0 0 20\n" + TELL + b"\n", b"set a 0 0 20\r" + b"\r\n" + TELL + b"\r\n",
]

# Ends never.  What begins it is sent once, the rest again and again.
ENDLESS = [
    (b"", b"x"), (b"", b" "), (b"", b"\0"), (b"", b"\r"), (b"get ", b"k"), (b"get", b" "),
    (b"get ", b"key "), (b"set a 0 0 20", b" "), (b"set ", b"k"), (b"delete ", b"k"),
    (b"set a 0 0 2147483647\r\n", TELL), (b"set a x 0 2147483647\r\n", TELL),
    (b"stats ", b"x"), (b"mg a ", b"v "), (b"mg ", b"k"), (b"mg a O", b"o"),
    (b"ms a 20 ", b"F"), (b"me ", b"x"), (b"mn", b" "),
]

META_ENDLESS = [(b"ms a 2147483647\r\n", TELL), (b"ms a 2147483647 Tx\r\n", TELL)]

# ---- meta ----

META_VERBS = [b"mg", b"ms", b"md", b"ma", b"me", b"mn"]
META_FLAGS = [bytes([c]) for c in range(0x21, 0x7f)]

# (behind the verb and the key: wrong in every command)
META_WRONGS = [b" O" + b"o" * n for n in (33, 34, 64, 250, 2000)] + [
    b" v v", b" q q", b" k k k", b" O1 O2", b" T1 T2", b" b b", b" T", b" T-", b" Tx", b" N",
    b" T" + b"9" * 40, b" E", b" Ex", b" C", b" C" + b"9" * 40, b" M", b" MXX", b" M\0",
    b" F", b" Fx", b" F" + b"9" * 40, b" J", b" Jx", b" D", b" Dx", b" R", b" R-", b" O",
    b" v" * 300, b" " + b" ".join(META_FLAGS), b" \0", b" v\0", b" \x80\xff", b" \t", b"  v  ",
    b" q" * 300, b" " + b"v" * 3000,
]

BAD_BASE64 = [b"!!!!", b"YQ=", b"YQ", b"Y", b"=", b"====", b"YQ==YQ==", b"Y Q==", b"YQ=\0",
              b"\xff\xff\xff\xff", base64.b64encode(b"k" * 251),
              base64.b64encode(b"k" * 187) + b"=", b"AAAA", base64.b64encode(b"a\r\nb"), b"k" * 250]

META_LENGTHS = [text for text, swallowed in LENGTHS if not swallowed]


def meta_lines():
    """Lines without a block, in error or odd."""
    for verb in META_VERBS:
        yield verb + b"\r\n"
        yield verb + b" \r\n"
        yield verb + b" " + K251 + b"\r\n"
        yield verb + b" " + b"k" * 5000 + b" v\r\n"
        if verb == b"ms":
            continue
        for wrong in META_WRONGS:
            yield verb + b" a" + wrong + b"\r\n"
        for key in BAD_BASE64:
            yield verb + b" " + key + b" b\r\n"
        for flag in META_FLAGS:
            yield verb + b" !!!! b " + flag + b"\r\n"
            yield verb + b" a " + flag + b"\r\n"
            yield verb + b" a k " + flag + b"\xff\r\n"


def meta_storage():
    """Lines in error whose block, of 20 bytes, is TELL."""
    for wrong in META_WRONGS:
        yield b"ms a 20" + wrong + b"\r\n"
    for key in BAD_BASE64:
        if b" " not in key:
            yield b"ms " + key + b" 20 b\r\n"
    for flag in META_FLAGS:
        yield b"ms !!!! 20 b " + flag + b"\r\n"
        yield b"ms a 20 k " + flag + b"\xff\r\n"
    for key in (K251, b"k" * 5000, b"a\0b", b"a\rb"):
        yield b"ms " + key + b" 20\r\n"
        yield b"ms " + key + b" 20 q k O123\r\n"


def meta_unreadable():
    """Lines whose length is unreadable; TELL follows."""
    for length in META_LENGTHS + [b"S20", b"v"]:
        yield b"ms a " + length + b"\r\n"
        yield b"ms a " + length + b" T0 k\r\n"
        yield b"ms a " + length + b" q\r\n"
        yield b"ms YQ== " + length + b" b\r\n"


# What memcached says to them.
META_ERRORS = [(verb + b" " + rest + b"\r\n", error) for verb in (b"mg", b"md")
               for rest, error in [
    (K251, b"bad command line format"), (b"a O" + b"o" * 33, b"opaque token too long"),
    (b"a O" + b"o" * 2000, b"opaque token too long"), (b"a q q", b"duplicate flag"),
    (b"a k t k", b"duplicate flag"), (b"a O1 O2", b"duplicate flag"),
    (b"a T", b"bad token in command line format"), (b"a Tx", b"bad token in command line format"),
    (b"a N", b"bad token in command line format"), (b"a E", b"bad token in command line format"),
    (b"a C", b"bad token in command line format"),
    (b"a C" + b"9" * 40, b"bad token in command line format"),
    (b"a" + b" k" * 300, b"options flags are too long"), (b"!!!! b", b"error decoding key"),
    (b"YQ= b", b"error decoding key"), (b"Y b", b"error decoding key"),
]] + [
    (b"mg a A\r\n", b"invalid flag"), (b"mg a F\r\n", b"bad command line format"),
    (b"ma a q q\r\n", b"invalid or duplicate flag"),
    (b"md a D\r\n", b"invalid numeric delta value"),
    (b"md a J\r\n", b"invalid numeric initial value"),
]

# With a block of 20 bytes behind them.
META_STORAGE_ERRORS = [(b"ms " + rest + b"\r\n", error) for rest, error in [
    (b"a 20 O" + b"o" * 33, b"opaque token too long"), (b"a 20 q q", b"duplicate flag"),
    (b"a 20 O1 O2", b"duplicate flag"), (b"a 20 T", b"bad token in command line format"),
    (b"a 20 C", b"bad token in command line format"),
    (b"a 20 E" + b"9" * 40, b"bad token in command line format"),
    (b"a 20 M", b"invalid mode for ms M token"), (b"a 20 MXX", b"invalid mode for ms M token"),
    (b"a 20 F", b"bad command line format"), (b"a 20 Fx", b"bad command line format"),
    (b"a 20 A", b"invalid flag"), (b"a 20" + b" k" * 300, b"options flags are too long"),
    (b"!!!! 20 b", b"error decoding key"), (b"YQ 20 b", b"error decoding key"),
    (base64.b64encode(b"k" * 251) + b" 20 b", b"bad command line format"),
]]


# ---- binary ----

B_SET = 0x01


def packet(opcode, key=b"", extras=b"", data=b"", key_len=None, extras_len=None, body_len=None,
           magic=0x80, opaque=0x01020304, cas=0):
    """The lengths may be lies."""
    body = extras + key + data
    return struct.pack(
        ">BBHBBHIIQ", magic, opcode, len(key) if key_len is None else key_len,
        len(extras) if extras_len is None else extras_len, 0, 0,
        len(body) if body_len is None else body_len, opaque, cas) + body


B_EXTRAS = struct.pack(">II", 0, 0)
B_TELL = packet(B_SET, b"pwned", B_EXTRAS, b"x")

# Well formed ones of every kind, for fragments.
PACKETS = [
    packet(0x00, b"a"), packet(0x09, b"nothing") + packet(0x0a), packet(0x0c, b"a"),
    packet(B_SET, b"c", B_EXTRAS, TELL), packet(B_SET, b"c", B_EXTRAS, B_TELL),
    packet(0x02, b"a", B_EXTRAS, b"1"), packet(0x03, b"nothing", B_EXTRAS, b"1"),
    packet(0x04, b"nothing"), packet(0x05, b"n", struct.pack(">QQI", 0, 0, 0)),
    packet(0x0e, b"c", b"", B_TELL), packet(0x1c, b"a", struct.pack(">I", 0)),
    packet(0x1d, b"a", struct.pack(">I", 0)), packet(0x0b), packet(0x20),
]


def binary_lies():
    """Heads whose lengths do not fit together; behind them both tell-tales."""
    for opcode in range(256):
        for key_len, extras_len, body_len in (
                (6, 0, 5), (0, 9, 8), (4, 4, 7), (65535, 0, 65534), (65535, 255, 100), (0, 255, 0),
                (251, 8, 400), (65535, 8, 70000)):
            yield packet(opcode, key_len=key_len, extras_len=extras_len, body_len=body_len)
    for opcode in (0x00, B_SET, 0x02, 0x05, 0x0a, 0x0e, 0x10, 0x1c, 0x21, 0xff):
        for body_len in (0x7fffffff, 0x80000000, 0xffffffe8, 0xfffffff8, 0xffffffff, 1 << 30):
            for key_len, extras_len in ((1, 8), (0, 0), (65535, 255), (250, 20)):
                yield packet(opcode, key_len=key_len, extras_len=extras_len, body_len=body_len)


def binary_extras():
    """Every opcode with extras that it does not have, with and without a key."""
    for opcode in range(256):
        for n in (1, 3, 4, 5, 8, 9, 20, 21, 255):
            yield packet(opcode, b"a", b"\0" * n, B_TELL)
        yield packet(opcode, b"", b"", B_TELL)
        yield packet(opcode, K250, b"", b"")
        yield packet(opcode, K251, B_EXTRAS, B_TELL)


def binary_odd():
    """Text among packets, packets among text, other heads."""
    for byte in range(256):
        yield packet(0x0a, magic=byte) + B_TELL[:23]
        yield packet(0x0a) + bytes([byte]) * 30
    yield packet(0x0a) + b"get a\r\n" * 20
    yield b"\x80" * 5000
    yield b"\x81" * 5000
    yield b"get a\r\n" + packet(0x0a)
    yield b"set a 0 0 %d\r\n%b\r\n" % (len(B_TELL), B_TELL)
    yield b"set a x 0 %d\r\n%b\r\n" % (len(B_TELL), B_TELL)
    yield packet(0x0a, opaque=0xffffffff, cas=0xffffffffffffffff) * 50
    for mechanism in (b"PLAIN", b"", b"x" * 250):
        yield packet(0x21, mechanism, b"", b"\0user\0secret")


# What memcached says to extras of 3 bytes, and to heads that lie.
BINARY_EXTRAS_STATUS = [(opcode, b"\0\x04") for opcode in
                        [*range(0x00, 0x0a), *range(0x0b, 0x1b), 0x1c, 0x1d, 0x1e]] + [
    (opcode, b"\0\x81") for opcode in (0x1b, 0x1f, 0x25, 0x2f, 0x50, 0xff)]
BINARY_LIES_STATUS = [
    (6, 0, 5, b"\0\x81"), (0, 9, 8, b"\0\x81"), (4, 4, 7, b"\0\x81"),
    (1, 8, 0x7fffffff, b"\0\x04"), (1, 8, 0xffffffff, b"\0\x04"), (0, 0, 1 << 30, b"\0\x04"),
]
