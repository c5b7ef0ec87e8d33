"""Teaches a finished model's text encoder the many ways to say the same, without pictures.

    python -m pictogram.paraphrase --from-pack ../pictogram --minutes 25

The encoder as it is reads a plain prompt; the one that learns reads it with words around it that ask for nothing (`phrases`), or
with an everyday word instead of the picture's name, and has to mean the same: the same condition, the same draft, and for words that
are in both the same context rows. A share of the prompts are the same in both, so that nothing is forgotten. Draft and denoiser
stay as they are. At the end `student.pt` has the new encoder, on the int8 grid.
"""

import copy
import random
from pathlib import Path

import numpy as np
import torch

from . import phrases, rounding, settings, training
from .attributes import COLOURS, SMALL, coloured, counted
from .captions import Captions
from .networks import Model, TextEncoder
from .unpack import load_pack

# Shares of prompts that are left alone, and of the others that have words around them; shares of what is asked beside the thing.
SAME, AROUND = 0.5, 0.7
KINDS = {"bare": 0.25, "coloured": 0.4, "counted": 0.15, "small": 0.05, "free": 0.15}
# Weights of the errors of draft, condition and context.
DRAFT, CONDITION, CONTEXT = 8.0, 1.0, 0.3


class Pairs:
    """What the encoder that learns reads, and what it should take it for."""

    def __init__(self, captions: Captions, generator: random.Random, chooser: np.random.Generator):
        self.captions, self.generator, self.chooser = captions, generator, chooser

    def batch(self, count: int):
        """Texts with words around, plain texts, and style numbers."""
        indices = self.chooser.choice(self.captions.training, count, p=self.captions.weights)
        pairs = [self.pair(int(index)) for index in indices]
        styles = self.captions.styles[indices]
        styles = np.where(self.chooser.random(count) < 0.1, 0, styles)
        return [said for said, _ in pairs], [meant for _, meant in pairs], torch.from_numpy(styles)

    def pair(self, index: int) -> tuple[str, str]:
        generator, words = self.generator, self.captions.rows[index]["words"]
        language = self.captions.language(words, generator)
        name = words[language][0]
        kind = generator.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "free":
            meant = said = self.captions.text(index, generator, language)
        else:
            seed = generator.random()
            meant = self.ask(kind, language, name, random.Random(seed))
            if generator.random() < SAME:
                return meant, meant
            word = self.captions.keyword(index, language, generator) if generator.random() < 0.5 else None
            said = self.ask(kind, language, word or name, random.Random(seed))
        if generator.random() < AROUND:
            around = phrases.around(said, language, generator)
            # What asks for a picture elsewhere ("icon", "art", a sticker's words) still means nothing here, unless it is this thing's word.
            own = set(" ".join([name, *words[language][1]]).lower().split())
            if not phrases.means_something(around.lower().replace(said.lower(), " "), own):
                said = around
        return said, meant

    @staticmethod
    def ask(kind: str, language: str, word: str, generator: random.Random) -> str:
        if kind == "coloured":
            return coloured(generator.choice(COLOURS), language, word, generator)
        if kind == "counted":
            return counted(generator.choice([2, 3, 4]), language, word, generator)
        if kind == "small":
            return generator.choice(SMALL[language].split("/")) + word
        return word


def aligned(said: torch.Tensor, meant: torch.Tensor) -> torch.Tensor:
    """For every token row of `said` the place of its words in `meant`, N×24: 0, where the start is, for words that `meant` has not,
    −1 in padding and in rows that do not hold all of `meant`."""
    places = torch.full_like(said, -1)
    for row, (a, b) in enumerate(zip(said.tolist(), meant.tolist())):
        words = [token for token in b[1:] if token != settings.PAD]
        length = sum(token != settings.PAD for token in a)
        start = next((at for at in range(1, length - len(words) + 1) if a[at : at + len(words)] == words), None)
        if start is not None:
            places[row, :length] = 0
            places[row, start : start + len(words)] = torch.arange(1, len(words) + 1)
    return places


def losses(text: TextEncoder, old: TextEncoder, draft, said, meant, styles, places, device: str):
    with training.autocast(device):
        with torch.no_grad():
            rows, condition = old(meant, styles)
            wanted = draft(condition)
        new_rows, new_condition = text(said, styles)
        drawn = draft(new_condition)
    known = (places >= 0)[:, :, None]
    targets = torch.gather(rows[:, :-1], 1, places.clamp(min=0)[:, :, None].expand(-1, -1, rows.shape[2]))
    apart = ((new_rows[:, :-1].float() - targets.float()).square() * known).sum() / (known.sum() * rows.shape[2]).clamp(min=1)
    scale = condition.float().square().mean()
    return (drawn.float() - wanted.float()).square().mean(), (new_condition.float() - condition.float()).square().mean() / scale, apart


@torch.no_grad()
def understood(text: TextEncoder, old: TextEncoder, draft, captions: Captions, asked: list[str], device: str, count: int = 200) -> float:
    """Squared error between drafts of bare English names with words around them and without; how far the words lead astray."""
    chooser = np.random.default_rng(3)
    indices = chooser.choice(captions.training, count, replace=False, p=captions.weights)
    names = [captions.rows[index]["words"]["en"][0] for index in indices]
    styles = torch.from_numpy(captions.styles[indices]).to(device)
    said = captions.encode([asked[place % len(asked)].format(name) for place, name in enumerate(names)]).to(device)
    one, other = (draft(network(ids, styles)[1]) for network, ids in ((text, said), (old, captions.encode(names).to(device))))
    return (one - other).square().mean().item()


def main() -> None:
    parser = training.arguments(__doc__, minutes=25, batch=192)
    parser.add_argument("--from-pack", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=6e-4)
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, path = Captions(options.work), options.work / "paraphrase.pt"
    model = Model().to(device).requires_grad_(False)
    load_pack(options.from_pack, model, options.work)
    rounding.round_layers(model)
    text = copy.deepcopy(model.text).requires_grad_(True)
    average, state = copy.deepcopy(text), torch.load(path, map_location=device) if path.exists() else {}
    groups = [{"params": text.parameters(), "base": options.rate}]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    if state:
        for part, name in ((text, "text"), (average, "average"), (optimiser, "optimiser")):
            part.load_state_dict(state[name])
    step = state.get("step", 0)
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "paraphrase.jsonl")
    pairs = Pairs(captions, *training.chances(options.seed + step))
    trained = [f"{before} {{}}" for before in phrases.BEFORE["en"]] + [f"{{}} {behind}" for behind in phrases.BEHIND["en"]]
    running = [training.Running(0.98) for _ in range(3)]

    def report():
        astray = {name: understood(average, model.text, model.draft, captions, asked, device) for name, asked in (("trained", trained), ("new", phrases.HELD_OUT))}
        same = understood(average, model.text, model.draft, captions, ["{}"], device)
        log(step=step, minutes=clock.elapsed, **dict(zip(("draft", "condition", "context"), (mean.item() for mean in running))), **astray, same=same)

    def keep():
        states = {"text": text.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
        training.save(path, **states, step=step, minutes=clock.elapsed)

    report()
    next_save = clock.elapsed + 3
    while clock.fraction < 1:
        training.set_rates([optimiser], clock.rate(step, 50, 0.4))
        said, meant, styles = pairs.batch(options.batch)
        said, meant = captions.encode(said), captions.encode(meant)
        places = aligned(said, meant)
        parts = losses(text, model.text, model.draft, *(part.to(device) for part in (said, meant, styles, places)), device)
        optimiser.zero_grad()
        sum(weight * part for weight, part in zip((DRAFT, CONDITION, CONTEXT), parts)).backward()
        optimiser.step()
        step += 1
        training.follow(average, text, min(0.995, max(0.0, 1 - 4 / (step + 1))))
        for mean, part in zip(running, parts):
            mean.add(part)
        if clock.elapsed > next_save:
            report()
            keep()
            next_save = clock.elapsed + 3
    report()
    keep()
    rounding.settle(average)
    model.text.load_state_dict(average.state_dict())
    training.save(options.work / "student.pt", model=model.state_dict(), average=model.state_dict(), step=step, minutes=clock.elapsed)


if __name__ == "__main__":
    main()
