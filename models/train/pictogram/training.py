"""What every training stage needs: devices, the Muon optimiser, schedules, checkpoints that may be cut anywhere."""

import argparse
import json
import os
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import settings


def arguments(description: str, minutes: float, batch: int) -> argparse.ArgumentParser:
    """The options that every stage has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--minutes", type=float, default=minutes, help="over all runs of this stage together")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--many", action="store_true", help="also from the second data set, with varied copies and compositions")
    return parser


def pick_device(name: str = "auto") -> str:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        torch.set_float32_matmul_precision("high")
    return name


def autocast(device: str):
    """bfloat16 where the processor multiplies it; elsewhere it would only be emulated."""
    return torch.autocast(device, torch.bfloat16, enabled=multiplies_bfloat16(device))


def multiplies_bfloat16(device: str) -> bool:
    """Whether products of bfloat16 are faster than those of f32."""
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


def orthogonalise(gradients: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton–Schulz iteration of Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) of matrices N×rows×columns."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradients.bfloat16() if multiplies_bfloat16(gradients.device.type) else gradients.float()
    tall = x.size(1) > x.size(2)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Matrices of one shape move together: what a GPU waits for here is launches, not sums."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault((len(parameter), parameter[0].numel()), []).append(parameter)
            for alike in shapes.values():
                self.move(alike, group)

    def move(self, parameters: list[nn.Parameter], group: dict) -> None:
        for parameter in parameters:
            self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        momenta, gradients = [self.state[parameter]["momentum"] for parameter in parameters], [parameter.grad for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
        updates = orthogonalise(torch.stack([update.flatten(1) for update in ahead]))
        updates = updates * max(1, updates.shape[1] / updates.shape[2]) ** 0.5
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, [update.reshape(parameter.shape) for update, parameter in zip(updates, parameters)], alpha=-group["lr"])


# Layers that read or write pictures and styles keep AdamW, and one so large that Muon would take a fifth of the time.
NOT_MUON = ("token", "style", "position", "first", "last", "canvas2", "draft")
# What earlier stages have taught moves slowly: Muon's steps have the size of the weights themselves and would undo it.
TAUGHT = {"text": ("text.token", "text.position", "text.blocks", "text.norm"), "draft": ("draft.",)}
TAUGHT_RATE = 1e-4


def optimisers(network: nn.Module, muon: float, adam: float, taught: dict[str, float] | None = None) -> list[torch.optim.Optimizer]:
    """AdamW and Muon for what of a network learns; `taught` gives other rates to what earlier stages have taught."""
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    groups = [{"params": [p for n, p in named if n.startswith(names)], "lr": (taught or {}).get(part, TAUGHT_RATE)} for part, names in TAUGHT.items()]
    new = [(n, p) for n, p in named if not any(n.startswith(names) for names in TAUGHT.values())]
    matrices = [p for n, p in new if p.ndim >= 2 and not any(word in n for word in NOT_MUON)]
    taken = {id(p) for p in matrices}
    groups = [{"params": [p for _, p in new if id(p) not in taken]}, *(group for group in groups if group["params"])]
    made = [torch.optim.AdamW(groups, lr=adam, betas=(0.9, 0.95), weight_decay=0.01, fused=True), Muon(matrices, lr=muon)]
    for optimiser in made:
        for group in optimiser.param_groups:
            group["base"] = group["lr"]
    return made


# Ink says in one channel what the others say in four; its error counts for so much more.
INK_WEIGHT = 3.0


def style_weights(styles: torch.Tensor) -> torch.Tensor:
    """How much each picture's error counts, by its style's number."""
    return torch.where(styles == settings.NUMBERS["ink"], INK_WEIGHT, 1.0)


class Clock:
    """How far a stage has come. Minutes are counted over all its runs, so a cut run goes on where it was."""

    def __init__(self, minutes: float, spent: float = 0.0):
        self.minutes, self.spent, self.started = minutes, spent, time.monotonic()

    @property
    def elapsed(self) -> float:
        return self.spent + (time.monotonic() - self.started) / 60

    @property
    def fraction(self) -> float:
        return self.elapsed / self.minutes

    def rate(self, step: int, warm: int = 100, hold: float = 0.65) -> float:
        """Warm up, hold, then fall linearly to 3 %."""
        fall = 1.0 if self.fraction < hold else max(0.03, (1 - self.fraction) / (1 - hold))
        return min(1.0, (step + 1) / warm) * fall


def chances(seed: int) -> tuple[random.Random, np.random.Generator]:
    """What a run draws captions and pictures with; PyTorch's own numbers start from the seed too. A resumed run adds its steps to
    the seed, so that it does not see the same batches again."""
    torch.manual_seed(seed)
    return random.Random(seed), np.random.default_rng(seed)


def set_rates(made: list[torch.optim.Optimizer], rate: float) -> None:
    for optimiser in made:
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * rate


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def save(path: Path, **state) -> None:
    """A checkpoint is whole or absent: written beside, synced, renamed."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def one_thread_each() -> None:
    """Before many processes are started that each compute: PyTorch would give each as many threads as there are cores."""
    torch.set_num_threads(1)


class Running:
    """A running mean of a loss that is on its device until it is asked for, so that nothing waits for it."""

    def __init__(self, memory: float):
        self.memory, self.mean = memory, None

    def add(self, value: torch.Tensor) -> None:
        value = value.detach()
        self.mean = value if self.mean is None else torch.lerp(value, self.mean, self.memory)

    def item(self) -> float | None:
        return None if self.mean is None else self.mean.item()


class Log:
    """One JSON line a report, beside the checkpoint, and the same on the terminal."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, **values) -> None:
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
        with self.path.open("a") as file:
            file.write(json.dumps(rounded) + "\n")
        print(" ".join(f"{key} {value}" for key, value in rounded.items()), flush=True)
