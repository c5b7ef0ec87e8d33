"""A visit to the kiosk in a guest: buttons are pressed from outside, and its screen has to show, pixel for pixel, what the
kiosk of this machine shows for the same presses, the drawn picture included."""

import time

import frames
import guest

BUTTONS = {"a": "f1", "b": "f2", "c": "f3", "d": "f4"}
LOG = "/tmp/kiosk.log"
PLUGS = "for status in /sys/class/drm/card*-*/status; do echo {} >$status; done"


class Visit:
    def __init__(self, machine, kiosk, display, press=None, settings=""):
        self.guest, self.kiosk, self.display = machine, kiosk, display
        self.press_button = press or (lambda button: machine.press(BUTTONS[button]))
        self.presses = []
        settings = (frames.SETTINGS + settings).replace("\n", "\\n")
        machine.run(f"rm -rf /tmp/gallery {LOG}; printf '{settings}' >/tmp/kiosk.toml")
        machine.run(
            f"RUST_LOG=warn,inkstone=info /inkstone kiosk --config /tmp/kiosk.toml --pack /pack --display {display} --gallery /tmp/gallery "
            f"--seed {kiosk.seed} >{LOG} 2>&1 & pid=$!"
        )

    def wait_for_log(self, text):
        """Until the kiosk's log holds a text, or fails with the log."""
        status, _ = self.guest.run(f"for _ in $(seq 300); do grep -q '{text}' {LOG} && break; sleep 0.2; done; grep -q '{text}' {LOG}")
        if status:
            self.guest.check(False, f"{self.display}: '{text}' in the log", self.log())

    def log(self):
        return self.guest.run(f"cat {LOG}")[1]

    def press(self, *buttons):
        for button in buttons:
            self.press_button(button)
            self.presses.append(button)
            time.sleep(0.3)

    def shows(self, what):
        try:
            self.guest.shows(*self.kiosk.after(self.presses), f"{self.display}: {what}")
        except guest.Failure as failure:
            raise guest.Failure(f"{failure}; the log says {self.log()}") from None

    def end(self):
        """SIGTERM: ends in order, and the console shows text again. Tells how long it took."""
        before = self.guest.screen()
        status, output = self.guest.run("start=$(cut -d' ' -f1 /proc/uptime); kill -TERM $pid; wait $pid; code=$?; "
                                        "echo $start $(cut -d' ' -f1 /proc/uptime); (exit $code)")
        begin, end = map(float, output.split()[-2:])
        self.guest.check(status == 0, f"{self.display}: SIGTERM ended it in {end - begin:.2f} s of the guest, exit code 0",
                         f"exit code {status}; {self.log()}")
        dark = self.guest.screen()
        self.guest.check(dark != before, f"{self.display}: nothing of it is left on the screen", "the picture still stands")
        # Another text each time: a screen full of the same one would not change.
        self.guest.run("for _ in $(seq 30); do echo \"the console is back after $(cut -d' ' -f1 /proc/uptime) s\" >/dev/tty1; done")
        time.sleep(0.5)
        text = self.guest.screen()
        self.guest.check(text != dark, f"{self.display}: the console shows text again", "text on the console is not seen")

    def is_left_alone(self):
        """What is written to the console is not seen over the picture."""
        before = self.guest.screen()
        self.guest.run("for _ in $(seq 30); do echo 'a message of the kernel' >/dev/tty1; done")
        time.sleep(0.5)
        self.guest.check(self.guest.screen() == before, f"{self.display}: messages on the console are not drawn over it", "they are")

    def keeps(self):
        """A drawn picture is in the gallery, whole. It is seen before it is written."""
        self.guest.until("ls /tmp/gallery/*.png", f"{self.display}: a kept picture")
        status, output = self.guest.run("/inkstone verify /tmp/gallery/*.png")
        self.guest.check(status == 0, f"{self.display}: the picture is kept and verified", output)


def choose_and_draw(visit):
    visit.wait_for_log("listening to")
    visit.shows("the first of its examples, which nobody asked for")
    visit.press("a")
    visit.shows("a key wakes it, words to choose from and a sketch")
    visit.press("b")
    visit.shows("another style")
    visit.is_left_alone()


def unplug(visit):
    """Pulled out while someone chooses: keys go on working, and all is seen when it is there again."""
    machine = visit.guest
    machine.run(PLUGS.format("off"))
    time.sleep(1.5)
    visit.press("a")
    visit.wait_for_log("unplugged")
    machine.passed(f"{visit.display}: unplugged, it says so and lives on")
    visit.press("a")
    machine.run(PLUGS.format("detect"))
    visit.shows("plugged in again, with what was chosen meanwhile")


def draw(visit):
    visit.press("c")
    visit.shows("the picture that was drawn")
    visit.keeps()


def hurry(visit, count=21):
    """From keys to the first changed byte of the framebuffer, by a clock in the guest; its processor is emulated."""
    visit.guest.run(f"/panel watch {count} >/tmp/watch.log 2>&1 & watcher=$!")
    visit.guest.run("for _ in $(seq 100); do grep -q WATCHING /tmp/watch.log && break; sleep 0.1; done")
    for number in range(count):
        visit.guest.press("left" if number % 2 else "right")
        time.sleep(0.35)
    _, told = visit.guest.run("wait $watcher; cat /tmp/watch.log")
    found = [line for line in told.splitlines() if line.startswith("PRESSES")]
    visit.guest.check(found, f"{visit.display}: from a key let go to the first changed byte: {found[0].lower() if found else ''}", told)
