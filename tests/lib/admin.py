"""Asks a daemon's admin address."""

import http.client
import json

from lib.daemon import free_port
from lib.wire import BOUND_S


def address():
    """A free one, for --http."""
    return "127.0.0.1:%d" % free_port()


def ask(where, method, path, body=None, headers=None):
    """(status, answer as JSON, headers).  A body that is no text is sent as JSON."""
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    if headers is None and method not in ("GET", "HEAD"):
        headers = {"Content-Type": "application/json"}
    host, _, port = where.rpartition(":")
    conn = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=BOUND_S)
    try:
        conn.request(method, path, body=body, headers=headers or {})
        response = conn.getresponse()
        data = response.read()
    finally:
        conn.close()
    return response.status, json.loads(data) if data else None, response.headers


def ask_bytes(where, method, path, body=None):
    """(status, the answer's bytes, headers)."""
    host, _, port = where.rpartition(":")
    conn = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=BOUND_S)
    try:
        conn.request(method, path, body=body)
        response = conn.getresponse()
        return response.status, response.read(), response.headers
    finally:
        conn.close()


def get(where, path):
    """The answer to a GET that must be one."""
    status, answer, _ = ask(where, "GET", path)
    assert status == 200, (path, status, answer)
    return answer


def text(where, path):
    """(text, headers) of the answer to a GET that must be one."""
    host, _, port = where.rpartition(":")
    conn = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=BOUND_S)
    try:
        conn.request("GET", path)
        response = conn.getresponse()
        data = response.read().decode()
    finally:
        conn.close()
    assert response.status == 200, (path, response.status, data)
    return data, response.headers


def metrics(where):
    """{"memcached_up": 1.0, 'memcached_commands_total{command="get",...}': 3.0, ...}"""
    lines = text(where, "/metrics")[0].splitlines()
    return {name: float(value) for name, _, value in
            (line.rpartition(" ") for line in lines if not line.startswith("#"))}
