"""Pins: the GPIO drivers on the chip of an emulated Raspberry Pi 3 B, and on a chip (PL061) whose edges QEMU models.

QEMU's BCM2835 GPIO keeps functions and levels alone: it knows neither pulls nor edges, so that levels are read there and
presses are heard on the PL061. Levels are changed from outside of the guest.
"""

import time

import visit

# Registers of the BCM2835 GPIO as the processor sees them (BCM2835 ARM Peripherals, section 6).
SET, CLEAR = 0x3F20001C, 0x3F200028


def raspi3b(machine, kiosk):
    character_device(machine)
    registers(machine)
    kiosk_on_framebuffer(machine, kiosk)


def background(machine, command, log="/tmp/pins.log"):
    """Listens in the background until `stop`; tells what it said at first."""
    machine.run(f"rm -f /tmp/end {log}; mkfifo /tmp/end; (exec 3<>/tmp/end; /pins {command} <&3 >{log} 2>&1) & pid=$!")
    machine.run(f"for _ in $(seq 100); do grep -qE 'LISTENING|REFUSED' {log} && break; sleep 0.1; done")
    return machine.run(f"cat {log}")[1]


def stop(machine, log="/tmp/pins.log"):
    machine.run("echo >/tmp/end; wait $pid")
    return machine.run(f"cat {log}")[1]


def character_device(machine):
    said = background(machine, "character-device up 5 6")
    machine.check("CHIP /dev/gpiochip0 pinctrl-bcm2835" in said, "gpiocdev: the header's chip is found by its label", said)
    wanted = 'LINE 5 by "inkstone" bias Some(PullUp) edges Some(BothEdges) debounce Some(5ms)'
    machine.check(wanted in said and "LISTENING" in said, "gpiocdev: lines are requested with pull, both edges and debounce", said)
    machine.hardware(f"writel {SET:#x} {1 << 5:#x}")
    machine.hardware(f"writel {CLEAR:#x} {1 << 6:#x}")
    gpio = machine.run("cat /sys/kernel/debug/gpio")[1]
    lines = [line for line in gpio.splitlines() if "inkstone" in line]
    machine.check(len(lines) == 2 and " hi" in lines[0] and " lo" in lines[1],
                  "gpiocdev: the kernel reads the levels that are set from outside", gpio)
    taken = machine.run("/pins character-device up 6 </dev/null")[1]
    machine.check("line 6 is used by 'inkstone'; use another pin" in taken, "gpiocdev: a pin that is taken is named, with its user", taken)
    absent = machine.run("/pins character-device up 54 </dev/null")[1]
    machine.check("there is no line 54: it has the lines 0 to 53" in absent, "gpiocdev: a pin that is not there is named", absent)
    machine.check("ENDED" in stop(machine), "gpiocdev: ends")
    free = machine.run("/pins character-device down 5 6 </dev/null")[1]
    machine.check("bias Some(PullDown)" in free and "ENDED" in free, "gpiocdev: the lines were given back, and are pulled down now", free)


def registers(machine):
    said = background(machine, "rppal up 5 6")
    machine.check("LISTENING" in said, "rppal: the board is known, pins and their interrupts are taken", said)
    stop(machine)


def kiosk_on_framebuffer(machine, kiosk):
    shown = visit.Visit(machine, kiosk, "framebuffer")
    shown.wait_for_log("listening to")
    shown.shows("the first of its examples")
    shown.press("a")
    shown.shows("a key wakes it, words to choose from and a sketch")
    shown.end()


def pl061(machine, kiosk):
    line = PressableLines(machine)
    for number in range(8):
        line.level(number, True)
    said = background(machine, "character-device up 5 6")
    machine.check("LISTENING" in said and "edges Some(BothEdges)" in said, "gpiocdev: listens on a PL061", said)
    line.press(5)
    line.press(6)
    said = stop(machine)
    signals = [line for line in said.splitlines() if line.startswith("SIGNAL")]
    expected = [f'SIGNAL Key {{ name: "gpio{pin}", pressed: {pressed} }}' for pin in (5, 6) for pressed in ("true", "false")]
    machine.check(signals == expected, "gpiocdev: edges from outside are presses", said)
    buttons = '[buttons]\na = ["gpio4"]\nb = ["gpio5"]\nc = ["gpio6"]\nd = ["gpio7"]\n'
    shown = visit.Visit(machine, kiosk, "kms", lambda button: line.press("abcd".index(button) + 4), buttons)
    shown.shows("the first of its examples")
    shown.press("a")
    shown.shows("a button on a pin wakes it")
    shown.press("b")
    shown.shows("another button: another style")
    shown.press("c")
    shown.shows("the picture that was drawn")
    shown.keeps()
    shown.end()


class PressableLines:
    """Lines of the guest's PL061, held high and drawn low from outside."""

    def __init__(self, machine):
        self.machine = machine
        self.place = self.find()

    def find(self):
        for entry in self.machine.command("qom-list", path="/machine/unattached"):
            if entry["type"] == "child<pl061>":
                return f"/machine/unattached/{entry['name']}"
        raise RuntimeError("QEMU's machine has no PL061")

    def level(self, line, high):
        self.machine.hardware(f"set_irq_in {self.place} unnamed-gpio-in {line} {int(high)}")

    def press(self, line):
        self.level(line, False)
        time.sleep(0.2)
        self.level(line, True)
        time.sleep(0.2)
