#!/usr/bin/python3
"""What bash offers behind chcached and chcachectl is what they take."""

import os
import re
import shlex
import subprocess
import unittest

from lib import tap
from lib.daemon import BUILD, CHCACHECTL, CHCACHED, Folder, free_port, run

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARY = "/usr/share/bash-completion/bash_completion"
FILES = {"chcached": os.path.join(BUILD, "contrib/completion/chcached"),
         "chcachectl": os.path.join(TOP, "contrib/completion/chcachectl")}

# As bash does it at a tab: its words are split at "=" and ":" too.
SCRIPT = """
. {library}; . {file}; compopt() {{ :; }}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE={line}; COMP_POINT=${{#COMP_LINE}}
_{name} {program} {last} {before}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offers(line, folder="/"):
    """What a tab behind `line` offers."""
    name = line.split()[0]
    program = {"chcached": CHCACHED, "chcachectl": CHCACHECTL}[name]
    words = [w for w in re.split(r"(=|:)|\s+", line) if w]
    if line.endswith((" ", "=")):
        words.append("")
    script = SCRIPT.format(library=LIBRARY, file=shlex.quote(FILES[name]), name=name,
                           program=shlex.quote(os.path.abspath(program)),
                           words=" ".join(map(shlex.quote, words)), line=shlex.quote(line),
                           last=shlex.quote(words[-1]), before=shlex.quote(words[-2]))
    said = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                          timeout=60, cwd=folder, check=False)
    assert said.stderr == "", said.stderr
    return [word for word in said.stdout.split("\n") if word]


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(LIBRARY):
            raise unittest.SkipTest("no bash-completion: apt-get install bash-completion")


class Daemon(Completion):
    def rows(self):
        """{long name: does it take a value?} of what is neither ignored nor refused."""
        with open(os.path.join(TOP, "src/options.def"), encoding="utf-8") as file:
            rows = re.findall(r'^OPTION(?:_RARE)?\(\w+, "([\w-]+)".*, (NULL|"[^"]*"),$',
                              file.read(), re.M)
        return {name: arg != "NULL" for name, arg in rows}

    def test_every_option_is_offered_and_no_other(self):
        rows = self.rows()
        self.assertGreater(len(rows), 40)
        self.assertEqual(sorted(offers("chcached --")),
                         sorted("--" + name + "=" * has_value
                                for name, has_value in rows.items()))

    def test_what_is_begun_is_ended(self):
        self.assertEqual(offers("chcached -m 64 --thr"), ["--threads="])
        self.assertEqual(offers("chcached --role=fr"), ["front"])
        self.assertEqual(offers("chcached --no-such"), [])

    def test_words_that_are_offered_as_values_are_taken(self):
        for option in ("--role", "--ack", "--protocol", "-B"):
            found = offers("chcached %s " % option)
            self.assertGreater(len(found), 1, option)
            if option.startswith("--"):
                self.assertEqual(offers("chcached %s=" % option), found)
            for word in found:
                rest = {"shard": ["--name=a", "--peer=127.0.0.1:1"],
                        "front": ["--shard=a=127.0.0.1:1"]}.get(word, [])
                code, _, err = run("--test-config", option, word, *rest)
                self.assertEqual((code, err), (0, ""), word)

    def test_files_are_offered_where_a_file_is_meant(self):
        with Folder() as folder:
            os.mkdir(os.path.join(folder, "a folder"))
            with open(os.path.join(folder, "a.conf"), "w", encoding="utf-8"):
                pass
            for option in ("--config ", "--config=", "--unix-socket=", "-s ", "-P "):
                self.assertEqual(sorted(offers("chcached %sa" % option, folder)),
                                 ["a folder", "a.conf"], option)
            self.assertEqual(offers("chcached --state-dir=a", folder), ["a folder"])

    def test_a_value_that_cannot_be_known_is_left_alone(self):
        for line in ("chcached --port=", "chcached -p ", "chcached --shard ", "chcached -l "):
            self.assertEqual(offers(line), [], line)

    def test_users_are_offered(self):
        self.assertIn("root", offers("chcached -u ro"))


class Tool(Completion):
    def commands(self):
        """The words of each, as the manual has them."""
        with open(os.path.join(TOP, "man/chcachectl.1"), encoding="utf-8") as file:
            return [item.split() for item in
                    re.findall(r"^\.It Ic ([a-z ]+?)(?: (?:Ar|Op) .*)?$", file.read(), re.M)]

    def test_every_command_is_offered(self):
        first = {words[0] for words in self.commands()}
        self.assertGreater(len(first), 8)
        general = {"--server=", "--admin=", "--token-file=", "--no-color", "--json", "--help",
                   "--version"}
        self.assertEqual(set(offers("chcachectl ")), first | general)
        self.assertEqual(set(offers("chcachectl help ")), first)
        for line in ("chcachectl nodes ", "chcachectl --admin 127.0.0.1:1 nodes "):
            self.assertLessEqual({"list", "add", "remove", "drain", "weight"},
                                 set(offers(line)), line)
        self.assertEqual(offers("chcachectl jobs a"), ["abort"])

    def test_an_option_is_offered_where_it_is_taken(self):
        every = {word for words in self.commands() for word in
                 offers("chcachectl %s --" % " ".join(words))}
        self.assertLessEqual({"--json", "--dry-run", "--zone=", "--keys="}, every)
        nobody = ["--admin=127.0.0.1:%d" % free_port(), "--server=127.0.0.1:%d" % free_port()]
        for words in self.commands():
            if words[0] == "help":
                continue                # which takes none
            found = offers("chcachectl %s --" % " ".join(words))
            for option in every:
                _, _, err = run(*nobody, *words, option.replace("=", "=1"), program=CHCACHECTL)
                self.assertEqual("has no option" in err, option not in found,
                                 (words, option, err))

    def test_general_options_are_taken(self):
        for option in offers("chcachectl --"):
            _, _, err = run(option.replace("=", "=1"), program=CHCACHECTL)
            self.assertNotIn("unknown option", err)

    def test_no_command_is_offered_behind_one(self):
        for line in ("chcachectl get ", "chcachectl nodes add ", "chcachectl where a/b c"):
            self.assertEqual([word for word in offers(line) if word[0] != "-"], [], line)
        self.assertEqual(offers("chcachectl --server "), [])
        self.assertEqual(offers("chcachectl nodes add --zone "), [])

    def test_files_are_offered_where_a_file_is_meant(self):
        with Folder() as folder:
            with open(os.path.join(folder, "keys.txt"), "w", encoding="utf-8"):
                pass
            self.assertEqual(offers("chcachectl ring simulate --keys k", folder), ["keys.txt"])


if __name__ == "__main__":
    tap.main()
