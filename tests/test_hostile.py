#!/usr/bin/python3 -B
"""
Clients that do what they should not, against one process and against a front
with three local shards.  No byte of a data block is ever taken for a command,
others are served all the while, and memory and descriptors come back.
"""

import random
import resource
import socket
import time
import unittest

from lib import hostile, tap, wire
from lib.bystander import Bystander, Household, flood, leave, push, reset
from lib.cases import BAD, END, ERROR, OK, STORED, found
from lib.daemon import Cluster, Lone, is_sanitized, wait
from lib.failing import FailingMemory, Truth
from lib.hostile import (B_TELL, COMMANDS, PACKETS, PREPARATION, PREPARED, TELL, VARYING,
                         packet)
from lib.wire import ask, stats, talk, until_end

SANITIZED = is_sanitized()
GROWTH_MAX_MIB = 64
N_IDLE = 10000


class Watched:
    """
    A server with a bystander.  After each test: the bystander was served, the
    key `pwned` does not exist, memory is bounded, all descriptors are back.
    """

    args = ()

    @classmethod
    def setUpClass(cls):
        # -r: so that /proc tells about it to whoever runs the tests.
        cls.server = cls.kind("-r", *cls.args).start()
        cls.household = Household(cls.server)
        cls.bystander = Bystander(cls.server.address)
        # Those that looked whether the server answers are not gone at once.
        cls.before = wait(cls.alone, "earlier connections to be gone")
        cls.at_start_kib = cls.household.resident_kib()

    @classmethod
    def tearDownClass(cls):
        cls.bystander.end()
        cls.server.stop()

    @classmethod
    def alone(cls):
        """The descriptors when there are the bystander and nobody else, or None."""
        with cls.server.connect() as s:
            if int(stats(s)["curr_connections"]) != Bystander.N_CONNS + 1:
                return None
            first = cls.household.descriptors()
            talk(s, b"get nothing\r\n", END)
            if first != cls.household.descriptors():
                return None
        return [first[0] - 1, *first[1:]]

    def setUp(self):
        self.household.forget_peak()
        self.bystander.lap()
        self.addCleanup(self.look_after)

    def connect(self):
        sock = self.server.connect()
        self.addCleanup(sock.close)
        return sock

    def look_after(self):
        longest = self.bystander.lap()
        grown = (self.household.peak_kib() - self.at_start_kib) / 1024
        wait(lambda: self.household.descriptors() == self.before,
             "descriptors to be as before: %s" % self.before)
        self.check_nothing_ran()
        print("# %s: others waited %.0f ms at most, memory grew by %.1f MiB, %d descriptors"
              % (self.id().partition(".")[2], longest * 1000, grown, sum(self.before)))
        if not SANITIZED:
            self.assertLessEqual(grown, GROWTH_MAX_MIB)


    def check_nothing_ran(self):
        with self.server.connect() as s:
            self.assertEqual(ask(s, b"get pwned\r\ndelete pwned noreply\r\n"), END)

    def each(self, pieces):
        """Each on a connection of its own, which is then closed one way."""
        for piece in pieces:
            with self.server.connect() as s:
                leave(s, piece)
        self.check_nothing_ran()


class Text(Watched):
    """What is said in lines."""

    def prepare(self, sock):
        self.assertEqual(ask(sock, PREPARATION), PREPARED)

    # ---- fragments ----

    def test_every_command_cut_at_every_byte_is_the_same_command(self):
        one, other = self.connect(), self.connect()
        for request in COMMANDS:
            self.prepare(one)
            whole = ask(one, request)
            for cut in range(1, len(request)):
                with self.subTest(request=request[:80], cut=cut):
                    self.prepare(one)
                    one.sendall(request[:cut])
                    talk(other, b"get nothing\r\n", END)
                    self.assertEqual(ask(one, request[cut:]), whole)
        for request in VARYING:
            for cut in range(1, len(request)):
                with self.subTest(request=request, cut=cut):
                    one.sendall(request[:cut])
                    talk(other, b"get nothing\r\n", END)
                    self.assertTrue(ask(one, request[cut:]).endswith(b"\r\n"))

    def test_connections_that_send_a_byte_at_a_time_get_their_answers(self):
        requests = [r for r in COMMANDS if len(r) < 100 and not r.startswith(
            (b"append", b"cas", b"version"))]
        socks = [self.connect() for _ in range(4)]
        self.prepare(socks[0])
        answers = [ask(socks[0], r) for r in requests]
        self.prepare(socks[0])
        for request, answer in zip(requests, answers):
            for i in range(len(request)):
                for sock in socks:
                    sock.sendall(request[i:i + 1])
            for sock in socks:
                self.assertEqual(ask(sock, b""), answer, request)

    # ---- garbage, blanks, lines without end ----

    def test_garbage_of_every_byte_value(self):
        for byte in range(256):
            self.each(hostile.garbage(byte))

    def test_random_garbage(self):
        chance = random.Random(6)
        self.each(chance.randbytes(chance.randrange(1, 5000)) for _ in range(300))
        self.each(b"\r\n".join(chance.randbytes(chance.randrange(40)) for _ in range(100))
                  for _ in range(50))

    def test_blanks_and_newlines(self):
        self.each(hostile.SPACES_AND_NEWLINES)

    def test_arguments_missing_at_every_position(self):
        for line in hostile.LINES_OF_WORDS:
            self.each(short + b"\r\n" for short in hostile.with_words_missing(line))

    def test_a_line_or_block_without_end(self):
        for begin, rest in hostile.ENDLESS:
            with self.subTest(begin=begin, rest=rest), self.server.connect() as s:
                push(s, begin)
                flood(s, rest * ((1 << 20) // len(rest)), 24)

    def test_a_line_of_64_KiB_without_end_is_an_error_and_the_end(self):
        for begin in (b"x", b"set a 0 0 20 ", b"delete a ", b"stats ", b" ", b"\0", b"mg a "):
            with self.subTest(begin=begin):
                self.assertEqual(until_end(self.connect(), begin + begin[-1:] * 66000),
                                 b"CLIENT_ERROR line too long\r\n")

    # ---- lengths ----

    def test_the_block_of_a_line_in_error_is_swallowed_or_the_connection_closed(self):
        for line, swallowed in hostile.storage_in_error():
            with self.subTest(line=line[:100]), self.server.connect() as s:
                got = ask(s, line + TELL + b"\r\nget pwned\r\n")
                error = b"" if b"noreply" in line else BAD
                self.assertEqual(got, error + END if swallowed else BAD + b"<end>")

    def test_a_storage_line_with_a_missing_word_runs_nothing_of_its_block(self):
        for line in hostile.STORAGE_LINES:
            for short in hostile.with_words_missing(line):
                if not short.split()[-1].isdigit():
                    continue        # announces no block
                with self.subTest(line=short):
                    self.each([short + b"\r\n" + TELL + b"\r\n"])

    def test_a_block_too_large_to_store_is_swallowed_whole(self):
        block = TELL * ((2 << 20) // len(TELL))
        for verb in hostile.STORAGE:
            with self.subTest(verb=verb):
                line = hostile.storage_line(verb, b"%d" % len(block))
                got = ask(self.connect(), line + block + b"\r\nget pwned\r\n")
                self.assertRegex(got, rb"\A(SERVER_ERROR [^\r\n]+|NOT_\w+)\r\nEND\r\n\Z")

    # ---- much of it, and no end ----

    def test_a_get_of_a_million_keys_is_streamed(self):
        one = self.connect()
        talk(one, b"set k0500000 0 0 1\r\nx\r\n", STORED)
        keys = b" ".join(b"k%07d" % i for i in range(1000000))
        talk(one, b"get " + keys + b"\r\n", found(b"k0500000", b"x"))

    def test_a_client_that_never_reads_many_small_answers(self):
        for request in (b"\n", b"foo\r\n", b"stats\r\n", b"stats conns\r\n", b"version\r\n",
                        b"get nothing\r\n", b"mn\r\n", b"set a 0 0 1\r\nX\r\n"):
            with self.subTest(request=request), self.server.connect() as s:
                s.setblocking(False)
                try:
                    for _ in range(1000):
                        s.send(request * ((1 << 16) // len(request)))
                except (BlockingIOError, ConnectionError):
                    pass            # it takes no more: enough
                reset(s)

    def test_a_connection_closed_one_way_still_gets_its_answers(self):
        with self.server.connect() as s:
            self.prepare(s)
            self.assertEqual(leave(s, b"get a\r\n" * 1000), found(b"a", b"123", 5) * 1000)
        for request in COMMANDS:
            if b"cas" in request or b"append" in request:
                continue
            with self.server.connect() as s:
                self.prepare(s)
                whole = ask(s, request)
            for cut in range(len(request)):
                with self.subTest(request=request, cut=cut), self.server.connect() as s:
                    got = leave(s, b"get a\r\n" + request[:cut])
                    self.assertTrue(got.startswith(found(b"a", b"123", 5)), got)
            if b"version" not in request:
                with self.server.connect() as s:
                    self.assertEqual(leave(s, request), whole)

    def test_connections_reset_in_the_middle_of_everything(self):
        chance = random.Random(7)
        requests = COMMANDS + VARYING + PACKETS + [
            b"set large 0 0 500000\r\n" + b"v" * 500000 + b"\r\n", b"get large\r\n" * 50,
            b"get a b c d\r\n" * 500, b"get " + b"key " * 50000]
        for request in requests:
            for _ in range(8):
                sock = self.server.connect()
                push(sock, request[:chance.randrange(len(request) + 1)])
                if chance.random() < 0.3:
                    push(sock, request)
                reset(sock)


class TextLone(Text, unittest.TestCase):
    kind = Lone


class TextCluster(Text, unittest.TestCase):
    kind = Cluster


class Connections(Watched):
    """What is done with connections, whatever is said on them."""

    args = ("-c", str(N_IDLE + 2000))

    def test_a_storm_of_connections(self):
        chance = random.Random(8)
        for _ in range(2000):
            sock = self.server.connect()
            push(sock, chance.choice((b"", b"get a\r\n", b"set a 0 0 20\r\n")))
            chance.choice((reset, socket.socket.close))(sock)

    def test_ten_thousand_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < N_IDLE + 2000 + 512:
            self.skipTest("no more than %d descriptors are allowed" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        one = self.connect()
        idle = [self.server.connect() for _ in range(N_IDLE)]
        wait(lambda: int(stats(one)["curr_connections"]) > N_IDLE, "all to be accepted")
        for sock in idle[::100]:
            sock.sendall(b"get nothing\r\n")
            self.assertEqual(sock.recv(100), END)
        # Resets: their ports are free again at once.
        for sock in idle:
            reset(sock)

    def test_connections_wait_while_there_are_no_descriptors(self):
        pid, one = self.server.pid, self.connect()
        talk(one, b"get nothing\r\n", END)
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (self.before[0] + 20, limit[1]))
        try:
            held = [self.server.connect() for _ in range(100)]
            for sock in held:
                sock.sendall(b"get nothing\r\n")
            wait(lambda: int(stats(one)["listen_disabled_num"]) > 0, "accepting to pause")
            talk(one, b"set a 0 0 1\r\nx\r\nget a\r\n", STORED + found(b"a", b"x"))
            # Each that goes makes room for another.
            for sock in held:
                talk(sock, b"", END)
                sock.close()
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        with self.server.connect() as s:
            talk(s, b"get a\r\n", found(b"a", b"x"))


class ConnectionsLone(Connections, unittest.TestCase):
    kind = Lone


class ConnectionsCluster(Connections, unittest.TestCase):
    kind = Cluster


class SlowReaders(Watched):
    def test_clients_that_never_read_large_values(self):
        one, data = self.connect(), b"v" * 1000000
        talk(one, b"set large 0 0 %d\r\n%b\r\n" % (len(data), data), STORED)
        slow = [self.connect() for _ in range(40)]
        for sock in slow:
            push(sock, b"get large\r\n" * 200)
        for _ in range(5):
            talk(one, b"get large\r\n", found(b"large", data))
        for i, sock in enumerate(slow):
            (reset if i % 2 else socket.socket.close)(sock)
        talk(one, b"delete large\r\n", b"DELETED\r\n")


class SlowReadersLone(SlowReaders, unittest.TestCase):
    kind = Lone


class SlowReadersCluster(SlowReaders, unittest.TestCase):
    kind = Cluster


class Meta(Watched):
    def test_lines_in_error(self):
        self.each(hostile.meta_lines())

    def test_lines_in_error_on_one_connection(self):
        with self.connect() as s:
            leave(s, b"".join(hostile.meta_lines()))

    def test_a_wrong_line_has_memcacheds_error(self):
        for line, error in hostile.META_ERRORS:
            with self.subTest(line=line[:60]), self.server.connect() as s:
                self.assertEqual(ask(s, line + b"mn\r\n"), b"CLIENT_ERROR %b\r\nMN\r\n" % error)

    def test_a_wrong_line_with_a_block_has_memcacheds_error(self):
        for line, error in hostile.META_STORAGE_ERRORS:
            with self.subTest(line=line[:60]), self.server.connect() as s:
                self.assertEqual(ask(s, line + TELL + b"\r\nmn\r\n"),
                                 b"CLIENT_ERROR %b\r\nMN\r\n" % error)

    def test_the_block_of_a_line_in_error_is_swallowed(self):
        for line in hostile.meta_storage():
            with self.subTest(line=line[:60]), self.server.connect() as s:
                got = ask(s, line + TELL + b"\r\nget pwned\r\ndelete pwned noreply\r\n")
                self.assertRegex(got, rb"\A((CLIENT_ERROR|HD)[^\r\n]*\r\n)?END\r\n\Z")

    def test_a_block_of_unreadable_length_ends_the_connection(self):
        for line in hostile.meta_unreadable():
            with self.subTest(line=line[:60]), self.server.connect() as s:
                got = ask(s, line + TELL + b"\r\nget pwned\r\ndelete pwned noreply\r\n")
                self.assertRegex(got, rb"\ACLIENT_ERROR [^\r\n]+\r\n<end>\Z")

    def test_a_block_without_end(self):
        for begin, rest in hostile.META_ENDLESS:
            with self.subTest(begin=begin), self.server.connect() as s:
                push(s, begin)
                flood(s, rest * ((1 << 20) // len(rest)), 24)


class MetaLone(Meta, unittest.TestCase):
    kind = Lone


class MetaCluster(Meta, unittest.TestCase):
    kind = Cluster


class Binary(Watched):
    def test_packets_whose_lengths_are_lies(self):
        self.each(lie + B_TELL + TELL for lie in hostile.binary_lies())

    def test_packets_with_extras_that_are_not_theirs(self):
        self.each(hostile.binary_extras())

    def test_packets_among_text_and_text_among_packets(self):
        self.each(hostile.binary_odd())

    def test_packets_cut_at_every_byte_and_gone(self):
        for data in PACKETS:
            self.each(data[:cut] for cut in range(1, len(data)))

    def test_packets_cut_at_every_byte_are_the_same_packets(self):
        with self.server.connect() as s:
            ask(s, PREPARATION)
        with self.server.connect() as other:
            for data in PACKETS:
                with self.server.connect() as s:
                    whole = leave(s, data + packet(0x0a))
                self.assertEqual(whole[-24:-22], b"\x81\x0a", data)
                for cut in range(1, len(data)):
                    with self.subTest(data=data[:60], cut=cut), self.server.connect() as s:
                        s.sendall(data[:cut])
                        talk(other, b"get nothing\r\n", END)
                        # Answers to stores have a new token each.
                        self.assertEqual(len(leave(s, data[cut:] + packet(0x0a))), len(whole))

    def test_wrong_extras_have_memcacheds_status(self):
        for opcode, status in hostile.BINARY_EXTRAS_STATUS:
            with self.subTest(opcode=opcode), self.server.connect() as s:
                got = leave(s, packet(opcode, b"a", b"\0" * 3, B_TELL))
                self.assertEqual((got[:2], got[6:8]), (bytes([0x81, opcode]), status))

    def test_lengths_that_are_lies_have_memcacheds_status(self):
        for key_len, extras_len, body_len, status in hostile.BINARY_LIES_STATUS:
            with self.subTest(lengths=(key_len, extras_len, body_len)), self.server.connect() as s:
                got = leave(s, packet(0x01, key_len=key_len, extras_len=extras_len,
                                      body_len=body_len) + B_TELL * 20)
                self.assertEqual((got[:2], got[6:8], len(got[24:]) < 30),
                                 (b"\x81\x01", status, True))


class BinaryLone(Binary, unittest.TestCase):
    kind = Lone


class BinaryCluster(Binary, unittest.TestCase):
    kind = Cluster


class Listings(Watched):
    """Long answers to clients that do not read."""

    def deaf(self, request):
        """A client that takes little, and asks for much."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(wire.BOUND_S)
        sock.connect(("127.0.0.1", self.server.port))
        sock.sendall(request)
        if sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL) == ERROR[:5]:
            self.skipTest("the server does not know %r" % request)
        return sock

    def fill(self, sock):
        data = b"".join(b"set %b%d 0 0 1 noreply\r\nx\r\n" % (b"k" * 200, i) for i in range(60000))
        self.assertEqual(ask(sock, data), b"")

    def test_a_client_that_does_not_read_a_dump_is_dropped(self):
        one = self.connect()
        for request in (b"lru_crawler metadump all\r\n", b"lru_crawler mgdump all\r\n"):
            with self.subTest(request=request):
                self.deaf(request).close()      # skips where there is none
                self.fill(one)
                deaf = self.deaf(request)
                here = [self.before[0] + 1, *self.before[1:]]
                wait(lambda: self.household.descriptors() == here, "the client to be dropped")
                deaf.close()
        talk(one, b"flush_all\r\n", OK)

    def test_a_client_that_does_not_read_what_it_watches_harms_nobody(self):
        deaf = self.deaf(b"watch fetchers mutations evictions connevents deletions\r\n")
        one = self.connect()
        for _ in range(5):
            self.fill(one)
            self.assertTrue(ask(one, b"get " + b" ".join(
                b"k" * 200 + b"%d" % i for i in range(10000)) + b"\r\n").endswith(END))
        talk(one, b"flush_all\r\n", OK)
        deaf.close()


class ListingsLone(Listings, unittest.TestCase):
    kind = Lone


class ListingsCluster(Listings, unittest.TestCase):
    kind = Cluster


@unittest.skipIf(SANITIZED, "sanitizers have allocators of their own")
class Memory(unittest.TestCase):
    """The n-th allocation fails, for many n."""

    KEYS = [b"key%d" % i for i in range(40)]
    STATS = rb"(STAT [^\r\n]*\r\n)*END\r\n"

    def work(self, truth, n):
        tag = b"%d" % n
        small = tag * (10 + n % 40)
        truth.run(("set", b"small", small))
        truth.run(("get", [b"small", b"nothing"]))
        truth.run(("set", b"large", tag * 30000))
        truth.run(("get", [b"large", b"small", b"large"]))
        truth.run(*[("set", key, key + small) for key in self.KEYS], ("get", self.KEYS),
                  *[("get", [key]) for key in self.KEYS])
        truth.run(("other", b"stats\r\n", self.STATS))
        truth.run(("other", b"stats conns\r\n", self.STATS))
        truth.run(("other", b"incr nothing 1\r\n", b"NOT_FOUND\r\n"))
        truth.run(("other", b"flush_all 1000\r\n", OK))
        truth.run(("other", b"mg nothing v\r\n", b"EN\r\n"))
        # It stays: the next one has a descriptor that the server never saw.
        truth.stay()

    def check(self, kind):
        failing = FailingMemory()
        with failing.start():
            server = kind().start()
        self.addCleanup(server.end)
        truth = Truth(server)
        self.addCleanup(truth.close)
        self.work(truth, 1)
        failing.arm(1, 0)
        self.work(truth, 22222)
        used = failing.disarm()
        print("# %d allocations in one round of work" % used)
        self.assertGreater(used, 10)
        for n in range(1, 200):
            failing.arm(n, (1, 3, 20)[n % 3])
            try:
                self.work(truth, n)
            finally:
                failing.disarm()
        if kind is Cluster:
            server.wait_up()
        with server.connect() as s:
            talk(s, b"set a 0 0 1\r\nx\r\nget a\r\n", STORED + found(b"a", b"x"))
        server.stop()

    def test_one_process_refuses_or_hangs_up_and_goes_on(self):
        self.check(Lone)

    def test_a_cluster_refuses_or_hangs_up_and_goes_on(self):
        self.check(Cluster)


if __name__ == "__main__":
    tap.main()
