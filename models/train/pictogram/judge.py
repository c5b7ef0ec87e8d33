"""The judge: an image–text network that takes no part in making pictures.

    python -m pictogram.judge --minutes 10 [--many]

It sees 64×64 pictures where the model's own word stage sees 32×32, has another shape and another seed, and reads a
prompt as a bag of tokens. Pictures and prompts are both trained to pick their concept out of all concepts; the
judge never sees the held-out pictures, nor one in twenty-five of those that the model is trained on; its retrieval on
these, the real ones, is the ceiling for drawn ones. With `--many` it also learns the second data set, whose things
are the same concepts where the lexicon gives them the same name.
"""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import settings, training
from .captions import Captions, as_pictures
from .many import Many, draw_strokes

SIDE, FEATURES = 64, 256


class JudgeBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(8, outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs)

    def forward(self, x):
        h = F.gelu(self.norm1(self.conv1(x)))
        return h + F.gelu(self.norm2(self.conv2(h)))


class Judge(nn.Module):
    """Pictures N×4×64×64 and token rows N×24 → features N×256 of unit length."""

    def __init__(self, concepts: int = 0):
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(4, 64, 5, stride=4, padding=2), JudgeBlock(64, 128), JudgeBlock(128, 256))
        self.out = nn.Sequential(nn.Dropout(0.2), nn.Linear(256 * 16, FEATURES))
        self.words = nn.Embedding(settings.VOCABULARY, FEATURES, padding_idx=settings.PAD)
        self.mix = nn.Sequential(nn.Linear(FEATURES, 2 * FEATURES), nn.GELU(), nn.Linear(2 * FEATURES, FEATURES))
        self.concepts = nn.Parameter(torch.randn(concepts, FEATURES) * FEATURES**-0.5)
        self.scale = nn.Parameter(torch.tensor(2.7))
        nn.init.normal_(self.words.weight, std=0.3)

    def see(self, pictures):
        return F.normalize(self.out(self.blocks(pictures).flatten(1)).float(), dim=1)

    def read(self, ids):
        kept = ((ids != settings.PAD) & (ids != settings.START)).float()[:, :, None]
        pooled = (self.words(ids) * kept).sum(1) / kept.sum(1).clamp(min=1)
        return F.normalize((pooled + self.mix(pooled)).float(), dim=1)

    def choose(self, features):
        """Scores of all concepts."""
        return features @ F.normalize(self.concepts, dim=1).T * self.scale.exp()


def shrunk(array: np.ndarray) -> np.ndarray:
    """uint8 N×128×128×4 → N×64×64×4, means of 2×2 rounded up at halves."""
    side = array.shape[1] // 2
    rows = array.reshape(len(array), side, 2, 2 * side, 4)
    pairs = (rows[:, :, 0].astype(np.uint16) + rows[:, :, 1]).reshape(len(array), side, side, 2, 4)
    return ((pairs[..., 0, :] + pairs[..., 1, :] + 2) // 4).astype(np.uint8)


class Gallery:
    """The pictures that the judge learns from, uint8 N×64×64×4, with the numbers of their concepts."""

    def __init__(self, captions: Captions, work: Path):
        self.captions, self.concepts, self.training = captions, captions.concepts, captions.judge_training
        self.pictures = shrunk_file(work / "pictures128.npy")
        self.many, self.first = None, len(self.pictures)

    def add(self, many: Many, work: Path) -> None:
        """Also the second data set, but for what is kept from the model as well."""
        names = {row["words"]["en"][0].lower(): number for row, number in zip(self.captions.rows, self.captions.concepts)}
        texts = [(row["text"] or row["name"]).lower() for row in many.rows]
        for text in sorted(set(texts) - names.keys()):
            names[text] = len(names)
        generator = random.Random(0)
        doodles = [draw_strokes(row["strokes"], SIDE, generator) for row in many.rows if "strokes" in row]
        self.many = many
        self.pictures = np.concatenate([self.pictures, shrunk_file(work / "many128.npy"), np.stack(doodles)])
        self.concepts = np.concatenate([self.concepts, [names[text] for text in texts]])
        self.training = np.concatenate([self.training, self.first + many.training])

    def prompts(self, indices: np.ndarray, generator: random.Random) -> torch.Tensor:
        """Token rows of one of the many ways to ask for each picture."""
        known = lambda i: self.captions.text(i, generator) if i < self.first else self.many.text(i - self.first, generator)[1]  # noqa: E731
        return self.captions.encode([known(int(index)) for index in indices])


def shrunk_file(path: Path) -> np.ndarray:
    array = np.load(path, mmap_mode="r")
    return np.concatenate([shrunk(array[begin : begin + 512]) for begin in range(0, len(array), 512)])


def augment(pictures: torch.Tensor) -> torch.Tensor:
    """Each shifted, enlarged or shrunk a little, some mirrored, grey or noisy, so that the judge looks at things and not at single pixels."""
    count = len(pictures)
    frame = torch.zeros(count, 2, 3, device=pictures.device)
    frame[:, 0, 0] = frame[:, 1, 1] = 1 + 0.15 * (2 * torch.rand(count) - 1)
    frame[:, 0, 0] *= torch.where(torch.rand(count) < 0.3, -1.0, 1.0)
    frame[:, :, 2] = 0.15 * (2 * torch.rand(count, 2) - 1)
    grid = F.affine_grid(frame, list(pictures.shape), align_corners=False)
    # Outside of a picture is nothing: -1 in all channels.
    pictures = F.grid_sample(pictures + 1, grid, align_corners=False) - 1
    grey = torch.where(torch.rand(count, 1, 1, 1) < 0.2, 1.0, 0.0).to(pictures.device)
    pictures[:, :3] = torch.lerp(pictures[:, :3], pictures[:, :3].mean(1, keepdim=True), grey)
    return pictures + 0.15 * torch.rand(count, 1, 1, 1, device=pictures.device) * torch.randn_like(pictures)


def load(work: Path, device: str = "cpu") -> Judge:
    state = torch.load(work / "judge.pt", map_location=device)["model"]
    judge = Judge(len(state["concepts"])).to(device).eval()
    judge.load_state_dict(state)
    return judge


def main() -> None:
    parser = training.arguments(__doc__, minutes=10, batch=128)
    options = parser.parse_args()
    device = training.pick_device(options.device)
    path = options.work / "judge.pt"
    state = torch.load(path, map_location=device) if path.exists() else {}
    step, seed = state.get("step", 0), options.seed + 1000 + state.get("step", 0)
    generator, chooser = training.chances(seed)
    captions = Captions(options.work)
    gallery = Gallery(captions, options.work)
    if options.many:
        gallery.add(Many(captions, options.work), options.work)
    judge = Judge(int(gallery.concepts.max()) + 1).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([{"params": judge.parameters(), "base": 2e-3}], lr=2e-3, weight_decay=0.05, fused=True)
    if state:
        judge.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "judge.jsonl")
    next_save = clock.elapsed + 3

    def keep():
        training.save(path, model=judge.state_dict(), optimiser=optimiser.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        training.set_rates([optimiser], clock.rate(step, 50, 0.3))
        indices = np.sort(chooser.choice(gallery.training, options.batch, replace=False))
        concepts = torch.from_numpy(gallery.concepts[indices]).to(device)
        ids = torch.cat([gallery.prompts(indices, generator) for _ in range(2)]).to(device)
        pictures = augment(as_pictures(gallery.pictures[indices], device))
        with training.autocast(device):
            seen = judge.see(pictures)
        loss_seen = F.cross_entropy(judge.choose(seen), concepts, label_smoothing=0.05)
        loss_read = F.cross_entropy(judge.choose(judge.read(ids)), concepts.repeat(2), label_smoothing=0.05)
        optimiser.zero_grad()
        (loss_seen + loss_read).backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            log(step=step, minutes=clock.elapsed, seen=loss_seen.item(), read=loss_read.item())
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
    keep()


if __name__ == "__main__":
    main()
