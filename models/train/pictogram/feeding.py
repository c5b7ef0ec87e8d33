"""Batches of pictures and prompts, made ahead of the network that learns from them: by worker processes where it runs on a GPU.

Depends on what pictures are drawn from: `attributes` (pictograms), `many` (the second data set), `composing` (things put together).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import training
from .attributes import Asking
from .captions import Captions, as_pictures
from .composing import Compositions
from .many import Many

# One process makes some 5,000 prompts a second.
WORKERS = 15
# Shares of a batch with the second data set. The styles that packs have must not fade, and they have nine pictures a thing against
# dozens to hundreds there: half is pictograms. Compositions are made of pictograms, too.
SHARES = {"pictograms": 0.5, "many": 0.36, "compositions": 0.14}


class Mixture:
    """Sources of pictures with their shares of a batch; each has `draw(count, generator, chooser, **chances)`."""

    def __init__(self, sources: dict, shares: dict[str, float]):
        self.sources, self.names = sources, list(sources)
        weights = np.array([shares[name] for name in self.names])
        self.shares = weights / weights.sum()

    def draw(self, count: int, generator, chooser: np.random.Generator, **chances: float):
        """uint8 pictures N×32×32×4, token rows N×24 and style numbers N, in an order that has nothing to do with their sources."""
        counts = chooser.multinomial(count, self.shares)
        drawn = [self.sources[name].draw(int(part), generator, chooser, **chances) for name, part in zip(self.names, counts) if part]
        pictures, ids, styles = zip(*drawn)
        order = chooser.permutation(count)
        return np.concatenate(pictures)[order], torch.cat(ids)[order], torch.cat(styles)[order]


def source(work: Path, many: bool):
    """What training pictures are drawn from: pictograms as they are, or with `many` copies of them among the second data set."""
    captions, array = Captions(work), np.load(work / "pictures32.npy")
    if not many:
        return Asking(captions, array)
    sources = {"pictograms": Asking(captions, array, varied=True), "many": Many(captions, work), "compositions": Compositions(captions, work)}
    return Mixture(sources, SHARES)


class Asked(IterableDataset):
    """Endless batches of uint8 pictures N×32×32×4, token rows N×24 and style numbers N, another sequence in every process."""

    def __init__(self, source, batch: int, seed: int, **chances: float):
        self.source, self.batch, self.seed, self.chances = source, batch, seed, chances

    def __iter__(self):
        worker = get_worker_info()
        generator, chooser = training.chances(self.seed * 1000 + worker.id if worker else self.seed)
        while True:
            pictures, ids, styles = self.source.draw(self.batch, generator, chooser, **self.chances)
            yield torch.from_numpy(pictures), ids, styles


def feed(asked: Asked, device: str) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Float pictures N×4×32×32 in [-1, 1], token rows and style numbers, on the device."""
    workers = 0
    if device == "cuda":
        cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        workers = min(WORKERS, max(1, cores - 1))
        # The tokenizer's own threads do not survive a fork.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        training.one_thread_each()
    loader = DataLoader(asked, batch_size=None, num_workers=workers, pin_memory=workers > 0, prefetch_factor=4 if workers else None)
    for pictures, ids, styles in loader:
        pictures, ids, styles = (part.to(device, non_blocking=True) for part in (pictures, ids, styles))
        yield as_pictures(pictures, device), ids, styles
