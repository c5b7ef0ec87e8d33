"""Teaches the denoiser's draft what things look like, before the denoiser itself learns to draw them.

    python -m pictogram.draft --minutes 10

The draft is a small network from the text encoder's condition to a whole picture. Alone it sees four thousand
pictures a second where the denoiser sees thirty; what it remembers is what the first denoising step has to know.
The text encoder stays as the names stage (or a checkpoint of the denoiser) left it, and so reading takes most of the
time: bare names are read once, and other captions are kept for a while and drawn several times. With a finished
`teacher.pt` the new draft goes into it. `--from-pack FOLDER` starts from a pack's own int8 weights instead; with
`student.pt` beside it the new draft goes there, to be exported without another step of the denoiser.
"""

import random
from pathlib import Path

import numpy as np
import torch

from . import settings, training
from .attributes import COLOURS, COVERED, Asking, coloured, dominant, paint
from .captions import Captions, as_pictures
from .networks import Draft, Model, TextEncoder
from .sampling import sheet, standard_prompts
from .unpack import load_pack

# Captions read, and steps taken, in each turn.
FRESH, STEPS = 256, 3
# Among bare words, the shares of English names, English keywords (up to so many a picture) and names in other languages.
KINDS, KEYWORDS = [0.4, 0.3, 0.3], 4
# Languages, English beside them, in which a picture's name is read with each colour.
COLOURED_LANGUAGES = 2


class BareWords:
    """Conditions of every training picture's name in all its languages and of its own keywords in English, read once."""

    def __init__(self, captions: Captions, array: np.ndarray, text: TextEncoder, device: str):
        texts, styles, ends = [], [], [[0, 0, 0]]
        for index in captions.training:
            words = captions.rows[index]["words"]
            name, keywords = words["en"][0], own_keywords(captions, index)
            others = [words[language][0] for language in sorted(words) if language != "en"] or [name]
            start = len(texts)
            texts += [name, *keywords, *others]
            styles += [captions.styles[index]] * (len(texts) - start)
            ends.append([start + 1, start + 1 + len(keywords), len(texts)])
        ends = np.array(ends)
        # Rows of a picture by kind: from its first to behind its last.
        self.first, self.behind = np.stack([ends[:-1, 2], *ends[1:, :2].T], 1), ends[1:]
        self.captions, self.array = captions, array
        self.conditions = read_all(captions, texts, styles, text, device)

    def draw(self, count: int, chooser: np.random.Generator, device: str):
        places = chooser.choice(len(self.captions.training), count, p=self.captions.weights)
        kinds = chooser.choice(len(KINDS), count, p=KINDS)
        rows = chooser.integers(self.first[places, kinds], self.behind[places, kinds])
        indices = self.captions.training[places]
        styles = torch.from_numpy(self.captions.styles[indices]).to(device)
        return self.conditions[torch.from_numpy(rows)].to(device).float(), as_pictures(self.array[indices], device), styles


class ColouredWords:
    """Every training picture that may be painted, in every colour, with conditions of its names in that colour: its English
    name, a keyword and names in other languages. Painted and read once."""

    def __init__(self, asking: Asking, text: TextEncoder, device: str, generator: random.Random):
        captions, pictures, styles, texts = asking.captions, [], [], []
        for index in captions.training[asking.plain[captions.training]]:
            for colour in COLOURS:
                picture = paint(asking.array[index], colour)
                named, share = dominant(picture)
                if named != colour or share < COVERED:
                    continue
                pictures.append(picture)
                styles.append(captions.styles[index])
                texts += [coloured(colour, language, name, generator) for language, name in self.names(captions, index, generator)]
        self.names_each = len(texts) // len(pictures)
        self.pictures, self.styles = np.stack(pictures), np.array(styles)
        self.conditions = read_all(captions, texts, self.styles.repeat(self.names_each), text, device)

    @staticmethod
    def names(captions: Captions, index: int, generator: random.Random) -> list[tuple[str, str]]:
        words = captions.rows[index]["words"]
        others = [language for language in sorted(words) if language != "en"] or ["en"]
        picked = [generator.choice(others) for _ in range(COLOURED_LANGUAGES)]
        english = [words["en"][0], generator.choice(own_keywords(captions, index))]
        return [("en", name) for name in english] + [(language, words[language][0]) for language in picked]

    def draw(self, count: int, chooser: np.random.Generator, device: str):
        places = chooser.integers(len(self.pictures), size=count)
        rows = places * self.names_each + chooser.integers(self.names_each, size=count)
        styles = torch.from_numpy(self.styles[places]).to(device)
        return self.conditions[torch.from_numpy(rows)].to(device).float(), as_pictures(self.pictures[places], device), styles


def own_keywords(captions: Captions, index: int) -> list[str]:
    """The English keywords that stand for a picture's concept above others, or its name where none does."""
    row = captions.rows[index]
    name, keywords = row["words"]["en"]
    shares = sorted(((captions.meanings.share("en", keyword, row["key"]), keyword) for keyword in keywords), reverse=True)
    return [keyword for share, keyword in shares[:KEYWORDS] if share > 0.5] or [name]


def read_all(captions: Captions, texts: list[str], styles, text: TextEncoder, device: str) -> torch.Tensor:
    styles, batches = torch.as_tensor(np.asarray(styles)), range(0, len(texts), 512)
    return torch.cat([read_conditions(captions.encode(texts[b : b + 512]), styles[b : b + 512], text, device) for b in batches])


def read_conditions(ids: torch.Tensor, styles: torch.Tensor, text: TextEncoder, device: str) -> torch.Tensor:
    # Padding changes nothing; without it the text encoder takes a third of the time.
    ids = ids[:, : int((ids != settings.PAD).sum(1).max())]
    with training.autocast(device), torch.no_grad():
        return text(ids.to(device), styles.to(device))[1].bfloat16()


def text_encoder(work: Path, device: str) -> TextEncoder:
    """The encoder of the denoiser's checkpoint, or else of the names stage; it does not change any more."""
    text = TextEncoder().to(device)
    if (work / "teacher.pt").exists():
        state = torch.load(work / "teacher.pt", map_location=device)["average"]
        text.load_state_dict({name.removeprefix("text."): value for name, value in state.items() if name.startswith("text.")})
    else:
        text.load_state_dict(torch.load(work / "names.pt", map_location=device)["text"], strict=False)
    return text.requires_grad_(False)


class Pool:
    """The latest conditions and pictures, so that what was encoded once is seen several times."""

    def __init__(self, places: int, device: str):
        self.conditions = torch.zeros(places, settings.CONDITION, dtype=torch.bfloat16, device=device)
        self.styles = torch.zeros(places, dtype=torch.int64, device=device)
        self.pictures = torch.zeros(places, settings.CHANNELS, settings.PICTURE, settings.PICTURE, dtype=torch.bfloat16, device=device)
        self.next, self.filled = 0, 0

    def put(self, conditions: torch.Tensor, pictures: torch.Tensor, styles: torch.Tensor) -> None:
        places = torch.arange(self.next, self.next + len(conditions), device=conditions.device) % len(self.conditions)
        self.conditions[places], self.pictures[places], self.styles[places] = conditions, pictures.bfloat16(), styles
        self.next = (self.next + len(conditions)) % len(self.conditions)
        self.filled = min(self.filled + len(conditions), len(self.conditions))

    def draw(self, count: int):
        places = torch.randint(self.filled, (count,), device=self.conditions.device)
        return self.conditions[places].float(), self.pictures[places].float(), self.styles[places]


def draft_loss(draft: Draft, conditions, pictures, styles, device: str) -> torch.Tensor:
    with training.autocast(device):
        drawn = draft(conditions)
    error = (drawn.float() - pictures).square().mean((1, 2, 3))
    return (error * training.style_weights(styles)).mean()


def renew(path: Path, draft: Draft) -> None:
    """Puts the draft into a checkpoint of the whole model, its running weights and their average."""
    state = torch.load(path, map_location="cpu")
    for weights in (state[name] for name in ("model", "average") if name in state):
        weights.update({f"draft.{name}": value.cpu() for name, value in draft.state_dict().items()})
    training.save(path, **state)


def start(options, state: dict, device: str) -> tuple[TextEncoder, Draft]:
    """The text encoder, which stays as it is, and the draft to go on with: the run's own, a pack's, or a new one."""
    if options.from_pack:
        model = Model()
        load_pack(options.from_pack, model, options.work)
        text, draft = model.text.to(device).requires_grad_(False), model.draft.to(device)
    else:
        text, draft = text_encoder(options.work, device), Draft().to(device)
    if state:
        text.load_state_dict(state["text"])
        draft.load_state_dict(state["model"])
    return text, draft


def main() -> None:
    parser = training.arguments(__doc__, minutes=10, batch=512)
    parser.add_argument("--from-pack", type=Path)
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate before it falls")
    parser.add_argument("--colours", type=float, default=0.0, help="share of every batch that are bare names with a colour")
    parser.add_argument("--bare", type=float, default=0.6, help="share of bare words among the others; what is left is captions")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    asking, path = Asking(captions, array), options.work / "draft.pt"
    state = torch.load(path, map_location=device) if path.exists() else {}
    text, draft = start(options, state, device)
    groups = [{"params": draft.parameters(), "base": options.rate}]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    if state:
        optimiser.load_state_dict(state["optimiser"])
    step, running = state.get("step", 0), None
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "draft.jsonl")
    generator, chooser = training.chances(options.seed + step)
    next_save, pool, bare_words = clock.elapsed + 3, Pool(1 << 16, device), BareWords(captions, array, text, device)
    painted = round(options.batch * options.colours)
    bare = round((options.batch - painted) * options.bare)
    coloured_words = ColouredWords(asking, text, device, generator) if painted else None

    def keep():
        states = {"model": draft.state_dict(), "text": text.state_dict(), "optimiser": optimiser.state_dict()}
        training.save(path, **states, step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        indices = chooser.choice(captions.training, FRESH, p=captions.weights)
        pictures, ids, asked = asking.batch(indices, generator, empty=0.05, style_word=0.15)
        styles = torch.from_numpy(captions.styles[indices]).to(device)
        pool.put(read_conditions(ids, asked, text, device), as_pictures(pictures, device), styles)
        for _ in range(STEPS):
            training.set_rates([optimiser], clock.rate(step, 100, 0.4))
            sources = [bare_words.draw(bare, chooser, device), pool.draw(options.batch - painted - bare)]
            sources += [coloured_words.draw(painted, chooser, device)] if painted else []
            loss = draft_loss(draft, *(torch.cat(parts) for parts in zip(*sources)), device)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            running = loss.item() if running is None else 0.995 * running + 0.005 * loss.item()
            if step % 500 == 0:
                log(step=step, minutes=clock.elapsed, loss=running, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
    keep()
    checkpoint = options.work / ("student.pt" if options.from_pack else "teacher.pt")
    if checkpoint.exists():
        renew(checkpoint, draft)
    with torch.no_grad():
        ids, styles = standard_prompts(captions, device)
        sheet(draft(text(ids, styles)[1]), options.work / "draft.png", 12)


if __name__ == "__main__":
    main()
