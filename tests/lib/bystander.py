"""Clients that behave badly, one that does not, and what the server uses meanwhile."""

import contextlib
import multiprocessing
import os
import select
import socket
import struct
import time

from lib import wire
from lib.cases import END, STORED, found


def _exchanges(socks, n):
    """set and get on each connection in turn; the longest pause among them."""
    longest = 0.0
    for i, sock in enumerate(socks):
        key, data = b"bystander%d" % (n % 12), b"%d.%d" % (n, i)
        began = time.monotonic()
        wire.talk(sock, b"set %b 0 0 %d\r\n%b\r\n" % (key, len(data), data), STORED)
        sock.sendall(b"get %b\r\n" % key)
        got = b""
        while not got.endswith(END):
            piece = sock.recv(1000)
            if not piece:
                raise AssertionError("a bystander was hung up on after %r" % got)
            got += piece
        # A flush may have come in between, another's value may not.
        if got not in (END, found(key, data)):
            raise AssertionError("a bystander was answered %r" % got)
        longest = max(longest, time.monotonic() - began)
    return longest


def _stand_by(address, n_conns, pipe):
    n, longest, trouble = 0, 0.0, None
    with contextlib.ExitStack() as stack:
        try:
            socks = [stack.enter_context(wire.connect(address)) for _ in range(n_conns)]
            _exchanges(socks, n)
        except (AssertionError, OSError) as e:
            trouble = repr(e)
        pipe.send("ready")
        while True:
            # Not as fast as it goes: it watches, it is no load.
            asked = pipe.poll(0.002 if trouble is None else None)
            if asked and pipe.recv() == "end":
                return
            if trouble is None:
                try:
                    n += 1
                    longest = max(longest, _exchanges(socks, n))
                except (AssertionError, OSError) as e:
                    trouble = repr(e)
            if asked:
                pipe.send((longest, trouble))
                longest = 0.0


class Bystander:
    """
    Another client, in a process of its own so that its times are the server's:
    it has a connection to every thread and is to be served all the while.
    """

    N_CONNS = 4

    def __init__(self, address):
        fork = multiprocessing.get_context("fork")
        self.pipe, theirs = fork.Pipe()
        self.process = fork.Process(target=_stand_by, args=(address, self.N_CONNS, theirs))
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def lap(self):
        """Since the last one: the longest pause in seconds."""
        self.pipe.send("lap")
        longest, trouble = self.pipe.recv()
        if trouble:
            raise AssertionError("others were not served: %s" % trouble)
        return longest

    def end(self):
        if self.process.is_alive():
            self.pipe.send("end")
        self.process.join()
        self.pipe.close()


def _status_kib(pid, name):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError("no %s of %d" % (name, pid))


class Household:
    """A daemon and its children: what they use."""

    def __init__(self, server):
        self.pids = [server.pid, *server.children()]

    def resident_kib(self):
        return sum(_status_kib(pid, "VmRSS") for pid in self.pids)

    def forget_peak(self):
        for pid in self.pids:
            with open("/proc/%d/clear_refs" % pid, "w") as f:
                f.write("5")

    def peak_kib(self):
        return sum(_status_kib(pid, "VmHWM") for pid in self.pids)

    def descriptors(self):
        return [len(os.listdir("/proc/%d/fd" % pid)) for pid in self.pids]


def reset(sock):
    """Closes with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def push(sock, data):
    """Sends what is taken; hanging up is the server's right."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)


def leave(sock, data):
    """Sends `data`, closes that way, and returns what comes until the end."""
    return _pour(sock, memoryview(data), 1, True)


def flood(sock, data, times):
    """Sends `data` again and again; what is answered is thrown away."""
    _pour(sock, memoryview(data), times, False)


def _pour(sock, data, times, keep):
    got, view = bytearray(), data
    sock.setblocking(False)
    while True:
        if view is not None and not view:
            times -= 1
            view = data if times > 0 else None
            if times <= 0:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
        readable, writable, _ = select.select([sock], [sock] if view else [], [], wire.BOUND_S)
        if not readable and not writable:
            raise AssertionError("neither taken nor answered: %r" % bytes(data[:200]))
        try:
            if writable:
                view = view[sock.send(view[:1 << 18]):]
            if readable:
                piece = sock.recv(1 << 20)
                if not piece:
                    return bytes(got)
                if keep:
                    got += piece
        except (BrokenPipeError, ConnectionResetError):
            return bytes(got)
