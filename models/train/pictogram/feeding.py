"""Batches of pictures and prompts, made ahead of the network that learns from them: by worker processes where it runs on a GPU.

Depends on `attributes` for what is asked.
"""

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import training
from .attributes import Asking
from .captions import as_pictures

# One process makes some 5,000 prompts a second.
WORKERS = 15


class Asked(IterableDataset):
    """Endless batches of uint8 pictures N×32×32×4, token rows N×24 and style numbers N, another sequence in every process."""

    def __init__(self, asking: Asking, batch: int, seed: int, **chances: float):
        self.asking, self.batch, self.seed, self.chances = asking, batch, seed, chances

    def __iter__(self):
        worker = get_worker_info()
        generator, chooser = training.chances(self.seed * 1000 + worker.id if worker else self.seed)
        captions = self.asking.captions
        while True:
            indices = chooser.choice(captions.training, self.batch, p=captions.weights)
            pictures, ids, styles = self.asking.batch(indices, generator, **self.chances)
            yield torch.from_numpy(pictures), ids, styles


def feed(asked: Asked, device: str) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Float pictures N×4×32×32 in [-1, 1], token rows and style numbers, on the device."""
    workers = 0
    if device == "cuda":
        workers = min(WORKERS, max(1, (os.cpu_count() or 1) - 1))
        # The tokenizer's own threads do not survive a fork.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        training.one_thread_each()
    loader = DataLoader(asked, batch_size=None, num_workers=workers, pin_memory=workers > 0, prefetch_factor=4 if workers else None)
    for pictures, ids, styles in loader:
        pictures, ids, styles = (part.to(device, non_blocking=True) for part in (pictures, ids, styles))
        yield as_pictures(pictures, device), ids, styles
