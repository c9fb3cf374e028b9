"""Binary requests and their answers, as memcached 1.6.45 gives them."""

from lib.packet import (ADD, ADDQ, APPEND, APPENDQ, DECR, DECRQ, DELETE, DELETEQ, FLUSH,
                        FLUSHQ, GAT, GATK, GATKQ, GATQ, GET, GETK, GETKQ, GETQ, INCR, INCRQ,
                        NOOP, PREPEND, PREPENDQ, QUIT, QUITQ, REPLACE, REPLACEQ, SASL_AUTH,
                        SASL_LIST, SASL_STEP, SET, SETQ, SOME, STAT, TOUCH, VERSION, count,
                        number, packet, says, store, touch)

NOT_FOUND, EXISTS, LARGE, INVALID, NOT_STORED, NUMBER, UNKNOWN = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x81)

K250 = b"k" * 250
HUGE = b"x" * (2 << 20)


def done(opcode, **rest):
    return says(opcode, cas=SOME, **rest)


# Each step: what is sent, what is answered.  They begin with nothing stored.
TALKS = {
    "nothing is there": [
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (packet(GETK, b"a"), [says(GETK, NOT_FOUND, b"", key=b"a")]),
        (packet(GETQ, b"a"), []),
        (packet(GETKQ, b"a"), []),
        (touch(TOUCH, b"a"), [says(TOUCH, NOT_FOUND)]),
        (touch(GAT, b"a"), [says(GAT, NOT_FOUND)]),
        (touch(GATK, b"a"), [says(GATK, NOT_FOUND, b"", key=b"a")]),
        (touch(GATQ, b"a"), []),
        (touch(GATKQ, b"a"), []),
        (packet(DELETE, b"a"), [says(DELETE, NOT_FOUND)]),
        (packet(DELETEQ, b"a"), [says(DELETEQ, NOT_FOUND)]),
        (store(REPLACE, b"a", b"1"), [says(REPLACE, NOT_FOUND)]),
        (store(REPLACEQ, b"a", b"1"), [says(REPLACEQ, NOT_FOUND)]),
        (packet(APPEND, b"a", b"1"), [says(APPEND, NOT_STORED)]),
        (packet(PREPENDQ, b"a", b"1"), [says(PREPENDQ, NOT_STORED)]),
        (count(INCR, b"a"), [says(INCR, NOT_FOUND)]),
        (count(DECRQ, b"a"), [says(DECRQ, NOT_FOUND)]),
        (store(SET, b"a", b"1", cas=5), [says(SET, NOT_FOUND)]),
        (store(ADDQ, b"a", b"1", cas=5), [says(ADDQ, NOT_FOUND)]),
        (packet(GET, K250), [says(GET, NOT_FOUND)]),
    ],
    "set and get": [
        (store(SET, b"a", b"hello", 7), [done(SET)]),
        (packet(GET, b"a"), [says(GET, value=b"hello", flags=7)]),
        (packet(GETQ, b"a"), [says(GETQ, value=b"hello", flags=7)]),
        (packet(GETK, b"a"), [says(GETK, value=b"hello", flags=7, key=b"a")]),
        (packet(GETKQ, b"a"), [says(GETKQ, value=b"hello", flags=7, key=b"a")]),
        (touch(GAT, b"a"), [says(GAT, value=b"hello", flags=7)]),
        (touch(GATQ, b"a"), [says(GATQ, value=b"hello", flags=7)]),
        (touch(GATK, b"a"), [says(GATK, value=b"hello", flags=7, key=b"a")]),
        (touch(GATKQ, b"a"), [says(GATKQ, value=b"hello", flags=7, key=b"a")]),
        (touch(TOUCH, b"a"), [says(TOUCH, value=b"", flags=7)]),
        (store(SETQ, b"a", b"", 0xffffffff), []),
        (packet(GETK, b"a"), [says(GETK, value=b"", flags=0xffffffff, key=b"a")]),
        (store(SET, K250, b"K"), [done(SET)]),
        (packet(GETK, K250), [says(GETK, value=b"K", flags=0, key=K250)]),
        (store(SET, b" \r\n\0\xff", b"odd"), [done(SET)]),
        (packet(GETK, b" \r\n\0\xff"), [says(GETK, value=b"odd", flags=0, key=b" \r\n\0\xff")]),
    ],
    "add and replace": [
        (store(ADD, b"a", b"1", 1), [done(ADD)]),
        (store(ADD, b"a", b"2"), [says(ADD, EXISTS)]),
        (store(ADDQ, b"a", b"2"), [says(ADDQ, EXISTS)]),
        (store(ADDQ, b"b", b"2"), []),
        (store(REPLACE, b"a", b"3", 3), [done(REPLACE)]),
        (packet(GET, b"a"), [says(GET, value=b"3", flags=3)]),
        (store(REPLACEQ, b"b", b"4", 4), []),
        (packet(GET, b"b"), [says(GET, value=b"4", flags=4)]),
    ],
    "append and prepend": [
        (store(SET, b"a", b"b", 7), [done(SET)]),
        (packet(APPEND, b"a", b"c"), [done(APPEND)]),
        (packet(PREPEND, b"a", b"a"), [done(PREPEND)]),
        (packet(APPENDQ, b"a", b"!"), []),
        (packet(PREPENDQ, b"a", b">"), []),
        (packet(APPEND, b"a"), [done(APPEND)]),
        (packet(GET, b"a"), [says(GET, value=b">abc!", flags=7)]),
        (packet(APPEND, b"a", b"c", cas=1), [says(APPEND, EXISTS)]),
        (packet(PREPENDQ, b"a", b"c", cas=1), [says(PREPENDQ, EXISTS)]),
        (packet(GET, b"a"), [says(GET, value=b">abc!", flags=7)]),
    ],
    "delete": [
        (store(SET, b"a", b"1"), [done(SET)]),
        (packet(DELETE, b"a", cas=1), [says(DELETE, EXISTS)]),
        (packet(DELETE, b"a"), [says(DELETE)]),
        (store(SET, b"a", b"1"), [done(SET)]),
        (packet(DELETEQ, b"a", cas=1), [says(DELETEQ, EXISTS)]),
        (packet(DELETEQ, b"a"), []),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
    ],
    "a cas that is another": [
        (store(SET, b"a", b"1"), [done(SET)]),
        (store(SET, b"a", b"2", cas=1), [says(SET, EXISTS)]),
        (store(SETQ, b"a", b"2", cas=1), [says(SETQ, EXISTS)]),
        (store(ADD, b"a", b"2", cas=1), [says(ADD, EXISTS)]),
        (store(REPLACE, b"a", b"2", cas=1), [says(REPLACE, EXISTS)]),
        (packet(GET, b"a", cas=1), [says(GET, value=b"1", flags=0)]),
        (touch(TOUCH, b"a", cas=1), [says(TOUCH, value=b"", flags=0)]),
    ],
    "incr and decr": [
        (count(INCR, b"n", 5, 10, 0), [number(INCR, 10)]),
        (packet(GET, b"n"), [says(GET, value=b"10", flags=0)]),
        (count(INCR, b"n", 5, 10, 0), [number(INCR, 15)]),
        (count(DECR, b"n", 6), [number(DECR, 9)]),
        (packet(GET, b"n"), [says(GET, value=b"9 ", flags=0)]),
        (count(INCRQ, b"n", 1), []),
        (count(DECRQ, b"n", 2), []),
        (count(INCR, b"n", 0), [number(INCR, 8)]),
        (count(DECR, b"n", 100), [number(DECR, 0)]),
        (count(DECR, b"m", 1, 0xffffffffffffffff, 0), [number(DECR, 0xffffffffffffffff)]),
        (count(INCR, b"m", 2), [number(INCR, 1)]),
        (count(INCRQ, b"o", 1, 7, 0), []),
        (packet(GET, b"o"), [says(GET, value=b"7", flags=0)]),
        (count(INCR, b"o", cas=1), [says(INCR, EXISTS)]),
        (count(DECRQ, b"o", cas=1), [says(DECRQ, EXISTS)]),
        (store(SET, b"x", b"x"), [done(SET)]),
        (count(INCR, b"x", 1, 7, 0), [says(INCR, NUMBER)]),
        (count(DECRQ, b"x"), [says(DECRQ, NUMBER)]),
    ],
    "times": [
        (store(SET, b"a", b"1", exptime=2592001), [done(SET)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (store(SET, b"a", b"1", exptime=1000), [done(SET)]),
        (touch(TOUCH, b"a", 2592001), [says(TOUCH, value=b"", flags=0)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (store(SET, b"a", b"1"), [done(SET)]),
        (touch(GATK, b"a", 2592001), [says(GATK, value=b"1", flags=0, key=b"a")]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (count(INCR, b"n", 1, 5, 2592001), [number(INCR, 5)]),
        (count(INCR, b"n"), [says(INCR, NOT_FOUND)]),
    ],
    "noop and version": [
        (packet(NOOP), [says(NOOP)]),
        (packet(NOOP, cas=9, opaque=b"\0\1\2\3"), [says(NOOP, opaque=b"\0\1\2\3")]),
        (packet(NOOP, opaque=b"a" * 4) + packet(NOOP, opaque=b"b" * 4),
         [says(NOOP, opaque=b"a" * 4), says(NOOP, opaque=b"b" * 4)]),
    ],
    "unknown opcodes": [
        (packet(opcode), [says(opcode, UNKNOWN)])
        for opcode in (0x1b, 0x1f, 0x25, 0x30, 0x3e, 0x7f, 0xff)
    ] + [
        (packet(0x50, value=b"any body " * 1000), [says(0x50, UNKNOWN)]),
        (packet(NOOP), [says(NOOP)]),
    ],
    "quiet pipelines end with a noop": [
        (b"".join(store(SETQ, b"k%d" % i, b"%d" % i) for i in range(20)) + packet(NOOP),
         [says(NOOP)]),
        (b"".join(packet(GETKQ, b"k%d" % i) for i in range(25)) + packet(NOOP),
         [says(GETKQ, value=b"%d" % i, flags=0, key=b"k%d" % i) for i in range(20)]
         + [says(NOOP)]),
        (b"".join(touch(GATQ, b"k%d" % i, opaque=b"%04d" % i) for i in range(25)) + packet(NOOP),
         [says(GATQ, value=b"%d" % i, flags=0, opaque=b"%04d" % i) for i in range(20)]
         + [says(NOOP)]),
        (b"".join(packet(DELETEQ, b"k%d" % i) for i in range(18, 21)) + packet(GETQ, b"k18")
         + store(ADDQ, b"k1", b"x", opaque=b"add!") + packet(NOOP),
         [says(DELETEQ, NOT_FOUND), says(ADDQ, EXISTS, opaque=b"add!"), says(NOOP)]),
        (b"".join(count(INCRQ, b"k%d" % i) for i in range(10)) + packet(GETQ, b"k9")
         + packet(NOOP),
         [says(GETQ, value=b"10", flags=0), says(NOOP)]),
    ],
    "too large for a set removes the old value": [
        (store(SET, b"a", b"old"), [done(SET)]),
        (store(REPLACE, b"a", HUGE), [says(REPLACE, LARGE)]),
        (store(ADDQ, b"b", HUGE), [says(ADDQ, LARGE)]),
        (packet(APPEND, b"a", HUGE), [says(APPEND, LARGE)]),
        (packet(GET, b"a"), [says(GET, value=b"old", flags=0)]),
        (store(SET, b"a", HUGE), [says(SET, LARGE)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (store(SET, b"a", b"old"), [done(SET)]),
        (store(SETQ, b"a", HUGE), [says(SETQ, LARGE)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
    ],
}

OWN_TALKS = {
    "flush": [
        (store(SET, b"a", b"1"), [done(SET)]),
        (packet(FLUSH), [says(FLUSH)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (store(SET, b"a", b"1"), [done(SET)]),
        (packet(FLUSH, extras=b"\0\0\0\0"), [says(FLUSH)]),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
        (store(SET, b"a", b"1"), [done(SET)]),
        (packet(FLUSH, extras=b"\0\0\3\xe8"), [says(FLUSH)]),
        (packet(GET, b"a"), [says(GET, value=b"1", flags=0)]),
        (packet(FLUSHQ), []),
        (packet(GET, b"a"), [says(GET, NOT_FOUND)]),
    ],
    "SASL is unknown": [
        (packet(SASL_LIST), [says(SASL_LIST, UNKNOWN)]),
        (packet(SASL_AUTH, b"PLAIN", b"\0user\0password"), [says(SASL_AUTH, UNKNOWN)]),
        (packet(SASL_STEP, b"PLAIN", b"\0user\0password"), [says(SASL_STEP, UNKNOWN)]),
    ],
    "an unknown opcode takes its whole body": [
        (packet(0x50, b"key", packet(FLUSH), b"extras"), [says(0x50, UNKNOWN)]),
    ],
}

# What ends the connection, and the answer before that.
CLOSING = [
    (packet(op, *rest), says(op, INVALID)) for op, *rest in [
        (GET,), (GET, b"k", b"", b"1234"), (GETQ, b""), (GETK,), (GETKQ,),
        (GAT, b"k"), (GAT, b"", b"", b"1234"), (TOUCH, b"k"), (GATKQ, b"k", b"", b"12345678"),
        (SET, b"k", b"v"), (SET, b"", b"v", b"12345678"), (SETQ, b"k", b"v", b"1234"),
        (ADD, b"k", b"v", b"123456789"), (REPLACE,),
        (APPEND, b"", b"v"), (PREPEND, b"k", b"v", b"1"), (APPENDQ,),
        (DELETE,), (DELETE, b"k", b"", b"1"), (DELETEQ,),
        (INCR, b"k"), (DECR, b"k", b"", b"1234"), (INCRQ, b"", b"", b"1" * 20),
        (FLUSH, b"k"), (FLUSH, b"", b"", b"1"), (FLUSHQ, b"", b"", b"12345678"),
        (NOOP, b"k"), (NOOP, b"", b"", b"1"), (NOOP, b"", b"v"), (VERSION, b"k"),
        (VERSION, b"", b"v"), (QUIT, b"k"), (QUITQ, b"", b"v"), (STAT, b"", b"", b"1"),
        (GET, b"k" * 251), (SETQ, b"k" * 251, b"v", b"12345678"), (0x50, b"k" * 251),
    ]
] + [
    # lengths that do not fit into the body, or into anything
    (packet(GET, b"k", more=-1), says(GET, UNKNOWN)),
    (store(SETQ, b"k", b"", more=-1), says(SETQ, UNKNOWN)),
    (packet(0x50, b"k", more=-1), says(0x50, UNKNOWN)),
    (packet(SET, b"k", b"v", b"12345678", more=0x7fffffff), says(SET, INVALID)),
    (packet(0x50, more=0x50000000), says(0x50, INVALID)),
]

OWN_CLOSING = [
    (packet(op, *rest), says(op, INVALID)) for op, *rest in [
        (GET, b"k", b"v"), (GETKQ, b"k", packet(NOOP)), (DELETE, b"k", b"v"),
        (TOUCH, b"k", b"v", b"1234"), (INCR, b"k", b"v", b"1" * 20), (STAT, b"", b"v"),
    ]
]

# (what is sent before, requests, their answers): cut at every byte.
CUT = [
    (store(SETQ, b"a", b"123", 5), request, answers) for request, answers in [
        (packet(GETK, b"a"), [says(GETK, value=b"123", flags=5, key=b"a")]),
        (packet(GETQ, b"b") + touch(GAT, b"a"), [says(GAT, value=b"123", flags=5)]),
        (store(SET, b"a", b"hello", 6) + packet(GETQ, b"a"),
         [done(SET), says(GETQ, value=b"hello", flags=6)]),
        (packet(APPENDQ, b"a", packet(NOOP)) + packet(GET, b"a"),
         [says(GET, value=b"123" + packet(NOOP), flags=5)]),
        (count(INCR, b"a") + packet(DELETEQ, b"a"), [number(INCR, 124)]),
        (packet(0x50, value=packet(QUIT)) + packet(NOOP), [says(0x50, UNKNOWN), says(NOOP)]),
    ]
]

# All that has an opcode of its own.
OPCODES = {
    GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT, FLUSH, GETQ, NOOP, VERSION, GETK, GETKQ,
    APPEND, PREPEND, STAT, SETQ, ADDQ, REPLACEQ, DELETEQ, INCRQ, DECRQ, QUITQ, FLUSHQ, APPENDQ,
    PREPENDQ, TOUCH, GAT, GATQ, GATK, GATKQ,
}
