"""The loop that all stages here share: batches until the minutes are spent, an average of the weights, checkpoints that may be cut.

Depends on `pictogram.training`.
"""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path

import torch
from pictogram import rounding, training
from torch import nn


def arguments(description: str, minutes: float, batch: int, rate: float = 1e-3) -> argparse.ArgumentParser:
    """The options of a stage."""
    parser = training.arguments(description, minutes, batch)
    parser.add_argument("--rate", type=float, default=rate, help="learning rate of what Muon does not teach")
    parser.add_argument("--muon", type=float, default=0.01, help="learning rate of matrices")
    parser.add_argument("--rounds", type=float, default=0.9, help="share of the minutes after which layers round as in int8")
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    return parser


def load(network: nn.Module, path: Path, device: str = "cpu") -> nn.Module:
    """A network with the average weights of a checkpoint."""
    network.load_state_dict(torch.load(path, map_location=device)["average"])
    return network.to(device).eval()


# What starts as a solution moves slowly: Muon's steps have the size of the weights themselves and would undo it.
SOLVED_RATE = 5e-5


def optimisers(network: nn.Module, options: argparse.Namespace, solved: tuple[str, ...]) -> list[torch.optim.Optimizer]:
    """Muon and AdamW, which moves what is `solved` already by its own rate."""
    slow = [parameter for name, parameter in network.named_parameters() if name.startswith(solved)] if solved else []
    for parameter in slow:
        parameter.requires_grad_(False)
    made = training.optimisers(network, options.muon, options.rate)
    if slow:
        made[0].add_param_group({"params": [parameter.requires_grad_() for parameter in slow], "lr": SOLVED_RATE, "base": SOLVED_RATE})
    return made


def run(network: nn.Module, options: argparse.Namespace, name: str, loss: Callable, judge: Callable, solved: tuple[str, ...] = ()) -> nn.Module:
    """Trains until the minutes are spent. `loss(network, chooser)` gives what is minimised and figures to report; `judge(average)` gives
    figures whenever a checkpoint is written; layers whose names begin with one of `solved` hardly move. Returns the average."""
    device, path = training.pick_device(options.device), options.work / f"{name}.pt"
    network = network.to(device)
    average, state = copy.deepcopy(network), {}
    made = optimisers(network, options, solved)
    if path.exists():
        state = torch.load(path, map_location=device)
        network.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for optimiser, saved in zip(made, state["optimisers"]):
            optimiser.load_state_dict(saved)
    step, seen = state.get("step", 0), 0
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / f"{name}.jsonl")
    _, chooser = training.chances(options.seed + step)
    parameters = list(network.parameters())
    print(f"{sum(p.numel() for p in parameters) / 1e6:.2f} M parameters, {device}, step {step}", flush=True)

    def keep():
        states = [optimiser.state_dict() for optimiser in made]
        training.save(path, model=network.state_dict(), average=average.state_dict(), optimisers=states, step=step, minutes=clock.elapsed)
        rounding.round_layers(average, clock.fraction >= options.rounds)
        log(step=step, minutes=clock.elapsed, **judge(average.eval()))

    begun, next_save = clock.elapsed, clock.elapsed + options.save_every
    running: dict[str, training.Running] = {}
    while clock.fraction < 1:
        training.set_rates(made, clock.rate(step, 200, 0.6))
        rounding.round_layers(network, clock.fraction >= options.rounds)
        with training.autocast(device):
            error, figures = loss(network, chooser)
        for optimiser in made:
            optimiser.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in made:
            optimiser.step()
        step, seen = step + 1, seen + options.batch
        training.follow(average, network, min(0.998, max(0.0, 1 - 20 / (step + 1))))
        for figure, value in figures.items():
            running.setdefault(figure, training.Running(0.98)).add(value)
        if step % 100 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, **{key: value.item() for key, value in running.items()}, pictures_per_second=speed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + options.save_every
    keep()
    return average
