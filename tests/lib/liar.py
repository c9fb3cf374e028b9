"""
A small memcached that can be told to lie, for the tests of those who must
notice.  It runs in a thread of its own.

    with Liar("stale") as server: ... server.address ...

It lies at every EVERY-th occasion, and at each where these are rare; a lie that
needs something (an older value, a delete) waits until it is there.
"""

import selectors
import socket
import threading
import time

EVERY = 40
AWAY_S = 3
RARE = ("cas wins", "undeletes")

LIES = {
    "loses": "a set is acknowledged and not done",
    "stale": "a get shows the value before",
    "tears": "a get shows one half of this value, one of the value before",
    "cuts": "a get shows a value without its end",
    "mixes up": "a get shows another key's value",
    "phantom": "an add or a set is refused, and done",
    "counts twice": "an incr is done twice",
    "forgets to count": "an incr is answered and not done",
    "same number": "an incr says the number that the one before it said",
    "cas wins": "a cas with an old token is done",
    "cas loses": "a cas with a valid token is not done",
    "same token": "a gets tells a token that was another value's",
    "undeletes": "a delete is acknowledged and not done",
    "appends twice": "an append is done twice",
    "forgets to append": "an append is acknowledged and not done",
    "misses": "a get finds nothing",
    # Not lies, but what an honest server may do to its clients.
    "hangs up": "a connection ends with its last command done or not",
    "refuses": "a command is refused and not done",
    "away": "nothing is answered for AWAY_S, once",
}

SHORT = {"STORED": "HD", "NOT_STORED": "NS", "EXISTS": "EX", "NOT_FOUND": "NF"}
MODES = {b"S": "set", b"E": "add", b"R": "replace", b"A": "append", b"P": "prepend"}


class Item:
    def __init__(self, value, token):
        self.value = value
        self.token = token
        self.before = None      # the item that it replaced


class HangUp(Exception):
    pass


class Liar:
    def __init__(self, lie=None):
        assert lie is None or lie in LIES
        self.lie = lie
        self.occasions = 0
        self.told = 0
        self.items = {}
        self.token = 0
        self.number = None      # the last that an incr was answered with
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.wake, self.end = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.end, selectors.EVENT_READ)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.wake.close()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def lies(self, *lies):
        """Is it time for one of these?  Ask only when it could be told."""
        if self.lie not in lies:
            return False
        self.occasions += 1
        if self.lie not in RARE and self.occasions % EVERY:
            return False
        self.told += 1
        return True

    # ---- connections ----

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.end:
                    return
                if key.fileobj is self.listener:
                    sock, _ = self.listener.accept()
                    self.selector.register(sock, selectors.EVENT_READ, bytearray())
                else:
                    self.readable(key.fileobj, key.data)

    def readable(self, sock, got):
        try:
            data = sock.recv(1 << 18)
            got += data
            out = self.answers(got)
            if out:
                sock.sendall(out)
        except (HangUp, ConnectionError):
            data = b""
        if not data:
            self.selector.unregister(sock)
            sock.close()

    def answers(self, got):
        """Takes every whole command from `got`."""
        out = []
        while True:
            end = got.find(b"\r\n")
            if end < 0:
                break
            words = bytes(got[:end]).split(b" ")
            used, block = end + 2, None
            size = self.block_size(words)
            if size is not None:
                if len(got) < used + size + 2:
                    break
                block = bytes(got[used:used + size])
                used += size + 2
            del got[:used]
            out.append(self.answer(words, block))
        return b"".join(out)

    @staticmethod
    def block_size(words):
        if words[0] == b"ms":
            return int(words[2])
        if words[0] in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
            return int(words[4])
        return None

    # ---- commands ----

    def answer(self, words, block):
        if self.lie == "away" and not self.told:
            self.occasions += 1
            if self.occasions == 1000:
                self.told += 1
                time.sleep(AWAY_S)
        if self.lies("refuses"):
            return b"SERVER_ERROR not today\r\n"
        if self.lies("hangs up"):
            if self.told % 2:
                self.run(words, block)
            raise HangUp
        return self.run(words, block)

    def run(self, words, block):
        verb, flags = words[0], words[2:]
        if verb in (b"get", b"gets"):
            return self.classic(words[1], self.read(words[1]), verb == b"gets")
        if verb in (b"gat", b"gats"):
            return self.classic(words[2], self.read(words[2]), verb == b"gats")
        if verb == b"mg":
            item = self.read(words[1])
            if item is None:
                return b"EN\r\n"
            token = b" c%d" % item.token if b"c" in flags else b""
            return b"VA %d%b\r\n%b\r\n" % (len(item.value), token, item.value)
        if verb == b"ms":
            token = next((int(f[1:]) for f in flags[1:] if f[:1] == b"C"), None)
            mode = next((MODES[f[1:]] for f in flags[1:] if f[:1] == b"M"), "set")
            said = self.store(mode, words[1], block, token)
            return SHORT.get(said, said).encode() + b"\r\n"
        if block is not None:
            token = int(words[5]) if verb == b"cas" else None
            mode = "set" if verb == b"cas" else verb.decode()
            said = self.store(mode, words[1], block, token)
            return said.encode() + b"\r\n"
        if verb in (b"incr", b"decr"):
            number = self.count(words[1], int(words[2]) * (1 if verb == b"incr" else -1))
            return b"NOT_FOUND\r\n" if number is None else b"%d\r\n" % number
        if verb == b"ma":
            delta = next(int(f[1:]) for f in flags if f[:1] == b"D")
            number = self.count(words[1], -delta if b"MD" in flags else delta)
            return b"NF\r\n" if number is None else b"VA %d\r\n%d\r\n" % (
                len(str(number)), number)
        if verb == b"touch":
            return b"TOUCHED\r\n" if words[1] in self.items else b"NOT_FOUND\r\n"
        if verb in (b"delete", b"md"):
            done = self.delete(words[1])
            if verb == b"md":
                return b"HD\r\n" if done else b"NF\r\n"
            return b"DELETED\r\n" if done else b"NOT_FOUND\r\n"
        if verb == b"flush_all":
            self.items.clear()
            return b"OK\r\n"
        return b"ERROR\r\n"

    @staticmethod
    def classic(key, item, with_token):
        if item is None:
            return b"END\r\n"
        token = b" %d" % item.token if with_token else b""
        return b"VALUE %b 0 %d%b\r\n%b\r\nEND\r\n" % (key, len(item.value), token, item.value)

    def read(self, key):
        item = self.items.get(key)
        if item is None:
            return None
        if self.lies("misses"):
            return None
        if self.lies("cuts"):
            return Item(item.value[:-1], item.token)
        if self.lies("mixes up"):
            other = next((i for k, i in self.items.items() if k != key), None)
            return other
        if item.before is None:
            return item
        if self.lies("stale"):
            return item.before
        if self.lies("tears"):
            half = len(item.value) // 2
            return Item(item.before.value[:half] + item.value[half:], item.token)
        if self.lies("same token"):
            return Item(item.value, item.before.token)
        return item

    def put(self, key, value):
        self.token += 1
        item = Item(value, self.token)
        item.before = self.items.get(key)
        if item.before is not None:
            item.before.before = None
        self.items[key] = item

    def store(self, mode, key, value, token):
        if len(value) > 1 << 20:
            self.items.pop(key, None)
            return "SERVER_ERROR object too large for cache"
        item = self.items.get(key)
        if token is not None:
            if item is None:
                return "NOT_FOUND"
            if token != item.token and not self.lies("cas wins"):
                return "EXISTS"
            if self.lies("cas loses"):
                return "EXISTS"
        if mode == "add" and item is not None:
            if self.lies("phantom"):
                self.put(key, value)
            return "NOT_STORED"
        if mode in ("replace", "append", "prepend") and item is None:
            return "NOT_STORED"
        if mode in ("append", "prepend"):
            if self.lies("forgets to append"):
                return "STORED"
            if self.lies("appends twice"):
                value += value
            value = item.value + value if mode == "append" else value + item.value
        elif item is not None and self.lies("loses"):
            return "STORED"
        elif self.lies("phantom"):
            self.put(key, value)
            return "SERVER_ERROR not today"
        self.put(key, value)
        return "STORED"

    def count(self, key, delta):
        item = self.items.get(key)
        if item is None:
            return None
        if self.lies("same number") and self.number is not None:
            return self.number
        if self.lies("counts twice"):
            delta *= 2
        number = int(item.value) + delta
        if not self.lies("forgets to count"):
            self.put(key, b"%d" % number)
        self.number = number
        return number

    def delete(self, key):
        if key not in self.items:
            return False
        if not self.lies("undeletes"):
            del self.items[key]
        return True
