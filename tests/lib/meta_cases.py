"""Meta commands and their answers, as memcached 1.6.45 gives them."""

from lib.cases import (BAD, CHUNK, DELETED, END, ERROR, EXISTS, K250, K251, LARGE, NUMBER,
                       SILENCE, STORED, found)

EN = b"EN\r\n"
HD = b"HD\r\n"
MN = b"MN\r\n"
NF = b"NF\r\n"
NS = b"NS\r\n"
EX = b"EX\r\n"
TOKEN = b"CLIENT_ERROR bad token in command line format\r\n"
FLAG = b"CLIENT_ERROR invalid flag\r\n"
TWICE = b"CLIENT_ERROR duplicate flag\r\n"
MANY = b"CLIENT_ERROR options flags are too long\r\n"
KEY = b"CLIENT_ERROR error decoding key\r\n"
OPAQUE = b"CLIENT_ERROR opaque token too long\r\n"
MS_MODE = b"CLIENT_ERROR invalid mode for ms M token\r\n"
MA_MODE = b"CLIENT_ERROR invalid mode for ma M token\r\n"
MA_FLAG = b"CLIENT_ERROR invalid or duplicate flag\r\n"
INITIAL = b"CLIENT_ERROR invalid numeric initial value\r\n"

O32 = b"O" + b"o" * 31
O33 = b"O" + b"o" * 32
FLAGS_18 = b"t f h l k s v q u M1 L1 P1 I x N0 D1 J1 O1"


def ms(key, data, flags=b""):
    return b"ms %b %d%b\r\n%b\r\n" % (key, len(data), b" " + flags if flags else b"", data)


def va(data, flags=b""):
    return b"VA %d%b\r\n%b\r\n" % (len(data), b" " + flags if flags else b"", data)


# Nothing is stored.
LINES = [
    (b"mn", MN), (b"mn ", MN), (b"mn x", MN), (b"mnx", ERROR), (b"MG a", ERROR),

    (b"mg", BAD), (b"mg a", EN), (b"mg  a  v ", EN), (b"mg a v", EN),
    (b"mg a s t c f h l k O9 v", b"EN ka O9\r\n"), (b"mg a O9 v k", b"EN O9 ka\r\n"),
    (b"mg a q", SILENCE), (b"mg a k O1 q", SILENCE), (b"mg a q C5", SILENCE),
    (b"mg " + K250 + b" k", b"EN k" + K250 + b"\r\n"), (b"mg " + K251, BAD),
    (b"mg " + K251 + b" q", BAD),
    (b"mg a " + O32, b"EN " + O32 + b"\r\n"), (b"mg a " + O33, OPAQUE),
    (b"mg a O", b"EN O\r\n"), (b"mg a " + O33 + b" q", OPAQUE),
    (b"mg a v v", TWICE), (b"mg a O1 O2", TWICE), (b"mg a v q v", TWICE),
    (b"mg a z", FLAG), (b"mg a S", FLAG), (b"mg a W", FLAG), (b"mg a X", FLAG),
    (b"mg a Z", FLAG), (b"mg a 1", FLAG), (b"mg a q z", FLAG), (b"mg a a b c", FLAG),
    (b"mg a !", BAD), (b"mg a z -", BAD), (b"mg a \x7f", BAD), (b"mg a \x80 q", BAD),
    (b"mg a [", FLAG), (b"me a !", BAD), (b"ma a !", BAD), (b"md a q \xff", BAD),
    (b"mg a M x I L P D5 J6", EN), (b"mg a F", BAD), (b"mg a Fx", BAD), (b"mg a F5", EN),
    (b"mg a D J", INITIAL),
    (b"mg a T", TOKEN), (b"mg a Tx", TOKEN), (b"mg a T1x", TOKEN), (b"mg a T0", EN),
    (b"mg a T-1", EN), (b"mg a N", TOKEN), (b"mg a Nx", TOKEN), (b"mg a R", TOKEN),
    (b"mg a Rx", TOKEN), (b"mg a R30", EN), (b"mg a C", TOKEN), (b"mg a Cx", TOKEN),
    (b"mg a C-1", TOKEN), (b"mg a C18446744073709551616", TOKEN),
    (b"mg a C18446744073709551615", EN), (b"mg a E", TOKEN), (b"mg a Ex", TOKEN),
    (b"mg a E-1", TOKEN), (b"mg a E5", EN), (b"mg a q Tx", TOKEN),
    (b"mg YQ== b k", b"EN kYQ== b\r\n"), (b"mg YQ== k b", b"EN kYQ== b\r\n"),
    (b"mg YQ== b v O7", b"EN O7\r\n"), (b"mg YQ b", KEY), (b"mg YQ= b", KEY),
    (b"mg a b", KEY), (b"mg Y*== b", KEY), (b"mg === b", KEY), (b"mg a b q", KEY),
    (b"mg a " + FLAGS_18.replace(b"N0", b"b"), KEY), (b"mg a " + FLAGS_18 + b" E5", MANY),

    (b"md", BAD), (b"md a", NF), (b"md a q", NF), (b"md a k O1 q", b"NF ka O1\r\n"),
    (b"md YQ== b k", b"NF kYQ== b\r\n"), (b"md a b", KEY), (b"md a C5", NF), (b"md a C0", NF),
    (b"md a C", TOKEN), (b"md a Cx q", TOKEN), (b"md a I T30", NF), (b"md a x F5", NF),
    (b"md a T", TOKEN), (b"md a Tx", TOKEN), (b"md a Fx", BAD), (b"md a z", FLAG),
    (b"md a q q", TWICE), (b"md " + K250, NF), (b"md " + K251, BAD), (b"md a " + O33, OPAQUE),

    (b"ma", BAD), (b"ma a", NF), (b"ma a q", NF), (b"ma a k O1 v t c", b"NF ka O1\r\n"),
    (b"ma YQ== b k", b"NF kYQ== b\r\n"), (b"ma a D5 J6 T30", NF), (b"ma a C5", NF),
    (b"ma a MI", NF), (b"ma a M+", NF), (b"ma a MD", NF), (b"ma a M-", NF),
    (b"ma a Mi", MA_MODE), (b"ma a MX", MA_MODE), (b"ma a M", MA_MODE), (b"ma a MX q", MA_MODE),
    (b"ma a Mincr", MA_MODE), (b"ma a MDecr", NF),
    (b"ma a D", MA_FLAG), (b"ma a Dx", MA_FLAG), (b"ma a D-1", MA_FLAG),
    (b"ma a D18446744073709551616", MA_FLAG), (b"ma a Jx", MA_FLAG), (b"ma a N", MA_FLAG),
    (b"ma a Tx", MA_FLAG), (b"ma a b", MA_FLAG), (b"ma a v v", MA_FLAG), (b"ma a z", MA_FLAG),
    (b"ma a Cx", MA_FLAG), (b"ma a " + O33, OPAQUE), (b"ma " + K250, NF),

    (b"me", BAD), (b"me a", EN), (b"me a v", EN), (b"me YQ== b", EN), (b"me " + K250, EN),
    (b"me " + K251, BAD),

    (b"ms", BAD), (b"ms a", BAD),
    (b"ms a 1 C5\r\nX", NF), (b"ms a 1 C0\r\nX", NF), (b"ms a 1 C5 q\r\nX", NF),
    (b"ms a 1 C5 k O1 s c\r\nX", b"NF ka O1 s1 c0\r\n"), (b"ms a 1 C5 I\r\nX", NF),
    (b"ms a 1 C5 MR\r\nX", NF), (b"ms a 1 C5 MA\r\nX", NS), (b"ms a 1 MR\r\nX", NS),
    (b"ms a 1 MR q\r\nX", NS), (b"ms a 1 MA q k\r\nX", b"NS ka\r\n"),
    (b"ms a 1 MP k O1 s\r\nX", b"NS ka O1 s1\r\n"),
    (b"ms a 1 M\r\nX", MS_MODE), (b"ms a 1 MX\r\nX", MS_MODE), (b"ms a 1 Ms\r\nX", MS_MODE),
    (b"ms a 1 Mset\r\nX", MS_MODE), (b"ms a 1 MX q\r\nX", MS_MODE),
    (b"ms a 1 T\r\nX", TOKEN), (b"ms a 1 Tx\r\nX", TOKEN), (b"ms a 1 Cx\r\nX", TOKEN),
    (b"ms a 1 Ex\r\nX", TOKEN), (b"ms a 1 N\r\nX", TOKEN), (b"ms a 1 Tx q\r\nX", TOKEN),
    (b"ms a 1 F\r\nX", BAD), (b"ms a 1 Fx\r\nX", BAD), (b"ms a 1 F-1\r\nX", BAD),
    (b"ms a 1 F4294967296\r\nX", BAD), (b"ms a 1 " + O33 + b"\r\nX", OPAQUE),
    (b"ms a 1 S1\r\nX", FLAG), (b"ms a 1 z\r\nX", FLAG), (b"ms a 1 a q\r\nX", FLAG),
    (b"ms a 1 k k\r\nX", TWICE), (b"ms a 1 b\r\nX", KEY), (b"ms Y 1 b q\r\nX", KEY),
    (b"ms " + K251 + b" 1\r\nX", BAD), (b"ms a 9 z\r\nflush_all", FLAG),
    (b"ms a 1\r\nXYZ", CHUNK + BAD), (b"ms a 1 q\r\nXYZ", CHUNK + BAD),
    (b"ms a 1 C5\r\nXYZ", CHUNK + BAD),
    (b"ms a 1 " + FLAGS_18 + b"\r\nX", MANY),
]

# Where chcached differs, and why is in chcached-protocol(7).
OWN_LINES = [
    (b"mg a\x00b", BAD), (b"mg a\rb", BAD), (b"mg a v\x00", BAD), (b"mn \x00", BAD),
    (b"me a b", BAD),
    (b"ms a\x00b 1\r\nX", BAD), (b"ms a 1 k\x00\r\nX", BAD),
]

# The length of the block cannot be read, so where it ends is not known.
CLOSING_LINES = [
    (b"ms 5", BAD),
    (b"ms a x", BAD), (b"ms a -1", BAD), (b"ms a +1", BAD), (b"ms a 1a", BAD),
    (b"ms a q", BAD), (b"ms a 2147483648", BAD), (b"ms a 99999999999 q", BAD),
]

# Each step: what is sent, what is answered.  They begin with nothing stored.
TALKS = {
    "a value and all that is told of it": [
        (ms(b"a", b"hi", b"E5 F7"), HD),
        (b"mg a\r\n", HD),
        (b"mg a v\r\n", va(b"hi")),
        (b"mg a k v f t c s h O1 q\r\n", va(b"hi", b"ka f7 t-1 c5 s2 h1 O1")),
        (b"mg a O1 h s c t f k\r\n", b"HD O1 h1 s2 c5 t-1 f7 ka\r\n"),
        (b"mg a v q\r\n", va(b"hi")),
        (b"mg a s\r\n", b"HD s2\r\n"),
        (b"mg a v C5 k\r\n", b"HD ka\r\n"),
        (b"mg a v C6 k\r\n", va(b"hi", b"ka")),
        (b"mg a C5 v q k\r\n", b"HD ka\r\n"),
        (ms(b"a", b"", b"F4294967295"), HD),
        (b"mg a v f s\r\n", va(b"", b"f4294967295 s0")),
        (ms(K250, b"K"), HD),
        (b"mg " + K250 + b" k v\r\n", va(b"K", b"k" + K250)),
        (b"mg a t f h l k s v q u M1 L1 P1 I x N0 D1 J1\r\n",
         va(b"", b"t-1 f4294967295 h1 l0 ka s0")),
    ],
    "what ms repeats": [
        (ms(b"a", b"hi", b"k O1 s"), b"HD ka O1 s2\r\n"),
        (ms(b"a", b"hi", b"s O1 k q"), SILENCE),
        (ms(b"a", b"hi", b"c E77"), b"HD c77\r\n"),
        (ms(b"a", b"hi", b"O"), b"HD O\r\n"),
        (ms(b"a", b"hi", b"t h l f v x u L P D5 J6 R30"), HD),
        (ms(b"a", b"hi", b"MS"), HD),
        (ms(b"a", b"hi", b"I"), HD),
        (ms(b"a", b"hi", b"N5"), HD),
        (b"mg a v t\r\n", va(b"hi", b"t-1")),
    ],
    "a fetch leaves its trace unless told not to": [
        (ms(b"a", b"hi"), HD),
        (b"mg a h u\r\n", b"HD h0\r\n"),
        (b"mg a h u\r\n", b"HD h0\r\n"),
        (b"me b\r\n", EN),
        (b"mg a h\r\n", b"HD h0\r\n"),
        (b"mg a h\r\n", b"HD h1\r\n"),
        (ms(b"a", b"hi"), HD),
        (b"mg a h u\r\n", b"HD h0\r\n"),
        (b"get a\r\n", found(b"a", b"hi")),
        (b"mg a h u\r\n", b"HD h1\r\n"),
    ],
    "modes of ms": [
        (ms(b"a", b"x", b"ME E5"), HD),
        (ms(b"a", b"y", b"ME c s k O1"), b"NS c0 s1 ka O1\r\n"),
        (ms(b"a", b"y", b"ME q"), NS),
        (ms(b"a", b"zz", b"MR E6 c F3"), b"HD c6\r\n"),
        (ms(b"a", b"!", b"MA E7 c s k F9"), b"HD c7 s3 ka\r\n"),
        (ms(b"a", b">", b"MP E8 C7"), HD),
        (b"mg a v c f\r\n", va(b">zz!", b"c8 f3")),
        (ms(b"a", b">", b"MA C1 k O1 c s"), b"EX ka O1 c0 s1\r\n"),
        (ms(b"a", b">", b"MA C1 q"), EX),
        (ms(b"a", b"+", b"MA C0"), HD),
        (b"mg a v\r\n", va(b">zz!+")),
        (ms(b"a", b"x", b"C9 k c s"), b"EX ka c0 s1\r\n"),
        (ms(b"a", b"x", b"ME C9 k s"), b"NS ka s1\r\n"),
        (ms(b"b", b"x", b"ME C9"), HD),
        (ms(b"a", b"y", b"MR q"), SILENCE),
        (ms(b"a", b"z", b"MA q"), SILENCE),
        (b"mg a v\r\n", va(b"yz")),
    ],
    "an append makes what is not there, if it may": [
        (ms(b"a", b"x", b"MA N0"), HD),
        (ms(b"a", b"y", b"MA N0 F9"), HD),
        (ms(b"a", b"w", b"MP N0"), HD),
        (b"mg a v f t\r\n", va(b"wxy", b"f0 t-1")),
        (ms(b"b", b"x", b"MP N0 F7 E9 c s"), b"HD c9 s1\r\n"),
        (b"mg b v f c\r\n", va(b"x", b"f7 c9")),
        (ms(b"c", b"x", b"MA N-1"), HD),
        (b"mg c v\r\n", EN),
    ],
    "tokens": [
        (ms(b"a", b"1", b"E5"), HD),
        (ms(b"a", b"2", b"C4"), EX),
        (ms(b"a", b"2", b"C0"), EX),
        (ms(b"a", b"2", b"C5 E18446744073709551615"), HD),
        (b"mg a c v\r\n", va(b"2", b"c18446744073709551615")),
        (ms(b"a", b"3", b"C18446744073709551615 E1 q"), SILENCE),
        (b"mg a c v\r\n", va(b"3", b"c1")),
        (b"gets a\r\n", b"VALUE a 0 1 1\r\n3\r\nEND\r\n"),
        (b"cas a 0 0 1 2\r\n4\r\n", EXISTS),
        (b"cas a 0 0 1 1\r\n4\r\n", STORED),
        (b"md a C1\r\n", EX),
        (ms(b"a", b"5", b"E9"), HD),
        (b"touch a 0\r\n", b"TOUCHED\r\n"),
        (b"mg a c\r\n", b"HD c9\r\n"),
        (b"md a C8 k O1\r\n", b"EX ka O1\r\n"),
        (b"md a C8 q k\r\n", b"EX ka\r\n"),
        (b"md a C9 q k\r\n", SILENCE),
        (b"md a C9\r\n", NF),
        (b"mg b N0 E7 c\r\n", b"HD c7 W\r\n"),
        (b"ma c N0 E8 c\r\n", b"HD c8\r\n"),
        (b"ma c E9 c\r\n", b"HD c9\r\n"),
        (b"ma c C8\r\n", EX),
        (b"ma c C8 q k\r\n", b"EX kc\r\n"),
        (b"ma c C9 v\r\n", va(b"2")),
        (b"ma c C0 v\r\n", va(b"3")),
    ],
    "delete": [
        (ms(b"a", b"1"), HD),
        (b"md a k O1\r\n", b"HD ka O1\r\n"),
        (b"md a\r\n", NF),
        (ms(b"a", b"1"), HD),
        (b"md a q k\r\n", SILENCE),
        (b"mg a\r\n", EN),
        (ms(b"a", b"1"), HD),
        (b"md a t s c f h l v\r\n", HD),
    ],
    "arithmetic": [
        (ms(b"n", b"10", b"E5 F3"), HD),
        (b"ma n\r\n", HD),
        (b"ma n v t\r\n", va(b"12", b"t-1")),
        (b"ma n D5 v k O1 s f\r\n", va(b"17", b"kn O1")),
        (b"ma n MD D4 v\r\n", va(b"13")),
        (b"ma n M- D4 v\r\n", va(b"9")),
        (b"mg n v s f\r\n", va(b"9 ", b"s2 f3")),
        (b"ma n MDECR D100 v\r\n", va(b"0")),
        (b"ma n MI D18446744073709551615 v\r\n", va(b"18446744073709551615")),
        (b"ma n M+ v\r\n", va(b"0")),
        (b"ma n q v\r\n", SILENCE),
        (b"mg n s\r\n", b"HD s20\r\n"),
        (b"incr n 1\r\n", b"2\r\n"),
        (b"ma n N0 J13 v\r\n", va(b"3")),
        (b"ma m N0 J13 v t D5\r\n", va(b"13", b"t-1")),
        (b"ma m N0 J13 v\r\n", va(b"14")),
        (b"ma o N90 v t\r\n", va(b"0", b"t90")),
        (b"ma p N90 T60 t\r\n", b"HD t60\r\n"),
        (b"ma q T60 N90 t\r\n", b"HD t90\r\n"),
        (b"ma s N90 t T60\r\n", b"HD t90\r\n"),
        (b"ma u t N90\r\n", b"HD t-1\r\n"),
        (b"ma r q N0\r\n", SILENCE),
        (b"mg r v\r\n", va(b"0")),
        (b"ma r T60 t\r\n", b"HD t60\r\n"),
        (b"ma r T-1 v\r\n", va(b"2")),
        (b"mg r\r\n", EN),
    ],
    "arithmetic on what is no number": [
        (ms(b"n", b"x", b"E5"), HD),
        (b"ma n\r\n", NUMBER),
        (b"ma n q N0 J5\r\n", NUMBER),
        (b"ma n C4\r\n", EX),
        (b"ma n C5\r\n", NUMBER),
        (ms(b"n", b""), HD),
        (b"ma n\r\n", NUMBER),
        (b"ma n C4\r\n", NUMBER),
        (b"mg n v\r\n", va(b"")),
    ],
    "times": [
        (ms(b"a", b"1", b"T-1"), HD),
        (b"mg a\r\n", EN),
        (ms(b"a", b"1", b"T0"), HD),
        (b"mg a T30 t\r\n", b"HD t30\r\n"),
        (b"mg a T0 t\r\n", b"HD t-1\r\n"),
        (b"mg a T2592000 t\r\n", b"HD t2592000\r\n"),
        (b"mg a T-1 v\r\n", va(b"1")),
        (b"mg a v\r\n", EN),
        (ms(b"a", b"1"), HD),
        (b"mg a T2592001 v\r\n", va(b"1")),
        (b"mg a v\r\n", EN),
    ],
    "one reader makes a missing value": [
        (b"mg a N30 t v\r\n", va(b"", b"t30 W")),
        (b"mg a N30 v k\r\n", va(b"", b"ka Z")),
        (b"mg a s\r\n", b"HD s0 Z\r\n"),
        (b"mg a q\r\n", b"HD Z\r\n"),
        (b"get a\r\n", found(b"a", b"")),
        (ms(b"a", b"hi"), HD),
        (b"mg a N30 v\r\n", va(b"hi")),
        (b"mg b N0 q\r\n", b"HD W\r\n"),
        (b"mg b t\r\n", b"HD t-1 Z\r\n"),
        (b"md b q\r\n", SILENCE),
        (b"mg b N30 T60 t\r\n", b"HD t60 W\r\n"),
        (b"md b q\r\nmg b N30 t T0\r\nmg b t\r\n", b"HD t30 W\r\nHD t-1 Z\r\n"),
        (b"mg c N30 E7 k c v s f\r\n", va(b"", b"kc c7 s0 f0 W")),
        (ms(b"c", b"hi", b"C7"), HD),
        (b"mg c v\r\n", va(b"hi")),
        (b"mg d N-1\r\n", b"HD W\r\n"),
        (b"mg d\r\n", EN),
    ],
    "one reader renews what will be gone soon": [
        (ms(b"a", b"hi", b"T30"), HD),
        (b"mg a R10\r\n", HD),
        (b"mg a R60 v\r\n", va(b"hi", b"W")),
        (b"mg a R60 v\r\n", va(b"hi", b"Z")),
        (b"mg a\r\n", b"HD Z\r\n"),
        (ms(b"a", b"hi"), HD),
        (b"mg a R60\r\n", HD),
        (b"mg a T10 R20\r\n", b"HD W\r\n"),
        (ms(b"a", b"hi", b"T10"), HD),
        (b"mg a R20 T100\r\n", b"HD W\r\n"),
        (ms(b"a", b"hi", b"T10"), HD),
        (b"mg a T100 R20\r\n", HD),
    ],
    "one reader renews what is stale": [
        (ms(b"a", b"hi", b"E5"), HD),
        (b"md a I\r\n", HD),
        (b"mg a v\r\n", va(b"hi", b"X W")),
        (b"mg a v\r\n", va(b"hi", b"Z X")),
        (b"mg a\r\n", b"HD Z X\r\n"),
        (b"get a\r\n", found(b"a", b"hi")),
        (ms(b"a", b"new", b"E9"), HD),
        (b"mg a v c\r\n", va(b"new", b"c9")),
        (b"md a I E10 q\r\n", SILENCE),
        (b"mg a v c k O1\r\n", va(b"new", b"c10 ka O1 X W")),
        (b"md a I E11\r\n", HD),
        (b"mg a c\r\n", b"HD c11 X W\r\n"),
        (ms(b"a", b"won", b"C11 E12 I c s"), b"HD c12 s3\r\n"),
        (b"mg a v c\r\n", va(b"won", b"c12")),
        (b"md a I C5\r\n", EX),
        (b"mg a v\r\n", va(b"won")),
    ],
    "an older token stores what is stale at once": [
        (ms(b"a", b"hi", b"E50"), HD),
        (ms(b"a", b"new", b"C40 I E60 c"), b"HD c60\r\n"),
        (b"mg a v c t\r\n", va(b"new", b"c60 t-1 X W")),
        (b"mg a v c\r\n", va(b"new", b"c60 Z X")),
        (ms(b"a", b"bad", b"C90 I"), EX),
        (ms(b"a", b"again", b"C60 I E70"), HD),
        (b"mg a v c\r\n", va(b"again", b"c70")),
        (ms(b"a", b"old", b"C60"), EX),
        (ms(b"a", b"old", b"C60 I MR E80"), HD),
        (b"mg a v\r\n", va(b"old", b"X W")),
    ],
    "a stale number": [
        (ms(b"n", b"5"), HD),
        (b"md n I\r\n", HD),
        (b"ma n v\r\n", va(b"6")),
        (b"mg n v\r\n", va(b"6", b"X W")),
        (b"ma n v\r\n", va(b"7")),
        (b"mg n v\r\n", va(b"7", b"Z X")),
    ],
    "only the value is removed": [
        (ms(b"a", b"hi", b"E5 T30 F9"), HD),
        (b"md a x E7\r\n", HD),
        (b"mg a v c f t s\r\n", va(b"", b"c7 f0 t-1 s0")),
        (b"get a\r\n", found(b"a", b"")),
        (b"ma a\r\n", NUMBER),
        (ms(b"a", b"hi", b"E5"), HD),
        (b"md a x F4\r\n", HD),
        (b"mg a v f c\r\n", va(b"", b"f4 c5")),
        (b"md a I x q\r\n", SILENCE),
        (b"mg a s v f\r\n", va(b"", b"s0 f0 X W")),
        (b"mg a s v f\r\n", va(b"", b"s0 f0 Z X")),
    ],
    "keys in base64": [
        (ms(b"YQ==", b"x", b"b k"), b"HD kYQ== b\r\n"),
        (b"mg YQ== b v k O3\r\n", va(b"x", b"kYQ== b O3")),
        (b"mg a v k\r\n", va(b"x", b"kYQ== b")),
        (b"get a\r\n", found(b"a", b"x")),
        (ms(b"a", b"y"), HD),
        (b"mg YQ== b v k\r\n", va(b"y", b"ka")),
        (b"ma YQ== k b\r\n", NUMBER),
        (b"md YQ== k b\r\n", b"HD kYQ== b\r\n"),
        (b"mg a\r\n", EN),
        # spaces, control bytes and line ends
        (ms(b"IA0KAH8=", b"odd", b"b"), HD),
        (b"mg IA0KAH8= b v k\r\n", va(b"odd", b"kIA0KAH8= b")),
        (b"ma IA0KAH8B b k N0 J5 v\r\n", va(b"5", b"kIA0KAH8B b")),
        (b"md IA0KAH8= b k q\r\n", SILENCE),
        (b"md IA0KAH8= b k q\r\n", b"NF kIA0KAH8= b\r\n"),
        (b"mg IA0KAH8= b q\r\n", SILENCE),
    ],
    "quiet commands and a barrier": [
        (b"mg a v k q O1\r\nmg b v k\r\n" + ms(b"a", b"hi", b"q") + b"mg a v q k\r\n"
         + b"md a q\r\nma a q\r\n" + ms(b"a", b"hi", b"S100 q") + b"mn\r\n",
         b"EN kb\r\n" + va(b"hi", b"ka") + NF + FLAG + MN),
        (b"".join(ms(b"k%d" % i, b"%d" % i, b"q") for i in range(20)) + b"mn\r\n", MN),
        (b"".join(b"mg k%d v q O%d\r\n" % (i, i) for i in range(25)) + b"mn\r\n",
         b"".join(va(b"%d" % i, b"O%d" % i) for i in range(20)) + MN),
        (b"".join(b"md k%d q\r\n" % i for i in range(18)) + b"mn\r\n", MN),
        (b"".join(b"ma k%d q k\r\n" % i for i in range(17, 20)) + b"mn\r\n",
         b"NF kk17\r\n" + MN),
        (b"mn\r\nmn\r\nmn\r\n", MN * 3),
    ],
    "among classic commands": [
        (b"set a 5 0 2\r\nhi\r\nmg a v f\r\nget a\r\n" + ms(b"b", b"10", b"F6")
         + b"incr b 5\r\nma b v\r\ngat 0 a b\r\nmn\r\ndelete a\r\nmg a v q\r\nmd b\r\nget b\r\n",
         STORED + va(b"hi", b"f5") + found(b"a", b"hi", 5) + HD + b"15\r\n" + va(b"16")
         + b"VALUE a 5 2\r\nhi\r\nVALUE b 6 2\r\n16\r\nEND\r\n" + MN + DELETED + HD + END),
        (ms(b"c", b"1", b"q") + b"get c\r\nfoo\r\nadd c 0 0 1\r\n2\r\nmg c v\r\n",
         found(b"c", b"1") + ERROR + b"NOT_STORED\r\n" + va(b"1")),
    ],
    "a line may end with a bare newline": [
        (b"ms a 2\nhi\r\n", HD),
        (b"mg a v\nmd a\nmg a k\n", va(b"hi") + HD + b"EN ka\r\n"),
    ],
    "a block that does not end leaves the old value": [
        (ms(b"a", b"old"), HD),
        (b"ms a 1\r\nXYZ\r\n", CHUNK + BAD),
        (b"mg a v\r\n", va(b"old")),
    ],
    "too large for a set removes the old value": [
        (ms(b"a", b"old"), HD),
        (ms(b"a", b"x" * (2 << 20), b"q k O1"), LARGE),
        (b"mg a v\r\nmn\r\n", EN + MN),
    ],
}

OWN_TALKS = {
    "a key that came in base64 goes back so": [
        (b"mg YQ== b N30 k\r\n", b"HD kYQ== b W\r\n"),
        (b"mg a k\r\n", b"HD kYQ== b Z\r\n"),
        (ms(b"YQ==", b"x", b"b"), HD),
        (ms(b"a", b"y", b"MA k"), b"HD ka\r\n"),
        (b"mg a k v\r\n", va(b"xy", b"kYQ== b")),
    ],
    "too large for another mode leaves the old value": [
        (ms(b"a", b"old"), HD),
        (ms(b"a", b"x" * (2 << 20), b"MR q"), LARGE),
        (ms(b"a", b"x" * (2 << 20), b"MA"), LARGE),
        (b"mg a v\r\n", va(b"old")),
    ],
}

# (what is sent before, a request, its answer): cut at every byte.
CUT = [
    (ms(b"a", b"123", b"q E5"), request, answer) for request, answer in [
        (b"mg a v k c O9\r\n", va(b"123", b"ka c5 O9")),
        (b"mg b v q\r\nmn\r\n", MN),
        (ms(b"a", b"he\r\nl", b"k F7 T30"), b"HD ka\r\n"),
        (ms(b"YQ==", b"hi", b"b q") + b"mg a v k\r\n", va(b"hi", b"kYQ== b")),
        (ms(b"a", b"\r\n", b"MA C5 q") + b"mg a v\r\n", va(b"123\r\n")),
        (ms(b"a", b"mn\r\n", b"Tx q") + b"mg a v\r\n", TOKEN + va(b"123")),
        (b"ma a v\r\nma a MD q\nmn\r\n", va(b"124") + MN),
        (b"md a C4 k q\r\nmd a C5 k\r\n", b"EX ka\r\nHD ka\r\n"),
        (b"md a I\r\nmg a v\r\nget a\r\n", HD + va(b"123", b"X W") + found(b"a", b"123")),
        (b"me b\r\nmg a z\r\n", EN + FLAG),
    ]
]
