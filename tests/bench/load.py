"""Runs mcload and judges what it says."""

import json
import os
import subprocess

from servers import Failed, before_exec, daemon

MCLOAD = os.path.join(daemon.BUILD, "tests", "bench", "mcload")


class Mcload:
    """
    One mcload against a server, `name` in complaints, running until result() is
    asked for.  It speaks to the first `entries` of the processes; `before`: words
    of a program that runs it.
    """

    def __init__(self, name, processes, args, core=None, bound_s=600, entries=1,
                 before=()):
        pids = [pid for process in processes for pid in process.family()]
        argv = [*before, MCLOAD, "--json", "--time-limit", bound_s, *args]
        if pids:
            argv += ["--pid", ",".join(map(str, pids))]
        self.name, self.bound_s = name, bound_s
        self.process = subprocess.Popen(
            [str(arg) for arg in [*argv, *(p.address for p in processes[:entries])]], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before_exec(core))

    def result(self):
        """Its JSON.  Failed when it met an error or what --verify and --strict forbid."""
        try:
            out, err = self.process.communicate(timeout=2 * self.bound_s + 60)
        except subprocess.TimeoutExpired:
            raise Failed("%s: mcload did not end" % self.name) from None
        finally:
            self.process.kill()
            self.process.wait()
        if self.process.returncode != 0:
            raise Failed("%s: exit %d of mcload: %s %s" % (
                self.name, self.process.returncode, err.strip()[-300:], out.strip()[:600]))
        return json.loads(out)
