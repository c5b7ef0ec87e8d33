"""What `panel.rs` draws on displays of the emulated PC, compared in every pixel: turned, changed in part, dimmed, asleep,
unplugged, and as a user who may not."""

DAMAGE = (200, 100, 120, 60)
DAMAGE_COLOUR = bytes((250, 10, 120))


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
    guest.shows(len(rows[0]) // 3, len(rows), b"".join(rows), what, patience=10)


def refuses(guest, kind, user):
    """A user outside the group is told about it."""
    guest.start(f"su -s /bin/sh {user} -c '/panel {kind} 0'")
    line = guest.wait_for("FAILED", "SHOWN")
    guest.check(line.startswith("FAILED") and "usermod -aG video" in line, f"{kind} as {user}: refused, with advice", line)
    guest.finish()


def shows(guest, kind, rotation, user="root"):
    name = f"{kind}, turned by {rotation}, as {user}"
    program = f"/panel {kind} {rotation}"
    guest.start(program if user == "root" else f"su -s /bin/sh {user} -c '{program}'")
    shown = guest.wait_for("SHOWN")
    width, height = map(int, shown.split()[1].split("x"))
    rows = pattern(width, height)
    compare(guest, turned(rows, rotation), f"{name}: shown")
    change(rows)
    guest.press("spc")
    guest.wait_for("CHANGED")
    compare(guest, turned(rows, rotation), f"{name}: changed in part")
    guest.press("d")
    guest.wait_for("DIMMED")
    compare(guest, darker(turned(rows, rotation)), f"{name}: dimmed")
    guest.press("s")
    guest.wait_for("ASLEEP")
    guest.press("w")
    guest.wait_for("AWAKE")
    compare(guest, turned(rows, rotation), f"{name}: awake again")
    # Only root may force a connector.
    if kind == "kms" and user == "root":
        guest.press("u")
        guest.wait_for("LOST")
        guest.press("p")
        guest.wait_for("BACK")
        compare(guest, turned(rows, rotation), f"{name}: plugged in again")
    guest.press("q")
    line = guest.wait_for("FULL FRAME")
    guest.wait_for("ENDED")
    guest.finish()
    guest.passed(f"{name}: {line.lower()}")
