"""Packets of the binary protocol: requests to bytes, bytes to answers."""

import struct
from collections import namedtuple

from lib import wire

GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT = range(0x00, 0x08)
FLUSH, GETQ, NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND = range(0x08, 0x10)
STAT, SETQ, ADDQ, REPLACEQ, DELETEQ, INCRQ, DECRQ, QUITQ = range(0x10, 0x18)
FLUSHQ, APPENDQ, PREPENDQ = range(0x18, 0x1b)
TOUCH, GAT, GATQ = range(0x1c, 0x1f)
GATK, GATKQ = 0x23, 0x24
SASL_LIST, SASL_AUTH, SASL_STEP = 0x20, 0x21, 0x22

WORDS = {
    0x00: b"", 0x01: b"Not found", 0x02: b"Data exists for key.", 0x03: b"Too large.",
    0x04: b"Invalid arguments", 0x05: b"Not stored.",
    0x06: b"Non-numeric server-side value for incr or decr", 0x20: b"Auth failure.",
    0x81: b"Unknown command",
}
HEAD = struct.Struct(">BBHBBHI4sQ")
SOME = object()         # a cas that is not 0

Answer = namedtuple("Answer", "opcode status extras key value cas opaque")


def packet(opcode, key=b"", value=b"", extras=b"", cas=0, opaque=b"opaq", more=0, magic=0x80):
    """`more`: bytes that the head tells of and that are not there."""
    body = extras + key + value
    return HEAD.pack(magic, opcode, len(key), len(extras), 0, 0, len(body) + more, opaque,
                     cas) + body


def store(opcode, key, value, flags=0, exptime=0, cas=0, **rest):
    return packet(opcode, key, value, struct.pack(">II", flags, exptime), cas, **rest)


def count(opcode, key, delta=1, initial=0, exptime=0xffffffff, cas=0, **rest):
    return packet(opcode, key, b"", struct.pack(">QQI", delta, initial, exptime), cas, **rest)


def touch(opcode, key, exptime=0, **rest):
    return packet(opcode, key, b"", struct.pack(">I", exptime), **rest)


def says(opcode, status=0, value=None, flags=None, key=b"", cas=None, opaque=b"opaq"):
    """
    What is answered.  With `flags` it is a hit; with no value it is what
    memcached says along with the status.
    """
    hit = flags is not None
    return Answer(opcode, status, struct.pack(">I", flags) if hit else b"", key,
                  WORDS[status] if value is None else value,
                  cas if cas is not None else SOME if hit else 0, opaque)


def number(opcode, n):
    return says(opcode, value=struct.pack(">Q", n), cas=SOME)


def unpack(data):
    """All answers in `data`, which must be whole ones."""
    found = []
    while data:
        magic, opcode, key_len, extras_len, kind, status, body_len, opaque, cas = \
            HEAD.unpack_from(data)
        body, data = data[HEAD.size:HEAD.size + body_len], data[HEAD.size + body_len:]
        if (magic, kind, len(body)) != (0x81, 0, body_len) or key_len + extras_len > body_len:
            raise AssertionError("no answer: %r" % body[:100])
        value_at = extras_len + key_len
        found.append(Answer(opcode, status, body[:extras_len], body[extras_len:value_at],
                            body[value_at:], cas, opaque))
    return found


def same(got, expected):
    """Compares answers, of a cas that is SOME only whether there is one."""
    return len(got) == len(expected) and all(
        a._replace(cas=SOME if b.cas is SOME and a.cas > 0 else a.cas) == b
        for a, b in zip(got, expected))


LAST = packet(NOOP, opaque=b"\xff\xfe\xfd\xfc")
LAST_SAID = HEAD.pack(0x81, NOOP, 0, 0, 0, 0, 0, b"\xff\xfe\xfd\xfc", 0)


def ask(sock, out):
    """
    Sends `out` and returns all answers to it: a noop behind it tells where they
    end, and that nothing of `out` was left over.
    """
    got, ended = wire.exchange(sock, out + LAST, lambda got: got.endswith(LAST_SAID))
    if ended:
        raise AssertionError("hung up after %r" % unpack(got)[-3:])
    return unpack(got[:-len(LAST_SAID)])


def until_end(sock, out):
    return unpack(wire.until_end(sock, out))


def stats(sock, group=b""):
    """The answers to a stat as a dict of str."""
    found = {}
    *answers, last = ask(sock, packet(STAT, group))
    if last != says(STAT):
        raise AssertionError("stat %r: ends with %r" % (group, last))
    for a in answers:
        name = a.key.decode()
        if a != says(STAT, key=a.key, value=a.value) or name in found:
            raise AssertionError("stat %r: %r" % (group, a))
        found[name] = a.value.decode()
    return found
