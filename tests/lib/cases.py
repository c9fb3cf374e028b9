"""Requests and their answers, as memcached 1.6.45 gives them."""

BAD = b"CLIENT_ERROR bad command line format\r\n"
EXPTIME = b"CLIENT_ERROR invalid exptime argument\r\n"
DELTA = b"CLIENT_ERROR invalid numeric delta argument\r\n"
CHUNK = b"CLIENT_ERROR bad data chunk\r\n"
NUMBER = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
LARGE = b"SERVER_ERROR object too large for cache\r\n"
ERROR = b"ERROR\r\n"
END = b"END\r\n"
STORED = b"STORED\r\n"
NOT_STORED = b"NOT_STORED\r\n"
EXISTS = b"EXISTS\r\n"
NOT_FOUND = b"NOT_FOUND\r\n"
DELETED = b"DELETED\r\n"
TOUCHED = b"TOUCHED\r\n"
OK = b"OK\r\n"
SILENCE = b""

K250 = b"k" * 250
K251 = b"k" * 251


def value(key, data, flags=0):
    return b"VALUE %b %d %d\r\n%b\r\n" % (key, flags, len(data), data)


def found(key, data, flags=0):
    return value(key, data, flags) + END


# Nothing is stored.  What looks like a block behind a line is one.
LINES = [
    (b"", BAD), (b" ", BAD), (b"  ", ERROR), (b"g", BAD), (b"\n", BAD + BAD),
    (b"foo", ERROR), (b"GET a", ERROR), (b" get a", ERROR), (b"getx a", ERROR),
    (b"versionx", ERROR), (b"flush_allx", ERROR), (b"quitx", ERROR), (b"\x01\x02", ERROR),
    (b"set\ta 0 0 1", ERROR), (b"foo noreply", SILENCE),

    (b"get", BAD), (b"get ", BAD), (b"get  ", BAD), (b"gets", BAD), (b"gat", BAD),
    (b"gats", BAD), (b"gat 0", BAD), (b"gats 0", BAD), (b"gat a", BAD),
    (b"gat x a", EXPTIME), (b"gats 1x a", EXPTIME),
    (b"get a", END), (b"gets a", END), (b"gat 0 a", END), (b"gats 0 a b", END),
    (b"get  a", END), (b"get a ", END), (b"get a b c", END), (b"get a\tb", END),
    (b"get noreply", END), (b"get a noreply", END), (b"get \x80\xff", END),
    (b"get " + K250, END), (b"get " + K250 + b" " + K250, END),
    (b"get " + K251, BAD), (b"get a " + K251, BAD), (b"get " + K251 + b" a", BAD),
    (b"gat 0 " + K251, BAD),

    (b"set", BAD), (b"set a", BAD), (b"set a b", BAD), (b"cas", BAD), (b"set a noreply", BAD),
    (b"set a x 0 1\r\nX", BAD), (b"set a 0 x 1\r\nX", BAD), (b"set a -1 0 1\r\nX", BAD),
    (b"set a 1a 0 1\r\nX", BAD), (b"set a 0 1a 1\r\nX", BAD), (b"set a 0x 0 1\r\nX", BAD),
    (b"set " + K251 + b" 0 0 1\r\nX", BAD), (b"set " + K251 + b" 0 0 1 noreply\r\nX", SILENCE),
    (b"set a x 0 10\r\nflush_all\n", BAD), (b"set a x 0 1 noreply\r\nX", SILENCE),
    (b"replace a x 0 1\r\nX", BAD), (b"append a 0 x 1\r\nX", BAD),
    (b"cas a 0 0 1\r\nX", BAD), (b"cas a 0 0 1 noreply\r\nX", SILENCE),
    (b"cas a 0 0 1 x\r\nX", BAD), (b"cas a 0 0 1 -1\r\nX", BAD),
    (b"cas a 0 0 1 18446744073709551616\r\nX", BAD),
    (b"cas a 0 0 1 0\r\nX", NOT_FOUND), (b"cas a 0 0 1 18446744073709551615\r\nX", NOT_FOUND),
    (b"cas a 0 0 1 1 noreply\r\nX", SILENCE),
    (b"replace a 0 0 1\r\nX", NOT_STORED), (b"append a 0 0 1\r\nX", NOT_STORED),
    (b"prepend a 0 0 1\r\nX", NOT_STORED), (b"replace a 0 0 1 noreply\r\nX", SILENCE),
    (b"set a 0 0 1\r\nXYZ", CHUNK + BAD), (b"set a 0 0 1 noreply\r\nXYZ", BAD),
    (b"cas a 0 0 1 5\r\nXYZ", CHUNK + BAD),

    (b"delete", BAD), (b"delete a", NOT_FOUND), (b"delete a 0", NOT_FOUND),
    (b"delete a noreply", SILENCE), (b"delete a 0 noreply", SILENCE),
    (b"delete " + K251, BAD), (b"delete " + K251 + b" noreply", SILENCE),

    (b"incr", BAD), (b"incr a", BAD), (b"decr a", BAD), (b"incr a x", DELTA),
    (b"decr a -1", DELTA), (b"incr a 18446744073709551616", DELTA),
    (b"incr a 18446744073709551615", NOT_FOUND), (b"incr a 1", NOT_FOUND),
    (b"decr a 1", NOT_FOUND), (b"incr a 1 2", NOT_FOUND), (b"incr a 1 noreply", SILENCE),
    (b"incr a x noreply", SILENCE), (b"incr a noreply", SILENCE), (b"incr " + K251 + b" 1", BAD),

    (b"touch", BAD), (b"touch a", BAD), (b"touch a x", EXPTIME), (b"touch a 0", NOT_FOUND),
    (b"touch a -1", NOT_FOUND), (b"touch a 0 noreply", SILENCE),
    (b"touch a x noreply", SILENCE), (b"touch " + K251 + b" 0", BAD),

    (b"flush_all", OK), (b"flush_all 0", OK), (b"flush_all -1", OK), (b"flush_all  ", OK),
    (b"flush_all noreply", SILENCE), (b"flush_all 0 noreply", SILENCE),
    (b"flush_all x", EXPTIME),

    (b"verbosity", BAD), (b"verbosity x", BAD), (b"verbosity -1", BAD), (b"verbosity 0", OK),
    (b"verbosity 0 noreply", SILENCE), (b"verbosity noreply", SILENCE),

    (b"cache_memlimit", ERROR), (b"cache_memlimit x", ERROR), (b"cache_memlimit 64", OK),
    (b"cache_memlimit 64 noreply", SILENCE),
    (b"cache_memlimit 1", b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"),
    (b"cache_memlimit 1000000001",
     b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"),

    (b"shutdown", b"SERVER_ERROR: shutdown not enabled\r\n"),
    (b"stats foo", ERROR), (b"stats noreply", ERROR), (b"stats reset", b"RESET\r\n"),
]

# Where chcached differs, and why is in chcached-protocol(7).
OWN_LINES = [
    (b"delete a 1", b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"),
    (b"delete a b c", b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"),
    (b"delete a 1 noreply", SILENCE),
    (b"get a\x00b", BAD), (b"get a\rb", BAD), (b"get a\r", BAD), (b"delete a\x00", BAD),
    (b"set a\x00b 0 0 1\r\nX", BAD), (b"set a\rb 0 0 1\r\nX", BAD),
    (b"set a 4294967296 0 1\r\nX", BAD), (b"set a +0 0 1\r\nX", BAD),
    (b"set a 0 +0 1\r\nX", BAD),
]

# The length of the block cannot be read, so where it ends is not known.
CLOSING_LINES = [
    (b"set 5", BAD), (b"set a 0", BAD), (b"set a 0 0", BAD), (b"set  0 0 5", BAD),
    (b"add a 0 0", BAD), (b"cas a 0 0", BAD), (b"ms 5", BAD), (b"ms a x", BAD),
    (b"set a 0 0 x", BAD), (b"set a 0 0 -1", BAD), (b"set a 0 0 +1", BAD),
    (b"set a 0 0 1a", BAD), (b"set a 0 0 0x1", BAD), (b"set a 0 0 99999999999", BAD),
    (b"add a 0 0 2147483648", BAD), (b"cas a 0 0 x 5", BAD),
]

HANG_UP_LINES = [b"quit", b"quit a", b"quit noreply", b"GET / HTTP/1.1"]

# Each step: what is sent, what is answered.  They begin with nothing stored.
TALKS = {
    "set and get": [
        (b"set a 0 0 5\r\nhello\r\n", STORED),
        (b"get a\r\n", found(b"a", b"hello")),
        (b"set a 4294967295 0 0\r\n\r\n", STORED),
        (b"get a\r\n", found(b"a", b"", 4294967295)),
        (b"set  a  007  0  01 \r\nX\r\n", STORED),
        (b"get a\r\n", found(b"a", b"X", 7)),
        (b"set a 0 0 1 foo\r\nY\r\n", STORED),
        (b"set a 0 0 1 noreply\r\nZ\r\n", SILENCE),
        (b"get a\r\n", found(b"a", b"Z")),
        (b"set " + K250 + b" 0 0 1\r\nK\r\n", STORED),
        (b"get " + K250 + b"\r\n", found(K250, b"K")),
        (b"set \x80\xff\x01 0 0 1\r\nB\r\n", STORED),
        (b"get \x80\xff\x01\r\n", found(b"\x80\xff\x01", b"B")),
        (b"set noreply 0 0 1\r\nN\r\n", STORED),
        (b"get noreply\r\n", found(b"noreply", b"N")),
    ],
    "add and replace": [
        (b"add a 1 0 1\r\nA\r\n", STORED),
        (b"add a 2 0 1\r\nB\r\n", NOT_STORED),
        (b"get a\r\n", found(b"a", b"A", 1)),
        (b"replace a 3 0 2\r\nCC\r\n", STORED),
        (b"replace b 3 0 2\r\nCC\r\n", NOT_STORED),
        (b"get a b\r\n", found(b"a", b"CC", 3)),
        (b"add b 0 0 1 noreply\r\nD\r\n", SILENCE),
        (b"replace b 0 0 1 noreply\r\nE\r\n", SILENCE),
        (b"get b\r\n", found(b"b", b"E")),
        (b"delete a\r\n", DELETED),
        (b"add a 0 0 1\r\nF\r\n", STORED),
        (b"get a\r\n", found(b"a", b"F")),
    ],
    "append and prepend keep flags": [
        (b"set a 7 0 5\r\nhello\r\n", STORED),
        (b"append a 9 0 1\r\n!\r\n", STORED),
        (b"prepend a 0 0 2\r\n> \r\n", STORED),
        (b"get a\r\n", found(b"a", b"> hello!", 7)),
        (b"append a 0 0 1 noreply\r\n?\r\n", SILENCE),
        (b"append a 0 0 0\r\n\r\n", STORED),
        (b"get a\r\n", found(b"a", b"> hello!?", 7)),
    ],
    "delete": [
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"delete a\r\n", DELETED),
        (b"delete a\r\n", NOT_FOUND),
        (b"get a\r\n", END),
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"delete a 0\r\n", DELETED),
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"delete a 0 noreply\r\n", SILENCE),
        (b"get a\r\n", END),
    ],
    "incr and decr": [
        (b"set n 5 0 2\r\n10\r\n", STORED),
        (b"incr n 5\r\n", b"15\r\n"),
        (b"decr n 6\r\n", b"9\r\n"),
        (b"get n\r\n", found(b"n", b"9 ", 5)),
        (b"decr n 100\r\n", b"0\r\n"),
        (b"incr n 999\r\n", b"999\r\n"),
        (b"get n\r\n", found(b"n", b"999", 5)),
        (b"incr n 1\r\n", b"1000\r\n"),
        (b"get n\r\n", found(b"n", b"1000", 5)),
        (b"incr n 1 noreply\r\n", SILENCE),
        (b"decr n 0\r\n", b"1001\r\n"),
        (b"set n 0 0 20\r\n18446744073709551615\r\n", STORED),
        (b"incr n 1\r\n", b"0\r\n"),
        (b"get n\r\n", found(b"n", b"0" + b" " * 19)),
        (b"set n 0 0 3\r\n007\r\n", STORED),
        (b"incr n 1\r\n", b"8\r\n"),
        (b"get n\r\n", found(b"n", b"8  ")),
        (b"incr n 18446744073709551615\r\n", b"7\r\n"),
    ],
    "incr of what is no number": [
        (b"set n 0 0 1\r\nx\r\n", STORED),
        (b"incr n 1\r\n", NUMBER),
        (b"decr n 1\r\n", NUMBER),
        (b"incr n 1 noreply\r\n", SILENCE),
        (b"set n 0 0 0\r\n\r\n", STORED),
        (b"incr n 1\r\n", NUMBER),
        (b"set n 0 0 2\r\n-1\r\n", STORED),
        (b"incr n 1\r\n", NUMBER),
        (b"set n 0 0 20\r\n18446744073709551616\r\n", STORED),
        (b"incr n 1\r\n", NUMBER),
        (b"get n\r\n", found(b"n", b"18446744073709551616")),
    ],
    "touch, gat and negative times": [
        (b"set a 5 0 1\r\nA\r\n", STORED),
        (b"gat 0 a b a\r\n", value(b"a", b"A", 5) + found(b"a", b"A", 5)),
        (b"touch a 1000\r\n", TOUCHED),
        (b"touch a 0 noreply\r\n", SILENCE),
        (b"get a\r\n", found(b"a", b"A", 5)),
        (b"touch a -1\r\n", TOUCHED),
        (b"get a\r\n", END),
        (b"touch a 0\r\n", NOT_FOUND),
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"gat -1 a\r\n", found(b"a", b"A")),
        (b"get a\r\n", END),
        (b"set a 0 -1 1\r\nA\r\n", STORED),
        (b"get a\r\n", END),
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"set a 0 -1 1\r\nB\r\n", STORED),
        (b"get a\r\n", END),
    ],
    "thirty days are relative, more is a date": [
        (b"set a 0 2592000 1\r\nA\r\n", STORED),
        (b"get a\r\n", found(b"a", b"A")),
        (b"set a 0 2592001 1\r\nA\r\n", STORED),
        (b"get a\r\n", END),
    ],
    "flush_all": [
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"flush_all\r\n", OK),
        (b"get a\r\n", END),
        (b"add a 0 0 1\r\nB\r\n", STORED),
        (b"get a\r\n", found(b"a", b"B")),
        (b"flush_all 0 noreply\r\n", SILENCE),
        (b"get a\r\n", END),
        (b"incr a 1\r\n", NOT_FOUND),
        (b"set a 0 0 1\r\nC\r\n", STORED),
        (b"flush_all 1000\r\n", OK),
        (b"get a\r\n", found(b"a", b"C")),
        (b"flush_all noreply\r\n", SILENCE),
        (b"get a\r\n", END),
    ],
    "a line may end with a bare newline": [
        (b"set a 0 0 1\nA\r\n", STORED),
        (b"get a\nget b\n", found(b"a", b"A") + END),
        (b"set a x 0 1\nA\r\n", BAD),
        (b"set a 0 0 3 noreply\nA\r\n\r\nget a\n", found(b"a", b"A\r\n")),
        (b"delete a\n", DELETED),
    ],
    "a block that does not end leaves the old value": [
        (b"set a 0 0 1\r\nA\r\n", STORED),
        (b"set a 0 0 1\r\nXYZ\r\n", CHUNK + BAD),
        (b"get a\r\n", found(b"a", b"A")),
    ],
}

# (what is sent before, a request, its answer): cut at every byte.
CUT = [
    (b"set a 0 0 3\r\n123\r\n", request, answer) for request, answer in [
        (b"get a b a\r\n", value(b"a", b"123") + found(b"a", b"123")),
        (b"gat 0 a\r\n", found(b"a", b"123")),
        (b"set a 7 0 5\r\nhe\r\nl\r\n", STORED),
        (b"set a 7 0 5 noreply\r\nhello\r\nget a\r\n", found(b"a", b"hello", 7)),
        (b"add a 0 0 1\r\nX\r\n", NOT_STORED),
        (b"append a 0 0 2\r\n\r\n\r\nget a\r\n", STORED + found(b"a", b"123\r\n")),
        (b"cas a 0 0 1 1\r\nX\r\n", EXISTS),
        (b"incr a 1\r\ndecr a 1\n", b"124\r\n123\r\n"),
        (b"delete a\r\ndelete a noreply\r\n", DELETED),
        (b"touch a 100\r\n", TOUCHED),
        (b"set a x 0 3\r\nabc\r\nget a\r\n", BAD + found(b"a", b"123")),
        (b"get " + b"k" * 40 + b" a\r\n", found(b"a", b"123")),
        (b"foo\r\n\r\n", ERROR + BAD),
        (b"verbosity 0\r\n", OK),
        (b"flush_all\r\nget a\r\n", OK + END),
    ]
]
