#!/usr/bin/env python3
"""Goes through a guest of `run`: drive.py SCENARIO WORK-FOLDER PROGRAM PACK QEMU [ARGUMENT...]. PROGRAM is the kiosk of
this machine, whose frames the guest's are compared with. Ends with an error at the first check that fails."""

import sys

import frames
import guest
import panel
import pins
import visit

SEED = 5


def virtio(machine, kiosk):
    panel.shows(machine, "kms", 0)
    panel.shows(machine, "kms", 90, "pi")
    panel.shows(machine, "framebuffer", 0)
    panel.refuses(machine, "kms", "nobody")
    shown = visit.Visit(machine, kiosk, "kms")
    visit.choose_and_draw(shown)
    visit.unplug(shown)
    visit.draw(shown)
    shown.end()
    shown = visit.Visit(machine, kiosk, "framebuffer")
    visit.choose_and_draw(shown)
    visit.hurry(shown)
    shown.press("c")
    shown.end()


def bochs(machine, _kiosk):
    panel.shows(machine, "kms", 180)
    panel.shows(machine, "framebuffer", 270, "pi")
    panel.shows(machine, "auto", 0)


SCENARIOS = {"virtio": virtio, "bochs": bochs, "raspi3b": pins.raspi3b, "pl061": pins.pl061}


def main():
    scenario, work, program, pack, *command = sys.argv[1:]
    size = "1280x800" if scenario == "bochs" else "800x480"
    kiosk = frames.Kiosk(program, pack, work, size, SEED)
    machine = guest.Guest(work, command)
    try:
        booted = machine.wait_for("BOOTED")
        machine.passed(booted)
        SCENARIOS[scenario](machine, kiosk)
    except guest.Failure as failure:
        print(f"FAILED {failure}", flush=True)
        print(f"The screen is in {machine.save('inkstone-guest.ppm')}", flush=True)
        sys.exit(1)
    finally:
        machine.close()


main()
