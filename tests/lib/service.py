"""What systemd is to a service: hands over sockets, and is told how it is."""

import fcntl
import os
import socket
import subprocess

from lib import wire
from lib.cluster import Member

FIRST_FD = 3
# Beyond those that are handed over, so that none is overwritten before it is copied.
ASIDE = 200


class Listener:
    """The other end of $NOTIFY_SOCKET; its name may be abstract: "@..."."""

    def __init__(self, name):
        self.name = name
        self.heard = []             # all messages so far
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + name[1:] if name.startswith("@") else name)
        self.sock.settimeout(wire.BOUND_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def drain(self):
        """What has come meanwhile is heard."""
        self.sock.setblocking(False)
        try:
            while True:
                self.heard.append(self.sock.recv(4096).decode())
        except BlockingIOError:
            pass
        self.sock.settimeout(wire.BOUND_S)

    def wait(self, condition):
        """The first message from now on of which one line is so; all are kept."""
        while True:
            try:
                message = self.sock.recv(4096).decode()
            except socket.timeout:
                raise AssertionError("not told; heard %r" % self.heard[-20:]) from None
            self.heard.append(message)
            if any(map(condition, message.split("\n"))):
                return message

    def wait_line(self, line):
        return self.wait(lambda got: got == line)

    def status(self):
        """The last one that came."""
        self.drain()
        told = [line for message in self.heard for line in message.split("\n")
                if line.startswith("STATUS=")]
        return told[-1][len("STATUS="):] if told else None


class Service(Member):
    """A daemon as a unit starts it: `sockets` are (name, socket) pairs."""

    def __init__(self, *args, listener=None, sockets=(), watchdog_s=None, env=None, **more):
        super().__init__(*args, **more)
        self.listener = listener
        self.sockets = list(sockets)
        self.watchdog_s = watchdog_s
        self.env = env or {}

    def _popen(self, args, env):
        env = {**env, **self.env}
        if self.listener:
            env["NOTIFY_SOCKET"] = self.listener.name
        if self.watchdog_s:
            env["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1000000))
        if not self.sockets:
            return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=self.stderr, env=env)
        env["LISTEN_FDS"] = str(len(self.sockets))
        env["LISTEN_FDNAMES"] = ":".join(name for name, _ in self.sockets)
        aside = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, ASIDE) for _, s in self.sockets]

        def hand_over():
            for i, fd in enumerate(aside):
                os.dup2(fd, FIRST_FD + i)

        process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"', *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.stderr, env=env,
            close_fds=False, preexec_fn=hand_over)
        for fd in aside:
            os.close(fd)
        return process


def listening(address="127.0.0.1"):
    """A socket that listens, on a free port or a path."""
    if "/" in address:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
    else:
        sock = socket.socket()
        sock.bind((address, 0))
    sock.listen(64)
    return sock


def address_of(sock):
    name = sock.getsockname()
    return name if isinstance(name, str) else "%s:%d" % name[:2]
