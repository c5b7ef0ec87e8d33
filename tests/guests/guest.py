"""A machine that QEMU emulates: its console, its keyboard, its screen and its pins.

The guest's first process (`init`) reads shell commands from the console, runs them and says `DONE` with their status.
Keys and screen dumps go by QEMU's machine protocol (QMP), levels of pins and registers by its test protocol (qtest),
both from outside of the guest.
"""

import json
import os
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 240  # Seconds without the line that is waited for. The machines that test are slow.


class Failure(Exception):
    """A check that did not hold."""


class Channel:
    """A line-wise protocol on a socket of QEMU."""

    def __init__(self, path):
        connection = socket.socket(socket.AF_UNIX)
        end = time.time() + 20
        while True:
            try:
                connection.connect(path)
                break
            except OSError:
                if time.time() > end:
                    raise
                time.sleep(0.05)
        self.file = connection.makefile("rw")

    def tell(self, line):
        self.file.write(line + "\n")
        self.file.flush()

    def hear(self):
        return self.file.readline()


class Guest:
    """Starts QEMU with the arguments of a machine; its console has to be the standard input and output."""

    def __init__(self, work, command):
        self.work = work
        self.begin = time.time()
        self.last = self.begin
        places = {name: os.path.join(work, name) for name in ("qmp", "qtest")}
        for place in places.values():
            if os.path.exists(place):
                os.unlink(place)
        # The test protocol's log goes nowhere: it would tell of every register.
        arguments = ["-qmp", f"unix:{places['qmp']},server=on,wait=off", "-qtest", f"unix:{places['qtest']},server=on,wait=off",
                     "-qtest-log", "none", "-monitor", "none", "-display", "none", "-no-reboot"]
        self.process = subprocess.Popen(command + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = queue.Queue()
        self.said = []
        threading.Thread(target=self.read, daemon=True).start()
        self.control = Channel(places["qmp"])
        self.control.hear()
        self.command("qmp_capabilities")
        self.registers = Channel(places["qtest"])

    def read(self):
        for line in self.process.stdout:
            # A serial line that is being set up sends bytes that are no text.
            self.lines.put(line.decode(errors="ignore").strip("\0 \r\n"))
        self.lines.put(None)

    def passed(self, what):
        """One line a check: seconds since the start, seconds since the last check, what was seen."""
        now = time.time()
        print(f"ok {now - self.begin:6.1f} s {now - self.last:+6.1f} s  {what}", flush=True)
        self.last = now

    def check(self, holds, what, detail=""):
        if not holds:
            raise Failure(f"{what}: {detail}")
        self.passed(what)

    def wait_for(self, *beginnings):
        """The first line that begins so. Everything before it is kept in `said`."""
        end = time.time() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, end - time.time()))
            except queue.Empty:
                raise Failure(f"nothing of {beginnings} within {PATIENCE} s; the guest said {self.said[-20:]}") from None
            if line is None:
                raise Failure(f"the guest ended before {beginnings}; it said {self.said[-20:]}")
            for beginning in beginnings:
                if line.startswith(beginning):
                    return line
            if line.startswith("FAILED") or "kernel panic" in line.lower():
                raise Failure(f"the guest failed: {line}")
            if line:
                self.said.append(line)

    def start(self, command):
        """A shell command that says lines by itself; `finish` waits for its end."""
        self.said.clear()
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def finish(self):
        return int(self.wait_for("DONE ").split()[1])

    def run(self, command):
        """Status and output of a shell command."""
        self.start(command)
        status = self.finish()
        return status, "\n".join(self.said)

    def until(self, command, what):
        """Runs a command until it succeeds."""
        end = time.time() + PATIENCE
        while True:
            status, output = self.run(command)
            if status == 0:
                return output
            if time.time() > end:
                raise Failure(f"{what}: not within {PATIENCE} s")
            time.sleep(0.2)

    def command(self, name, **arguments):
        self.control.tell(json.dumps({"execute": name, "arguments": arguments}))
        while True:
            answer = json.loads(self.control.hear())
            if "error" in answer:
                raise Failure(f"{name}: {answer['error']['desc']}")
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
                raise Failure(f"the screen dump is of another kind: {kind} {most}")
            width, height = map(int, size.split())
            return width, height, file.read()

    def shows(self, width, height, pixels, what, patience=PATIENCE):
        """Waits until the screen shows exactly these pixels."""
        end = time.time() + patience
        while True:
            found = self.screen()
            if found == (width, height, pixels):
                return self.passed(f"{what}: all {width}x{height} pixels are right")
            if time.time() > end:
                raise Failure(f"{what}: {difference(found, width, height, pixels)}")
            time.sleep(0.1)

    def hardware(self, line):
        """A command of the test protocol, as `writel 0x3f20001c 0x20`."""
        self.registers.tell(line)
        answer = self.registers.hear().split()
        if not answer or answer[0] != "OK":
            raise Failure(f"{line}: {' '.join(answer)}")
        return answer[1:]

    def save(self, name):
        """Keeps the last screen dump beyond the end of the run."""
        kept = os.path.join(tempfile.gettempdir(), name)
        dump = os.path.join(self.work, "screen.ppm")
        if os.path.exists(dump):
            shutil.copy(dump, kept)
        return kept

    def close(self):
        self.process.kill()
        self.process.wait()


def difference(found, width, height, pixels):
    """How a screen differs from what was expected, in words."""
    if found[:2] != (width, height):
        return f"the screen has {found[0]}x{found[1]} pixels, not {width}x{height}"
    seen = found[2]
    wrong = [at for at in range(0, len(pixels), 3) if seen[at : at + 3] != pixels[at : at + 3]]
    if not wrong:
        return "the last dump came too late"
    x, y = wrong[0] // 3 % width, wrong[0] // 3 // width
    return (
        f"{len(wrong)} of {width * height} pixels are wrong, the first at {x},{y}: "
        f"{seen[wrong[0] : wrong[0] + 3].hex()} instead of {pixels[wrong[0] : wrong[0] + 3].hex()}"
    )
