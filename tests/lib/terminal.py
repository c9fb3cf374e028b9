"""A terminal that one command runs in, and what stands on its screen."""

import fcntl
import itertools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from lib.daemon import wait

SIZE = struct.pack("HHHH", 24, 200, 0, 0)       # rows, columns: no line is broken


class Terminal:
    """A shell's `line` runs in it, after the `words`, with `env`, in the folder `cwd`."""

    # A shell passes over a Ctrl-C that its command was too quick for, unless it has
    # a trap, with which bash 5.2 hangs when that comes between its fork and exec; and
    # the line is not in its own, where pgrep would find it.
    SHELL = ["sh", "-c", "trap 'exit 130' INT; eval \"$TYPED\""]

    def __init__(self, line, words, cwd, env):
        self.line = line
        self.fd, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, SIZE)
        self.raw = b""
        self.process = subprocess.Popen(
            [*words, *self.SHELL], stdin=far, stdout=far, stderr=far, cwd=cwd,
            env={**env, "TYPED": line}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(far)

    def read(self):
        """Takes what has come; true when the command has ended."""
        ended = self.process.poll() is not None
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:         # nobody has the other end any more
                break
            self.raw += data
        return ended

    def wait(self):
        """The exit status of a command that ends by itself."""
        wait(self.read, "the end of " + self.line)
        self.read()
        return self.process.returncode

    def screen(self):
        """What a reader sees: colours, and what was written over, are gone."""
        text = re.sub(r"\x1b\[[\d;]*[mK]", "", self.raw.decode(errors="replace"))
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
        return "\n".join(lines)

    def stop(self):
        """Ctrl-C, and away with it; again, as who types does, where a loop goes on."""
        looks = itertools.count()

        def is_over():
            look = next(looks)
            if look == 0 or (look % 100 == 0 and self.line.startswith("while ")):
                os.write(self.fd, b"\x03")
            return self.read()

        try:
            wait(is_over, "the end of " + self.line)
            self.read()
        finally:
            self.end()

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.fd)
