"""Buttons on pins: on the GPIO chip of an emulated Raspberry Pi 3 B, and on a chip (PL061) whose edges QEMU models.

QEMU's BCM2835 keeps functions and levels of pins alone: it knows neither pulls nor edges. So there it is shown that the
lines are found, requested and given back and that levels arrive; presses are heard on the PL061. Levels are changed from
outside of the guest in both.
"""

import re
import time

import visit

# Registers of the BCM2835 GPIO as the processor sees them (BCM2835 ARM Peripherals, section 6).
SET, CLEAR = 0x3F20001C, 0x3F200028
HEADER = (5, 6, 16, 24)


def raspi3b(machine, kiosk):
    character_device(machine, kiosk)
    registers(machine, kiosk)


def lines(machine, chip="gpiochip0"):
    """What the kernel tells of a chip's lines, by their numbers."""
    told = machine.run(f"gpioinfo {chip}")[1]
    return {int(number): about for number, about in re.findall(r"line +(\d+): *(.*)", told)}


def are_taken(machine, numbers, consumer, what, bias=""):
    """Waits for the lines to be in use as expected."""
    end = time.time() + 20
    while True:
        found = lines(machine)
        if all(f'"{consumer}"' in found[number] and bias in found[number] for number in numbers) or time.time() > end:
            break
    told = [found[number] for number in numbers]
    machine.check(all(f'"{consumer}"' in about and "input" in about and bias in about for about in told), what, told)


def character_device(machine, kiosk):
    shown = visit.Visit(machine, kiosk, "framebuffer", settings='[buttons]\ndriver = "character-device"\n')
    shown.wait_for_log("listening to")
    are_taken(machine, HEADER, "inkstone", "gpiocdev: the header's chip is found, lines are inputs that are pulled up", "pull-up")
    for high, low, expected in ((5, 6, ["hi", "lo"]), (6, 5, ["lo", "hi"])):
        machine.hardware(f"writel {SET:#x} {1 << high:#x}")
        machine.hardware(f"writel {CLEAR:#x} {1 << low:#x}")
        found = re.findall(r"\(GPIO[56] *\|inkstone *\) in +(hi|lo)", machine.run("cat /sys/kernel/debug/gpio")[1])
        machine.check(found == expected, f"gpiocdev: levels from outside arrive, {' '.join(expected)}", found)
    status, output = machine.run("timeout 10 /inkstone kiosk --pack /pack --display png:/tmp/frames --gallery /tmp/other 2>&1")
    machine.check("line 5 is used by 'inkstone'; use another pin" in output,
                  "gpiocdev: a second kiosk warns of the pin that is taken, and by whom", output)
    shown.shows("the first of its examples")
    shown.press("a")
    shown.shows("a key wakes it, words to choose from and a sketch")
    shown.end()
    free = [lines(machine)[number] for number in HEADER]
    machine.check(all("unused" in about for about in free), "gpiocdev: the lines are given back", free)


def registers(machine, kiosk):
    shown = visit.Visit(machine, kiosk, "framebuffer", settings='[buttons]\ndriver = "rppal"\n')
    shown.wait_for_log("listening to")
    time.sleep(2)
    log = shown.log()
    machine.check("do nothing" not in log, "rppal: the board is known, its registers are opened", log)
    taken = [about for about in lines(machine).values() if "unused" not in about]
    machine.check(len(taken) == len(HEADER), f"rppal: interrupts of its lines are requested: {taken[0] if taken else ''}", taken)
    machine.run("kill -TERM $pid; wait $pid")


def pl061(machine, kiosk):
    for pull, pressed in (("up", 0), ("down", 1)):
        steer(machine, kiosk, Lines(machine, pressed), pull)


def steer(machine, kiosk, buttons, pull):
    settings = f'[buttons]\na = ["gpio4"]\nb = ["gpio5"]\nc = ["gpio6"]\nd = ["gpio7"]\npull = "{pull}"\n'
    shown = visit.Visit(machine, kiosk, "kms", lambda button: buttons.press("abcd".index(button) + 4), settings)
    are_taken(machine, range(4, 8), "inkstone", f"gpiocdev: lines of another chip are taken, pull {pull}", f"pull-{pull}")
    shown.shows("the first of its examples")
    shown.press("a")
    shown.shows("a button on a pin wakes it")
    shown.press("b")
    shown.shows("another button, another style")
    if pull == "up":
        shown.press("c")
        shown.shows("the picture that was drawn")
        shown.keeps()
    shown.end()


class Lines:
    """Lines 4 to 7 of the guest's PL061, driven from outside."""

    def __init__(self, machine, pressed):
        self.machine, self.pressed = machine, pressed
        entries = machine.command("qom-list", path="/machine/unattached")
        names = [entry["name"] for entry in entries if entry["type"] == "child<pl061>"]
        self.place = f"/machine/unattached/{names[0]}"
        for line in range(4, 8):
            self.level(line, 1 - pressed)

    def level(self, line, high):
        self.machine.hardware(f"set_irq_in {self.place} unnamed-gpio-in {line} {high}")

    def press(self, line):
        self.level(line, self.pressed)
        time.sleep(0.2)
        self.level(line, 1 - self.pressed)
        time.sleep(0.2)
