"""Captions and pictures as training batches: what a picture may be called, and the fixed validation split."""

import json
import random
import zlib
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from . import phrases, settings
from .everyday import EVERYDAY, Meanings
from .holding import held_out

ENGLISH_SHARE = 0.45
# People ask for a tree, a car, a flower: things whose pictures have longer names.
KEYWORD_ALONE = 0.2
ARTICLES = ["", "", "", "a ", "a ", "the ", "one "]
# Words in the names of pictures that people hardly ask for: signs, and the many forms of one person.
SIGNS = set("button arrow arrows square circle triangle keycap o’clock thirty symbol sign mark latin cross latin".split())
SIGNS |= set("aries taurus gemini cancer leo virgo libra scorpio sagittarius capricorn aquarius pisces ophiuchus".split())
VARIANTS = set("man woman men women person people family couple kiss facing".split())


class Captions:
    """The captions of all pictures, as token rows of `settings.TOKENS` ids."""

    def __init__(self, work: Path):
        self.rows = [with_everyday_words(row) for row in json.loads((work / "captions.json").read_text(encoding="utf-8"))]
        self.tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        self.tokenizer.enable_truncation(settings.TOKENS)
        self.tokenizer.enable_padding(pad_id=settings.PAD, pad_token="<pad>", length=settings.TOKENS)
        self.styles = np.array([settings.NUMBERS[row["style"]] for row in self.rows])
        # Pictures of one name are not each other's negatives.
        names = {name: index for index, name in enumerate(sorted({row["words"]["en"][0] for row in self.rows}))}
        self.concepts = np.array([names[row["words"]["en"][0]] for row in self.rows])
        held = np.array([held_out(row) for row in self.rows])
        self.validation = np.flatnonzero(held)
        self.training = np.flatnonzero(~held)
        self.trained = set(self.training.tolist())
        hidden = np.array([hidden_from_judge(row) for row in self.rows])
        self.judge_training, self.judge_hidden = np.flatnonzero(~held & ~hidden), np.flatnonzero(~held & hidden)
        emoji = {row["words"]["en"][0] for row in self.rows if row["emoji"]}
        self.meanings = Meanings(self.rows)
        weights = np.array([weight(self.rows[index], emoji) for index in self.training])
        self.weights = weights / weights.sum()

    def encode(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([encoding.ids for encoding in self.tokenizer.encode_batch(texts)])

    def text(self, index: int, generator: random.Random, language: str | None = None) -> str:
        """One of the many ways to ask for a picture."""
        words = self.rows[index]["words"]
        language = language or self.language(words, generator)
        language = language if language in words else "en"
        name, keywords = words[language]
        keyword = self.keyword(index, language, generator) if generator.random() < KEYWORD_ALONE else None
        if keyword:
            return keyword
        keywords = generator.sample(keywords, min(len(keywords), generator.choice([0, 0, 0, 0, 1, 2, 4])))
        parts = keywords + ([name] if generator.random() < 0.85 or not keywords else [])
        generator.shuffle(parts)
        if language == "en":
            parts[0] = generator.choice(ARTICLES) + parts[0]
        return ", ".join(parts)

    def keyword(self, index: int, language: str, generator: random.Random) -> str | None:
        """A keyword of the picture's, the likelier the more it stands for this concept above others; none for one it hardly stands for."""
        row = self.rows[index]
        keywords = row["words"][language][1]
        if not keywords:
            return None
        shares = [self.meanings.share(language, keyword, row["key"]) for keyword in keywords]
        (keyword, share), = generator.choices(list(zip(keywords, shares)), shares)
        return keyword if generator.random() < share else None

    @staticmethod
    def language(words: dict, generator: random.Random) -> str:
        """A language to ask in: English for about half of all pictures, else any that has words for it."""
        return "en" if generator.random() < ENGLISH_SHARE else generator.choice(sorted(words))

    def batch(
        self, indices, generator: random.Random, empty: float = 0.0, style_word: float = 0.0, asked: dict[int, str] | None = None, around: float = 0.0
    ):
        """Token rows and style numbers (0: left to the words) of some pictures; `asked` replaces captions by place in the batch, and
        `around` is the share of prompts with words around them that ask for nothing."""
        texts, styles = [], self.styles[indices].copy()
        for place, index in enumerate(indices):
            language = self.language(self.rows[index]["words"], generator)
            text = (asked or {}).get(place) or self.text(index, generator, language)
            if generator.random() < around:
                text = phrases.around(text, "en" if text.isascii() else language, generator)
            text = "" if generator.random() < empty else text
            if text and generator.random() < style_word:
                text += ", " + generator.choice(settings.STYLE_WORDS[self.rows[index]["style"]])
                if generator.random() < 0.5:
                    styles[place] = 0
            texts.append(text)
        return self.encode(texts), torch.from_numpy(styles)


def with_everyday_words(row: dict) -> dict:
    """The row with the words that people use for its concept, where they are not among its keywords yet."""
    name, keywords = row["words"]["en"]
    known = {keyword.lower() for keyword in keywords} | {name.lower()}
    more = [word for word, meant in EVERYDAY.items() if meant == name and word not in known] if row["emoji"] else []
    return row | {"words": row["words"] | {"en": [name, keywords + more]}}


def weight(row: dict, emoji: set[str]) -> float:
    """How often a picture is drawn in training, against an animal, a plant, food, a face or another thing with a plain name."""
    name = row["words"]["en"][0]
    words = set(name.lower().replace(":", " ").split())
    if not row["emoji"]:
        return 1.0 if name in emoji else 0.4
    if words & SIGNS:
        return 0.25
    return 0.35 if words & VARIANTS and "200d" in row["key"] else 1.0


def hidden_from_judge(row: dict) -> bool:
    """One training picture in twenty-five: the model may learn it, the judge may not, so that real ones can be judged fairly."""
    return zlib.crc32(f"judge/{row['key']}/{row['style']}".encode()) % 25 == 0


def as_pictures(pixels: np.ndarray | torch.Tensor, device: str = "cpu") -> torch.Tensor:
    """uint8 N×H×W×4 → float N×4×H×W in [-1, 1]."""
    pixels = pixels if isinstance(pixels, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(pixels))
    return pixels.to(device).float().permute(0, 3, 1, 2) / 127.5 - 1
