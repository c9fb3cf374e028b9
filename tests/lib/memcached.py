"""A memcached to compare with: MEMCACHED names it, or it is on PATH."""

import os
import pwd
import re
import shutil
import subprocess

from lib import daemon

OLDEST = (1, 6, 40)         # older ones have other errors and fewer flags


def find():
    """(its path, None), or (None, the reason why there is none)."""
    name = os.environ.get("MEMCACHED", "memcached")
    program = shutil.which(name)
    if program is None:
        return None, "no %s: apt-get install memcached, or name one with MEMCACHED" % name
    said = subprocess.run([program, "-V"], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=10).stdout.decode(errors="replace")
    # A memcached that was built from a copy of its sources does not know its version.
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if version and tuple(map(int, version.groups())) < OLDEST:
        return None, "%s is %s, wanted is %s or later: name one with MEMCACHED" % (
            program, version[0], "%d.%d.%d" % OLDEST)
    return program, None


class Memcached(daemon.Daemon):
    """`with Memcached(program) as server:`, as a chcached is used."""

    def __init__(self, program, *args):
        user = pwd.getpwuid(os.geteuid()).pw_name
        super().__init__("-l", "127.0.0.1", "-U", "0", "-u", user,
                         "-t", "1", "-o", "no_lru_maintainer", *args,
                         program=program, name="memcached")

    def stop(self):
        """It has seconds of good-byes, and nothing to lose."""
        self.end()
