"""A terminal for programs that draw: as much of a vt100 as ncurses wants."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from lib.wire import BOUND_S

SEQUENCE = re.compile(r"\x1b(?:\[([?\d;]*)([A-Za-z])|[()][AB0]|[=>78MDEHc])|[\x0e\x0f]")


class Screen:
    """A program on a terminal of `rows` and `columns`.  Use with `with`."""

    def __init__(self, *command, rows=24, columns=80, env=None):
        self.command = command
        self.env = {**os.environ, "NO_COLOR": "", **(env or {}), "TERM": "vt100"}
        self.env.pop("LINES", None)
        self.env.pop("COLUMNS", None)
        self._clear(rows, columns)

    def __enter__(self):
        rows, columns = self.size
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(self.command[0], self.command, self.env)
        return self

    def __exit__(self, *_):
        if self.pid is not None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def _clear(self, rows, columns):
        self.size = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.rest = ""

    def resize(self, rows, columns):
        self._clear(rows, columns)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.terminal, text.encode())

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def wait(self, condition, what):
        """Until condition(lines) is true of what is drawn."""
        end = time.monotonic() + BOUND_S
        while not condition(self.lines()):
            assert time.monotonic() < end, ("waited in vain for: " + what, self.lines())
            self._read(0.1)
        return self.lines()

    def end(self):
        """The exit status of a program that ends by itself."""
        end = time.monotonic() + BOUND_S
        while self._read(0.1):
            assert time.monotonic() < end, "it does not end"
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = None
        return status

    def _read(self, patience_s):
        if not select.select([self.terminal], [], [], patience_s)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:             # the other end of a terminal closes so
            return False
        self.rest += data.decode(errors="replace")
        while self._step():
            pass
        return bool(data)

    def _step(self):
        """Takes one character or sequence; false when there is no whole one."""
        if not self.rest:
            return False
        first = self.rest[0]
        if first in "\x1b\x0e\x0f":
            found = SEQUENCE.match(self.rest)
            if found is None:
                assert len(self.rest) < 20, self.rest[:20]
                return False
            self.rest = self.rest[found.end():]
            if found[2]:
                self._move([int(n or 0) for n in found[1].lstrip("?").split(";")], found[2])
            return True
        self.rest = self.rest[1:]
        rows, columns = self.size
        if first == "\r":
            self.column = 0
        elif first == "\n":
            self.row = min(self.row + 1, rows - 1)
        elif first == "\b":
            self.column = max(self.column - 1, 0)
        elif first >= " ":
            self.cells[self.row][min(self.column, columns - 1)] = first
            self.column += 1
        return True

    def _move(self, numbers, kind):
        rows, columns = self.size
        n = max(numbers[0], 1)
        here = min(self.column, columns - 1)
        if kind == "H":
            self.row = min(n, rows) - 1
            self.column = min(max(numbers[1], 1) if len(numbers) > 1 else 1, columns) - 1
        elif kind in "AB":
            self.row = max(0, min(rows - 1, self.row + (n if kind == "B" else -n)))
        elif kind in "CD":
            self.column = max(0, min(columns - 1, here + (n if kind == "C" else -n)))
        elif kind == "J":
            assert numbers[0] == 0
            self.cells[self.row][here:] = [" "] * (columns - here)
            for row in range(self.row + 1, rows):
                self.cells[row] = [" "] * columns
        elif kind == "K":
            if numbers[0] == 1:
                self.cells[self.row][:here + 1] = [" "] * (here + 1)
            else:
                self.cells[self.row][here:] = [" "] * (columns - here)
