#!/usr/bin/python3 -B
"""The file of --config: what it says, what is wrong with it, and who wins."""

import contextlib
import os
import random
import re
import socket
import unittest

from lib import tap, wire
from lib.cluster import Member
from lib.daemon import Daemon, Folder, free_port, run, states, wait
from lib.wire import stats, talk

USAGE, BAD_CONFIG = 64, 78
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

TWO = '[shard "a"]\naddress = @a\n[shard "b"]\naddress = @b\n'

# (the file, what is said after "FILE:")
REFUSED = [
    # names
    ("[node]\nthread = 4\n", '2: unknown key "thread", did you mean "threads"?'),
    ("[node]\nxyzzy = 4\n", '2: unknown key "xyzzy", see man chcached.conf'),
    ("[cluster]\nisolation = refuse\n", '2: unknown key "isolation", see man chcached.conf'),
    ("\n[nod]\n", "2: unknown section [nod], did you mean [node]?"),
    ("[zookeeper]\n", "1: unknown section [zookeeper], expected [node], [front], [admin], "
                      '[cluster], [log] or [shard "NAME"]'),
    ("[front]\nthreads = 4\n", '2: "threads" is in [front], expected it in [node]'),
    ("[cluster]\nname = demo\n", '2: "name" is in [cluster], expected it in [node]'),
    ("threads = 4\n", '1: "threads" is in no section, expected it in [node]'),
    ("xyzzy = 4\n", '1: unknown key "xyzzy", see man chcached.conf'),
    ('[node "n"]\n', '1: read [node "n"], expected [node]'),
    ("[node]\nslab-min-size = 48\n", '2: "slab-min-size" is not for a file: there are no slabs'),
    ("[cluster]\nshard = s1=@s\n", '2: "shard" is not for a file: each shard has its section, '
                                   '[shard "NAME"]'),
    # values, in the words of the command line
    ("[node]\nthreads = 0\n", '2: --threads: read "0", expected a whole number, from 1 to 256'),
    ("[node]\nthreads =\n", '2: --threads: read "", expected a whole number, from 1 to 256'),
    ("[node]\nthreads = 4# four\n",
     '2: --threads: read "4# four", expected a whole number, from 1 to 256'),
    ("[node]\npidfile = \"/a\n", '2: a value has no quote behind it, expected name = "value"'),
    ("[node]\nmemory-limit = much\n",
     '2: --memory-limit: read "much", expected megabytes or a number with k, m, g or t, '
     "from 1m to 1t"),
    ("[node]\ndisable-cas = maybe\n", '2: --disable-cas: read "maybe", expected yes or no'),
    ("[log]\nverbose = -v\n", '2: --verbose: read "-v", expected a whole number'),
    ("[cluster]\nrole = proxy\n", '2: --role: read "proxy", expected both, front or shard'),
    ("[front]\n\nudp-port = 11211\n", '3: --udp-port: read "11211", expected 0: there is no UDP '
                                      "here, it lends itself to amplified attacks"),
    ("[front]\nprotocol = binary\n", '2: --protocol: read "binary", expected auto or ascii: '
                                     "the text protocol is always spoken"),
    ("[front]\nlisten = 127.0.0.1\nlisten = 127.0.0.1,no.such.host\nlisten = 127.0.0.2\n",
     '3: --listen: read "no.such.host", expected ADDR or ADDR:PORT with the address as a number'),
    ("[front]\nlisten = 127.0.0.1\n  no.such.host\n",
     '3: --listen: read "no.such.host", expected ADDR or ADDR:PORT with the address as a number'),
    ("[admin]\nhttp = 10.0.0.1:80\n",
     '2: --http: read "10.0.0.1:80", expected an address of this host alone, 127.0.0.1 or [::1], '
     "or --admin-token-file: who reaches it may change the cluster"),
    ("[node]\nname = a:b\n",
     "2: --name: read \"a:b\", expected 1 to 60 letters, digits, '.', '_' or '-'"),
    # together
    ("[node]\nthreads = 4\n[node]\nthreads = 4\n",
     '4: "threads" is there twice, first at line 2'),
    ("[node]\nthreads = 4\n  8\n", '3: "threads" is there twice, first at line 2'),
    ("[cluster]\nreplicas = 2\n", "2: --replicas needs --local-shards or --coordinator: "
                                  "somebody must say who is alive"),
    ("[front]\nmax-item-size = 128m\n",
     "2: --memory-limit: 65536k for each shard, expected room for two of the largest items "
     "(--max-item-size), 262144k"),
    ("[cluster]\nlocal-shards = 64\n",
     "2: --memory-limit: 1024k for each shard, expected room for two of the largest items "
     "(--max-item-size), 2048k"),
    ("[cluster]\nlocal-shards = 2\n" + TWO,
     "2: --local-shards and --shard do not go together: local shards are a cluster of their own"),
    # shards
    ("[shard]\n", '1: read [shard], expected [shard "NAME"]'),
    ('[shard "a b"]\n', "1: [shard]: read \"a b\", expected 1 to 60 letters, digits, '.', '_' "
                        "or '-'"),
    (TWO + '[shard "a"]\n', '5: [shard "a"] is there twice, first at line 1'),
    (TWO + '[shard "c"]\naddress = @b\n', "6: --shard: b and c have one address, @b"),
    (TWO + '[shard "c"]\n', '5: [shard "c"] has no address, expected "address = ADDR:PORT" in it'),
    (TWO + "address = @c\n", '5: "address" is there twice, first at line 4'),
    (TWO + "adress = @c\n", '5: unknown key "adress", did you mean "address"?'),
    (TWO + "threads = 4\n", '5: "threads" is in [shard], expected it in [node]'),
    (TWO + "weight = 0\n", '5: weight: read "0", expected a whole number, from 1 to 100'),
    (TWO + "memory-limit = 0\n",
     '5: --memory-limit: read "0", expected megabytes or a number with k, m, g or t, '
     "from 1m to 1t"),
    ('[shard "a"]\naddress = host.example:1\n',
     '2: address: read "host.example:1", expected ADDR:PORT with the address as a number, '
     "or a path"),
    # the file itself
    ("[node]\nthreads\n", "2: expected name = value, or a [section]"),
    ("[node\n", '1: expected [section] or [section "name"]'),
    ("[node]\nuser = %s\n" % ("x" * 400), "2: read a line of 407 characters, expected 199 at most, or a "
                                        "value in quotes"),
    ("[node]\nuser = a\0b\n", "2: read a control character, expected text"),
]

# What one start is to do.
NOT_FOR_A_FILE = ["config", "daemon", "help", "license", "print-config", "test-config", "version"]

# What other options one needs, and a value that it can have.
NEEDS = {
    "port": "11300", "listen": "10.0.0.1:5,10.0.0.2", "name": "n1", "role": "both",
    "peer": "127.0.0.1:7", "unix-socket": "/tmp/a b;c", "user": "root", "cluster": "demo",
    "coordinator": "c@10.0.0.1", "ack": "owner", "state-dir": "/tmp/state",
    "http": "127.0.0.1:99", "admin-token-file": "/tmp/token",
    "stat-delimiter": ";", "pidfile": "/tmp/pid", "udp-port": "0",
    "log-level": "warn", "log-format": "json", "log-file": "/tmp/log",
    "protocol": "ascii", "replicas": "2", "local-shards": "3",
}
BESIDE = {"peer": [("name", "n1")], "coordinator": [("role", "front")],
          "replicas": [("local-shards", "3")]}
OF_TYPE = {"COUNT": "77", "OCTAL": "750", "SIZE": "3m", "MEGABYTES": "2049m", "DURATION": "1500ms"}


def table():
    """{name: (type, section)} of src/options.def."""
    with open(os.path.join(TOP, "src", "options.def")) as f:
        rows = re.findall(r'^OPTION\w*\(\w+, "([\w-]+)", [^,]+, ([A-Z]+), .*, ([A-Z]+), '
                          r'(?:LIVE|START), (?:"[^"]*"|NULL),$', f.read(), re.M)
    return {name: (kind, section.lower()) for name, kind, section in rows}


def settable():
    """[(name, type, section, value)] of all that a file may have."""
    for name, (kind, section) in table().items():
        if section not in ("none", "shard"):
            yield name, kind, section, NEEDS.get(name) or OF_TYPE.get(kind)


def words(name, kind, value):
    """As on a command line."""
    return ["--" + name] if kind in ("FLAG", "TALLY") else ["--" + name, value]


def bare(printed):
    """Settings without where they are from."""
    return [re.sub(r"\s+(; (?:default|command line|\S*:\d+))?$", "", line)
            for line in printed.splitlines() if not line.startswith(";")]


def origins(printed):
    """{(section, name): origin}"""
    found, section = {}, None
    for line in printed.splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif line and not line.startswith(";"):
            name, comment = re.match(r"(\S+) .*; (.*)$", line).groups()
            found[section, name] = comment
    return found


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = Folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__)

    def file(self, text, name="chcached.conf"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(text.encode())
        return path

    def print(self, *args):
        code, out, err = run(*args, "--print-config")
        self.assertEqual((code, err), (0, ""), args)
        return out.decode()


class Refusals(WithFolder):
    def test_a_bad_file_is_answered_with_its_line(self):
        for text, said in REFUSED:
            with self.subTest(file=text):
                path = self.file(text)
                wanted = (BAD_CONFIG, b"", "%s:%s\n" % (path, said))
                self.assertEqual(run("--config", path), wanted)
                self.assertEqual(run("-T", "--config=" + path), wanted)
                self.assertEqual(run("--print-config", "--config=" + path), wanted)

    def test_what_one_start_does_is_not_for_a_file(self):
        none = sorted(name for name, (_, section) in table().items() if section == "none")
        self.assertEqual(none, NOT_FOR_A_FILE)
        for name in NOT_FOR_A_FILE:
            path = self.file("[node]\n%s = yes\n" % name)
            self.assertEqual(run("-T", "--config", path), (BAD_CONFIG, b"", '%s:2: "%s" is not '
                             "for a file: it says what one start is to do, on its command line\n"
                             % (path, name)))

    def test_each_option_has_one_section(self):
        for name, _, section, value in settable():
            other = "admin" if section != "admin" else "log"
            path = self.file("[%s]\n%s = %s\n" % (other, name, value))
            self.assertEqual(run("-T", "--config", path),
                             (BAD_CONFIG, b"", '%s:2: "%s" is in [%s], expected it in [%s]\n'
                              % (path, name, other, section)))

    def test_a_file_that_cannot_be_read_is_told(self):
        missing = os.path.join(self.folder, "missing")
        for args in (["-T"], [], ["--print-config"]):
            self.assertEqual(run(*args, "--config", missing),
                             (BAD_CONFIG, b"", "chcached: cannot read %s: No such file or "
                                               "directory\n" % missing))
        self.assertEqual(run("--config", self.folder),
                         (BAD_CONFIG, b"", "%s:1: Is a directory\n" % self.folder))
        self.assertEqual(run("--config"), (USAGE, b"", "chcached: --config needs a value, FILE\n"))

    def test_whose_fault_it_is_says_the_exit_code(self):
        fine, bad = self.file("[node]\nthreads = 2\n", "fine"), self.file("[node]\nt = 2\n", "bad")
        self.assertEqual(run("-T"), (0, b"command line: OK\n", ""))
        self.assertEqual(run("-T", "--config", fine), (0, b"%s: OK\n" % fine.encode(), ""))
        self.assertEqual(run("-T", "-t", "0")[0], USAGE)
        self.assertEqual(run("-T", "--config", fine, "-t", "0")[0], USAGE)
        self.assertEqual(run("-T", "--config", fine, "--replicas", "2")[0], USAGE)
        self.assertEqual(run("-T", "--config", bad)[0], BAD_CONFIG)
        self.assertEqual(run("-T", "--config", bad, "-t", "0")[0], USAGE)

    def test_a_shard_by_its_section_has_no_clients(self):
        path = self.file(TWO)
        self.assertEqual(run("-T", "--config", path, "--name", "a", "-p", "5"),
                         (USAGE, b"", "chcached: --role shard has no clients: it does not go with "
                                      "--port\n"))


class Printed(WithFolder):
    def again(self, args):
        """What is printed, and is the same when it is a file."""
        first = self.print(*args)
        path = self.file(first, "printed")
        self.assertEqual(run("-T", "--config", path), (0, b"%s: OK\n" % path.encode(), ""), first)
        self.assertEqual(bare(self.print("--config", path)), bare(first))
        return first

    def test_every_option_comes_back_from_what_is_printed(self):
        self.assertGreaterEqual(len(list(settable())), 40)
        for name, kind, section, value in settable():
            with self.subTest(option=name):
                args = words(name, kind, value)
                for more, its in BESIDE.get(name, []):
                    args += words(more, "STRING", its)
                found = origins(self.again(args))
                self.assertEqual(found[section, name], "command line")
                self.assertLessEqual(set(found.values()), {"command line", "default"})

    def test_every_option_may_stand_in_a_file(self):
        for name, kind, section, value in settable():
            with self.subTest(option=name):
                args = words(name, kind, value)
                text = '[%s]\n%s = "%s"\n' % (section, name, value or
                                                ("yes" if kind == "FLAG" else "1"))
                for more, its in BESIDE.get(name, []):
                    args += words(more, "STRING", its)
                    text += "[%s]\n%s = %s\n" % (table()[more][1], more, its)
                path = self.file(text)
                by_file = self.again(["--config", path])
                self.assertEqual(bare(by_file), bare(self.print(*args)))
                self.assertEqual(origins(by_file)[section, name], path + ":2")

    def test_members_come_back(self):
        shards = ["--shard", "a=10.0.0.1:5*3", "--shard", "b=@b"]
        for args in (["--role", "front", *shards], ["--name", "b", *shards],
                     ["--role", "shard", "--name", "b", "--peer", "10.0.0.1"],
                     ["--role", "shard", "--name", "b", *shards],
                     ["--role", "front", "--name", "f", "--coordinator", "f@10.0.0.1:5",
                      "--state-dir", "/tmp/s", "--replicas", "2", *shards],
                     ["--coordinator", "b@/tmp/b", "--name", "b", "--state-dir", "/tmp/s", *shards],
                     ["--local-shards", "3", "--replicas", "3", "-m", "1g", "-I", "128m"],
                     ["-s", "/tmp/s"], ["-s", "/tmp/s", "-l", "::1", "--http", "off"],
                     ["-p", "0", "-l", "10.0.0.1:5,10.0.0.2"], ["-vvv"], ["-D", "#"]):
            with self.subTest(args=args):
                self.again(args)
                path = self.file(self.print(*args), "again")
                self.again(["--config", path])

    def test_each_setting_has_where_it_is_from(self):
        path = self.file("[node]\nthreads = 3\nmemory-limit = 100\n")
        found = origins(self.print("--config", path, "-m", "200"))
        self.assertEqual(found["node", "threads"], path + ":2")
        self.assertEqual(found["node", "memory-limit"], "command line")
        self.assertEqual(found["front", "port"], "default")

    def test_a_long_path_of_the_file_does_not_make_lines_too_long(self):
        path = self.file("[node]\nthreads = 3\n", "x" * 200)
        printed = self.again(["--config", path])
        self.assertIn("\n; %s:2\nthreads " % path, printed)

    def test_any_text_comes_back(self):
        chance = random.Random(os.environ.get("SEED", "1"))
        alphabet = " \t;#\"\\=:[]'a\xe9"
        for _ in range(100):
            args = []
            for name in ("--pidfile", "--user", "--state-dir", "--unix-socket"):
                text = "".join(chance.choices(alphabet, k=chance.randint(1, 40)))
                args += [name, text]
            args += ["--stat-delimiter", chance.choice(alphabet[:-1]), "-m",
                     "%dk" % chance.randint(4096, 1 << 24), "-c", str(chance.randint(1, 10**6)),
                     "--hold-down", "%dms" % chance.randint(0, 10**6),
                     "--name", "n", "--peer", "/" + "".join(chance.choices(alphabet, k=9))]
            args += chance.sample(["-v", "-M", "-F", "-X", "-W", "-A", "-C", "-k"], 3)
            with self.subTest(args=args):
                self.again(args)

    def test_a_long_path_comes_back(self):
        for value in ("x" * 150, "x" * 4095, "\"" * 4095, "\\ " * 2047):
            self.again(["-P", value, "-u", value])

    def test_what_is_not_set_is_told(self):
        printed = self.print("-s", "/x")
        for name in ("pidfile", "user", "peer", "listen", "state-dir"):
            self.assertRegex(printed, r"(?m)^; %s +is not set +; default$" % name)


class Settings(WithFolder):
    def test_flags_are_yes_or_no(self):
        for word, wanted in (("yes", "yes"), ("true", "yes"), ("on", "yes"), ("no", "no"),
                             ("false", "no"), ("off", "no")):
            path = self.file("[node]\ndisable-cas = %s\n" % word)
            self.assertIn("disable-cas = %s" % wanted,
                          re.sub(" +", " ", self.print("--config", path)))

    def test_addresses_are_repeated(self):
        for text in ("listen = 10.0.0.1\nlisten = [::1]:5,10.0.0.2\n",
                     "listen = 10.0.0.1 ; one\n  [::1]:5 ; two\n  10.0.0.2\n"):
            path = self.file("[front]\n" + text)
            found = re.findall(r"^listen +=( \S+)", self.print("--config", path), re.M)
            self.assertEqual(found, [" 10.0.0.1:11211", " [::1]:5", " 10.0.0.2:11211"])

    def test_the_command_line_wins(self):
        path = self.file("[node]\nmemory-limit = 100\n[front]\nlisten = 10.0.0.1\n"
                         "[log]\nverbose = 3\n" + TWO.replace("@a", "@a\nmemory-limit = 2g"))
        printed = bare(self.print("--config", path, "--name", "a"))
        self.assertIn("memory-limit         = 2g", printed)     # its own section's
        self.assertIn("verbose              = 3", printed)
        self.assertFalse(any(line.startswith("listen ") for line in printed))
        printed = bare(self.print("--config", path, "--name", "a", "-m", "300", "-v",
                                  "--peer", "@c"))
        self.assertIn("memory-limit         = 300m", printed)
        self.assertIn("verbose              = 1", printed)
        self.assertIn("peer                 = @c", printed)
        printed = bare(self.print("-l", "10.0.0.2", "--config", path, "--name", "f"))
        self.assertIn("memory-limit         = 100m", printed)
        self.assertIn("listen               = 10.0.0.2:11211", printed)
        printed = bare(self.print("--config", path, "--role", "front", "--shard", "x=@x"))
        self.assertEqual([line for line in printed if line.startswith("[shard")], ['[shard "x"]'])

    def test_the_name_picks_the_part(self):
        mine = socket.gethostname()
        is_name = re.fullmatch(r"[A-Za-z0-9._-]{1,59}", mine) and mine not in ("a", "b", "f")
        path = self.file(TWO + '[shard "%s"]\naddress = @c\n' % (mine if is_name else "c"))
        for args, role, peer in ((["--name", "a"], "shard", "@a"), (["--name", "f"], "front", None),
                                 ([] if is_name else ["--name", "c"], "shard", "@c"),
                                 (["--name", "b", "--role", "both"], "both", "@b")):
            printed = self.print("--config", path, *args)
            self.assertRegex(printed, r"\nrole += %s " % role)
            found = re.search(r"^peer += (\S+)", printed, re.M)
            self.assertEqual(found and found[1], peer)
            # A shard is told the map; only who makes the first one has the list.
            self.assertEqual(printed.count("[shard "), 0 if role == "shard" else 3)

    def test_a_name_may_be_longer_than_a_heading_of_inih(self):
        name = "n" * 60
        path = self.file('[shard "%s"]\naddress = @x\n' % name)
        self.assertRegex(self.print("--config", path, "--name", name), r"\npeer += @x ")

    def test_a_daemon_does_what_its_file_says(self):
        path = self.file("[node]\nthreads = 3\nmemory-limit = 100\ndisable-cas = yes\n"
                         "[front]\nconn-limit = 77\nmax-reqs-per-event = 55\n"
                         "disable-flush-all = on\n[admin]\nhttp = off\n[log]\nverbose = 1\n")
        with Daemon("--config", path, "-c", "99") as d, d.connect() as s:
            found = stats(s, b"settings")
        for name, wanted in (("num_threads", "3"), ("maxbytes", str(100 << 20)),
                             ("cas_enabled", "no"), ("maxconns", "99"), ("reqs_per_event", "55"),
                             ("flush_enabled", "no"), ("verbosity", "1")):
            self.assertEqual(found[name], wanted, name)

    def test_a_daemon_listens_where_its_file_says(self):
        one, two = free_port(), free_port()
        path = self.file("[front]\nlisten = 127.0.0.1:%d\n  127.0.0.1:%d\n[admin]\nhttp = off\n"
                         % (one, two))
        d = Daemon("--config", path, port=0).start()
        self.addCleanup(d.end)
        for port in (one, two):
            def answers(port=port):
                with contextlib.suppress(OSError), wire.connect("127.0.0.1:%d" % port) as s:
                    talk(s, b"get a\r\n", b"END\r\n")
                    return True
            wait(answers, "port %d to answer" % port)
        d.stop()


class Clusters(WithFolder):
    def members(self, text, fronts):
        """Shards s1, s2, s3 and fronts, all by one file; not started."""
        path = self.file(text)
        listed = ["--config", path, "--name"]
        return ([Member(*listed, name, port=0, name=name) for name in ("s1", "s2", "s3")],
                [Member(*listed, name, name=name) for name in fronts])

    def shards(self):
        return "".join('[shard "s%d"]\naddress = 127.0.0.1:%d\nweight = %d\nmemory-limit = %dm\n'
                       % (i, free_port(), i, 16 * i) for i in (1, 2, 3))

    def start(self, shards, fronts):
        for member in shards + fronts:
            self.addCleanup(member.end)
            member.launch()
        for front in fronts:
            front.ready()
            wait(lambda f=front: states(f) == {"s1": "up", "s2": "up", "s3": "up"},
                 "all shards to be up")

    def stop(self, members):
        for member in members:
            member.stop()

    def test_one_file_makes_three_shards_and_a_front(self):
        shards, fronts = self.members("[front]\nlisten = 127.0.0.1\nport = 1\n[cluster]\n"
                                      "cluster = demo\n" + self.shards(), ["f1"])
        self.start(shards, fronts)
        with fronts[0].connect() as s:
            for i in range(100):
                talk(s, b"set k%d 0 0 1\r\nX\r\n" % i, b"STORED\r\n")
                talk(s, b"get k%d\r\n" % i, b"VALUE k%d 0 1\r\nX\r\nEND\r\n" % i)
            self.assertEqual(stats(s)["limit_maxbytes"], str(6 * 16 << 20))
        self.stop(fronts + shards)

    def test_one_file_makes_a_cluster_with_copies(self):
        state = os.path.join(self.folder, "state")
        os.mkdir(state)
        shards, fronts = self.members("[cluster]\nreplicas = 2\nstate-dir = %s\n"
                                      "coordinator = f1@127.0.0.1:%d\n"
                                      % (state, free_port()) + self.shards(), ["f1", "f2"])
        self.start(shards, fronts)
        with fronts[0].connect() as one, fronts[1].connect() as two:
            def stored():
                return wire.ask(one, b"set k 0 0 1\r\nX\r\n") == b"STORED\r\n"
            wait(stored, "a write to be taken")
            talk(two, b"get k\r\n", b"VALUE k 0 1\r\nX\r\nEND\r\n")
        self.assertIn("map.state", os.listdir(state))
        self.stop(fronts[1:] + shards + fronts[:1])


if __name__ == "__main__":
    tap.main()
