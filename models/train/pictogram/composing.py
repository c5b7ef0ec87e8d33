"""Pictures of two things put together while training: things to wear on heads, things in places, with captions in twelve languages.

What goes where is measured in `heads.json` of the second data set, which also names the pairs and scenes that no training picture may
show, so that they can be judged. Pieces are pictograms at twice the denoiser's size, and places are painted; nothing is learned here.
"""

import json
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import phrases, settings
from .captions import ARTICLES, Captions
from .lexicon import Concepts, Data
from .places import PLACES, paint_place
from .variation import bent, mirrored

SIDE = 2 * settings.PICTURE
# Share of compositions that are scenes, and of heads that wear a second thing elsewhere.
SCENES, TWICE = 0.4, 0.12
# Shares of captions in other languages, of what the lexicon hands over among the English ones, and of those that ask for a style by words.
OTHER_LANGUAGES, LEXICON, BY_WORDS, OPEN = 0.3, 0.35, 0.1, 0.35
# How much the size of a worn thing varies, how far it slips as a share of the head's width, and how many degrees it tilts.
SIZES, SLIPS, TILT = (0.9, 1.12), 0.04, 8.0
# Things that are put into places, by the groups of the word lists.
IN_PLACES = ("animal", "transport", "plant", "place-building", "person-fantasy", "musical-instrument")
# Words for a head that wears a thing: `{0}` the head, `{1}` the thing. The first English one is what a lexicon hands over.
WEARING = {
    "en": ["{0} wearing {1}", "{0} wearing a {1}", "{0} with a {1}", "{0} in a {1}", "{0} with {1}", "{0} that wears a {1}", "{0} who has a {1} on", "{1} on a {0}"],
    "zh": ["戴{1}的{0}", "戴着{1}的{0}", "{0}戴着{1}"], "ja": ["{1}をつけた{0}", "{1}の{0}", "{1}を身につけた{0}"], "ko": ["{1} 쓴 {0}", "{1}를 쓴 {0}", "{1}을 쓴 {0}"],
    "es": ["{0} con {1}", "{0} que lleva {1}"], "fr": ["{0} avec {1}", "{0} qui porte {1}"], "de": ["{0} mit {1}", "{0} trägt {1}"],
    "pt": ["{0} com {1}", "{0} usando {1}"], "it": ["{0} con {1}", "{0} che indossa {1}"], "ru": ["{0}, на котором {1}", "{0} носит {1}"],
    "ar": ["{0} يرتدي {1}", "{0} مع {1}"], "hi": ["{1} पहने {0}", "{1} वाला {0}"],
}  # fmt: skip
# Things that are a pair take no article in English.
PLURAL = ("glasses", "goggles", "phones")


def over(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Premultiplied uint8 pictures of one size, one drawn over the other."""
    return (above + below * (1 - above[..., 3:] / 255)).round().astype(np.uint8)


def opaque_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is not clear."""
    rows, columns = np.flatnonzero(picture[..., 3].max(1) > 24), np.flatnonzero(picture[..., 3].max(0) > 24)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def scaled(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture), "RGBa").resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC, reducing_gap=2.0))


def pasted(page: np.ndarray, picture: np.ndarray, left: int, top: int) -> np.ndarray:
    """The page with a picture drawn over it, cut off at its edges."""
    whole = np.zeros_like(page)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + picture.shape[1], page.shape[1]), min(top + picture.shape[0], page.shape[0])
    if right > x and bottom > y:
        whole[y:bottom, x:right] = picture[y - top : bottom - top, x - left : right - left]
    return over(page, whole)


def framed(page: np.ndarray, side: int) -> np.ndarray:
    """What is drawn on a page, in a square of a size."""
    left, top, right, bottom = opaque_box(page)
    width, height = right - left, bottom - top
    length = max(width, height)
    square = np.zeros((length, length, 4), np.uint8)
    square[(length - height) // 2 :, (length - width) // 2 :][:height, :width] = page[top:bottom, left:right]
    return scaled(square, side, side)


class Head:
    """Where on a picture of SIDE pixels things are worn."""

    def __init__(self, kind: str, box: list[float], top: float):
        left, upper, right, lower = (share * SIDE for share in box)
        width, height = right - left, lower - upper
        # Of a whole body the head is a part.
        self.width, tall = (0.8 * width, 0.9 * width) if kind == "body" else (width, height)
        middle = (left + right) / 2
        crown = upper + top * height
        self.anchors = {
            "top": (middle, crown), "eyes": (middle, upper + 0.47 * tall), "ears": (middle, crown + 0.62 * tall),
            "side": (middle + 0.22 * self.width, crown + 0.12 * tall),
        }  # fmt: skip


class Pieces:
    """Pictograms at SIDE pixels by code points and style, cut out of the large ones and kept in `pieces.npy`."""

    def __init__(self, work: Path, captions: Captions, wanted: set[str], styles: list[str]):
        path = work / "pieces.npy"
        rows = {
            (row["key"].removesuffix("-fe0f"), row["style"]): index
            for index, row in enumerate(captions.rows)
            if row["style"] in styles and row["key"].removesuffix("-fe0f") in wanted and index in captions.trained
        }
        self.places = {pair: place for place, pair in enumerate(sorted(rows))}
        if not path.exists():
            large = np.load(work / "pictures128.npy", mmap_mode="r")
            np.save(path, np.stack([halved(large[rows[pair]]) for pair in sorted(rows)]))
        self.pictures = np.load(path)
        if len(self.pictures) != len(self.places):
            raise SystemExit(f"{path} was made of other pictures: remove it")

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self.places

    def __getitem__(self, pair: tuple[str, str]) -> np.ndarray:
        return self.pictures[self.places[pair]]


def halved(picture: np.ndarray) -> np.ndarray:
    side = len(picture) // 2
    return picture.reshape(side, 2, side, 2, 4).mean((1, 3)).round().astype(np.uint8)


class Compositions:
    """Draws compositions with captions, as `Asking` does pictograms; what is excluded never comes."""

    def __init__(self, captions: Captions, work: Path):
        self.captions, table = captions, json.loads((work / "composing.json").read_text(encoding="utf-8"))
        self.names, self.texts, self.places = table["names"], table["texts"], table["places"]
        self.heads, self.items, self.things, self.excluded = table["heads"], table["items"], table["things"], set(table["excluded"])
        keys = {entry["codepoints"] for entry in self.heads + self.items} | set(self.things)
        self.pieces = Pieces(work, captions, keys, table["styles"])
        self.styles = table["styles"]

    def draw(self, count: int, generator: random.Random, chooser: np.random.Generator, empty: float = 0.0, around: float = 0.0, **_):
        """uint8 pictures N×32×32×4, token rows and style numbers."""
        pictures, texts, numbers = [], [], []
        while len(pictures) < count:
            style = generator.choice(self.styles)
            made = (self.scene if generator.random() < SCENES else self.worn)(style, generator)
            if made is None:
                continue
            picture, language, text = made
            number = settings.NUMBERS[style]
            if generator.random() < around:
                text = phrases.around(text, language, generator)
            if generator.random() < BY_WORDS:
                text += ", " + generator.choice(settings.STYLE_WORDS[style])
            if generator.random() < OPEN:
                number = settings.OPEN
            pictures.append(picture)
            texts.append("" if generator.random() < empty else text)
            numbers.append(number)
        return np.stack(pictures), self.captions.encode(texts), torch.tensor(numbers)

    def worn(self, style: str, generator: random.Random):
        """A head that wears a thing: picture, language, text; None for what is excluded or has no picture in the style."""
        head = generator.choice(self.heads)
        items = [item for item in self.items if self.has(head, item, style) and not self.is_excluded(head, item)]
        if not items:
            return None
        item = generator.choice(items)
        worn = [item]
        others = [other for other in items if other["place"] != item["place"]]
        if others and generator.random() < TWICE:
            worn.append(generator.choice(others))
        picture = self.dressed(head, worn, style, generator)
        picture = mirrored(picture) if generator.random() < 0.5 else picture
        picture = framed(bent(picture, generator) if generator.random() < 0.3 else picture, settings.PICTURE)
        return picture, *self.wearing(head, item, generator)

    def is_excluded(self, head: dict, item: dict) -> bool:
        return f"{head['word']}/{item['word']}" in self.excluded

    def has(self, head: dict, item: dict, style: str) -> bool:
        """Whether the head can wear the thing in a style."""
        has_pieces = all((entry["codepoints"], style) in self.pieces for entry in (head, item))
        return has_pieces and item["place"] in head["places"] and style in head["styles"] and style in item["styles"]

    def large(self, head: dict, item: dict, style: str, generator: random.Random) -> np.ndarray:
        """A composition at the decoder's size, for judging."""
        return framed(self.dressed(head, [item], style, generator), settings.OUTPUT)

    def dressed(self, head: dict, worn: list[dict], style: str, generator: random.Random) -> np.ndarray:
        page = np.zeros((2 * SIDE, 2 * SIDE, 4), np.uint8)
        page[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2] = self.pieces[head["codepoints"], style]
        body = Head(head["kind"], **head["styles"][style])
        for item in worn:
            picture = self.pieces[item["codepoints"], style]
            left, top, right, bottom = opaque_box(picture)
            width = item["width"] * body.width * generator.uniform(*SIZES)
            height = width * (bottom - top) / (right - left)
            x, y = body.anchors[item["place"]]
            x += generator.gauss(0, SLIPS / 2) * body.width
            piece = scaled(picture[top:bottom, left:right], round(width), round(height))
            page = pasted(page, piece, round(SIDE / 2 + x - width / 2), round(SIDE / 2 + y - item["hang"] * height))
        return page

    def wearing(self, head: dict, item: dict, generator: random.Random) -> tuple[str, str]:
        named = [language for language in self.names.get(head["codepoints"], {}) if language in self.names.get(item["codepoints"], {})]
        if named and generator.random() < OTHER_LANGUAGES:
            language = generator.choice(sorted(named))
            return language, generator.choice(WEARING[language]).format(self.names[head["codepoints"]][language], self.names[item["codepoints"]][language])
        if generator.random() < LEXICON:
            return "en", WEARING["en"][0].format(self.texts[head["codepoints"]], self.texts[item["codepoints"]])
        text = generator.choice(ARTICLES) + generator.choice(WEARING["en"]).format(head["word"], item["word"])
        if item["word"].endswith(PLURAL):
            text = text.replace(f"a {item['word']}", item["word"]).replace(f"one {item['word']}", item["word"])
        return "en", text

    def scene(self, style: str, generator: random.Random):
        """A thing in a place: picture, language, text."""
        key, place = generator.choice(self.things), generator.choice(list(PLACES))
        if (key, style) not in self.pieces or f"{key}/{place}" in self.excluded:
            return None
        piece = self.pieces[key, style]
        left, top, right, bottom = opaque_box(piece)
        piece = piece[top:bottom, left:right]
        piece = mirrored(piece) if generator.random() < 0.5 else piece
        size = SIDE * generator.uniform(0.42, 0.68) / max(piece.shape[:2])
        piece = scaled(piece, round(piece.shape[1] * size), round(piece.shape[0] * size))
        page, floor = paint_place(place, SIDE, generator)
        height = round(floor * SIDE - piece.shape[0]) + generator.randint(0, SIDE // 10)
        page = pasted(page, piece, generator.randint(SIDE // 16, max(SIDE // 16, SIDE - piece.shape[1] - SIDE // 16)), max(1, height))
        return halved(page), *self.placed(key, place, generator)

    def placed(self, key: str, place: str, generator: random.Random) -> tuple[str, str]:
        named = [language for language in self.names.get(key, {}) if self.places.get(language, {}).get(place)]
        if named and generator.random() < OTHER_LANGUAGES:
            language = generator.choice(sorted(named))
            return language, generator.choice(self.places[language][place]).format(self.names[key][language])
        if generator.random() < LEXICON or not self.places["en"].get(place):
            return "en", f"{self.texts[key]} {PLACES[place]}"
        return "en", generator.choice(ARTICLES) + generator.choice(self.places["en"][place]).format(self.names[key].get("en", self.texts[key]))


# In which languages a place stands behind the thing; elsewhere before it, in forms that end so.
BEHIND = {"en", "de", "fr", "es", "it", "pt", "ru", "ar"}
BEFORE = {"zh": ("里", "上", "中", "下", "边"), "ja": ("の",), "ko": ("의", "있는"), "hi": (" में", " पर")}


def place_forms(language: str, forms: list[str]) -> list[str]:
    """Of the words for a place those that say where a thing is, with `{0}` for it."""
    if language in BEHIND:
        return ["{0} " + form for form in forms if " " in form]
    fitting = [form for form in forms if form.endswith(BEFORE[language])]
    return [form + ("的{0}" if language == "zh" else "{0}" if language == "ja" else " {0}") for form in fitting]


def excluded(heads: dict, concepts: Concepts, data: Data) -> list[str]:
    """Pairs of words and things that no training picture may show; a thing is excluded by its name and by all its other words."""
    words = defaultdict(set)
    for word in data.words["en"]:
        words[word.id] |= {word.name.lower(), *(form.lower() for form in word.also)}
    for key, (text, *_) in concepts.rows.items():
        words[key] |= {text.lower(), *text.lower().split()}
    scenes = [f"{key}/{place}" for thing, place in heads["excluded_scenes"] for key, known in words.items() if thing in known]
    return [f"{head}/{item}" for head, item in heads["excluded_pairs"]] + sorted(scenes)


def prepare(folder: Path, work: Path) -> None:
    """Writes `composing.json`: heads, items, things for places, their names in all languages and what is excluded."""
    heads, data = json.loads((folder / "many/heads.json").read_text(encoding="utf-8")), Data(folder)
    concepts = Concepts(data)
    lines = (folder / "words/concepts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    groups = {key: group for key, group, *_ in (line.split("\t") for line in lines)}
    things = sorted(key for key, group in groups.items() if group.startswith(IN_PLACES) and key in concepts.learned)
    keys = {entry["codepoints"] for entry in heads["heads"] + heads["items"]} | set(things)
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for language, words in data.words.items():
        for word in reversed(words):
            if word.id in keys and word.name:
                names[word.id][language] = word.name
    texts = {key: concepts.rows[key][0] or concepts.rows[key][2] for key in keys if key in concepts.rows}
    for entry in heads["heads"] + heads["items"]:
        texts.setdefault(entry["codepoints"], entry["name"])
    places = {language: {value: place_forms(language, forms) for kind, value, forms in rows if kind == "place"} for language, rows in data.grammar.items()}
    table = {name: heads[name] for name in ("styles", "heads", "items")}
    table |= {"things": things, "names": names, "texts": texts, "places": places, "excluded": excluded(heads, concepts, data)}
    (work / "composing.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
