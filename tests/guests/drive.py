#!/usr/bin/env python3
"""Boots a guest, presses keys in it, and compares its screen with the frame that `panel.rs` draws.

drive.py WORK-FOLDER STEPS QEMU [ARGUMENT...]; STEPS as in `init`. Uses QEMU's machine protocol (QMP) for keys and
screen dumps. Ends with an error at the first pixel that is wrong, and when a step says nothing for too long.
"""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time

PATIENCE = 120  # Seconds without the line that is waited for.
DAMAGE = (200, 100, 120, 60)
DAMAGE_COLOUR = bytes((250, 10, 120))


class Guest:
    def __init__(self, work, command):
        self.work = work
        path = os.path.join(work, "qmp")
        if os.path.exists(path):
            os.unlink(path)
        arguments = ["-qmp", f"unix:{path},server=on,wait=off", "-serial", "stdio", "-monitor", "none", "-display", "none", "-no-reboot"]
        self.process = subprocess.Popen(command + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.begin = time.time()
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.path = path
        self.control = None

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").strip())
        self.lines.put(None)

    def wait_for(self, *beginnings):
        end = time.time() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, end - time.time()))
            except queue.Empty:
                raise SystemExit(f"nothing of {beginnings} within {PATIENCE} s")
            if line is None:
                raise SystemExit(f"the guest ended before {beginnings}")
            print(f"[{time.time() - self.begin:5.1f}] {line}", flush=True)
            for beginning in beginnings:
                if line.startswith(beginning):
                    return line
            if line.startswith("FAILED") or "panic" in line.lower():
                raise SystemExit(f"the guest failed: {line}")

    def command(self, name, **arguments):
        if self.control is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.path)
            self.control = connection.makefile("rw")
            self.control.readline()
            self.command("qmp_capabilities")
        self.control.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.control.flush()
        while True:
            answer = json.loads(self.control.readline())
            if "error" in answer:
                raise SystemExit(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def press(self, key):
        self.command("send-key", keys=[{"type": "qcode", "data": key}], **{"hold-time": 60})

    def screen(self):
        """Width, height and the bytes of the pixels, three each."""
        path = os.path.join(self.work, "screen.ppm")
        self.command("screendump", filename=path)
        with open(path, "rb") as file:
            kind, size, most = file.readline(), file.readline(), file.readline()
            if (kind, most) != (b"P6\n", b"255\n"):
                raise SystemExit(f"the screen dump is of another kind: {kind} {most}")
            width, height = map(int, size.split())
            return width, height, file.read()


def pattern(width, height):
    rows = []
    for y in range(height):
        rows.append(b"".join(bytes(((x * 7 + y) & 255, (y * 5 & 255) ^ (x & 255), (x + 3 * y) & 255)) for x in range(width)))
    return rows


def change(rows):
    left, top, width, height = DAMAGE
    for y in range(top, top + height):
        rows[y] = rows[y][: left * 3] + DAMAGE_COLOUR * width + rows[y][(left + width) * 3 :]


def turned(rows, rotation):
    """Rows as they lie in the panel: the picture turned clockwise."""
    pixels = [[row[at : at + 3] for at in range(0, len(row), 3)] for row in rows]
    for _ in range(rotation // 90):
        pixels = [list(column) for column in zip(*pixels[::-1])]
    return [b"".join(row) for row in pixels]


def darker(rows):
    """Half as bright, halves rounded up."""
    return [bytes((value + 1) // 2 for value in row) for row in rows]


def compare(guest, rows, what):
    """A screen dump may come before the display has taken the frame over: looks again for a while."""
    expected, size = b"".join(rows), (len(rows[0]) // 3, len(rows))
    for attempt in range(40):
        width, height, found = guest.screen()
        if (width, height) == size and found == expected:
            print(f"        {what}: all {width}x{height} pixels are right", flush=True)
            return
        time.sleep(0.1)
    if (width, height) != size:
        raise SystemExit(f"{what}: the screen has {width}x{height} pixels, not {size[0]}x{size[1]}")
    wrong = [at for at in range(0, len(expected), 3) if found[at : at + 3] != expected[at : at + 3]]
    x, y = wrong[0] // 3 % width, wrong[0] // 3 // width
    raise SystemExit(
        f"{what}: {len(wrong)} of {width * height} pixels are wrong, the first at {x},{y}: "
        f"{found[wrong[0] : wrong[0] + 3].hex()} instead of {expected[wrong[0] : wrong[0] + 3].hex()}"
    )


def check(guest, step):
    kind, rotation, user = step.split(":")
    rotation = int(rotation)
    guest.wait_for(f"STEP {step}")
    if user == "nobody":
        line = guest.wait_for("FAILED", "SHOWN")
        if not line.startswith("FAILED") or "usermod -aG video" not in line:
            raise SystemExit("a user outside the group was not told about it")
        return
    shown = guest.wait_for("SHOWN")
    width, height = map(int, shown.split()[1].split("x"))
    rows = pattern(width, height)
    compare(guest, turned(rows, rotation), f"{step} shown")
    change(rows)
    guest.press("spc")
    guest.wait_for("CHANGED")
    compare(guest, turned(rows, rotation), f"{step} changed")
    guest.press("d")
    guest.wait_for("DIMMED")
    compare(guest, darker(turned(rows, rotation)), f"{step} dimmed")
    guest.press("s")
    guest.wait_for("ASLEEP")
    guest.press("w")
    guest.wait_for("AWAKE")
    compare(guest, turned(rows, rotation), f"{step} awake again")
    # Only root may force a connector.
    if kind == "kms" and user == "root":
        guest.press("u")
        guest.wait_for("LOST")
        guest.press("p")
        guest.wait_for("BACK")
        compare(guest, turned(rows, rotation), f"{step} plugged in again")
    guest.press("q")
    guest.wait_for("ENDED")


def main():
    work, steps, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    guest = Guest(work, command)
    try:
        guest.wait_for("BOOTED")
        for step in steps.split(","):
            check(guest, step)
        guest.wait_for("ALL STEPS DONE")
    finally:
        guest.process.kill()
    print(f"passed in {time.time() - guest.begin:.1f} s")


main()
