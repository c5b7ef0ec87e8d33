"""Reads the second data set, `many`, with dozens to hundreds of pictures a thing, and makes what training takes of it.

    python -m pictogram.prepare_many --data DATA --work work

`DATA` is a folder with `many`, `pictograms` and `words` (`lexicon` says what is in them); `prepare` comes before. Writes `many32.npy`
and `many128.npy` (uint8, N×side×side×4, premultiplied alpha), `many.json`, one row a picture and behind them one a doodle, which
keeps its strokes, for it is drawn anew whenever it is shown, and `composing.json` and `pieces.npy`, what `composing` puts together.
Every row has the captions that it may have by language, English with what the lexicon hands to the text encoder for its concept, so
that the encoder learns from the words that it will be given.
"""

import argparse
import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from . import composing, settings
from .captions import Captions
from .lexicon import Concepts, Data

PARTS = ["clipart", "clipart-large", "portrait", "emoji2", "silhouette", "lowpoly", "animal", "scenery"]
# The look of a part. Parts without one are only ever shown with the style left open.
LOOK = {
    "clipart": "clipart", "clipart-large": "clipart", "doodle": "doodle", "portrait": "portrait", "silhouette": "silhouette", "lowpoly": "lowpoly",
}  # fmt: skip
# Other years' designs belong to the style that they became.
DESIGNS = {
    "twemoji": "twemoji", "noto-2015": "blob", "noto-2017": "blob", "noto-2017b": "noto", "noto-2018": "noto", "noto-2020": "noto",
    "noto-2022": "noto", "noto-v1": "blob",
}  # fmt: skip


def look(row: dict) -> str | None:
    return DESIGNS[row["style"]] if row["part"] == "emoji2" else LOOK.get(row["part"])


def fitted(picture: Image.Image, side: int) -> np.ndarray:
    """RGBA → premultiplied uint8 side×side×4, the longer side filling it; what is opaque all over is cut to a square."""
    picture = picture.convert("RGBA")
    if picture.getextrema()[3][0] == 255:
        least = min(picture.size)
        left, top = (picture.width - least) // 2, (picture.height - least) // 2
        picture = picture.crop((left, top, left + least, top + least))
    # "RGBa" is premultiplied: colours of what is clear do not bleed.
    scale = side / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    scaled = np.asarray(picture.convert("RGBa").resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC))
    page = np.zeros((side, side, 4), np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    page[top : top + size[1], left : left + size[0]] = scaled
    return page


class Words:
    """What the lexicon hands to the text encoder for a concept, and its names in all languages."""

    def __init__(self, data: Path):
        gathered = Data(data)
        concepts = Concepts(gathered)
        self.names = {key: self.of(names) for key, names in gathered.names.items()}
        self.ids, self.texts = {}, {}
        for key, (text, _, plain, plural, _) in concepts.rows.items():
            for form in (plain.lower(), plural.lower(), text.lower()):
                if form:
                    self.ids.setdefault(form, key)
            self.texts[key] = text or plain
        self.languages = {language: {word.id: word for word in reversed(words) if word.name} for language, words in gathered.words.items()}

    @staticmethod
    def of(names: dict) -> dict:
        return {language: entry["name"] for language, entry in names.items() if language != "en"}

    def captions(self, row: dict) -> dict:
        """`text`: the lexicon's for the concept; `names`: one a language other than English."""
        key = row["codepoints"].removesuffix("-fe0f") if "codepoints" in row else self.ids.get((row["concept"] or row["name"]).lower())
        if key is None:
            return {"text": row["concept"], "names": {}}
        named = {language: words[key].name for language, words in self.languages.items() if language != "en" and key in words}
        return {"text": self.texts.get(key) or row["name"], "names": named or self.names.get(key, {})}


def caption(row: dict, words: Words) -> dict:
    kept = {name: row[name] for name in ("part", "key", "name", "words", "concept", "attributes")}
    return kept | {"look": look(row), "emoji": "codepoints" in row} | words.captions(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    options = parser.parse_args()
    folder, words = options.data / "many", Words(options.data)
    rows = [json.loads(line) for line in (folder / "captions.jsonl").open(encoding="utf-8")]
    pictures = [row for row in rows if row["part"] in PARTS]
    small = np.zeros((len(pictures), settings.PICTURE, settings.PICTURE, 4), np.uint8)
    large = np.zeros((len(pictures), settings.OUTPUT, settings.OUTPUT, 4), np.uint8)
    tars = {part: tarfile.open(folder / f"{part}.tar") for part in PARTS}
    for index, row in enumerate(pictures):
        picture = Image.open(io.BytesIO(tars[row["part"]].extractfile(row["file"]).read()))
        small[index], large[index] = fitted(picture, settings.PICTURE), fitted(picture, settings.OUTPUT)
    strokes = {}
    with gzip.open(folder / "doodle.jsonl.gz", "rt", encoding="utf-8") as lines:
        strokes = {drawing["key"]: drawing["strokes"] for drawing in map(json.loads, lines)}
    doodles = [caption(row, words) | {"strokes": strokes[row["key"]]} for row in rows if row["part"] == "doodle"]
    made = [caption(row, words) for row in pictures] + doodles
    (options.work / "many.json").write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    composing.prepare(options.data, options.work)
    np.save(options.work / "many32.npy", small)
    np.save(options.work / "many128.npy", large)
    # Cuts the pieces of compositions out of the pictograms.
    composing.Compositions(Captions(options.work), options.work)
    known = sum(bool(row["names"]) for row in made)
    print(f"{len(pictures)} pictures and {len(doodles)} doodles, {known} of them with names in other languages")


if __name__ == "__main__":
    main()
