"""Trains the text encoder and the denoiser together: flow matching with x-prediction.

    python -m pictogram.train --minutes 60

May be cut anywhere: it goes on from `teacher.pt` until `--minutes` are spent over all runs together;
with more minutes than before it goes on from the finished network. `--from-pack FOLDER` starts from a
pack's own int8 weights. Text encoder and draft learn with the rounding of int8 from the beginning, and from more
captions than the denoiser (`--reading`): reading and drafting take a twentieth of its time. Under `torchrun` several
processes train together (`team`).
"""

import copy
from pathlib import Path

import torch

from . import rounding, sampling, training
from .captions import Captions
from .feeding import Asked, feed, source
from .networks import Model
from .team import Team
from .unpack import load_pack


EARLY, EARLY_END = 0.5, 0.2
# How far the seeds of processes lie apart, more than a run has steps.
APART = 10_000_019


def random_times(count: int, device: str) -> torch.Tensor:
    """Logit-normal times (Esser et al. 2024, arXiv 2403.03206), half of them replaced by times close to pure noise.

    There is hardly more than one picture of a thing in a style, so that what is drawn is decided where only the
    prompt is known, at times that a logit-normal distribution almost never meets.
    """
    usual = torch.sigmoid(torch.randn(count, device=device) - 0.4)
    early = EARLY_END * torch.rand(count, device=device).square()
    return torch.where(torch.rand(count, device=device) < EARLY, early, usual)


def losses(model: Model, pictures, ids, styles, drawn: int, device: str):
    """Of the draft for all pictures, and of the denoiser for the first `drawn`: its velocity loss, the error of the predicted
    picture weighted by 1/(1-t)². Both are weighted by style."""
    with training.autocast(device):
        context, condition, draft = model.prompt(ids, styles)
    weights, errors = training.style_weights(styles), (draft.float() - pictures).square().mean((1, 2, 3))
    pictures = pictures[:drawn]
    noise, time = torch.randn_like(pictures), random_times(drawn, device)
    mix = time[:, None, None, None]
    with training.autocast(device):
        predicted = model.denoiser((1 - mix) * noise + mix * pictures, time, context[:drawn], condition[:drawn], draft[:drawn])
    error = (predicted.float() - pictures).square().mean((1, 2, 3)) / (1 - time).clamp(min=0.1).square()
    return (weights * errors).mean(), (weights[:drawn] * error).mean()


def start(model: Model, options, path: Path, device: str) -> dict:
    """Weights to start from: the run's own checkpoint, a pack, or the draft stage."""
    if path.exists():
        return torch.load(path, map_location=device)
    if options.from_pack:
        load_pack(options.from_pack, model, options.work)
        if options.teacher:
            model.denoiser.load_state_dict(torch.load(options.teacher, map_location=device))
        model.draft.even_out()
    elif (options.work / "draft.pt").exists():
        taught = torch.load(options.work / "draft.pt", map_location=device)
        model.text.load_state_dict(taught["text"])
        model.draft.load_state_dict(taught["model"])
    return {}


def draw(model: Model, captions: Captions, path: Path, many: bool, device: str) -> None:
    """A sheet of styles by things, and one of things by seeds with the style left open."""
    sampling.standard_sheet(model, captions, path.with_suffix(".png"), sampling.teacher_times(25), 2.0, device)
    if many:
        sampling.open_sheet(model, captions, path.with_name(path.name + "-open.png"), sampling.teacher_times(25), 2.0, device)


def main() -> None:
    parser = training.arguments(__doc__, minutes=60, batch=40)
    parser.add_argument("--from-pack", type=Path)
    parser.add_argument("--teacher", type=Path, help="with --from-pack: a denoiser's weights to start from, since the pack's takes large steps only")
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    parser.add_argument("--sheet-every", type=float, default=15, help="minutes between sample sheets")
    parser.add_argument("--average", type=float, default=0.9995, help="decay of the average of weights while the learning rate is high")
    parser.add_argument("--hold", type=float, default=0.65, help="share of the minutes before the learning rate falls")
    parser.add_argument("--reading", type=int, default=1, help="captions that the draft learns from for each that the denoiser does")
    parser.add_argument("--muon", type=float, default=0.01, help="learning rate of the denoiser's matrices")
    parser.add_argument("--text-rate", type=float, default=training.TAUGHT_RATE, help="learning rate of the text encoder, which earlier stages taught")
    parser.add_argument("--draft-rate", type=float, default=training.TAUGHT_RATE, help="learning rate of the draft")
    parser.add_argument("--around", type=float, default=0.0, help="share of prompts with words around them that ask for nothing")
    parser.add_argument("--report", type=int, default=100, help="steps between reports")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    team = Team(device)
    captions, path = Captions(options.work), options.work / "teacher.pt"
    model = Model().to(device, memory_format=torch.channels_last)
    state = start(model, options, path, device)
    rounding.round_layers(model.text)
    rounding.round_layers(model.draft)
    team.align(model)
    average = copy.deepcopy(model)
    made = training.optimisers(model, options.muon, adam=1e-3, taught={"text": options.text_rate, "draft": options.draft_rate})
    step, seen = state.get("step", 0), 0
    if state:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for optimiser, saved in zip(made, state.get("optimisers", [])):
            optimiser.load_state_dict(saved)
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "train.jsonl")
    seed = options.seed + step + APART * team.rank
    asked = Asked(source(options.work, options.many), options.batch * options.reading, seed, empty=0.1, style_word=0.15, around=options.around)
    torch.manual_seed(seed)
    parameters = list(model.parameters())
    print(f"{sum(p.numel() for p in parameters) / 1e6:.2f} M parameters, {device}, step {step}")

    def keep():
        if not team.leads:
            return
        states = [optimiser.state_dict() for optimiser in made]
        training.save(path, model=model.state_dict(), average=average.state_dict(), optimisers=states, step=step, minutes=clock.elapsed, many=options.many)

    begun, next_save, next_sheet = clock.elapsed, clock.elapsed + options.save_every, clock.elapsed + options.sheet_every
    running, running_draft = training.Running(0.98), training.Running(0.98)
    for pictures, ids, styles in feed(asked, device):
        # While the rate falls, the weights themselves average; a long memory would only keep them back.
        rate = team.agreed(0.0 if clock.fraction >= 1 else clock.rate(step, 300, options.hold))
        if rate == 0:
            break
        training.set_rates(made, rate)
        draft_loss, loss = losses(model, pictures, ids, styles, options.batch, device)
        for optimiser in made:
            optimiser.zero_grad()
        (draft_loss + loss).backward()
        team.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch * team.size
        training.follow(average, model, min(1 - (1 - options.average) / max(rate, 0.25), max(0.0, 1 - 20 / (step + 1))))
        running.add(loss)
        running_draft.add(draft_loss)
        if step % options.report == 0 and team.leads:
            speed = seen / (clock.elapsed - begun) / 60
            values = dict(loss=running.item(), draft=running_draft.item(), pictures_per_second=speed)
            log(step=step, minutes=clock.elapsed, **values, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + options.save_every
        if clock.elapsed > next_sheet and team.leads:
            draw(average, captions, options.work / f"teacher-{step}", options.many, device)
            next_sheet = clock.elapsed + options.sheet_every
    keep()
    team.close()
    if team.leads:
        draw(average, captions, options.work / "teacher", options.many, device)


if __name__ == "__main__":
    main()
