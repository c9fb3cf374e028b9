"""The load balancers of contrib/, before the fronts of a test."""

import os
import shutil
import socket
import subprocess
import tempfile

from lib import wire
from lib.daemon import free_port, wait

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Balancer:
    """Runs the file of contrib/, with other addresses.  Use with `with`."""

    def __init__(self, fronts):
        self.fronts = fronts                # HOST:PORT of two
        self.folder = tempfile.mkdtemp(prefix="chcached-test-")
        self.address = "127.0.0.1:%d" % free_port()

    def configure(self, name, more):
        """The file, in the folder; every address must have been replaced."""
        with open(os.path.join(TOP, "contrib", name), encoding="utf-8") as file:
            text = file.read()
        for old, new in {"127.0.0.1:11211": self.address, "10.0.0.1:11211": self.fronts[0],
                         "10.0.0.2:11211": self.fronts[1], **more}.items():
            assert old in text, "%s has no %s" % (name, old)
            text = text.replace(old, new)
        path = os.path.join(self.folder, os.path.basename(name))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        try:
            wait(self.answers, "the balancer to answer")
        except AssertionError as e:
            self.__exit__()
            self.log.seek(0)
            raise AssertionError("%s\n%s" % (e, self.log.read().decode()[-3000:])) from None
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(wire.BOUND_S)
        finally:
            self.process.kill()
            self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self):
        return wire.connect(self.address)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("it ended with %d" % self.process.returncode)
        try:
            with self.connect() as s:
                s.sendall(b"version\r\n")
                return s.recv(100).startswith(b"VERSION ")
        except OSError:
            return False


class HAProxy(Balancer):
    def command(self):
        self.admin = os.path.join(self.folder, "admin.sock")
        path = self.configure("haproxy/haproxy.cfg", {"/run/haproxy/admin.sock": self.admin})
        return [program("haproxy"), "-db", "-f", path]

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(wire.BOUND_S)
            s.connect(self.admin)
            s.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: s.recv(1 << 16), b"")).decode()

    def server(self, name):
        """What "show stat" has of f1 or f2, by the names of its columns."""
        lines = [line.split(",") for line in self.ask("show stat").strip().split("\n")]
        return next(dict(zip(lines[0], line)) for line in lines if line[1] == name)


class Nginx(Balancer):
    def command(self):
        path = self.configure("nginx/nginx.conf", {})
        os.symlink("/usr/lib/nginx/modules", os.path.join(self.folder, "modules"))
        return [program("nginx"), "-p", self.folder + "/", "-e", "stderr", "-c", path,
                "-g", "daemon off; pid %s/pid;" % self.folder]


def program(name):
    """Debian keeps daemons where PATH of a user does not lead; None: not there."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
