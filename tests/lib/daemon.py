"""Starts real daemons on free ports, and stops them."""

import atexit
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lib import wire

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILDDIR", os.path.join(HERE, "..", "..", "build"))
CHCACHED = os.environ.get("CHCACHED", os.path.join(BUILD, "chcached"))
CHCACHECTL = os.environ.get("CHCACHECTL", os.path.join(BUILD, "chcachectl"))

# Sockets of local shards; a front that was killed leaves them behind.
RUNTIME = tempfile.mkdtemp(prefix="chcached-test-")
atexit.register(shutil.rmtree, RUNTIME, ignore_errors=True)

# A sanitizer says one of these.
REPORT = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed")


def is_sanitized():
    """Sanitizers turn some system calls (mlockall) into nothing."""
    with open(CHCACHED, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def wait(condition, what="condition", bound_s=wire.BOUND_S):
    """Comes back with condition()'s result as soon as it is true."""
    end = time.monotonic() + bound_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited in vain for: %s" % what)
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def run(*args, program=None, stdin=b"", env=None):
    """Runs a program that ends by itself; returns (exit code, stdout, stderr)."""
    p = subprocess.run([program or CHCACHED, *args], input=stdin, capture_output=True,
                       timeout=wire.BOUND_S, env=env)
    return p.returncode, p.stdout, p.stderr.decode()


class Daemon:
    """One chcached.  Use with `with`, or start() and stop()."""

    def __init__(self, *args, port=None, name="chcached", program=None):
        self.program = program or CHCACHED
        self.args = list(args)
        self.port = port            # None: a free one; 0: no client address
        self.name = name
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.end()          # __exit__ is not called for a start that failed
            raise

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self.end()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Comes back when the daemon answers (or, without clients, was started)."""
        picked = self.port is None
        for _ in range(5):
            if picked:
                self.port = free_port()
            self._launch()
            if self._is_ready():
                return self
            # Somebody else may have taken the port in between.
            if not picked or "in use" not in self.said():
                break
        raise AssertionError("%s ended with %s at its start: %s"
                             % (self.name, self.process.returncode, self.said()))

    def _launch(self, http="off"):
        args = [self.program, *self.args]
        if self.port:
            args += ["-p", str(self.port)]
        if (http is not None and self.program == CHCACHED
                and not any(arg.startswith("--http") for arg in self.args)):
            args += ["--http", http]    # the default is one address for all tests
        self.stderr = tempfile.TemporaryFile("a+b")     # said() moves the place that both share
        self.process = self._popen(args, {**os.environ, "XDG_RUNTIME_DIR": RUNTIME})

    def _popen(self, args, env):
        return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=self.stderr, env=env)

    def _is_ready(self):
        if not self.port:
            return True
        return wait(self._answers, "%s to answer" % self.name) == "yes"

    def _answers(self):
        if self.process.poll() is not None:
            return "ended"
        try:
            with wire.connect(self.address) as s:
                s.sendall(b"version\r\n")
                return "yes" if s.recv(100).startswith(b"VERSION ") else None
        except OSError:
            return None

    def connect(self):
        return wire.connect(self.address)

    def said(self):
        """All that it wrote to stderr."""
        fd = self.stderr.fileno()       # whose place in the file is the daemon's too
        return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")

    def check_report(self):
        said = self.said()
        if REPORT.search(said):
            raise AssertionError("%s reports: %s" % (self.name, said[-6000:]))

    def wait(self):
        """The exit code of a daemon that ends by itself."""
        code = self.process.wait(wire.BOUND_S)
        self.check_report()
        return code

    def stop(self):
        """As an operator does; must end with 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(wire.BOUND_S)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError("%s did not stop: %s" % (self.name, self.said()[-3000:]))
        self.check_report()
        if code != 0:
            raise AssertionError("%s ended with %d: %s" % (self.name, code, self.said()[-3000:]))

    def kill(self):
        """As the machine does."""
        self.process.kill()
        self.process.wait()
        self.check_report()

    def end(self):
        """At the end of a test that has failed already."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def children(self):
        """Process ids of the shards that it started, oldest first."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and parent_of(int(entry)) == self.pid:
                found.append(int(entry))
        return sorted(found)


def parent_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[1])


def is_alive(pid):
    return parent_of(pid) is not None


def freeze(pid):
    """
    Stops a process until SIGCONT.  kill() does not wait: a thread that runs on
    another processor goes on until the stop has reached each of them.
    """
    os.kill(pid, signal.SIGSTOP)

    def stopped(task):
        with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
            return f.read().rpartition(")")[2].split()[0] == "T"

    wait(lambda: all(map(stopped, os.listdir("/proc/%d/task" % pid))), "the process to stop")


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().decode(errors="replace").split("\0")
    except OSError:
        return []


# Options for who looks into /proc/PID: it is root's only where there may be no core.
SEEN = [] if os.geteuid() == 0 else ["--enable-coredumps"]


class Lone(Daemon):
    """One process: a front and one shard."""

    shards = ["local"]


class Cluster(Daemon):
    """
    A front that runs its shards as children; ready when all of them serve.
    Nobody is given up for being slow, unless a test says so: machines are.
    """

    def __init__(self, *args, n=3, **more):
        super().__init__("--local-shards", str(n), "--shard-timeout", "20s", *args, **more)
        self.shards = ["local-%d" % (i + 1) for i in range(n)]

    def start(self):
        super().start()
        self.wait_up()
        return self

    def wait_up(self):
        """All answer, and what is whose is settled: any key can be written."""
        wait(lambda: states(self) == {name: "up" for name in self.shards},
             "all shards to be up")
        wait(lambda: takes_writes(self), "all keys to have an owner")

    def child(self, name):
        """The process id of a shard, or None while there is none."""
        for pid in self.children():
            if name in command_line(pid):
                return pid
            if any(arg == "--name=" + name for arg in command_line(pid)):
                return pid
        return None


def takes_writes(front):
    """Every key has an owner, as far as one thread knows."""
    probes = [b"probe%d" % i for i in range(64)]
    with front.connect() as sock:
        got = wire.ask(sock, b"".join(b"delete %b\r\n" % k for k in probes))
    return got == b"NOT_FOUND\r\n" * len(probes)


def states(front):
    """
    {"local-1": "up", ...} as a front tells.  Each of its threads has its own
    connections to the shards, and clients are dealt out to the threads in
    turn: "up" is what all of them say.
    """
    found = {}
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(front.connect())]
        for _ in range(2 * int(wire.stats(socks[0])["threads"])):
            socks.append(stack.enter_context(front.connect()))
        for sock in socks:
            for key, value in wire.stats(sock, b"shards").items():
                name, _, what = key.rpartition(":")
                if what == "state" and found.get(name, "up") == "up":
                    found[name] = value
    return found


class Folder:
    """A folder for Unix sockets and files, gone afterwards."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="chcached-test-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def up(front, n):
    """Waits until `n` shards serve behind `front`."""
    try:
        wait(lambda: list(states(front).values()) == ["up"] * n, "%d shards to be up" % n)
    except AssertionError as e:
        raise AssertionError("%s\nfront: %s" % (e, front.said()[-3000:])) from None


def separate(shards, folder=None, fronts=1, extra=()):
    """
    The processes of a cluster that are started one by one: `shards` shards on
    TCP, or on Unix sockets in `folder`, and `fronts` fronts.  Not started yet.
    """
    names = ["s%d" % (i + 1) for i in range(shards)]
    addresses = [os.path.join(folder, name) if folder else "127.0.0.1:%d" % free_port()
                 for name in names]
    listed = ["--shard=%s=%s" % pair for pair in zip(names, addresses)]
    return ([Daemon("--role", "shard", "--name", name, "--peer", address, *extra,
                    port=0, name=name) for name, address in zip(names, addresses)],
            [Daemon("--role", "front", *listed, *extra, name="front-%d" % (i + 1))
             for i in range(fronts)])
