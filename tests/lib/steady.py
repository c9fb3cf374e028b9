"""Clients that are at work all the while, and check every answer."""

import contextlib
import threading

from lib import wire
from lib.cases import STORED, found
from lib.daemon import wait
from lib.wire import talk


class Client(threading.Thread):
    """Sets and gets, many at a time, all checked; connects anew now and then, or never."""

    def __init__(self, address, number, anew):
        super().__init__()
        self.address, self.number, self.anew = address, number, anew
        self.rounds, self.trouble = 0, None
        self.ends = threading.Event()

    def once(self, sock):
        n = self.rounds
        keys = [b"c%d.%d" % (self.number, i) for i in range(20)]
        values = [b"%d-%d" % (n, i) * (1 + 400 * (i % 5 == 0)) for i in range(20)]
        talk(sock, b"".join(b"set %b 0 0 %d\r\n%b\r\nget %b\r\n" % (k, len(v), v, k)
                            for k, v in zip(keys, values)),
             b"".join(STORED + found(k, v) for k, v in zip(keys, values)))
        self.rounds += 1

    def run(self):
        sock = None
        try:
            while not self.ends.is_set():
                if sock is None or self.anew:
                    if sock is not None:
                        sock.close()
                    sock = wire.connect(self.address)
                self.once(sock)
        except (AssertionError, OSError) as e:
            self.trouble = e
        finally:
            if sock is not None:
                sock.close()


@contextlib.contextmanager
def load(address, first=0):
    """Clients at work, from number `first` on; all they were answered must have been right."""
    clients = [Client(address, first + i, anew=i % 2 == 0) for i in range(6)]
    for c in clients:
        c.start()
    try:
        yield clients
    finally:
        for c in clients:
            c.ends.set()
        for c in clients:
            c.join()
    for c in clients:
        if c.trouble is not None:
            raise c.trouble


def go_on(clients, rounds=5):
    """Each client does so much more."""
    goals = [c.rounds + rounds for c in clients]
    wait(lambda: all(c.rounds >= g or c.trouble for c, g in zip(clients, goals)),
         "clients to go on")
