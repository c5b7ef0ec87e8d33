"""Few steps: one student for 4, 2 and 1 steps, with the teacher's guidance baked in.

    python -m pictogram.distil --minutes 12

A progressive leap (after Salimans & Ho 2022, arXiv 2202.00512): for an interval of one of the schedules the
guided teacher takes `--leap` small Euler steps, and the student's prediction is regressed on the picture that
makes a single Euler step land in the same place. All three schedules are trained at once.
"""

import copy
import random
from pathlib import Path

import numpy as np
import torch

from . import sampling, settings, training
from .attributes import Asking
from .captions import Captions, as_pictures
from .networks import Model


def intervals(chooser: np.random.Generator, count: int):
    """Starts and ends of random intervals; the first of a schedule, from pure noise, more often."""
    starts, ends = [], []
    for steps in chooser.choice(list(settings.SCHEDULES), count, p=[0.2, 0.25, 0.55]):
        times = settings.SCHEDULES[int(steps)]
        place = 0 if chooser.random() < 0.25 else chooser.integers(len(times) - 1)
        starts.append(times[place])
        ends.append(times[place + 1])
    return torch.tensor(starts), torch.tensor(ends)


@torch.no_grad()
def leap(teacher, x, start, end, conditioned, unconditioned, guidance: float, steps: int, device: str):
    """The picture towards which one Euler step from `start` lands where the teacher's small steps do."""
    moved = x
    for step in range(steps):
        here, there = start + (end - start) * (step / steps), start + (end - start) * ((step + 1) / steps)
        picture = sampling.guided(teacher, moved, here, conditioned, unconditioned, guidance, device)
        moved = sampling.euler_step(moved, picture, here, there)
    return (x + (moved - x) * ((1 - start) / (end - start))[:, None, None, None]).clamp(-1.5, 1.5)


def main() -> None:
    parser = training.arguments(__doc__, minutes=12, batch=32)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--leap", type=int, default=4)
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    asking, path = Asking(captions, array), options.work / "student.pt"
    teacher = Model().to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    teacher.load_state_dict(torch.load(options.work / "teacher.pt", map_location=device)["average"])
    student = copy.deepcopy(teacher).requires_grad_(True)
    # The words mean what they meant to the teacher.
    student.text.requires_grad_(False)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        student.load_state_dict(state["model"])
    average = copy.deepcopy(student)
    if state:
        average.load_state_dict(state["average"])
    made = training.optimisers(student.denoiser, muon=0.002, adam=2e-4)
    step, seen = state.get("step", 0), 0
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "distil.jsonl")
    generator, chooser = random.Random(options.seed + step), np.random.default_rng(options.seed + step)
    torch.manual_seed(options.seed + step)
    empty, _ = captions.batch(captions.training[:1], generator, empty=1.0)
    running, begun, next_save = None, clock.elapsed, clock.elapsed + 3

    def keep():
        training.save(path, model=student.state_dict(), average=average.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        training.set_rates(made, clock.rate(step, 20, 0.3))
        indices = chooser.choice(captions.training, options.batch, p=captions.weights)
        drawn, *prompts = asking.batch(indices, generator, empty=0.05, style_word=0.15)
        ids, styles = (part.to(device) for part in prompts)
        start, end = (part.to(device) for part in intervals(chooser, options.batch))
        pictures = as_pictures(drawn, device)
        mix = start[:, None, None, None]
        x = (1 - mix) * torch.randn_like(pictures) + mix * pictures
        with torch.no_grad(), training.autocast(device):
            conditioned, unconditioned = teacher.text(ids, styles), teacher.text(empty.to(device).expand_as(ids), styles)
        target = leap(teacher, x, start, end, conditioned, unconditioned, options.guidance, options.leap, device)
        with training.autocast(device):
            predicted = student.denoiser(x, start, *conditioned)
        loss = (predicted.float() - target).square().mean()
        for optimiser in made:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch
        training.follow(average, student, min(0.99, max(0.0, 1 - 4 / (step + 1))))
        running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
        if step % 20 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, loss=running, pictures_per_second=speed, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
    keep()
    for steps, times in settings.SCHEDULES.items():
        sampling.standard_sheet(average, captions, options.work / f"student-{steps}.png", times, 1.0, device)


if __name__ == "__main__":
    main()
