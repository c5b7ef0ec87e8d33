"""Painted places that things are put into: sky, ground and weather. Depends on nothing.

A place is made anew each time, of a gradient, a horizon and a few marks. Pictures are opaque uint8 side×side×4.
"""

import random

import numpy as np
from PIL import Image, ImageDraw

# Every place and the words that a lexicon hands to the text encoder behind the thing.
PLACES = {
    "day": "on a sunny day", "night": "at night", "sunset": "at sunset", "snow": "in the snow", "desert": "in the desert", "beach": "on the beach",
    "sea": "in the sea", "meadow": "in a meadow", "forest": "in the forest", "space": "in space", "rain": "in the rain", "city": "in the city",
}  # fmt: skip
# Upper and lower colour of the sky and of the ground; no ground for what has none.
COLOURS = {
    "day": ((96, 178, 240), (205, 235, 252), (140, 200, 90), (105, 170, 70)),
    "night": ((14, 18, 52), (40, 52, 104), (30, 52, 48), (20, 36, 36)),
    "sunset": ((92, 62, 128), (250, 160, 84), (96, 72, 70), (60, 46, 52)),
    "snow": ((170, 196, 220), (222, 234, 244), (250, 252, 255), (216, 228, 240)),
    "desert": ((120, 190, 236), (246, 226, 180), (236, 196, 120), (214, 164, 88)),
    "beach": ((110, 190, 244), (190, 228, 250), (244, 222, 166), (230, 200, 136)),
    "sea": ((130, 196, 240), (206, 232, 248), (40, 120, 196), (20, 78, 150)),
    "meadow": ((140, 204, 246), (214, 238, 250), (128, 200, 76), (84, 160, 52)),
    "forest": ((120, 170, 130), (176, 208, 160), (70, 120, 52), (48, 90, 40)),
    "space": ((8, 8, 28), (26, 16, 56), None, None),
    "rain": ((96, 110, 128), (150, 162, 176), (92, 108, 96), (74, 90, 84)),
    "city": ((150, 196, 232), (222, 234, 242), (128, 130, 136), (100, 102, 108)),
}


def gradient(upper, lower, height: int, width: int) -> np.ndarray:
    steps = np.linspace(0, 1, max(height, 1))[:, None, None]
    return np.broadcast_to(np.array(upper) * (1 - steps) + np.array(lower) * steps, (max(height, 1), width, 3))


def disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def stars(draw: ImageDraw.ImageDraw, side: int, lowest: float, generator: random.Random) -> None:
    for _ in range(generator.randint(8, 18)):
        disc(draw, generator.random() * side, generator.random() * lowest, generator.uniform(0.4, 1.1) * side / 64, (255, 250, 220))


def clouds(draw: ImageDraw.ImageDraw, side: int, colour, generator: random.Random) -> None:
    for _ in range(generator.randint(1, 3)):
        x, y, radius = generator.random() * side, generator.uniform(0.08, 0.3) * side, generator.uniform(0.05, 0.09) * side
        for place, share in ((-1.1, 0.7), (0, 1.0), (1.1, 0.75)):
            disc(draw, x + place * radius, y, radius * share, colour)


def trees(draw: ImageDraw.ImageDraw, side: int, horizon: int, generator: random.Random) -> None:
    for _ in range(generator.randint(6, 10)):
        x, height = generator.random() * side, generator.uniform(0.25, 0.5) * side
        green = (generator.randint(20, 60), generator.randint(80, 130), generator.randint(30, 60))
        foot = horizon + generator.uniform(0, 0.08) * side
        draw.rectangle((x - side / 60, foot - height * 0.3, x + side / 60, foot), (96, 64, 40))
        draw.polygon([(x, foot - height), (x - height * 0.3, foot - height * 0.2), (x + height * 0.3, foot - height * 0.2)], green)


def houses(draw: ImageDraw.ImageDraw, side: int, horizon: int, generator: random.Random) -> None:
    x = -generator.random() * side / 8
    while x < side:
        width, height, tone = generator.uniform(0.12, 0.22) * side, generator.uniform(0.2, 0.55) * side, generator.randint(90, 170)
        draw.rectangle((x, horizon - height, x + width, horizon), (tone, tone + 6, tone + 18))
        for row in range(int(height / (side / 12))):
            for column in (0.25, 0.65):
                top = horizon - height + (row + 0.4) * side / 12
                draw.rectangle((x + column * width, top, x + (column + 0.15) * width, top + side / 24), (250, 232, 150))
        x += width + side / 64


def falling(draw: ImageDraw.ImageDraw, side: int, snow: bool, generator: random.Random) -> None:
    for _ in range(generator.randint(18, 32)):
        x, y = generator.random() * side, generator.random() * side
        if snow:
            disc(draw, x, y, generator.uniform(0.6, 1.3) * side / 64, (255, 255, 255))
        else:
            draw.line((x, y, x - side / 40, y + side / 12), (190, 208, 230), max(1, side // 64))


def waves(draw: ImageDraw.ImageDraw, side: int, horizon: int, generator: random.Random) -> None:
    for _ in range(generator.randint(4, 8)):
        x, y, width = generator.random() * side, generator.uniform(horizon + side / 20, side), generator.uniform(0.1, 0.22) * side
        draw.arc((x, y, x + width, y + width / 3), 200, 340, (190, 224, 246), max(1, side // 50))


def paint_place(place: str, side: int, generator: random.Random) -> tuple[np.ndarray, float]:
    """A place, and how far down things stand in it, as a share of the side."""
    shift = np.array([generator.randint(-14, 14) for _ in range(3)])
    upper, lower, ground, below = (None if colour is None else np.clip(np.array(colour) + shift, 0, 255) for colour in COLOURS[place])
    horizon = side if ground is None else round(generator.uniform(0.55, 0.72) * side)
    page = np.array(gradient(upper, lower, side, side))
    if ground is not None:
        page[horizon:] = gradient(ground, below, side - horizon, side)
    image = Image.fromarray(page.round().astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    details(draw, place, side, horizon, generator)
    opaque = np.concatenate([np.asarray(image), np.full((side, side, 1), 255, np.uint8)], -1)
    return opaque, generator.uniform(0.6, 0.9) if ground is None else min(0.96, horizon / side + generator.uniform(0.08, 0.26))


def details(draw: ImageDraw.ImageDraw, place: str, side: int, horizon: int, generator: random.Random) -> None:
    """What makes a place that place."""
    x, y = generator.uniform(0.12, 0.88) * side, generator.uniform(0.1, 0.26) * side
    if place in ("day", "desert", "beach"):
        disc(draw, x, y, generator.uniform(0.07, 0.11) * side, (255, 220, 70))
    if place in ("day", "meadow", "beach", "sea"):
        clouds(draw, side, (255, 255, 255), generator)
    if place in ("night", "space"):
        stars(draw, side, horizon, generator)
    if place == "night":
        disc(draw, x, y, 0.09 * side, (250, 244, 206))
    if place == "space":
        disc(draw, x, y, generator.uniform(0.06, 0.14) * side, generator.choice([(222, 140, 90), (120, 150, 220), (190, 170, 220)]))
    if place == "sunset":
        disc(draw, x, horizon, 0.14 * side, (255, 214, 120))
        draw.rectangle((0, horizon, side, side), (92, 68, 72))
    if place == "beach":
        draw.rectangle((0, horizon - 0.14 * side, side, horizon), (60, 150, 216))
    if place == "sea":
        waves(draw, side, horizon, generator)
    if place == "forest":
        trees(draw, side, horizon, generator)
    if place == "city":
        houses(draw, side, horizon, generator)
    if place == "rain":
        clouds(draw, side, (84, 92, 106), generator)
    if place in ("snow", "rain"):
        falling(draw, side, place == "snow", generator)
