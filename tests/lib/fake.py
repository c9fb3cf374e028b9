"""Servers that answer what a test wants."""

import collections
import socketserver
import threading


class Fake:
    """A server whose answers a function makes: answer(words) -> bytes, None to hang up."""

    def __init__(self, answer):
        fake = self
        self.keys = collections.Counter()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while words := self.rfile.readline().split():
                    if words[0] == b"get":
                        fake.keys[words[1]] += 1
                    if words[0] == b"set":
                        self.rfile.read(int(words[4]) + 2)
                    got = answer(words)
                    if got is None:
                        return
                    self.wfile.write(got)

        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
