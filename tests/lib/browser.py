"""Drives a headless Chromium over a pipe, which nobody else can reach."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

from lib.wire import BOUND_S

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "no chromium: apt-get install chromium"

# No sandbox: root has none.  Nothing but this host is looked up or called.
ARGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-extensions", "--disable-sync", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-pipe", "about:blank")

# It reads from descriptor 3 and writes to 4.
LAUNCH = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
          "os.execv(sys.argv[3], sys.argv[3:])")


def high_pipe():
    """Its descriptors are none of those that they become."""
    low = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in low]
    for fd in low:
        os.close(fd)
    return high


class Browser:
    """
    One page of it.  Use with `with`.  `said` has what the page wrote to its console, such
    as what its own policy forbade it.
    """

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="chcached-test-")
        to_read, self.to = high_pipe()
        self.fro, to_write = high_pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(to_read), str(to_write), PROGRAM,
             "--user-data-dir=" + self.folder, *ARGS],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(to_read, to_write), env={**os.environ, "HOME": self.folder})
        os.close(to_read)
        os.close(to_write)
        self.rest, self.number, self.session, self.said = b"", 0, None, []
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.close(self.to)               # it ends by itself then
        os.close(self.fro)
        try:
            self.process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _attach(self):
        (page,) = [t for t in self.call("Target.getTargets")["targetInfos"]
                   if t["type"] == "page"]
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"],
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def _message(self):
        end = time.monotonic() + BOUND_S
        while b"\0" not in self.rest:
            if not select.select([self.fro], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("chromium does not answer")
            data = os.read(self.fro, 1 << 20)
            if not data:
                raise AssertionError("chromium ended")
            self.rest += data
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def _note(self, message):
        if message.get("method") == "Log.entryAdded":
            self.said.append(message["params"]["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(message["params"]["exceptionDetails"]))

    def call(self, method, **params):
        """A command of the DevTools protocol; what came of it."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while (message := self._message()).get("id") != self.number:
            self._note(message)
        if "error" in message:
            raise AssertionError("%s: %s" % (method, message["error"]))
        return message["result"]

    def open(self, url):
        """Comes back when all of it is there."""
        self.call("Page.navigate", url=url)
        while (message := self._message()).get("method") != "Page.loadEventFired":
            self._note(message)

    def look(self, width, height=800, dark=False):
        """How large it is from now on, and whether dark colours are preferred."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def scripts(self, on):
        """Whether pages that are opened from now on may run any."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def value(self, expression):
        """Of JavaScript, in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def picture(self):
        """All of the page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])
