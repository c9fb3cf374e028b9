"""A terminal that one command runs in, and what stands on its screen."""

import fcntl
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


def _at_a_terminal():
    """What a shell finds there, however these tests were started: in the background of
    a script Ctrl-C is ignored, and a shell can't unlearn that."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


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
            preexec_fn=_at_a_terminal)
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
        """Ctrl-C, and away with it."""
        try:
            os.write(self.fd, b"\x03")
            wait(self.read, "the end of " + self.line)
            self.read()
        finally:
            self.end()

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.fd)
