"""How much a model invents: whether seeds differ as real pictures of a thing do, whether two named things come together, whether what
titles and portraits are said to show is there, and whether anything is copied. Figures of any source of pictures,
`draw(asked) → pictures` of (prompt, style, seed); features are the judge's.

Concepts are judged that have 20 or more pictures in the second data set; pairs and scenes are those that training never shows.
"""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from . import measures, settings, training
from .captions import Captions
from .composing import WEARING, Compositions
from .judge import Judge
from .many import Many

# Fewest real pictures of a concept, most concepts, seeds a concept, and pictures that stand for all real ones.
FEWEST, CONCEPTS, SEEDS, SAMPLE = 20, 40, 8, 2000
# Concepts that are many things, or nobody.
TOO_WIDE = {"woman", "man", "person", "people", "face", "head", "sky", "hand", "eye"}
# Titles of clip art, and portraits, that training never sees.
TITLES, PORTRAITS = 150, 100
# What a portrait is asked for and a probe can tell, with the fewest pictures of a value of it.
ATTRIBUTES, FEWEST_VALUES = ["hair_colour", "facial_hair", "wears", "expression", "clothes_colour"], 40
# Composed pictures that the probe of heads and things learns from.
PROBED = 3000
SEED = 1


class Real:
    """The real pictures of every concept that has enough of them."""

    def __init__(self, many: Many, work: Path):
        self.many, self.large = many, np.load(work / "many128.npy", mmap_mode="r")
        groups: dict[str, list[int]] = {}
        for index, row in enumerate(many.rows[: len(self.large)]):
            if row["text"] and row["concept"] not in TOO_WIDE:
                groups.setdefault(row["text"], []).append(index)
        enough = sorted(((len(rows), text) for text, rows in groups.items() if len(rows) >= FEWEST), reverse=True)[:CONCEPTS]
        self.concepts = {text: groups[text] for _, text in enough}

    def pictures(self, indices) -> np.ndarray:
        return self.large[np.sort(indices)].astype(np.float32)

    def some(self, text: str, count: int) -> np.ndarray:
        return self.pictures(random.Random(text).sample(self.concepts[text], count))


def eight(text: str, style: str) -> list[tuple[str, str, int]]:
    return [(text, style, SEED + seed) for seed in range(SEEDS)]


def diversity(draw, real: Real, judge: Judge, device: str, style: str) -> dict:
    """Spread over eight seeds against that of real pictures, by the judge's features and by pixels; means of the concepts' ratios, and
    the median, which things that a model does not know, and draws as anything, hardly move."""
    by_judge, by_pixels = {}, {}
    for text in real.concepts:
        drawn, true = draw(eight(text, style)), real.some(text, 2 * SEEDS)
        spreads = [measures.spread(measures.features(judge, pictures, device)[None]) for pictures in (drawn, true)]
        by_judge[text], by_pixels[text] = spreads[0] / spreads[1], measures.apart(drawn) / measures.apart(true)
    ratios = {}
    for name, values in (("judge", list(by_judge.values())), ("pixels", list(by_pixels.values()))):
        ratios |= {name: round(float(np.mean(values)), 3), f"{name}_median": round(float(np.median(values)), 3)}
    worst = sorted(by_judge, key=by_judge.get)[:5]
    return ratios | {"concepts": len(by_judge), "least": {text: round(by_judge[text], 3) for text in worst}}


class Pairs:
    """Heads and things to wear that no training picture shows together, and a probe that knows both from pictures of other pairs."""

    def __init__(self, captions: Captions, work: Path, judge: Judge, device: str):
        self.compositions, self.judge, self.device = Compositions(captions, work), judge, device
        self.words = [sorted({entry["word"] for entry in entries}) for entries in (self.compositions.heads, self.compositions.items)]
        pictures, labels = self.compose(PROBED, excluded=False)
        rows = measures.details(judge, pictures, device)
        self.probes = [measures.probe(rows, labels[:, part], len(words)) for part, words in enumerate(self.words)]
        self.asked = self.questions()

    def compose(self, count: int, excluded: bool) -> tuple[np.ndarray, np.ndarray]:
        """Real compositions, of allowed pairs or of excluded ones, and the places of their two words."""
        generator, pictures, labels = random.Random(SEED), [], []
        while len(pictures) < count:
            style, head, item = (generator.choice(part) for part in (self.compositions.styles, self.compositions.heads, self.compositions.items))
            if self.compositions.is_excluded(head, item) != excluded or not self.compositions.has(head, item, style):
                continue
            pictures.append(self.compositions.large(head, item, style, generator))
            labels.append([self.words[0].index(head["word"]), self.words[1].index(item["word"])])
        return np.stack(pictures).astype(np.float32), np.array(labels)

    def questions(self) -> list[tuple[tuple[str, str, int], tuple[int, int]]]:
        """Every excluded pair in two styles, with the places of its words."""
        found = []
        for head, item in [pair.split("/") for pair in sorted(self.compositions.excluded) if pair.split("/")[1] in self.words[1]]:
            key = [next(entry["codepoints"] for entry in entries if entry["word"] == word) for entries, word in
                   ((self.compositions.heads, head), (self.compositions.items, item))]  # fmt: skip
            prompt = WEARING["en"][0].format(*(self.compositions.texts[part] for part in key))
            right = self.words[0].index(head), self.words[1].index(item)
            found += [((prompt, style, SEED + len(found)), right) for style in ("3d", "noto")]
        return found

    def known(self, pictures: np.ndarray, labels: np.ndarray) -> dict:
        """Shares of pictures in which the probe knows the head, the thing, and both."""
        rows = measures.details(self.judge, pictures, self.device)
        right = np.stack([measures.probed(weights, rows) for weights in self.probes], 1) == labels
        return {"head": round(float(right[:, 0].mean()), 3), "thing": round(float(right[:, 1].mean()), 3), "both": round(float(right.all(1).mean()), 3)}

    def figures(self, draw) -> dict:
        drawn = draw([question for question, _ in self.asked])
        return {"pictures": len(drawn), "drawn": self.known(drawn, np.array([right for _, right in self.asked])), "real": self.known(*self.compose(200, True))}


def likeness(draw, real: Real, judge: Judge, device: str) -> dict:
    """Improved precision and recall of pictures with the style left open against real ones, and for every concept its nearest training
    pictures: a concept is copied if one of its pictures is nearer to a training picture than two real ones are to each other."""
    training_rows = [index for index in real.many.training if index < len(real.large)]
    sample = np.sort(np.random.default_rng(SEED).choice(training_rows, min(SAMPLE, len(training_rows)), replace=False))
    drawn = {text: measures.features(judge, draw(eight(text, settings.ANY)), device) for text in real.concepts}
    of_concepts = {text: measures.features(judge, real.pictures(rows), device) for text, rows in real.concepts.items()}
    precision, recall = measures.precision_recall(np.concatenate(list(of_concepts.values())), np.concatenate(list(drawn.values())))
    references = measures.features(judge, real.pictures(sample), device)
    copied, nearest = [], {}
    for text, rows in drawn.items():
        places, scores = measures.nearest(rows, np.concatenate([of_concepts[text], references]))
        best = int(scores[:, 0].argmax())
        indices = np.concatenate([np.sort(real.concepts[text]), sample])[places[best]]
        nearest[text] = [(f"{real.many.rows[i]['part']}/{real.many.rows[i]['key']}", round(float(s), 3)) for i, s in zip(indices, scores[best])]
        if scores[best, 0] > measures.closest_pair(of_concepts[text]):
            copied.append(text)
    return {"precision": round(precision, 3), "recall": round(recall, 3), "copied": copied, "nearest": nearest}


def titles(draw, real: Real, judge: Judge, captions: Captions, device: str) -> dict:
    """How often the judge finds the title of clip art that training never saw, among all of them, in drawn and in real pictures."""
    rows = {real.many.rows[i]["name"]: i for i in real.many.validation if i < len(real.large) and real.many.rows[i]["part"].startswith("clipart")}
    names = sorted(rows)[:TITLES]
    with torch.no_grad():
        candidates = judge.read(captions.encode(names).to(device)).cpu().numpy()
    drawn = measures.features(judge, draw([(name, "clipart", SEED) for name in names]), device)
    true = measures.features(judge, np.stack([real.large[rows[name]] for name in names]).astype(np.float32), device)
    right = np.arange(len(names))
    return {kind: measures.recall(measures.ranks(seen, candidates, right)) for kind, seen in (("drawn", drawn), ("real", true))}


def portraits(draw, real: Real, judge: Judge, device: str) -> dict:
    """How often portraits show what their captions say, by probes that learned it from real ones: drawn and real, of captions never seen."""
    rows, kept = real.many.rows, {}
    learned, asked = ([i for i in indices if rows[i]["part"] == "portrait"] for indices in (real.many.training, real.many.validation))
    asked = asked[:PORTRAITS]
    known = measures.features(judge, real.pictures(learned), device)
    drawn = measures.features(judge, draw([(rows[i]["name"], "portrait", SEED) for i in asked]), device)
    true = measures.features(judge, real.pictures(asked), device)
    for attribute in ATTRIBUTES:
        counts = Counter(rows[i]["attributes"].get(attribute) for i in learned)
        values = sorted(value for value, count in counts.items() if value and count >= FEWEST_VALUES)
        of = lambda indices: [p for p, i in enumerate(indices) if rows[i]["attributes"].get(attribute) in values]  # noqa: E731
        labels = lambda indices: np.array([values.index(rows[indices[p]]["attributes"][attribute]) for p in of(indices)])  # noqa: E731
        weights = measures.probe(known[of(learned)], labels(learned), len(values))
        right = {kind: measures.probed(weights, seen[of(asked)]) == labels(asked) for kind, seen in (("drawn", drawn), ("real", true))}
        kept[attribute] = {kind: round(float(part.mean()), 3) for kind, part in right.items()} | {"values": len(values), "pictures": len(of(asked))}
    return kept


def figures(draw, captions: Captions, work: Path, judge: Judge, device: str) -> dict:
    """All of them."""
    training.chances(SEED)
    real = Real(Many(captions, work), work)
    diverse = {style: diversity(draw, real, judge, device, style) for style in (settings.ANY, "3d", "noto")}
    return {
        "diversity": diverse,
        "composition": Pairs(captions, work, judge, device).figures(draw),
        "titles": titles(draw, real, judge, captions, device),
        "portraits": portraits(draw, real, judge, device),
        "likeness": likeness(draw, real, judge, device),
    }
