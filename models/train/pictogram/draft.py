"""Teaches the denoiser's draft what things look like, before the denoiser itself learns to draw them.

    python -m pictogram.draft --minutes 10

The draft is a small network from the text encoder's condition to a whole picture. Alone it sees two thousand
pictures a second where the denoiser sees thirty; what it remembers is what the first denoising step has to know.
The text encoder stays as the names stage (or a checkpoint of the denoiser) left it.
"""

import random
from pathlib import Path

import numpy as np
import torch

from . import settings, training
from .attributes import Asking
from .captions import Captions, as_pictures
from .networks import Draft, TextEncoder
from .sampling import sheet, standard_prompts


def text_encoder(work: Path, device: str) -> TextEncoder:
    """The encoder of the denoiser's checkpoint, or else of the names stage; it does not change any more."""
    text = TextEncoder().to(device)
    if (work / "teacher.pt").exists():
        state = torch.load(work / "teacher.pt", map_location=device)["average"]
        text.load_state_dict({name.removeprefix("text."): value for name, value in state.items() if name.startswith("text.")})
    else:
        text.load_state_dict(torch.load(work / "names.pt", map_location=device)["text"], strict=False)
    return text.requires_grad_(False)


def main() -> None:
    parser = training.arguments(__doc__, minutes=10, batch=256)
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    asking, path = Asking(captions, array), options.work / "draft.pt"
    text, draft = text_encoder(options.work, device), Draft().to(device)
    optimiser = torch.optim.AdamW([{"params": draft.parameters(), "base": 2e-3}], lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        draft.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    step, running = state.get("step", 0), None
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "draft.jsonl")
    generator, chooser = random.Random(options.seed + step), np.random.default_rng(options.seed + step)
    next_save = clock.elapsed + 3

    def keep():
        states = {"model": draft.state_dict(), "text": text.state_dict(), "optimiser": optimiser.state_dict()}
        training.save(path, **states, step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        training.set_rates([optimiser], clock.rate(step, 100, 0.4))
        indices = chooser.choice(captions.training, options.batch, p=captions.weights)
        pictures, ids, styles = asking.batch(indices, generator, empty=0.05, style_word=0.15)
        # Padding changes nothing; without it the text encoder takes a third of the time.
        ids = ids[:, : int((ids != settings.PAD).sum(1).max())]
        with training.autocast(device):
            with torch.no_grad():
                _, condition = text(ids.to(device), styles.to(device))
            drawn = draft(condition)
        loss = (drawn.float() - as_pictures(pictures, device)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            log(step=step, minutes=clock.elapsed, loss=running, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
    keep()
    with torch.no_grad():
        ids, styles = standard_prompts(captions, device)
        sheet(draft(text(ids, styles)[1]), options.work / "draft.png", 12)


if __name__ == "__main__":
    main()
