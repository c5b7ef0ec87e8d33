"""Trains the text encoder and the denoiser together: flow matching with x-prediction.

    python -m pictogram.train --minutes 60

May be cut anywhere: it goes on from `teacher.pt` until `--minutes` are spent over all runs together;
with more minutes than before it goes on from the finished network. `--from-pack FOLDER` starts from a
pack's own int8 weights.
"""

import copy
from pathlib import Path

import numpy as np
import torch

from . import sampling, training
from .attributes import Asking
from .captions import Captions, as_pictures
from .networks import Model
from .unpack import load_pack


EARLY, EARLY_END = 0.5, 0.2


def random_times(count: int, device: str) -> torch.Tensor:
    """Logit-normal times (Esser et al. 2024, arXiv 2403.03206), half of them replaced by times close to pure noise.

    There is hardly more than one picture of a thing in a style, so that what is drawn is decided where only the
    prompt is known, at times that a logit-normal distribution almost never meets.
    """
    usual = torch.sigmoid(torch.randn(count, device=device) - 0.4)
    early = EARLY_END * torch.rand(count, device=device).square()
    return torch.where(torch.rand(count, device=device) < EARLY, early, usual)


def denoising_loss(model, pictures, ids, styles, device):
    """Velocity loss: the error of the predicted picture weighted by 1/(1-t)², and by its style."""
    noise = torch.randn_like(pictures)
    time = random_times(len(pictures), device)
    mix = time[:, None, None, None]
    with training.autocast(device):
        predicted = model((1 - mix) * noise + mix * pictures, time, ids, styles)
    error = (predicted.float() - pictures).square().mean((1, 2, 3))
    return (training.style_weights(styles) * error / (1 - time).clamp(min=0.1).square()).mean()


def start(model: Model, options, path: Path, device: str) -> dict:
    """Weights to start from: the run's own checkpoint, a pack, or the draft stage."""
    if path.exists():
        return torch.load(path, map_location=device)
    if options.from_pack:
        load_pack(options.from_pack, model, options.work)
    elif (options.work / "draft.pt").exists():
        taught = torch.load(options.work / "draft.pt", map_location=device)
        model.text.load_state_dict(taught["text"])
        model.draft.load_state_dict(taught["model"])
    return {}


def main() -> None:
    parser = training.arguments(__doc__, minutes=60, batch=40)
    parser.add_argument("--from-pack", type=Path)
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    parser.add_argument("--sheet-every", type=float, default=15, help="minutes between sample sheets")
    parser.add_argument("--average", type=float, default=0.9995, help="decay of the average of weights while the learning rate is high")
    parser.add_argument("--hold", type=float, default=0.65, help="share of the minutes before the learning rate falls")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    asking, path = Asking(captions, array), options.work / "teacher.pt"
    model = Model().to(device, memory_format=torch.channels_last)
    state = start(model, options, path, device)
    average = copy.deepcopy(model)
    made = training.optimisers(model, muon=0.01, adam=1e-3)
    step, seen = state.get("step", 0), 0
    if state:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for optimiser, saved in zip(made, state["optimisers"]):
            optimiser.load_state_dict(saved)
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "train.jsonl")
    generator, chooser = training.chances(options.seed + step)
    parameters = list(model.parameters())
    print(f"{sum(p.numel() for p in parameters) / 1e6:.2f} M parameters, {device}, step {step}")

    def keep():
        states = [optimiser.state_dict() for optimiser in made]
        training.save(path, model=model.state_dict(), average=average.state_dict(), optimisers=states, step=step, minutes=clock.elapsed)

    running, begun, next_save, next_sheet = None, clock.elapsed, clock.elapsed + options.save_every, clock.elapsed + options.sheet_every
    while clock.fraction < 1:
        # While the rate falls, the weights themselves average; a long memory would only keep them back.
        rate = clock.rate(step, 300, options.hold)
        training.set_rates(made, rate)
        indices = chooser.choice(captions.training, options.batch, p=captions.weights)
        pictures, ids, styles = asking.batch(indices, generator, empty=0.1, style_word=0.15)
        loss = denoising_loss(model, as_pictures(pictures, device), ids.to(device), styles.to(device), device)
        for optimiser in made:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch
        training.follow(average, model, min(1 - (1 - options.average) / max(rate, 0.25), max(0.0, 1 - 20 / (step + 1))))
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, loss=running, pictures_per_second=speed, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + options.save_every
        if clock.elapsed > next_sheet:
            sampling.standard_sheet(average, captions, options.work / f"teacher-{step}.png", sampling.teacher_times(25), 2.0, device)
            next_sheet = clock.elapsed + options.sheet_every
    keep()
    sampling.standard_sheet(average, captions, options.work / "teacher.png", sampling.teacher_times(25), 2.0, device)


if __name__ == "__main__":
    main()
