"""Judges a finished pack: figures and contact sheets for the model card.

    python -m pictogram.evaluate --pack ../pictogram --binary ../../target/release/inkstone

The int8 pictures come from the pack through the binary; teacher and student come from the networks in `--work`,
started from the very noise that the binary uses. Its parts: `sheets` draws; `int8` compares the pack with the f32
student; `attributes` tells how often an asked colour or number is there; `judged` asks the judge, which
`python -m pictogram.judge` trains first, about the pack, `judged-wording` about sentences and keywords in place of
names, with the pack's list of words and without, and `judged-f32` about teacher and student, which takes longest; `invents` and
`invents-f32` ask whether seeds differ, pairs that training never showed come together and nothing is copied (`inventing`).
Figures go to `card/figures.json`.
"""

import argparse
import json
import random
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from . import attributes, inventing, measures, phrases, sampling, settings, training
from .captions import Captions
from .drawing import Binary, Networks
from .judge import Judge, load

PARTS = ["sheets", "int8", "attributes", "judged", "judged-wording", "judged-f32", "invents", "invents-f32"]
SEED = 1
STEPS = [4, 2, 1]
TEACHER_STEPS, TEACHER_GUIDANCE = 50, 2.0
COLOUR_THINGS = ["cat face", "car", "house", "balloon", "flower", "mug", "fish", "chair", "heart", "bird"]
COUNT_THINGS = ["apple", "star", "cat face", "fish", "tree", "ghost", "cherries", "key"]


def grid(rows: list[list[np.ndarray]], path: Path) -> None:
    """A sheet of equally large RGBA pictures on white, rows by columns."""
    side, gap = rows[0][0].shape[0], 4
    page = Image.new("RGB", (len(rows[0]) * (side + gap), len(rows) * (side + gap)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            image = Image.fromarray(picture)
            page.paste(image, (x * (side + gap), y * (side + gap)), image)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(128).save(path, optimize=True)


def sheets(binary: Binary, card: Path) -> None:
    concepts = sampling.CONCEPTS
    grid([[binary.draw(concept, style, 4, SEED) for concept in concepts] for style in settings.STYLES], card / "styles.png")
    grid([[binary.draw(concept, "3d", 4, seed) for concept in concepts] for seed in range(4)], card / "seeds.png")
    grid([[binary.draw(concept, "flat", steps, SEED) for concept in concepts] for steps in sorted(STEPS)], card / "steps.png")
    languages = ["red apple", "红苹果", "manzana roja", "pomme rouge", "roter Apfel", "赤いリンゴ", "빨간 사과", "maçã vermelha"]
    languages += ["красное яблоко", "تفاحة حمراء", "लाल सेब", "mela rossa"]
    grid([[binary.draw(prompt, style, 4, SEED) for prompt in languages] for style in ("3d", "one")], card / "languages.png")
    colours = [[binary.draw(f"{colour} {thing}", "flat", 4, SEED) for colour in attributes.COLOURS] for thing in COLOUR_THINGS[:5]]
    grid(colours, card / "colours.png")


def opaque(picture: np.ndarray) -> np.ndarray:
    """Premultiplied float → straight uint8 on white."""
    return np.concatenate([(picture[..., :3] + 255 - picture[..., 3:]).clip(0, 255), np.full_like(picture[..., 3:], 255)], -1).round().astype(np.uint8)


def int8_against_f32(binary: Binary, student: Networks, card: Path) -> dict:
    """PSNR by steps over styles × concepts; a sheet of f32, int8 and eight times their difference."""
    standard = [(concept, style, SEED) for style in settings.STYLES for concept in sampling.CONCEPTS]
    pairs = {steps: (student.many(standard, settings.SCHEDULES[steps]), binary.many(standard, steps)) for steps in STEPS}
    exact, int8 = (pictures[: len(sampling.CONCEPTS)] for pictures in pairs[4])
    apart = 255 - (np.abs(exact - int8) * 8).clip(0, 255)
    apart[..., 3] = 255
    grid([list(opaque(exact)), list(opaque(int8)), list(apart.round().astype(np.uint8))], card / "int8.png")
    return {f"psnr_{steps}_steps": measures.psnr(*pictures) for steps, pictures in pairs.items()}


class Questions:
    """What is asked of every source of pictures, by bare names: some (concept, style) pairs that the judge never saw."""

    def __init__(self, captions: Captions, indices: np.ndarray, count: int):
        known = set(captions.concepts[captions.judge_training].tolist())
        pairs = [i for i in indices if captions.concepts[i] in known and captions.rows[i]["emoji"]]
        # A fixed order that has nothing to do with the order of the data.
        self.indices = sorted(pairs, key=lambda i: zlib.crc32(f"{captions.rows[i]['key']}/{captions.rows[i]['style']}".encode()))[:count]
        self.captions = captions
        self.concepts = sorted({int(captions.concepts[i]) for i in self.indices})
        self.right = np.array([self.concepts.index(captions.concepts[i]) for i in self.indices])

    def name(self, index: int, language: str = "en") -> str:
        return self.captions.rows[index]["words"][language][0]

    def asked(self, language: str = "en") -> list[tuple[str, str, int]]:
        """(prompt, style, seed)"""
        return [(self.name(i, language), self.captions.rows[i]["style"], SEED + order) for order, i in enumerate(self.indices)]

    def by_keyword(self) -> tuple[list[int], list[str]]:
        """Those questions whose thing has an English keyword that stands for it above all, by their places, and such a keyword of each."""
        found, chooser = {}, random.Random(SEED)
        for order, index in enumerate(self.indices):
            row = self.captions.rows[index]
            name, keywords = row["words"]["en"]
            alone = [word for word in keywords if word.lower() != name.lower() and self.captions.meanings.share("en", word, row["key"]) == 1]
            if alone:
                found[order] = chooser.choice(alone)
        return list(found), list(found.values())

    def around(self) -> list[tuple[str, str, int]]:
        """The same with words around the names that ask for nothing, each in another way."""
        return [(phrases.UNLISTED[order % len(phrases.UNLISTED)].format(name), *rest) for order, (name, *rest) in enumerate(self.asked())]


class Reports:
    """Judges pictures against the questions and the real pictures."""

    def __init__(self, judge: Judge, questions: Questions, work: Path, device: str):
        self.judge, self.questions, self.device = judge, questions, device
        array = np.load(work / "pictures128.npy", mmap_mode="r")
        self.captions = questions.captions
        self.candidates = measures.concept_features(judge, questions.concepts)
        self.real = measures.features(judge, array[questions.indices].astype(np.float32), device)
        sample = np.sort(np.random.default_rng(0).choice(self.captions.training, 4000, replace=False))
        self.training = measures.features(judge, array[sample].astype(np.float32), device)

    def recall(self, pictures: np.ndarray, places: list[int] | slice = slice(None)) -> dict:
        """Of pictures for the questions at some places."""
        return measures.recall(measures.ranks(measures.features(self.judge, pictures, self.device), self.candidates, self.questions.right[places]))

    def full(self, pictures: np.ndarray) -> dict:
        return self.judged(measures.features(self.judge, pictures, self.device))

    def judged(self, seen: np.ndarray) -> dict:
        rank = measures.ranks(seen, self.candidates, self.questions.right)
        styles = np.array([self.captions.rows[i]["style"] for i in self.questions.indices])
        return measures.recall(rank) | {
            "by_style": {style: measures.recall(rank[styles == style]) for style in settings.STYLES if (styles == style).any()},
            "frechet": round(measures.frechet(self.real, seen), 4),
            "kernel_distance": round(measures.kernel_distance(self.real, seen), 4),
            "nearest_training_picture": round(float((seen @ self.training.T).max(1).mean()), 3),
        }


def attribute_accuracy(binary: Binary) -> dict:
    """How often the asked colour covers most of the picture, and how often as many things are there as asked."""
    colours = {}
    for colour in attributes.COLOURS:
        pictures = binary.many([(f"{colour} {thing}", style, SEED) for thing in COLOUR_THINGS for style in ("3d", "flat")], 4)
        colours[colour] = round(float(np.mean([measures.shows_colour(picture, colour) for picture in pictures])), 3)
    counts = {}
    for number, word in ((1, "one"), (2, "two"), (3, "three"), (4, "four")):
        names = [thing if number == 1 or thing.endswith("s") else attributes.plural(thing) for thing in COUNT_THINGS]
        pictures = binary.many([(f"{word} {name}", style, SEED) for name in names for style in ("3d", "flat")], 4)
        counts[number] = round(float(np.mean([measures.things(picture) == number for picture in pictures])), 3)
    return {"colour": {"all": round(float(np.mean(list(colours.values()))), 3), **colours}, "count": counts}


def seeds(draw) -> dict:
    """Diversity over eight seeds and what the prompt weighs against the seed, of `draw(asked) → pictures`."""
    pictures = draw([(concept, "3d", SEED + seed) for concept in sampling.CONCEPTS for seed in range(8)])
    return {"conditioning": round(measures.conditioning(pictures.reshape(len(sampling.CONCEPTS), 8, *pictures.shape[1:])), 2), "pictures": pictures}


def judge_pack(asked: Reports, held_out: Reports, binary: Binary) -> dict:
    """Pairs that the model has learned and pairs that it has not."""
    return {"asked": judge_source(asked, binary) | judge_more(asked, binary), "held_out": judge_source(held_out, binary)}


def judge_source(reports: Reports, binary: Binary) -> dict:
    """The real pictures and the pack's."""
    figures = {"pictures": len(reports.questions.indices), "candidates": len(reports.questions.concepts), "real": reports.judged(reports.real)}
    return figures | {f"int8_{steps}_steps": reports.full(binary.many(reports.questions.asked(), steps)) for steps in STEPS}


def judge_more(reports: Reports, binary: Binary) -> dict:
    """Languages, seeds and diversity of the pack at four steps."""
    languages = {language: reports.recall(binary.many(reports.questions.asked(language), 4)) for language in settings.LANGUAGES}
    over = seeds(lambda asked: binary.many(asked, 4))
    rows = measures.features(reports.judge, over.pop("pictures"), reports.device)
    return over | {"by_language": languages, "diversity": round(measures.spread(rows.reshape(len(sampling.CONCEPTS), 8, -1)), 3)}


def without_words(pack: Path, folder: Path) -> Path:
    """A copy of the pack that reads prompts as they are."""
    copy = folder / "pack"
    shutil.copytree(pack, copy)
    lines = (copy / "pack.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / "pack.toml").write_text("".join(line for line in lines if not line.startswith("lexicon = ")), encoding="utf-8")
    return copy


def judge_wording(reports: Reports, binary: Binary) -> dict:
    """R@1 and R@5 with words around names, and by keywords beside the same things' names, with the pack's list of words and without."""
    asked, (places, keywords) = reports.questions.asked(), reports.questions.by_keyword()
    names = [asked[place] for place in places]
    by_keyword = [(keyword, *rest) for keyword, (_, *rest) in zip(keywords, names)]
    with tempfile.TemporaryDirectory() as folder:
        plain = Binary(binary.path, without_words(binary.pack, Path(folder)))
        return {
            kind: {
                "around": reports.recall(some.many(reports.questions.around(), 4)),
                "keywords": reports.recall(some.many(by_keyword, 4), places),
                "their_names": reports.recall(some.many(names, 4), places),
            }
            for kind, some in (("read", binary), ("as_they_are", plain))
        }


def judge_teacher(reports: Reports, work: Path, device: str) -> dict:
    teacher = Networks(work, "teacher", reports.captions, device)
    return reports.full(teacher.many(reports.questions.asked(), sampling.teacher_times(TEACHER_STEPS), TEACHER_GUIDANCE, exact=False))


def judge_f32(asked: Reports, held_out: Reports, work: Path, device: str) -> dict:
    """The same by teacher and student."""
    student, names = Networks(work, "student", asked.captions, device), asked.questions.asked()
    figures = {f"student_{steps}_steps": asked.full(student.many(names, settings.SCHEDULES[steps])) for steps in STEPS}
    figures["conditioning"] = seeds(lambda some: student.many(some, settings.SCHEDULES[4]))["conditioning"]
    return figures | {"teacher_50_steps": judge_teacher(asked, work, device), "held_out_teacher_50_steps": judge_teacher(held_out, work, device)}


def invents_f32(captions: Captions, work: Path, judge: Judge, device: str) -> dict:
    """Whether the student in four steps, and the teacher, invent."""
    student, teacher = (Networks(work, name, captions, device) for name in ("student", "teacher"))
    return {
        "student_4_steps": inventing.figures(lambda some: student.many(some, settings.SCHEDULES[4]), captions, work, judge, device),
        "teacher_25_steps": inventing.figures(
            lambda some: teacher.many(some, sampling.teacher_times(25), TEACHER_GUIDANCE, exact=False), captions, work, judge, device
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    device, binary, card = training.pick_device(options.device), Binary(options.binary, options.pack), options.pack / "card"
    captions, path = Captions(options.work), card / "figures.json"
    # Figures of parts that are not run now stay.
    figures = (json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}) | {"seed": SEED}
    if "sheets" in options.parts:
        sheets(binary, card)
    if "int8" in options.parts:
        figures |= int8_against_f32(binary, Networks(options.work, "student", captions, device), card)
    if "attributes" in options.parts:
        figures["attributes"] = attribute_accuracy(binary)
    if any(part.startswith(("judged", "invents")) for part in options.parts):
        judge, sets = load(options.work, device), (captions.judge_hidden, captions.validation)
        asked, held_out = (Reports(judge, Questions(captions, indices, options.questions), options.work, device) for indices in sets)
        if "judged" in options.parts:
            figures |= judge_pack(asked, held_out, binary)
        if "judged-wording" in options.parts:
            figures["wording"] = judge_wording(asked, binary)
        if "invents" in options.parts:
            figures["invents"] = inventing.figures(lambda some: binary.many(some, 4), captions, options.work, judge, device)
        if "invents-f32" in options.parts:
            figures["invents_f32"] = invents_f32(captions, options.work, judge, device)
        if "judged-f32" in options.parts:
            figures["f32"] = judge_f32(asked, held_out, options.work, device)
    text = json.dumps(figures, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
