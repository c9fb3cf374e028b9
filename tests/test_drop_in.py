#!/usr/bin/python3 -B
"""The command lines of memcached's units, images and charts: each starts, or says why not."""

import os
import pwd
import signal
import unittest

from lib import tap, wire
from lib.daemon import Daemon, Folder, free_port, has_ipv6, is_alive, run, wait
from lib.wire import stats, talk

USAGE, NO_USER = 64, 67

# (whose, words, {setting: value that a client is told}).  A word with a blank in it is
# what a list of arguments in YAML has, and "${OPTIONS}" of a unit.
STARTS = [
    ("Debian's /etc/memcached.conf",
     ["-m", "64", "-p", "{port}", "-u", "{user}", "-l", "127.0.0.1", "-l", "::1",
      "-P", "{folder}/memcached.pid"],
     {"maxbytes": str(64 << 20), "tcpport": "{port}"}),
    ("memcached@.service without OPTIONS",
     ["-p", "{port}", "-u", "{user}", "-m", "128", "-c", "2048", ""],
     {"maxbytes": str(128 << 20), "maxconns": "2048"}),
    ("Fedora's /etc/sysconfig/memcached",
     ["-p", "{port}", "-u", "{user}", "-m", "64", "-c", "1024", "-l", "127.0.0.1,::1"],
     {"maxconns": "1024"}),
    ("its older OPTIONS", ["-p", "{port}", "-U", "0", "-l", "127.0.0.1"], {"udpport": "0"}),
    ("a container", ["-m", "64", "-o", "modern"], {"maxbytes": str(64 << 20)}),
    ("a container for large items", ["-m", "1024", "-I", "8m", "-vv"],
     {"item_size_max": str(8 << 20), "verbosity": "2"}),
    ("a chart", ["-m 1024", "--extended=modern,track_sizes", "-I 5m", "-c 16384", "-v"],
     {"maxbytes": str(1 << 30), "item_size_max": str(5 << 20), "maxconns": "16384"}),
    ("another chart", ["--max-item-size=8388608", "--memory-limit=256", "--conn-limit=100",
                       "--threads=2", "--extended", "modern,no_hashexpand"],
     {"item_size_max": "8388608", "num_threads": "2"}),
    ("one that is tuned",
     ["-t", "3", "-R", "200", "-b", "4096", "-f", "1.05", "-n", "72", "-L", "-B", "auto",
      "-D", ":", "-F", "-X", "-W", "-C", "-M", "-o", "slab_reassign,lru_crawler,hashpower=20"],
     {"num_threads": "3", "reqs_per_event": "200", "tcp_backlog": "4096", "evictions": "off",
      "cas_enabled": "no", "flush_enabled": "no"}),
    ("letters together", ["-vvFM", "-m64", "-c7", "-l127.0.0.1"],
     {"verbosity": "2", "maxconns": "7", "flush_enabled": "no", "evictions": "off"}),
]

NO_TLS = "there is no TLS yet, and clients are not to be served without it"
ADDRESS = "expected ADDR or ADDR:PORT with the address as a number"

REFUSED = [
    (["-U", "11211"], '--udp-port: read "11211", expected 0: there is no UDP here, it lends '
                      "itself to amplified attacks"),
    (["-S"], "--enable-sasl: there is no SASL"),
    (["-B", "binary"], '--protocol: read "binary", expected auto or ascii: the text protocol is '
                       "always spoken"),
    (["-Y", "/etc/memcached.auth"], "--auth-file: there is no authentication yet, and clients "
                                    "are not to be let in without it"),
    (["-Z", "-o", "ssl_chain_cert=/c,ssl_key=/k"], "--enable-ssl: " + NO_TLS),
    (["-o", "ssl_chain_cert=/c", "-Z"], '--extended: read "ssl_chain_cert=/c": ' + NO_TLS),
    (["-o", "modern,proxy_config=/c.lua"],
     '--extended: read "proxy_config=/c.lua": there is no memcached proxy in here; a front is '
     "one, see --shard"),
    (["-l", "eth0"], '--listen: read "eth0", ' + ADDRESS),
    (["-l", "127.0.0.1,cache.example"], '--listen: read "cache.example", ' + ADDRESS),
    (["-l", "notls:127.0.0.1:11211"], '--listen: read "notls:127.0.0.1:11211", ' + ADDRESS),
    (["-p", "-1"], '--port: read "-1", expected a whole number, from 0 to 65535'),
    (["-I", "1g"], '--max-item-size: read "1g", expected bytes or a number with k, m, g or t, '
                   "from 1k to 128m"),
    (["-m", "0"], '--memory-limit: read "0", expected megabytes or a number with k, m, g or t, '
                  "from 1m to 1t"),
]


def filled(words, **values):
    return [word.format(**values) for word in words]


class Lines(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__)
        os.chmod(self.folder, 0o777)

    def test_they_start_and_their_settings_hold(self):
        me = pwd.getpwuid(os.getuid()).pw_name
        for whose, words, wanted in STARTS:
            if "::1" in " ".join(words) and not has_ipv6():
                words = [word.replace(",::1", "").replace("::1", "127.0.0.2") for word in words]
            port = free_port()
            values = {"port": port, "user": me, "folder": self.folder}
            with self.subTest(whose=whose), Daemon(*filled(words, **values), port=port) as d:
                with d.connect() as s:
                    talk(s, b"set a 0 0 1\r\nX\r\n", b"STORED\r\n")
                    found = stats(s, b"settings")
                for name, value in wanted.items():
                    self.assertEqual(found[name], value.format(**values), name)

    def test_one_that_goes_into_the_background_starts(self):
        port, path = free_port(), os.path.join(self.folder, "memcached.pid")
        code, _, said = run("-d", "-m", "64", "-p", str(port), "-u",
                            pwd.getpwuid(os.getuid()).pw_name, "-l", "127.0.0.1", "-P", path,
                            "--http", "off")
        self.assertEqual(code, 0, said)
        with open(path) as f:
            pid = int(f.read())
        try:
            with wire.connect("127.0.0.1:%d" % port) as s:
                self.assertEqual(stats(s)["pid"], str(pid))
        finally:
            os.kill(pid, signal.SIGTERM)
        wait(lambda: not is_alive(pid), "the daemon to end")

    def test_one_on_a_unix_socket_starts(self):
        path = os.path.join(self.folder, "memcached.sock")
        with Daemon("-s", path, "-a", "0766", "-m", "64", port=0):
            def answers():
                try:
                    with wire.connect(path) as s:
                        return wire.ask(s, b"get a\r\n") == b"END\r\n"
                except OSError:
                    return False
            wait(answers, "an answer")
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o766)

    def test_a_user_that_is_no_name_matters_to_root_alone(self):
        # A chart of the field says "-u 11211", in a container without root.
        if os.getuid() != 0:
            with Daemon("-m 64", "-u 11211"):
                return
        code, _, said = run("-m 64", "-u 11211", "-p", str(free_port()), "--http", "off")
        self.assertEqual(code, NO_USER)
        self.assertTrue(said.startswith("chcached: there is no user 11211. "), said)

    def test_what_cannot_be_had_is_refused_with_its_reason(self):
        for words, said in REFUSED:
            with self.subTest(words=words):
                self.assertEqual(run(*words), (USAGE, b"", "chcached: %s\n" % said))


if __name__ == "__main__":
    tap.main()
