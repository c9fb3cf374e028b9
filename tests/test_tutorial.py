#!/usr/bin/python3 -B
"""chcached-tutorial(7) and README, typed: every command works as it is printed there."""

import os
import re
import shutil
import signal
import tempfile
import unittest

from lib import hosts, tap, tutorial
from lib.daemon import CHCACHECTL, CHCACHED, wait
from lib.terminal import Terminal

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# These only look, and may be typed again till all is as the page says.
LOOKS = re.compile(r"(build/)?chcachectl (--\w+ \S+ )?(status|where|get|ring|replicas|nodes list|jobs)\b")
# These go on until they are told not to.
GOES_ON = re.compile(r"((build/)?chcached (?!.*(-d|--test-config|--print-config)\b)|while )")
# A user who is not root, whoever runs this test.
SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


WANTED = {"unshare": "util-linux", "ip": "iproute2", "nc": "netcat-openbsd", "pgrep": "procps"}


def cannot_be_typed():
    """Why the page cannot be tried here, or None."""
    for program, package in WANTED.items():
        if not shutil.which(program):
            return "no %s: apt-get install %s" % (program, package)
    return hosts.why_not(hosts.OWN_MACHINE)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


class Rule(unittest.TestCase):
    """What is compared would find a difference."""

    def test_words_count_and_their_distance_does_not(self):
        page = ["SHARD  ITEMS", "s1     1"]
        self.assertTrue(tutorial.is_what_the_page_prints("SHARD      ITEMS\ns1  1 \n", page))
        for said in ("SHARD  ITEMS\ns1  2\n", "SHARD  ITEMS\n", "SHARD  ITEMS\ns1  1\ns2  1\n", ""):
            self.assertFalse(tutorial.is_what_the_page_prints(said, page), said)

    def test_slanted_words_stand_for_as_many_others(self):
        page = [r"epoch \fI1\fP, \fI16 KiB\fP of 64"]
        self.assertTrue(tutorial.is_what_the_page_prints("epoch 12, 1 MiB of 64\n", page))
        for said in ("epoch 1, MiB of 64\n", "epoch, 1 MiB of 64\n", "epoch 1, 1 MiB of 65\n"):
            self.assertFalse(tutorial.is_what_the_page_prints(said, page), said)

    def test_dots_stand_for_what_is_left_out(self):
        page = ["a (has it, ...) b", "ok, ...", r"\&...", "end"]
        self.assertTrue(tutorial.is_what_the_page_prints(
            "a (has it, version) b\nok, 1 2\nx\ny\nend\n", page))
        self.assertFalse(tutorial.is_what_the_page_prints(
            "a (has it, version) c\nok, 1 2\nend\n", page))


class Keys(unittest.TestCase):

    def test_ctrl_c_ends_a_loop_where_the_tests_ignore_it(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            loop = Terminal("echo on; while sleep 0.01; do :; done", [], "/", os.environ)
            try:
                wait(lambda: loop.read() or "on" in loop.screen(), "the loop to begin")
            finally:
                loop.stop()
        finally:
            signal.signal(signal.SIGINT, before)


class Typed(unittest.TestCase):
    """Somebody in an empty folder, on a machine of its own, who types steps."""

    is_stuck = False

    @classmethod
    def setUpClass(cls):
        if WHY_NOT:
            raise unittest.SkipTest(WHY_NOT)
        cls.folder = tempfile.mkdtemp(prefix="chcached-tutorial-")
        cls.hosts = hosts.Hosts("10.0.0.", 11).__enter__()
        for host in ("s1", "s2", "s3"):
            cls.hosts(host)
        cls.running = []            # [(host, terminal)] that go on, oldest first
        cls.env = {**os.environ, "PATH": cls.programs() + ":" + os.environ["PATH"]}
        for name in ("CHCACHED_SERVER", "CHCACHED_ADMIN", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY",
                     "STATE_DIRECTORY", "NO_COLOR"):
            cls.env.pop(name, None)

    @classmethod
    def programs(cls):
        """A folder with what is to be on PATH, as an installation would have it."""
        path = os.path.join(cls.folder, "bin")
        os.mkdir(path)
        for program, name in ((CHCACHED, "chcached"), (CHCACHECTL, "chcachectl")):
            os.symlink(os.path.abspath(program), os.path.join(path, name))
        return path

    @classmethod
    def tearDownClass(cls):
        for _, terminal in cls.running:
            terminal.stop()
        cls.hosts.__exit__()
        shutil.rmtree(cls.folder)

    def desk(self, host):
        """Where somebody sits down to type."""
        path = os.path.join(self.folder, host or "here")
        os.makedirs(path, exist_ok=True)
        return path

    def open(self, step):
        inside = self.hosts(step.host)[0] if step.host else []
        return Terminal(step.command, [*inside, *SOMEBODY], self.desk(step.host), self.env)

    def write(self, step):
        """On all hosts."""
        for host in ("", "s1", "s2", "s3"):
            with open(os.path.join(self.desk(host), step.file), "w", encoding="utf-8") as file:
                file.write(step.text)

    def interrupt(self, step):
        """Of those that go on, the last that was started on that host."""
        place = max(i for i, (host, _) in enumerate(self.running) if host == step.host)
        _, terminal = self.running.pop(place)
        terminal.read()
        self.assertIsNone(terminal.process.poll(), "it has ended: " + terminal.screen())
        terminal.stop()

    def type(self, step):
        """What stands on the screen after it."""
        terminal = self.open(step)
        try:
            terminal.wait()
            return terminal.screen()
        finally:
            terminal.end()

    def does(self, step):
        if step.file:
            return self.write(step)
        if step.command == "^C":
            return self.interrupt(step)
        if GOES_ON.match(step.command):
            return self.running.append((step.host, self.open(step)))
        said = self.type(step)
        right = tutorial.is_what_the_page_prints(said, step.printed)
        if not right and LOOKS.match(step.command):
            right = wait(lambda: self.is_right_now(step), "%r to print\n%s\ninstead of\n%s"
                         % (step, step.text, said))
        self.assertTrue(right, "%r printed\n%s\ninstead of\n%s" % (step, said, step.text))
        return None

    def is_right_now(self, step):
        return tutorial.is_what_the_page_prints(self.type(step), step.printed)

    def goes_through(self, steps):
        self.assertFalse(type(self).is_stuck, "a section before it failed")
        type(self).is_stuck = True
        for step in steps:
            if step.why_not is None:
                self.assertFalse(step.is_root, "%r: say why it is not run" % step)
                self.does(step)
            for host, terminal in self.running:
                terminal.read()
                self.assertIsNone(terminal.process.poll(), "after %r ended on %r: %s"
                                  % (step, host, terminal.screen()))
        type(self).is_stuck = False


class Tutorial(Typed):
    """A test for each section of the page, in its order, and for each command not run."""


class Readme(Typed):

    def test_what_is_to_be_tried_works(self):
        os.symlink(os.path.join(self.folder, "bin"), os.path.join(self.desk(""), "build"))
        start = tutorial.Step("build/chcached --local-shards 3 --replicas 2")
        self.assertIn(start.command.partition(" ")[2], read("quickstart"))
        up = tutorial.Step("build/chcachectl status")
        up.printed = ["chcached: OK  3/3 shards up, 2 copies, ...", "..."]
        steps = tutorial.blocks(read("README.md"))
        self.assertGreater(len(steps), 5)
        self.goes_through([start, up, *steps])


def add_tests():
    for i, (title, steps) in enumerate(tutorial.sections(read("man/chcached-tutorial.7"))):
        name = "test_%02d_%s" % (i + 1, title.lower().replace(" ", "_"))
        setattr(Tutorial, name, lambda self, steps=steps: self.goes_through(steps))
        for j, step in enumerate(step for step in steps if step.why_not is not None):
            words = "_".join(re.findall(r"\w+", step.command))
            setattr(Tutorial, "%s_not_run_%d_%s" % (name, j + 1, words),
                    lambda self, why=step.why_not: self.skipTest(why))


add_tests()

if __name__ == "__main__":
    WHY_NOT = cannot_be_typed()
    if WHY_NOT is None:
        hosts.reenter(hosts.OWN_MACHINE)
    tap.main()
