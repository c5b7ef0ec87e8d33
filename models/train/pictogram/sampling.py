"""Sampling with the flow of straight lines, and sheets of pictures to look at.

Time runs from 0 (noise) to 1 (picture); x_t = (1 - t)·noise + t·picture; the denoiser predicts the picture.
"""

import contextlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import settings, training
from .captions import Captions

CONCEPTS = ["cat face", "red apple", "guitar", "rocket", "grinning face", "deciduous tree", "dragon", "pizza", "sun", "house", "robot", "octopus"]


def euler_step(x, picture, start, end):
    """Moves from time `start` to `end` along the line to the predicted picture."""
    rate = (end - start) / (1 - start).clamp(min=0.02)
    return x + (picture - x) * rate[:, None, None, None]


@torch.no_grad()
def guided(model, x, time, conditioned, unconditioned, guidance: float, device: str, exact: bool = False):
    """Prediction moved away from the empty prompt's by `guidance` (1: the prompt's own); `exact` computes in f32."""
    with contextlib.nullcontext() if exact else training.autocast(device):
        if guidance == 1:
            return model.denoiser(x, time, *conditioned).float()
        both = [torch.cat(pair) for pair in zip(conditioned, unconditioned)]
        with_text, without = model.denoiser(torch.cat([x, x]), torch.cat([time, time]), *both).float().chunk(2)
    return without + guidance * (with_text - without)


@torch.no_grad()
def sample(model, ids, styles, times: list[float], guidance: float, device: str, seed: int = 0):
    """Pictures N×4×32×32 in [-1, 1]."""
    noise = torch.Generator().manual_seed(seed)
    x = torch.randn(len(ids), settings.CHANNELS, settings.PICTURE, settings.PICTURE, generator=noise).to(device)
    empty = torch.full_like(ids, settings.PAD)
    empty[:, 0] = settings.START
    with training.autocast(device):
        conditioned, unconditioned = model.prompt(ids, styles), model.prompt(empty, styles)
    for start, end in zip(times, times[1:]):
        start, end = (torch.full((len(ids),), value, device=device) for value in (start, end))
        x = euler_step(x, guided(model, x, start, conditioned, unconditioned, guidance, device), start, end)
    return x.clamp(-1, 1)


def teacher_times(steps: int) -> list[float]:
    return [(step / steps) ** 1.3 for step in range(steps + 1)]


def sheet(pictures: torch.Tensor, path: Path, columns: int, enlarge: int = 3) -> None:
    """Pictures on white, `columns` a row."""
    pictures = ((pictures.float().cpu().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).numpy()
    pictures = (pictures[..., :3] + 1 - pictures[..., 3:]).clip(0, 1).repeat(enlarge, 1).repeat(enlarge, 2)
    cell, rows = pictures.shape[1] + 2, -(-len(pictures) // columns)
    page = np.ones((rows * cell, columns * cell, 3), np.float32)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        page[row * cell : row * cell + picture.shape[0], column * cell : column * cell + picture.shape[1]] = picture
    Image.fromarray((page * 255).round().astype(np.uint8)).save(path)


def standard_prompts(captions: Captions, device: str):
    """Every style by twelve concepts."""
    styles = torch.arange(1, len(settings.STYLES) + 1).repeat_interleave(len(CONCEPTS))
    return captions.encode(CONCEPTS * len(settings.STYLES)).to(device), styles.to(device)


def standard_sheet(model, captions: Captions, path: Path, times: list[float], guidance: float, device: str) -> None:
    ids, styles = standard_prompts(captions, device)
    sheet(sample(model, ids, styles, times, guidance, device), path, len(CONCEPTS))


# Things with dozens to hundreds of pictures in the second data set, and two that are put together.
OPEN_THINGS = ["cat", "dog", "house", "deciduous tree", "automobile", "fish", "elephant", "woman", "cat face wearing crown", "castle in the snow"]
SEEDS = 8


def open_sheet(model, captions: Captions, path: Path, times: list[float], guidance: float, device: str) -> None:
    """Things by seeds, with the style left open."""
    ids = captions.encode([thing for thing in OPEN_THINGS for _ in range(SEEDS)]).to(device)
    sheet(sample(model, ids, torch.full((len(ids),), settings.OPEN, device=device), times, guidance, device), path, SEEDS)
