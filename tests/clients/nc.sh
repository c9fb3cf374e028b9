#!/bin/sh
# nc.sh HOST PORT [binary|meta] - what one types into nc.  Prints TAP.

host=$1
port=$2
protocol=${3:-text}
number=0
failed=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# result SENTENCE, after a command that is true when all is well
result()
{
    # shellcheck disable=SC2181
    if [ $? -eq 0 ]; then verdict=ok; else verdict='not ok' failed=1; fi
    number=$((number + 1))
    echo "$verdict $number - $1"
}

# says: what the server answers to stdin, until it hangs up.
says()
{
    nc -w 20 "$host" "$port"
}

# talk SENTENCE SENT EXPECTED: both as printf takes them; what is sent ends
# with quit.
talk()
{
    # shellcheck disable=SC2059
    printf "$2" | says >"$folder/got"
    # shellcheck disable=SC2059
    printf "$3" | cmp -s - "$folder/got"
    result "$1"
    [ "$verdict" = ok ] || od -c "$folder/got" | head -20 | sed 's/^/# /'
}

text()
{
    talk 'what is set can be read' \
        'flush_all\r\nset a 7 0 5\r\nhello\r\nget a\r\nget absent\r\nquit\r\n' \
        'OK\r\nSTORED\r\nVALUE a 7 5\r\nhello\r\nEND\r\nEND\r\n'
    talk 'a line may end without a carriage return' \
        'set a 0 0 2\nhi\r\nget a\nquit\n' \
        'STORED\r\nVALUE a 0 2\r\nhi\r\nEND\r\n'
    talk 'add and replace look first' \
        'delete a\r\nadd a 0 0 1\r\nb\r\nadd a 0 0 1\r\nx\r\nreplace c 0 0 1\r\nx\r\nquit\r\n' \
        'DELETED\r\nSTORED\r\nNOT_STORED\r\nNOT_STORED\r\n'
    talk 'append and prepend join' \
        'append a 0 0 1\r\nc\r\nprepend a 0 0 1\r\na\r\nget a\r\nquit\r\n' \
        'STORED\r\nSTORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\n'
    talk 'numbers go up and down' \
        'replace a 0 0 1\r\n5\r\nincr a 6\r\ndecr a 2\r\ndecr a 10\r\nquit\r\n' \
        'STORED\r\n11\r\n9\r\n0\r\n'
    talk 'deleted is gone' \
        'delete a\r\ndelete a\r\nget a\r\nquit\r\n' \
        'DELETED\r\nNOT_FOUND\r\nEND\r\n'
    talk 'touch moves the end' \
        'set a 0 0 1\r\nA\r\ntouch a 1000\r\nget a\r\ntouch a -1\r\ntouch a 0\r\nquit\r\n' \
        'STORED\r\nTOUCHED\r\nVALUE a 0 1\r\nA\r\nEND\r\nTOUCHED\r\nNOT_FOUND\r\n'
    talk 'gat moves the end' \
        'set a 0 0 1\r\nA\r\ngat 1000 a\r\ngat -1 a\r\ngat 0 a\r\nquit\r\n' \
        'STORED\r\nVALUE a 0 1\r\nA\r\nEND\r\nVALUE a 0 1\r\nA\r\nEND\r\nEND\r\n'
    talk 'what wants no answer gets none' \
        'set a 0 0 1 noreply\r\nA\r\nappend a 0 0 1 noreply\r\nB\r\nget a\r\nquit\r\n' \
        'VALUE a 0 2\r\nAB\r\nEND\r\n'
    talk 'nonsense is an error and the next line is not' \
        'nonsense\r\nget a\r\nflush_all\r\nquit\r\n' \
        'ERROR\r\nVALUE a 0 2\r\nAB\r\nEND\r\nOK\r\n'

    { printf 'set large 0 0 900000\r\n'
      head -c 900000 /dev/zero | tr '\0' '\n'
      printf '\r\nget large\r\nquit\r\n'; } | says >"$folder/got"
    { printf 'STORED\r\nVALUE large 0 900000\r\n'
      head -c 900000 /dev/zero | tr '\0' '\n'
      printf '\r\nEND\r\n'; } | cmp -s - "$folder/got"
    result 'a large value comes back whole'

    token=$(printf 'set c 0 0 1\r\n1\r\ngets c\r\nquit\r\n' | says | tr -d '\r' |
        sed -n 's/^VALUE c 0 1 //p')
    talk 'cas stores over what was read only' \
        "cas c 0 0 1 $token\r\n2\r\ncas c 0 0 1 $token\r\n3\r\nget c\r\nquit\r\n" \
        'STORED\r\nEXISTS\r\nVALUE c 0 1\r\n2\r\nEND\r\n'

    printf 'version\r\nstats\r\nquit\r\n' | says | tr -d '\r' >"$folder/got"
    head -n 1 "$folder/got" | grep -q '^VERSION .' && grep -q '^STAT pid [1-9]' "$folder/got" &&
        [ "$(tail -n 1 "$folder/got")" = END ]
    result 'version and stats are told'
}

meta()
{
    talk 'what is set can be read' \
        'flush_all\r\nms a 5 F7 T0\r\nhello\r\nmg a s v f k\r\nmg absent v\r\nmn\r\nquit\r\n' \
        'OK\r\nHD\r\nVA 5 s5 f7 ka\r\nhello\r\nEN\r\nMN\r\n'
    talk 'quiet ones are silent until mn' \
        'ms a 1 q\r\n1\r\nmg absent v q\r\nmg a v q O9\r\nmn\r\nquit\r\n' \
        'VA 1 O9\r\n1\r\nMN\r\n'
    talk 'ms may add and replace' \
        'md a\r\nms a 1 ME\r\nb\r\nms a 1 ME\r\nx\r\nms d 1 MR\r\nx\r\nms a 1 MR\r\nB\r\nquit\r\n' \
        'HD\r\nHD\r\nNS\r\nNS\r\nHD\r\n'
    talk 'ms may append and prepend' \
        'ms a 1 MA\r\nc\r\nms a 1 MP\r\na\r\nms d 1 MA\r\nx\r\nmg a v\r\nquit\r\n' \
        'HD\r\nHD\r\nNS\r\nVA 3\r\naBc\r\n'
    talk 'numbers go up and down' \
        'ma n N0 J13 v\r\nma n v D6\r\nma n v MD D20\r\nma absent\r\nmd n\r\nmd n\r\nquit\r\n' \
        'VA 2\r\n13\r\nVA 2\r\n19\r\nVA 1\r\n0\r\nNF\r\nHD\r\nNF\r\n'
    talk 'keys may be in base64' \
        'ms Zm9v 3 b\r\nbar\r\nmg foo v\r\nmg Zm9v v b k\r\nquit\r\n' \
        'HD\r\nVA 3\r\nbar\r\nVA 3 kZm9v b\r\nbar\r\n'
    talk 'tokens are given and taken' \
        'ms c 1 E100 c\r\n1\r\nms c 1 C99\r\nx\r\nms c 1 C100 E101\r\n2\r\nmg c v c\r\nquit\r\n' \
        'HD c100\r\nEX\r\nHD\r\nVA 1 c101\r\n2\r\n'
    talk 'one of all wins a stale value' \
        'md c I T30\r\nmg c v\r\nmg c v\r\nquit\r\n' \
        'HD\r\nVA 1 X W\r\n2\r\nVA 1 Z X\r\n2\r\n'
}

zero4='\000\000\000\000'
zero8=$zero4$zero4

# request OPCODE KEY_LENGTH EXTRAS_LENGTH BODY_LENGTH [OPAQUE]: the 24 bytes of
# a header as printf takes them; numbers are three octal digits.
request()
{
    printf '%s' "\\200\\$1\\000\\$2\\$3\\000\\000\\000\\000\\000\\000\\$4${5:-$zero4}$zero8"
}

# answer OPCODE KEY_LENGTH EXTRAS_LENGTH STATUS BODY_LENGTH [OPAQUE]
answer()
{
    printf '%s' "\\201\\$1\\000\\$2\\$3\\000\\000\\$4\\000\\000\\000\\$5${6:-$zero4}$zero8"
}

binary()
{
    quit=$(request 007 000 000 000)
    ended=$(answer 007 000 000 000 000)
    talk 'noop carries the opaque' \
        "$(request 012 000 000 000 wxyz)$quit" \
        "$(answer 012 000 000 000 000 wxyz)$ended"
    talk 'an absent key is not found, and the quiet one is silent' \
        "$(request 000 006 000 006)absent$(request 011 006 000 006)absent$quit" \
        "$(answer 000 000 000 001 011)Not found$ended"

    # All but the token, which is the third line of eight bytes.
    set="$(request 021 001 010 016)\000\000\000\007${zero4}ahello"
    # shellcheck disable=SC2059
    printf "$set$(request 014 001 000 001)a$quit" |
        says | od -An -v -c -w8 | sed 3d >"$folder/got"
    # shellcheck disable=SC2059
    printf "$(answer 014 001 004 000 012)\000\000\000\007ahello$ended" | od -An -v -c -w8 |
        sed 3d | cmp -s - "$folder/got"
    result 'what is set quietly can be read with its key and flags'
}

$protocol
echo "1..$number"
[ "$failed" -eq 0 ]
