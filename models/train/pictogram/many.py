"""The second data set as training batches: many pictures of one thing, in looks of their own, doodles drawn anew each time.

`prepare_many` makes the files. A picture's caption is its title, what the lexicon hands to the text encoder for its concept, some of its
words, or the concept's name in another language; most captions say less than the picture shows, which is what leaves the seed a choice.
"""

import json
import random
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from . import phrases, settings
from .attributes import FIXED
from .captions import ARTICLES, Captions
from .variation import vary

# How often each part is shown. In between equal shares, in which 180 animals would be learned by heart, and shares by number, in which
# doodles and portraits would be half of everything; clip art has most things and most compositions, and doodles are simple.
SHARES = {
    "clipart": 0.29, "clipart-large": 0.09, "doodle": 0.17, "portrait": 0.13, "emoji2": 0.16, "silhouette": 0.06, "lowpoly": 0.05, "animal": 0.03,
    "scenery": 0.02,
}  # fmt: skip
# Within a part, concepts are shown by the root of their number of pictures: "woman" has 2,000 and "windmill" 20.
EVEN = 0.5
# Share of captions in which the look is left open, and of the rest in which words ask for it.
OPEN, BY_WORDS = 0.4, 0.15
# Share of captions in other languages, where there are names; of the English ones, shares of titles and of what the lexicon hands over.
OTHER_LANGUAGES, TITLES, LEXICON = 0.25, 0.4, 0.45
# Strokes of doodles in pixels of the small picture, and how much larger they are drawn before they are shrunk.
THINNEST, THICKEST, ENLARGED = 0.7, 2.2, 4
# Doodles are black, most of them, or of one other dark colour.
COLOURED_INK = 0.25


def held_out(row: dict) -> bool:
    """One in fifty is kept for judging."""
    return zlib.crc32(f"{row['part']}/{row['key']}".encode()) % 50 == 0


def share_of_rows(rows: list[dict]) -> np.ndarray:
    """How often each row is drawn."""
    groups = [(row["part"], row["concept"]) for row in rows]
    sizes = Counter(groups)
    weights = np.array([sizes[group] ** (EVEN - 1) for group in groups])
    parts = np.array([row["part"] for row in rows])
    for part, share in SHARES.items():
        weights[parts == part] *= share / max(weights[parts == part].sum(), 1e-9)
    return weights / weights.sum()


def draw_strokes(strokes: list, side: int, generator: random.Random) -> np.ndarray:
    """A doodle on nothing, premultiplied uint8 side×side×4, with a line width of this time's own."""
    scale = side * ENLARGED
    width = max(1, round(generator.uniform(THINNEST, THICKEST) * ENLARGED * side / settings.PICTURE))
    span = [max(max(stroke[axis]) for stroke in strokes) for axis in (0, 1)]
    factor = (scale - 2 * width) / max(*span, 1)
    offset = [(scale - extent * factor) / 2 for extent in span]
    page = Image.new("L", (scale, scale))
    draw = ImageDraw.Draw(page)
    for xs, ys in strokes:
        points = [(x * factor + offset[0], y * factor + offset[1]) for x, y in zip(xs, ys)]
        draw.line(points, 255, width, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 255)
    alpha = np.asarray(page.resize((side, side), Image.Resampling.BOX))[..., None]
    ink = [generator.randrange(140) for _ in range(3)] if generator.random() < COLOURED_INK else [0, 0, 0]
    return np.concatenate([alpha * (np.array(ink) / 255), alpha], -1).round().astype(np.uint8)


class Many:
    """Draws pictures of the second data set with captions, as `Asking` does of the first."""

    def __init__(self, captions: Captions, work: Path):
        self.captions, self.array = captions, np.load(work / "many32.npy", mmap_mode="r")
        self.rows = json.loads((work / "many.json").read_text(encoding="utf-8"))
        held = np.array([held_out(row) for row in self.rows])
        self.training, self.validation = np.flatnonzero(~held), np.flatnonzero(held)
        self.weights = share_of_rows([self.rows[index] for index in self.training])

    def picture(self, index: int, generator: random.Random) -> np.ndarray:
        """A copy of its own of the picture."""
        row = self.rows[index]
        is_doodle = "strokes" in row
        picture = draw_strokes(row["strokes"], settings.PICTURE, generator) if is_doodle else self.array[index]
        # Signs and clocks are not mirrored, scenes that fill the frame not tilted.
        mirror = not FIXED & set([row["name"], *row["name"].split(), *row["words"]])
        return vary(picture, generator, mirror, bend=row["part"] != "scenery", tint=not is_doodle and "colour" not in row["attributes"])

    def text(self, index: int, generator: random.Random) -> tuple[str, str]:
        """A language and one of the many ways to ask for the picture in it."""
        row = self.rows[index]
        if row["names"] and generator.random() < OTHER_LANGUAGES:
            language = generator.choice(sorted(row["names"]))
            return language, row["names"][language]
        draw = generator.random()
        if draw < TITLES or not row["text"]:
            text = row["name"]
        elif draw < TITLES + LEXICON or not row["words"]:
            text = row["text"]
        else:
            # Words alone would not say what is meant by them.
            words = generator.sample(row["words"], min(len(row["words"]), generator.choice([1, 2, 3])))
            text = ", ".join(generator.sample([row["text"], *words], len(words) + 1))
        return "en", generator.choice(ARTICLES) + text

    def styled(self, row: dict, text: str, generator: random.Random) -> tuple[str, int]:
        """The text, now and then with words for the look, and the look's number."""
        if row["look"] is None or generator.random() < OPEN:
            return text, settings.OPEN
        number = settings.NUMBERS[row["look"]]
        if generator.random() >= BY_WORDS:
            return text, number
        words = generator.choice((settings.STYLE_WORDS | settings.LOOK_WORDS)[row["look"]])
        return f"{text}, {words}", generator.choice([settings.OPEN, number])

    def draw(self, count: int, generator: random.Random, chooser: np.random.Generator, empty: float = 0.0, around: float = 0.0, **_):
        """uint8 pictures N×32×32×4, token rows and style numbers."""
        pictures, texts, styles = [], [], []
        for index in chooser.choice(self.training, count, p=self.weights):
            pictures.append(self.picture(index, generator))
            language, text = self.text(index, generator)
            if generator.random() < around:
                text = phrases.around(text, "en" if text.isascii() else language, generator)
            text, number = self.styled(self.rows[index], text, generator)
            texts.append("" if generator.random() < empty else text)
            styles.append(number)
        return np.stack(pictures), self.captions.encode(texts), torch.tensor(styles)
