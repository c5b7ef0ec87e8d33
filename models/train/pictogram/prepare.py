"""Reads the pictures and captions, makes the arrays and the tokenizer that all later stages use.

    python -m pictogram.prepare --data PICTOGRAMS --work work
    python -m pictogram.prepare --data PICTOGRAMS --work work --from-pack ../pictogram

`PICTOGRAMS` is a folder with one tar of 256×256 RGBA pictures a style, `captions.jsonl` and
`names.json`; `README.md` beside this package says from which repositories it is made.
Writes `pictures32.npy`, `pictures128.npy` (uint8, N×side×side×4, premultiplied alpha),
`captions.json` and `tokenizer.json`. `--from-pack` takes a pack's tokenizer instead of making one: pieces that are as
likely come in another order every time, and the pack's weights know them by their numbers.
"""

import argparse
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from . import settings


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    side = picture.shape[0] // factor
    return picture.reshape(side, factor, side, factor, 4).mean((1, 3))


def read_picture(data: bytes) -> np.ndarray:
    """RGBA float picture with premultiplied alpha, 0..255."""
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(np.float32)
    alpha = picture[..., 3:] / 255
    return np.concatenate([picture[..., :3] * alpha, picture[..., 3:]], -1)


def read_pictures(data: Path, rows: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    small = np.zeros((len(rows), settings.PICTURE, settings.PICTURE, 4), np.uint8)
    large = np.zeros((len(rows), settings.OUTPUT, settings.OUTPUT, 4), np.uint8)
    tars = {style: tarfile.open(data / f"{style}.tar") for style in settings.STYLES}
    for index, row in enumerate(rows):
        picture = read_picture(tars[row["style"]].extractfile(row["file"]).read())
        side = picture.shape[0]
        if side == settings.PICTURE:
            # A sprite is drawn at its own size and enlarged by whole pixels.
            small[index] = picture.round()
            large[index] = picture.repeat(4, 0).repeat(4, 1).round()
        else:
            small[index] = shrink(picture, side // settings.PICTURE).round()
            large[index] = shrink(picture, side // settings.OUTPUT).round()
    return small, large


def caption(row: dict, names: dict) -> dict:
    """Style, key and, by language, [name, keywords] of one picture."""
    words = {language: [entry["name"], entry["keywords"]] for language, entry in names.get(row.get("codepoints", ""), {}).items()}
    words["en"] = [row["name"], list(dict.fromkeys(row["keywords"] + words.get("en", ["", []])[1]))]
    return {"style": row["style"], "key": row["key"], "emoji": "codepoints" in row, "words": words}


def corpus(captions: list[dict]):
    """Every phrase once a concept and language (English, in which most prompts come, four times)."""
    seen = set()
    for row in captions:
        for language, (name, keywords) in row["words"].items():
            for phrase in (name, *keywords):
                if (row["key"], language, phrase) not in seen:
                    seen.add((row["key"], language, phrase))
                    yield from [phrase] * (4 if language == "en" else 1)
    for words in settings.STYLE_WORDS.values():
        yield from words * 20
    yield from ["a", "an", "the", "of", "and", "with", "in"] * 200


def make_tokenizer(captions: list[dict]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"[,.;:\"“”„«»()、。，؛،।_/\-\s]+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        corpus(captions),
        trainers.UnigramTrainer(
            vocab_size=settings.VOCABULARY, special_tokens=["<pad>", "<unk>", "<s>"], unk_token="<unk>", max_piece_length=16, show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", settings.START)])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--from-pack", type=Path, help="folder of a pack whose tokenizer is kept")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in (options.data / "captions.jsonl").open(encoding="utf-8")]
    names = json.loads((options.data / "names.json").read_text(encoding="utf-8"))
    captions = [caption(row, names) for row in rows]
    path = options.work / "tokenizer.json"
    if options.from_pack:
        # Reading and writing it would change the last digits of its scores.
        shutil.copy(options.from_pack / "tokenizer.json", path)
    else:
        make_tokenizer(captions).save(str(path))
    (options.work / "captions.json").write_text(json.dumps(captions, ensure_ascii=False), encoding="utf-8")
    small, large = read_pictures(options.data, rows)
    np.save(options.work / "pictures32.npy", small)
    np.save(options.work / "pictures128.npy", large)
    print(f"{len(rows)} pictures, {Tokenizer.from_file(str(path)).get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
