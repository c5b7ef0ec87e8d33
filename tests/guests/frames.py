"""Frames that a guest's screen is compared with: those that the kiosk writes into a folder, read from their PNG files."""

import glob
import os
import struct
import subprocess
import tempfile
import zlib

import guest


def read_png(path):
    """Width, height and three bytes a pixel of a PNG file with 8 bits of red, green, blue and opacity, as the kiosk writes."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if (depth, interlaced) != (8, 0) or colours not in (2, 6):
                raise guest.Failure(f"{path} is of another kind")
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    channels = {2: 3, 6: 4}[colours]
    rows = unfiltered(zlib.decompress(packed), width * channels, height, channels)
    if channels == 3:
        return width, height, b"".join(rows)
    pixels = bytearray(width * height * 3)
    whole = b"".join(rows)
    for channel in range(3):
        pixels[channel::3] = whole[channel::4]
    return width, height, bytes(pixels)


def unfiltered(data, length, height, step):
    """The rows of a PNG file (specification, section 9: filtering)."""
    before, rows = bytes(length), []
    for number in range(height):
        start = number * (length + 1)
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + length])
        for at in range(length if kind else 0):
            left = row[at - step] if at >= step else 0
            above = before[at]
            corner = before[at - step] if at >= step else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above
            elif kind == 3:
                guess = (left + above) // 2
            else:
                towards = left + above - corner
                guess = min((left, above, corner), key=lambda value: abs(towards - value))
            row[at] = (row[at] + guess) & 255
        before = bytes(row)
        rows.append(before)
    return rows


# Nobody is sent away and no picture changes for as long as a check takes.
SETTINGS = "[attract]\nidle = 3600\nseconds = 3600\n"


class Kiosk:
    """The kiosk of this machine, which plays scripts in simulated time and writes what it shows into a folder."""

    def __init__(self, program, pack, work, size, seed):
        self.program, self.pack, self.work, self.size, self.seed = program, pack, work, size, seed
        self.known = {}

    def after(self, presses):
        """The frame that stands in the end when buttons are pressed, one every two seconds."""
        visit = "".join(presses)
        if visit not in self.known:
            self.known[visit] = self.play(visit)
        return self.known[visit]

    def play(self, presses):
        folder = tempfile.mkdtemp(dir=self.work)
        script = os.path.join(folder, "visit.txt")
        with open(script, "w") as file:
            file.writelines(f"{2 * at + 5} press {button}\n" for at, button in enumerate(presses))
        settings = os.path.join(folder, "kiosk.toml")
        with open(settings, "w") as file:
            file.write(SETTINGS)
        command = [self.program, "kiosk", "--config", settings, "--pack", os.path.abspath(self.pack), "--display", f"png:{folder}/frames", "--size", self.size]
        command += ["--gallery", f"{folder}/gallery", "--seed", str(self.seed), "--script", script]
        subprocess.run(command, check=True)
        return read_png(sorted(glob.glob(f"{folder}/frames/frame-*.png"))[-1])
