"""
HTTP: CPU per request for a value, beside nginx with a file of the same size

Connections stay open and ask for the same thing again and again.  nginx has it in
memory: a file on /dev/shm, kept open, no log, and read() and write(), which are
cheaper here than sendfile().  Servers share one core, the load has another; they
are measured in turn, as in cpu.py.
"""

import collections
import os
import shutil
import statistics
import subprocess
import tempfile

import cpu
import servers
from lib import admin
from servers import CORES, Failed, Host, daemon

HTTPLOAD = os.path.join(daemon.BUILD, "tests", "bench", "httpload")
NGINX = os.environ.get("NGINX", "nginx")
MUST = 1.5

Row = collections.namedtuple("Row", "id title connections value")
ROWS = [Row("c1", "1 connection, 100 B", 1, 100), Row("c16", "16 connections, 100 B", 16, 100),
        Row("c48", "48 connections, 100 B", 48, 100),
        Row("c16-10k", "16 connections, 10 KiB", 16, 10240)]

CONFIG = """\
daemon off;
master_process off;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    sendfile off;
    keepalive_requests 1000000000;
    open_file_cache max=16 inactive=1h;
    open_file_cache_valid 1h;
    server { listen 127.0.0.1:%(port)d; root %(root)s; }
}
"""


class Server:
    """Its processes, and what is asked of it."""

    def __init__(self, name, process, where, path):
        self.name, self.process, self.where, self.path = name, process, where, path
        self.us = []

    def measure(self, row, seconds, core):
        pids = self.process.family()
        before = cpu_us(pids)
        argv = [HTTPLOAD, self.where.rpartition(":")[2], self.path, str(row.connections),
                str(row.value), str(seconds)]
        run = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30,
                             preexec_fn=servers.before_exec(core))
        if run.returncode != 0:
            raise Failed("%s: %s" % (self.name, run.stderr.strip()))
        self.us.append((cpu_us(pids) - before) / int(run.stdout))


def cpu_us(pids):
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1e6 / os.sysconf("SC_CLK_TCK")


def answers(where, path):
    try:
        return admin.ask_bytes(where, "GET", path)[0] in (200, 404)
    except OSError:
        return False


def chcached(host, row):
    where = admin.address()
    process = host.launch([daemon.CHCACHED, "-p", daemon.free_port(), "-t", 1, "--http", where])
    process.wait(lambda: answers(where, "/v1/keys/x"), "chcached to answer")
    admin.ask_bytes(where, "PUT", "/v1/keys/x", b"x" * row.value)
    return Server("chcached", process, where, "/v1/keys/x")


def nginx(host, row, root):
    port = daemon.free_port()
    with open(os.path.join(root, "x"), "w") as f:
        f.write("x" * row.value)
    config = host.write("nginx.conf", CONFIG % {"folder": host.folder, "port": port,
                                                "root": root})
    process = host.launch([NGINX, "-c", config, "-p", host.folder])
    where = "127.0.0.1:%d" % port
    process.wait(lambda: answers(where, "/x"), "nginx to answer")
    return Server("nginx", process, where, "/x")


def run_row(row, options):
    pin = len(CORES) > 1
    with Host(None, CORES[0] if pin else None) as host, \
         tempfile.TemporaryDirectory(dir="/dev/shm", prefix="chcached-bench-") as root:
        os.chmod(root, 0o755)           # nginx's workers may be another user
        os.chmod(host.folder, 0o755)
        found = [chcached(host, row)]
        if shutil.which(NGINX):
            found.append(nginx(host, row, root))
        cpu.in_turns(found, options.rounds,
                     lambda s: s.measure(row, options.seconds, CORES[1] if pin else None))
    return {s.name: s.us for s in found}


def run(rows, options):
    """Prints the table; its record for --json."""
    print("## A value over HTTP, and a file: CPU per request, µs\n\n"
          "Medians of %d rounds of %g s.\n\n| load | chcached | nginx | chcached / nginx | must | "
          "missed |\n|---|---|---|---|---|---|" % (options.rounds, options.seconds), flush=True)
    result = {}
    for row in rows:
        us = run_row(row, options)
        ours = statistics.median(us["chcached"])
        if "nginx" in us:
            ratio = cpu.ratio(us["chcached"], us["nginx"])
            print("| %s | %.1f | %.1f | %.2f | ≤ %.2f | %s |" % (
                row.title, ours, statistics.median(us["nginx"]), ratio, MUST,
                "yes" if ratio > MUST else ""), flush=True)
        else:
            print("| %s | %.1f | no %s; NGINX may name one | – | ≤ %.2f | |" % (
                row.title, ours, NGINX, MUST), flush=True)
        result[row.id] = {"must": MUST, "us": us}
    print()
    return result
