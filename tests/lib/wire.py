"""Bytes to a server and back, over one socket."""

import os
import select
import socket

# No answer within this: the test has failed.
BOUND_S = float(os.environ.get("CHCACHED_TEST_BOUND_S", "60"))


def connect(address):
    """`address` is "HOST:PORT" or the path of a Unix socket."""
    if "/" in address:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(BOUND_S)
        sock.connect(address)
    else:
        host, _, port = address.rpartition(":")
        sock = socket.create_connection((host.strip("[]"), int(port)), BOUND_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _short(data):
    return repr(data) if len(data) <= 300 else "%r ... %r (%d bytes)" % (
        data[:150], data[-100:], len(data))


def exchange(sock, out, done):
    """Sends `out` and collects what comes until done(all); b"" ends it too."""
    got = bytearray()
    view = memoryview(out)
    while view or not done(got):
        readable, writable, _ = select.select([sock], [sock] if view else [], [], BOUND_S)
        if not readable and not writable:
            raise AssertionError("no answer, only %s" % _short(bytes(got)))
        if readable:
            try:
                data = sock.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                return bytes(got), True
            got += data
        if writable and view:
            try:
                view = view[sock.send(view[:1 << 16]):]
            except (BrokenPipeError, ConnectionResetError):
                view = view[:0]
    return bytes(got), False


def talk(sock, out, expected):
    """Sends `out`; what comes back must be `expected`, byte for byte."""
    seen = 0

    def done(got):
        """All is there, or what is there is wrong already."""
        nonlocal seen
        new = bytes(memoryview(got)[seen:])
        if expected[seen:seen + len(new)] != new:
            return True
        seen += len(new)
        return seen >= len(expected)

    got, ended = exchange(sock, out, done)
    if got != expected:
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
                  min(len(got), len(expected)))
        raise AssertionError(
            "sent     %s\nexpected %s\ngot      %s%s\nfirst difference at byte %d: %s"
            % (_short(out), _short(expected), _short(got), " <end>" if ended else "",
               at, _short(got[at:at + 80])))


def ask(sock, out):
    """
    Sends `out` and returns all that it is answered with: a "version" behind it
    tells where that ends, and that nothing of `out` was left over.
    """
    got, ended = exchange(
        sock, out + b"version\r\n",
        lambda got: got.endswith(b"\r\n") and b"VERSION " in got[-40:])
    if ended:
        return got + b"<end>"
    return got[:got.rindex(b"VERSION ")]


def until_end(sock, out):
    """Sends `out` and returns what comes until the server hangs up."""
    got, ended = exchange(sock, out, lambda got: False)
    assert ended
    return got


def stats(sock, group=b""):
    """The STAT lines as a dict of str; any other line fails."""
    out = b"stats" + (b" " + group if group else b"") + b"\r\n"
    got, _ = exchange(sock, out, lambda got: got.endswith((b"END\r\n", b"ERROR\r\n")))
    lines = got.decode().split("\r\n")
    if lines[-2:] != ["END", ""]:
        raise AssertionError("stats %r: %r" % (group, got[-200:]))
    found = {}
    for line in lines[:-2]:
        word, name, value = line.split(" ", 2)
        if word != "STAT" or name in found:
            raise AssertionError("stats %r: %r" % (group, line))
        found[name] = value
    return found
