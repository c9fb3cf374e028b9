#!/usr/bin/python3
"""What the documents say is what the programs do."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "man")]
import tables
from lib import tap, wire
from lib.daemon import CHCACHECTL, Cluster, Daemon, free_port

CHCACHED = os.environ.get("CHCACHED", os.path.join(TOP, "build", "chcached"))
PAGES = ["man/chcachectl.1", "man/chcached-cluster.7", "man/chcached-http.7",
         "man/chcached-metrics.7", "man/chcached-protocol.7", "man/chcached-tutorial.7",
         "man/chcached.8", "man/chcached.conf.5"]
UNREACHED = 3
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "HACKING.md", "SECURITY.md"]


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.STDOUT, text=True, check=False)


def needs(program, package):
    return unittest.skipUnless(shutil.which(program),
                               f"no {program}: apt-get install {package}")


def options_of_table():
    """{long name: letter or ""} of src/options.def."""
    rows = re.findall(r'^OPTION\w*\((?:\w+, )?"([\w-]+)", (?:\'(.)\'|0)',
                      read("src/options.def"), re.M)
    return dict(rows)


def options_of_page():
    """{long name: letter or ""} of chcached(8)'s tagged options."""
    items = re.findall(r"^\.It Fl (?:(\w) , Fl )?Fl ([\w-]+)",
                       read("man/chcached.8"), re.M)
    return {name: letter for letter, name in items}


def example_of_the_file():
    return re.search(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", read("man/chcached.conf.5"),
                     re.M | re.S)[1]


def commands_of_parser():
    """The words of the grammar that name a command."""
    return set(re.findall(r'"(\w+)" +%', read("proto/text.rl")))


class ManualPages(unittest.TestCase):

    @needs("mandoc", "mandoc")
    def test_mandoc_has_nothing_to_say(self):
        own = {os.path.basename(page).rpartition(".")[0] for page in PAGES}
        for page in PAGES:
            said = [line for line in
                    run("mandoc", "-Tlint", os.path.join(TOP, page)).stdout.splitlines()
                    if not re.search(r"manual not found: Xr (%s) " % "|".join(own), line)]
            self.assertEqual(said, [], page)

    @needs("lexgrog", "man-db")
    def test_whatis_finds_their_names(self):
        for page in PAGES:
            result = run("lexgrog", os.path.join(TOP, page))
            self.assertEqual(result.returncode, 0, result.stdout)

    def test_every_page_has_examples_and_references(self):
        for page in PAGES:
            for section in ("NAME", "EXAMPLES", "SEE ALSO"):
                self.assertIn(f"\n.Sh {section}\n", read(page), page)

    def test_pages_of_programs_have_their_exit_status_and_files(self):
        for page, sections in (("man/chcached.8", ("ENVIRONMENT", "FILES", "EXIT STATUS")),
                               ("man/chcached.conf.5", ("FILES", "EXIT STATUS")),
                               ("man/chcachectl.1", ("ENVIRONMENT", "EXIT STATUS"))):
            for section in sections:
                self.assertIn(f"\n.Sh {section}\n", read(page), page)

    @needs("mandoc", "mandoc")
    def test_examples_are_on_the_first_screen(self):
        for page in PAGES:
            lines = run("mandoc", "-Tascii", os.path.join(TOP, page)).stdout.splitlines()
            headings = [re.sub(".\b", "", line) for line in lines]
            self.assertIn("EXAMPLES", headings[:40], page)

    def test_references_lead_to_pages_that_exist(self):
        for page in PAGES:
            for name, section in re.findall(r"^\.Xr (\S+) (\d)", read(page), re.M):
                self.assertIn(f"man/{name}.{section}", PAGES, page)


class Tables(unittest.TestCase):
    """What is made from a table of the program has all of it, and is not stale."""

    def test_they_are_what_make_tables_makes(self):
        for page in tables.PAGES:
            self.assertEqual(tables.made(read(page)), read(page), "see make tables")

    def test_the_page_of_the_file_has_every_option_in_its_section(self):
        rows = re.findall(r'^OPTION(?:_RARE)?\(\w+, "([\w-]+)".*, ([A-Z]+), [A-Z]+, '
                          r'(?:"[^"]*"|NULL),$', read("src/options.def"), re.M)
        self.assertGreater(len(rows), 40)
        wanted = {}
        for name, section in rows:
            if section not in ("SHARD", "NONE"):
                wanted.setdefault(section.lower(), set()).add(name)
        named = {name[5:]: set(re.findall(r"^\.It Cm ([\w-]+) Ta", text, re.M))
                 for _, name, text, _ in tables.PLACE.findall(read("man/chcached.conf.5"))}
        self.assertEqual(named, wanted)

    def test_the_page_of_the_file_tells_which_take_effect_at_once(self):
        live = set(re.findall(r'^OPTION\w*\(\w+, "([\w-]+)".*, LIVE, ',
                              read("src/options.def"), re.M))
        named = set(re.findall(r"^\.It Cm ([\w-]+) Ta .* Ta at once$",
                               read("man/chcached.conf.5"), re.M))
        self.assertGreater(len(named), 10)
        self.assertEqual(named, live - {"shard"})

    def test_the_page_of_the_file_has_the_program_s_defaults(self):
        printed = run(CHCACHED, "--print-config").stdout
        page = dict(re.findall(r"^\.It Cm ([\w-]+) Ta (\S+) Ta", read("man/chcached.conf.5"), re.M))
        seen = 0
        for name, value in re.findall(r"^([\w-]+) *= (\S+) *; default$", printed, re.M):
            if name in ("name", "threads", "memory-limit", "listen"):   # made of more
                continue
            self.assertEqual(page[name], value)
            seen += 1
        self.assertGreater(seen, 20)

    def counters_of_page(self):
        text = read("man/chcached-protocol.7").partition("\n.Sh COUNTERS\n")[2].partition("\n.Sh ")[0]
        head, _, segments = text.partition("table counters INSIDE")
        return [set(re.findall(r"^\.It Cm (\w+) Ta", part, re.M)) for part in (head, segments)]

    def test_the_page_has_every_counter_that_is_told_and_no_other(self):
        general, segments = self.counters_of_page()
        with Daemon() as daemon, daemon.connect() as sock:
            self.assertEqual(set(wire.stats(sock)), general)
            self.assertEqual(set(wire.stats(sock, b"segments")), segments)

    def test_the_counters_of_a_shard_are_on_the_page(self):
        general, _ = self.counters_of_page()
        with Cluster(n=1) as cluster, cluster.connect() as sock:
            of_shard = {key.partition(":")[2] for key in wire.stats(sock, b"shards")}
        self.assertGreater(len(of_shard), 10)
        self.assertEqual(of_shard - general, {"state", "address", "weight"})


class Options(unittest.TestCase):

    def test_the_page_has_every_option_and_no_other(self):
        page, table = options_of_page(), options_of_table()
        ignored = re.findall(r'^OPTION_(?:IGNORED|REFUSED)\("([\w-]+)"',
                             read("src/options.def"), re.M)
        wanted = {name: letter for name, letter in table.items()
                  if name not in ignored}
        self.assertGreater(len(wanted), 10)
        self.assertEqual(page, wanted)

    def test_the_page_has_their_arguments(self):
        page = read("man/chcached.8")
        for option in tables.options():
            item = re.search(r"^\.It Fl (?:\w , Fl )?Fl %s\b(.*)" % re.escape(option["name"]), page,
                             re.M)[1]
            item = re.sub(r"Op (.*)$", r"[\1]", item)
            arg = re.sub(r" |\b(Ns|Ar)\b", "", item).lstrip("=")
            self.assertEqual(arg, "" if option["ARG"] == "NULL" else option["ARG"], option["name"])

    def test_the_page_names_every_letter_of_memcached_without_effect(self):
        letters = re.findall(r"^OPTION_(?:IGNORED|REFUSED)\(\"[\w-]+\", '(.)'",
                             read("src/options.def"), re.M)
        part = read("man/chcached.8").partition(".Ss Options of memcached")[2]
        named = re.findall(r"(?:Fl|,) (?:Fl )?(\w)\b", part.partition(".Sh")[0])
        self.assertGreater(len(letters), 3)
        self.assertEqual(sorted(named), sorted(letters))

    def test_the_page_has_the_defaults_of_the_table(self):
        rows = re.findall(r'^OPTION\w*\(\w+, "([\w-]+)", [^,]+, \w+, "([^"]+)"',
                          read("src/options.def"), re.M)
        page = read("man/chcached.8")
        for name, default in rows:
            if default == "0":      # off, which the page may leave unsaid
                continue
            item = re.search(r"^\.It Fl (?:\w , Fl )?Fl %s\b(.*?)^\.(?:It|El)"
                             % re.escape(name), page, re.M | re.S)
            self.assertTrue(item, name)
            self.assertRegex(item.group(1), r"(?<![\w-])%s(?![\w-])"
                             % re.escape(default), name)

    def test_help_has_the_most_used_options_and_names_the_page(self):
        said = run(CHCACHED, "--help")
        self.assertEqual(said.returncode, 0)
        named = re.findall(r"--([\w-]+)", said.stdout)
        wanted = re.findall(r'^OPTION\(\w+, "([\w-]+)"', read("src/options.def"), re.M)
        self.assertEqual(named, wanted)
        self.assertLessEqual(len(said.stdout.splitlines()), 22)
        self.assertTrue(said.stdout.endswith("man chcached\n"))

    def test_the_example_of_the_file_is_one(self):
        text = example_of_the_file()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(text)
            file.flush()
            for name in ("s1", "s2", "s3", "f1", "other"):
                result = run(CHCACHED, "-T", "--config", file.name, "--name", name)
                self.assertEqual((result.stdout, result.returncode), (file.name + ": OK\n", 0))

    def test_the_examples_use_options_that_exist(self):
        table = options_of_table()
        for path in DOCUMENTS + PAGES + ["quickstart"]:
            for line in read(path).replace("\\e", "").splitlines():
                command = re.search(r"\bchcached (-.*)", line)
                for name in re.findall(r"--([a-z][\w-]*)", command.group(1)
                                       if command else ""):
                    self.assertIn(name, table, f"{path}: {line}")


def examples():
    """(where, the command line) of each that begins with `$` or stands in README's table."""
    for path in PAGES:
        if path == "man/chcached-tutorial.7":       # it is run, see test_tutorial.py
            continue
        text = read(path).replace("\\e\n", "").replace("\\e", "\\")
        for line in re.findall(r"^(?:\.Dl )?\$ (.*)", text, re.M):
            yield path, line
    for line in re.findall(r"^\| [^|]* \| (.*) \|$", read("README.md"), re.M):
        for command in re.findall(r"`(chcach\w+ [^`]*)`", line):
            yield "README.md", command


class Examples(unittest.TestCase):
    """Every command line that a page shows is one that the program takes."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="chcached-docs-")
        with open(os.path.join(self.folder, "all.conf"), "w", encoding="utf-8") as file:
            file.write(example_of_the_file())
        for name in ("keys.txt", "logo.png"):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write("words\n")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def sh(self, line):
        """The exit status of what is typed where the files are, and nobody answers."""
        nobody = f"127.0.0.1:{free_port()}"
        env = {**os.environ, "CHCACHED_SERVER": nobody, "CHCACHED_ADMIN": nobody}
        return subprocess.run(["sh", "-c", line], cwd=self.folder, env=env, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def test_chcached_takes_them(self):
        seen = set()
        for where, line in examples():
            if line.startswith("chcached "):
                config = re.sub(r"/etc/chcached\S*\.conf", "all.conf", line[len("chcached"):])
                result = self.sh(f"{CHCACHED}{config} --test-config")
                self.assertEqual(result.returncode, 0, f"{where}: {line}: {result.stdout}")
                seen.add(where)
        self.assertEqual(seen, {"man/chcached.8", "man/chcached.conf.5", "man/chcached-cluster.7",
                                "README.md"})

    def test_chcachectl_takes_them(self):
        seen = set()
        for where, line in examples():
            if line.startswith("chcachectl "):
                result = self.sh(CHCACHECTL + line[len("chcachectl"):])
                wanted = 0 if " simulate" in line else UNREACHED
                self.assertEqual(result.returncode, wanted, f"{where}: {line}: {result.stdout}")
                seen.add(where)
        self.assertLessEqual({"man/chcachectl.1", "man/chcached.8", "README.md"}, seen)


class Chcachectl(unittest.TestCase):

    def test_the_page_has_every_command_with_its_arguments_and_no_other(self):
        helped = re.findall(r"^  (\S.*?)  +\S", run(CHCACHECTL, "help").stdout.partition("\n\n")[2]
                            .partition("\n\n")[0], re.M)
        part = read("man/chcachectl.1").partition("\n.Sh COMMANDS\n")[2].partition("\n.Sh ")[0]
        named = [re.sub(r" Ns |\b(Ic|Ar) ", "", re.sub(r"Op (\S.*)", r"[\1]", item))
                 for item in re.findall(r"^\.It (Ic .*)", part, re.M)]
        self.assertGreater(len(helped), 10)
        self.assertEqual(sorted(text.upper().replace(" ...", "...") for text in named),
                         sorted(text.upper() for text in helped))

    def test_the_page_has_every_option_and_no_other(self):
        said = run(CHCACHECTL, "help").stdout
        for words in re.findall(r"^  ([a-z]+(?: [a-z]+)?)\b", said, re.M):
            said += run(CHCACHECTL, "help", *words.split()).stdout
        self.assertEqual(set(re.findall(r"\bFl ([a-z-]+)", read("man/chcachectl.1")))
                         - {"http", "test-config"}, set(re.findall(r"--([a-z-]+)", said)))


class Protocol(unittest.TestCase):

    def test_the_page_has_every_command_and_no_other(self):
        part = read("man/chcached-protocol.7").partition(".Sh COMMANDS")[2]
        named = set(re.findall(r"^\.It Ic (\w+)", part.partition("\n.Sh")[0], re.M))
        self.assertGreater(len(named), 10)
        self.assertEqual(named, commands_of_parser())


class Http(unittest.TestCase):

    def test_the_page_has_every_path_and_no_other(self):
        wanted = set()
        table = re.findall(r"^    \{ ([\w| ]+), \{ (\"[^}]*) \}",
                           read("src/admin/admin.c") + read("src/admin/aliases.c"), re.M)
        for methods, words in table:
            path = "/v1/" + "/".join(re.findall(r'"([^"]+)"', words))
            path = re.sub("^/v1///?", "/", path)    # those that stand alone
            wanted.update((method, path) for method in re.findall(r"HTTP_(\w+)", methods))
        wanted.discard(("POST", "/v1/nodes/*/weight"))      # PUT, and a sentence
        named = set()
        for item in re.findall(r"^\.It (Cm (?:GET|POST|PUT|DELETE) .*)", read("man/chcached-http.7"),
                               re.M):
            for one in item.split(" , "):
                text = re.sub(r"\bAr \w+", "*", re.sub(r" Ns | ?\bCm ", " ", one)).split()
                named.add((text[0], "".join(text[1:]).partition("?")[0]))
        self.assertGreater(len(wanted), 20)
        self.assertEqual(named, wanted)


class Documents(unittest.TestCase):

    def test_links_lead_to_files_that_exist(self):
        for path in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#:]+)\)", read(path)):
                self.assertTrue(os.path.exists(os.path.join(TOP, target)),
                                f"{path}: {target}")

    def test_files_that_they_name_exist(self):
        for path in DOCUMENTS:
            for name in re.findall(r"`((?:src|man|tests|contrib|proto)/[\w./-]+\w)`",
                                   read(path)):
                self.assertTrue(os.path.exists(os.path.join(TOP, name)),
                                f"{path}: {name}")

    def test_architecture_names_every_room(self):
        rooms = set(re.findall(r"^\| `(\w+)` \|", read("ARCHITECTURE.md"), re.M))
        folders = {entry.name for entry in os.scandir(os.path.join(TOP, "src"))
                   if entry.is_dir()}
        self.assertEqual(rooms, folders)


if __name__ == "__main__":
    tap.main()
