"""Teaches a finished student to draw things in other colours, without its teacher.

    python -m pictogram.draft --from-pack ../pictogram --minutes 60 --rate 5e-4 --colours 0.35
    python -m pictogram.repaint --from-pack ../pictogram --minutes 40

The draft of the first command already knows colours better; the student that was made for another draft paints over
them. A share of every batch are recoloured pictures, towards which the student is led itself; with the others it is
held to what the pack draws with its own draft. The words keep their meaning. At the end `student.pt` is the new one.
"""

import copy
import random
from pathlib import Path

import numpy as np
import torch

from . import settings, training
from .attributes import Asking
from .captions import Captions, as_pictures
from .distil import intervals
from .networks import Model
from .unpack import load_pack


def recoloured(asking: Asking, indices: np.ndarray, generator: random.Random, chooser: np.random.Generator):
    """As many recoloured pictures with their captions as there are indices, other pictures where one has no colour to name."""
    pictures, texts, kept = [], {}, []
    while len(kept) < len(indices):
        made = asking.recolour(int(indices[len(kept)]), generator)
        if made is None:
            indices[len(kept)] = chooser.choice(asking.captions.training, p=asking.captions.weights)
            continue
        texts[len(kept)] = made[1]
        pictures.append(made[0])
        kept.append(indices[len(kept)])
    return np.stack(pictures), *asking.captions.batch(np.array(kept), generator, style_word=0.15, asked=texts)


def noisy(pictures: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    mix = start[:, None, None, None]
    return (1 - mix) * torch.randn_like(pictures) + mix * pictures


def main() -> None:
    parser = training.arguments(__doc__, minutes=40, batch=32)
    parser.add_argument("--from-pack", type=Path, required=True)
    parser.add_argument("--colours", type=float, default=0.4, help="share of recoloured pictures")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    asking, path = Asking(captions, array), options.work / "repaint.pt"
    pack = Model().to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    load_pack(options.from_pack, pack, options.work)
    student = copy.deepcopy(pack)
    student.draft.load_state_dict(torch.load(options.work / "draft.pt", map_location=device)["model"])
    student.denoiser.requires_grad_(True)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        student.load_state_dict(state["model"])
    average = copy.deepcopy(student)
    if state:
        average.load_state_dict(state["average"])
    made = training.optimisers(student.denoiser, muon=0.002, adam=2e-4)
    step, seen = state.get("step", 0), 0
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "repaint.jsonl")
    generator, chooser = training.chances(options.seed + step)
    losses, begun, next_save = np.zeros(2), clock.elapsed, clock.elapsed + 3
    painted = round(options.batch * options.colours)

    def keep(path: Path):
        training.save(path, model=student.state_dict(), average=average.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        training.set_rates(made, clock.rate(step, 20, 0.3))
        indices = chooser.choice(captions.training, options.batch, p=captions.weights)
        parts = zip(recoloured(asking, indices[:painted], generator, chooser), asking.batch(indices[painted:], generator, 0.05, 0.15))
        (drawn, other), (ids, other_ids), (styles, other_styles) = parts
        pictures = as_pictures(np.concatenate([drawn, other]), device)
        ids, styles = torch.cat([ids, other_ids]).to(device), torch.cat([styles, other_styles]).to(device)
        start = intervals(chooser, options.batch)[0].to(device)
        x = noisy(pictures, start)
        with torch.no_grad(), training.autocast(device):
            prompt = student.prompt(ids, styles)
            old = [part[painted:] for part in pack.prompt(ids, styles)]
            held = pack.denoiser(x[painted:], start[painted:], *old).float()
        with training.autocast(device):
            predicted = student.denoiser(x, start, *prompt).float()
        target = torch.cat([pictures[:painted], held])
        error = training.style_weights(styles) * (predicted - target).square().mean((1, 2, 3))
        for optimiser in made:
            optimiser.zero_grad()
        error.mean().backward()
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch
        training.follow(average, student, min(0.99, max(0.0, 1 - 4 / (step + 1))))
        both = np.array([error[:painted].mean().item(), error[painted:].mean().item()])
        losses = both if step == 1 or not losses.any() else 0.95 * losses + 0.05 * both
        if step % 20 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, painted=losses[0], held=losses[1], pictures_per_second=speed)
        if clock.elapsed > next_save:
            keep(path)
            next_save = clock.elapsed + 3
    keep(path)
    keep(options.work / "student.pt")


if __name__ == "__main__":
    main()
