#!/usr/bin/python3 -B
"""What protects the process: how it is linked, what it may not leave behind, who it is."""

import os
import pwd
import re
import resource
import shutil
import signal
import subprocess
import unittest

from lib import tap
from lib.cases import STORED
from lib.daemon import CHCACHECTL, CHCACHED, Daemon, Folder, is_sanitized, separate, up, wait
from lib.wire import talk

NOBODY = "nobody"
ENDBR64 = b"\xf3\x0f\x1e\xfa"
READELF = unittest.skipUnless(shutil.which("readelf"),
                              "no readelf: apt-get install binutils")
ROOT = unittest.skipUnless(os.geteuid() == 0, "only root may become another user")


def readelf(what, program):
    return subprocess.run(["readelf", "-W", what, program], capture_output=True, text=True,
                          check=True).stdout


@READELF
class Programs(unittest.TestCase):
    """Of both: what an attacker who can write somewhere would have to get past."""

    def each(self, what):
        return [readelf(what, program) for program in (CHCACHED, CHCACHECTL)]

    def test_they_lie_where_the_kernel_puts_them(self):
        for said in self.each("-h"):
            self.assertRegex(said, r"Type:\s+DYN")
        for said in self.each("-d"):
            self.assertRegex(said, r"FLAGS_1\).*\bPIE\b")

    def test_all_is_bound_at_the_start_and_read_only_then(self):
        for said in self.each("-d"):
            self.assertRegex(said, r"BIND_NOW|FLAGS_1\).*\bNOW\b")
        for said in self.each("-l"):
            self.assertIn("GNU_RELRO", said)

    def test_no_memory_can_be_written_and_executed(self):
        for said in self.each("-l"):
            self.assertRegex(said, r"GNU_STACK\s.*\sRW\s")
            for flags in re.findall(r"^  LOAD\s.*?\s([RWE ]{3})\s+0x[0-9a-f]+$", said, re.M):
                self.assertFalse({"W", "E"} <= set(flags), said)

    @unittest.skipIf(is_sanitized(), "a sanitizer has its own checks")
    def test_stacks_and_buffers_are_checked(self):
        for said in self.each("--dyn-syms"):
            self.assertIn("__stack_chk_fail", said)
            self.assertRegex(said, r"__\w+_chk@")

    @unittest.skipUnless(os.uname().machine == "x86_64", "only x86-64 has it")
    def test_jumps_lead_to_marks_only(self):
        """The mark of the whole program depends on what else the system links in."""
        for program in (CHCACHED, CHCACHECTL):
            with open(program, "rb") as f:
                self.assertGreater(f.read().count(ENDBR64), 50, program)


class Confined(Daemon):
    """Started by a user who may not raise the limits that it has."""

    def _popen(self, args, env):
        nobody = pwd.getpwnam(NOBODY)

        def confine():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)

        return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=self.stderr, env=env, preexec_fn=confine)


def owner_of_proc(pid):
    """Root where no core is left: what is in /proc is the user's only of who leaves one."""
    return os.stat("/proc/%d/maps" % pid).st_uid


def reachable(folder):
    """A copy of the program that any user may start."""
    os.chmod(folder, 0o755)
    return shutil.copy(CHCACHED, os.path.join(folder, "chcached"))


@ROOT
class Process(unittest.TestCase):

    def uids(self, pid):
        with open("/proc/%d/status" % pid) as f:
            said = f.read()
        return set(re.search(r"^Uid:(.*)$", said, re.M)[1].split()), \
            set(re.search(r"^Gid:(.*)$", said, re.M)[1].split()), \
            re.search(r"^Groups:(.*)$", said, re.M)[1].split()

    def test_it_becomes_another_user_and_leaves_no_core(self):
        nobody = pwd.getpwnam(NOBODY)
        with Daemon("-u", NOBODY) as d:
            uids, gids, groups = self.uids(d.pid)
            self.assertEqual(uids, {str(nobody.pw_uid)})
            self.assertEqual(gids, {str(nobody.pw_gid)})
            self.assertNotIn("0", groups)
            self.assertEqual(owner_of_proc(d.pid), 0)

    @unittest.skipIf(is_sanitized(), "a sanitizer forbids cores itself")
    def test_it_leaves_one_when_told_to(self):
        with Daemon("-u", NOBODY, "-r") as d:
            self.assertEqual(owner_of_proc(d.pid), pwd.getpwnam(NOBODY).pw_uid)

    def test_a_limit_that_cannot_be_raised_is_lived_with(self):
        with Folder() as folder:
            with Confined("--http", "off", "-c", "4000", program=reachable(folder)) as d, \
                    d.connect() as s:
                talk(s, b"set a 0 0 1\r\n1\r\n", STORED)
                self.assertRegex(d.said(), "fewer descriptors than --conn-limit needs.* have=256")

    def test_an_upgrade_stays_who_it_was(self):
        nobody = pwd.getpwnam(NOBODY)
        with Folder() as folder:
            program = reachable(folder)
            (shard,), (front,) = separate(1, extra=("-u", NOBODY))
            with shard, Daemon(*front.args, "--http", "off", program=program) as d:
                up(d, 1)
                os.kill(d.pid, signal.SIGUSR1)
                wait(lambda: "upgraded:" in d.said(), "the upgrade\n" + d.said())
                self.assertEqual(self.uids(d.pid)[0], {str(nobody.pw_uid)})
                self.assertEqual(owner_of_proc(d.pid), 0)


if __name__ == "__main__":
    tap.main()
