"""Few steps: one student for 4, 2 and 1 steps, with the teacher's guidance baked in.

    python -m pictogram.distil --minutes 12

Three methods; `pictogram.few_steps` compares them. All train the three schedules at once, an interval at a time.

leap         (after Salimans & Ho 2022, arXiv 2202.00512) the guided teacher takes `--leap` small Euler steps over
             the interval, and the student's prediction is regressed on the picture that makes a single Euler step
             land in the same place.
consistency  (after Heek et al. 2024, arXiv 2403.06807) from a random time in the interval the guided teacher takes
             one small step, and the student's own average goes from there to the end of the interval.
features     the leap, and the landing places must also look alike to the picture network of the words stage
             (after Zhang et al. 2018, arXiv 1801.03924).

The student computes with the rounding of int8, so that it is a student which rounding does not hurt; at the end its
weights lie on the int8 grid themselves.
"""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import rounding, sampling, settings, training
from .captions import Captions
from .feeding import Asked, feed, source
from .networks import Model, PictureEncoder

METHODS = ["leap", "consistency", "features"]
# Small steps that an interval is cut into for `consistency`.
PIECES = 8
FEATURE_WEIGHT = 0.02


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
    return picture_towards(x, moved, start, end)


@torch.no_grad()
def consistent(teacher, average, x, times, prompts, guidance: float, device: str):
    """The picture towards which one Euler step lands where one small step of the teacher and then the student's average do."""
    (start, middle, end), (conditioned, unconditioned) = times, prompts
    picture = sampling.guided(teacher, x, start, conditioned, unconditioned, guidance, device)
    moved = sampling.euler_step(x, picture, start, middle)
    with training.autocast(device):
        picture = average.denoiser(moved, middle, *conditioned).float()
    # The last piece ends where the interval does: there is no step left for the average.
    landed = torch.where((end - middle > 1e-4)[:, None, None, None], sampling.euler_step(moved, picture, middle, end), moved)
    return picture_towards(x, landed, start, end)


def picture_towards(x, landed, start, end):
    """The picture towards which one Euler step from `start` lands in a place."""
    return (x + (landed - x) * ((1 - start) / (end - start))[:, None, None, None]).clamp(-1.5, 1.5)


def picture_network(work: Path, device: str) -> PictureEncoder:
    network = PictureEncoder().to(device).eval().requires_grad_(False)
    network.load_state_dict(torch.load(work / "words.pt", map_location=device)["pictures"])
    return network


def apart(network: PictureEncoder, predicted, target, device: str) -> torch.Tensor:
    """How unlike two pictures look to the picture network: squared distance of its layers' outputs, channels of unit length."""
    total = 0.0
    with training.autocast(device):
        for layer in network.layers:
            predicted, target = layer(predicted), layer(target)
            if isinstance(layer, torch.nn.SiLU):
                one, other = (F.normalize(h.float(), dim=1) for h in (predicted, target))
                total = total + (one - other).square().sum(1).mean()
    return total


def main() -> None:
    parser = training.arguments(__doc__, minutes=12, batch=32)
    parser.add_argument("--method", choices=METHODS, default="leap")
    parser.add_argument("--out", default="student", help="name of the checkpoint")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--leap", type=int, default=4)
    parser.add_argument("--hold", type=float, default=0.3, help="share of the minutes before the learning rate falls")
    parser.add_argument("--around", type=float, default=0.0, help="share of prompts with words around them that ask for nothing")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, path = Captions(options.work), options.work / f"{options.out}.pt"
    teacher = Model().to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    teacher.load_state_dict(torch.load(options.work / "teacher.pt", map_location=device)["average"])
    # The words mean what they meant to the teacher.
    rounding.settle(teacher.text)
    rounding.settle(teacher.draft)
    student = copy.deepcopy(teacher)
    student.denoiser.requires_grad_(True)
    rounding.round_layers(student)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        student.load_state_dict(state["model"])
    average = copy.deepcopy(student)
    if state:
        average.load_state_dict(state["average"])
    looks = picture_network(options.work, device) if options.method == "features" else None
    made = training.optimisers(student.denoiser, muon=0.002, adam=2e-4)
    step, seen = state.get("step", 0), 0
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / f"distil-{options.out}.jsonl")
    _, chooser = training.chances(options.seed + step)
    empty = captions.encode([""]).to(device).expand(options.batch, -1)
    running, begun, next_save = training.Running(0.95), clock.elapsed, clock.elapsed + 3

    def keep():
        training.save(path, model=student.state_dict(), average=average.state_dict(), step=step, minutes=clock.elapsed, many=options.many)

    asked = Asked(source(options.work, options.many), options.batch, options.seed + step, empty=0.05, style_word=0.15, around=options.around)
    for pictures, ids, styles in feed(asked, device):
        training.set_rates(made, clock.rate(step, 20, options.hold))
        start, end = (part.to(device) for part in intervals(chooser, options.batch))
        if options.method == "consistency":
            piece = (end - start) / PIECES
            start = start + piece * torch.where(torch.rand_like(start) < 0.5, 0, torch.randint_like(start, PIECES))
            middle = start + piece
        mix = start[:, None, None, None]
        x = (1 - mix) * torch.randn_like(pictures) + mix * pictures
        with torch.no_grad(), training.autocast(device):
            conditioned, unconditioned = student.prompt(ids, styles), student.prompt(empty, styles)
        if options.method == "consistency":
            target = consistent(teacher, average, x, (start, middle, end), (conditioned, unconditioned), options.guidance, device)
        else:
            target = leap(teacher, x, start, end, conditioned, unconditioned, options.guidance, options.leap, device)
        with training.autocast(device):
            predicted = student.denoiser(x, start, *conditioned)
        loss = (training.style_weights(styles) * (predicted.float() - target).square().mean((1, 2, 3))).mean()
        if looks is not None:
            loss = loss + FEATURE_WEIGHT * apart(looks, predicted.float(), target, device)
        for optimiser in made:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch
        training.follow(average, student, min(0.99, max(0.0, 1 - 4 / (step + 1))))
        running.add(loss)
        if step % 20 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, loss=running.item(), pictures_per_second=speed, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
        if clock.fraction >= 1:
            break
    rounding.settle(average)
    keep()
    for steps, times in settings.SCHEDULES.items():
        sampling.standard_sheet(average, captions, options.work / f"{options.out}-{steps}.png", times, 1.0, device)
        if options.many:
            sampling.open_sheet(average, captions, options.work / f"{options.out}-{steps}-open.png", times, 1.0, device)


if __name__ == "__main__":
    main()
