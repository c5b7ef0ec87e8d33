#!/usr/bin/env python3
"""What the remote costs: pictures drawn with and without 200 clients that watch each step, in turns; memory; the time to the first byte; idling.

    python benches/compare/remote.py --binary target/release/inkstone

Prints medians with the spread. Needs Python alone.
"""

import argparse
import http.client
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STREAMS = 200
PICTURES = 16


class Server:
    """`inkstone serve` in a folder of its own."""

    def __init__(self, binary, folder):
        settings = Path(folder, "kiosk.toml")
        settings.write_text("[remote]\nper_minute = 1000\nat_once = 16\n")
        command = [binary, "serve", "--config", settings, "--listen", "127.0.0.1:0"]
        environment = {**os.environ, "XDG_DATA_HOME": folder}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def ask(self, method, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        body = json.dumps(value) if value is not None else None
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def private(self):
        return status(self.process.pid, "RssAnon") / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


def status(pid, name):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def ticks(pid):
    """Processor time in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(port, path, count):
    """Holds streams to their end; prints `ready`, then the number of events and whether all were told the end."""
    os.nice(19)
    selector, texts = selectors.DefaultSelector(), {}
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        selector.register(stream, selectors.EVENT_READ)
        texts[stream] = [0, b""]
    print("ready", flush=True)
    left = count
    while left:
        for key, _ in selector.select():
            part = key.fileobj.recv(1 << 18)
            text = texts[key.fileobj]
            text[0] += part.count(b"event: status")
            text[1] = (text[1] + part)[-100000:]
            if not part:
                selector.unregister(key.fileobj)
                left -= 1
    print(sum(events for events, _ in texts.values()), all(b'"state":"done"' in text for _, text in texts.values()))


def drawn(server, streams):
    """Seconds that pictures take while clients watch them, events, whether all were told the end, and private MiB at the most."""
    # While a large picture is drawn, the clients come.
    server.ask("POST", "/api/v1/jobs", {"prompt": "a cat", "seed": 1, "count": 2, "size": 1024, "steps": 4, "keep": False})
    wish = {"prompt": "a red fox", "style": "flat", "seed": 1, "count": PICTURES, "size": 256, "steps": 4, "keep": False}
    _, job = server.ask("POST", "/api/v1/jobs", wish)
    path = f"/api/v1/jobs/{job['id']}"
    watching = None
    if streams:
        command = [sys.executable, __file__, "--watch", str(server.port), path + "/events", str(streams)]
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        watching.stdout.readline()
    memory, began = 0, None
    while True:
        _, job = server.ask("GET", path)
        if began is None and job["state"] != "waiting":
            began = time.monotonic()
        if job["pictures"]:
            memory = max(memory, server.private())
        if job["state"] == "done":
            break
        time.sleep(0.01)
    seconds = time.monotonic() - began
    if watching is None:
        return seconds, 0, True, memory
    events, whole = watching.communicate()[0].split()
    return seconds, int(events), whole == "True", memory


def first_bytes(server, count=500):
    """Milliseconds from a request to the first byte of its answer, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(count):
        began = time.monotonic()
        connection.request("GET", "/api/v1")
        answer = connection.getresponse()
        times.append((time.monotonic() - began) * 1000)
        answer.read()
    return times


def idle(binary, folder, enabled, seconds=20):
    """Processor milliseconds a second, and context switches a second, of a kiosk that nobody uses."""
    settings = Path(folder, "idle.toml")
    settings.write_text(f'[remote]\nenabled = {str(enabled).lower()}\nlisten = "127.0.0.1:0"\n[attract]\nseconds = 86400\nfade = 0.0\n')
    command = [binary, "kiosk", "--config", settings, "--display", f"png:{folder}/frames", "--gallery", f"{folder}/gallery"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "XDG_DATA_HOME": folder})
    try:
        # The examples are drawn first.
        time.sleep(15)
        before, switches = ticks(process.pid), switched(process.pid)
        time.sleep(seconds)
        return (ticks(process.pid) - before) * 1000 / seconds, (switched(process.pid) - switches) / seconds
    finally:
        process.terminate()
        process.wait()


def switched(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def spread(values, digits=3):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/inkstone")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--watch", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        port, path, count = arguments.watch
        return watch(int(port), path, int(count))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(arguments.binary, folder)
        drawn(server, 0)
        print(f"first byte: {spread(first_bytes(server))} ms")
        alone, watched, memories, whole, events = [], [], [], True, 0
        for _ in range(arguments.rounds):
            seconds, _, _, before = drawn(server, 0)
            alone.append(seconds)
            seconds, told, ended, memory = drawn(server, STREAMS)
            watched.append(seconds)
            memories.append(memory - before)
            whole, events = whole and ended, events + told
        print(f"{PICTURES} pictures, nobody watches: {spread(alone)} s; {STREAMS} streams: {spread(watched)} s")
        ratios = [many / none for many, none in zip(watched, alone)]
        print(f"ratio: {spread(ratios)}; memory {spread(memories, 1)} MiB more; {events} events; every stream was told the end: {whole}")
        print(f"first byte after that: {spread(first_bytes(server))} ms")
        server.close()
    for enabled in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            used, switches = idle(arguments.binary, folder, enabled)
            print(f"idle kiosk, remote {'on' if enabled else 'off'}: {used:.2f} ms of processor time and {switches:.1f} context switches a second")


if __name__ == "__main__":
    main()
