"""Words first: a contrastive image–text network whose text side starts the text encoder.

    python -m pictogram.words --minutes 8

Two losses on the same batch: pictures against their captions, and captions against the same concept's
captions in other languages, which lines up the languages without a single picture.
"""

import random

import numpy as np
import torch
import torch.nn.functional as F

from . import settings, training
from .captions import Captions, as_pictures
from .networks import PictureEncoder, TextEncoder


def augment(pictures: torch.Tensor, generator: random.Random) -> torch.Tensor:
    shift = (generator.randint(-2, 2), generator.randint(-2, 2))
    return torch.roll(pictures, shift, (2, 3)) + 0.05 * torch.randn_like(pictures)


def contrast(left: torch.Tensor, right: torch.Tensor, scale: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    scores = (left @ right.T * scale.exp()).masked_fill(same, -1e4)
    target = torch.arange(len(left), device=left.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def shorten(ids: torch.Tensor) -> torch.Tensor:
    """Without the columns that are padding in every row."""
    return ids[:, : int((ids != settings.PAD).sum(1).max())]


@torch.no_grad()
def retrieval(pictures: PictureEncoder, text: TextEncoder, captions: Captions, array, device: str, language: str) -> tuple[float, float]:
    """R@1 and R@5 among the held-out pictures."""
    indices = captions.validation
    words = [row["words"].get(language, row["words"]["en"]) for row in (captions.rows[i] for i in indices)]
    ids = captions.encode([", ".join([name, *keywords[:4]]) for name, keywords in words]).to(device)
    with training.autocast(device):
        a = F.normalize(pictures(as_pictures(array[indices], device)).float(), dim=1)
        b = F.normalize(text.words(ids)[1].float(), dim=1)
    scores = a @ b.T
    rank = (scores > scores.diag()[:, None]).sum(1)
    return (rank < 1).float().mean().item(), (rank < 5).float().mean().item()


def main() -> None:
    parser = training.arguments(__doc__, minutes=7, batch=256)
    options = parser.parse_args()
    device = training.pick_device(options.device)
    generator, chooser = training.chances(options.seed)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy")
    pictures = PictureEncoder().to(device, memory_format=torch.channels_last)
    text = TextEncoder().to(device)
    scale = torch.nn.Parameter(torch.tensor(2.3, device=device))
    rest = [p for n, p in text.named_parameters() if n != "token.weight"]
    # A rare word is seen a few times only: its vector has to move fast.
    groups = [{"params": [*pictures.parameters(), *rest, scale], "base": 1e-3}, {"params": [text.token.weight], "base": 6e-3}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05, fused=True)
    clock, log, step = training.Clock(options.minutes), training.Log(options.work / "words.jsonl"), 0
    while clock.fraction < 1:
        training.set_rates([optimiser], clock.rate(step, 50, 0.4))
        indices = chooser.choice(captions.training, options.batch, replace=False)
        first, _ = captions.batch(indices, generator)
        second, _ = captions.batch(indices, generator)
        concepts = torch.from_numpy(captions.concepts[indices])
        same = ((concepts[:, None] == concepts) & ~torch.eye(len(indices), dtype=torch.bool)).to(device)
        with training.autocast(device):
            image = pictures(augment(as_pictures(array[indices], device), generator))
            _, words = text.words(shorten(torch.cat([first, second])).to(device))
        image, (a, b) = F.normalize(image.float(), dim=1), F.normalize(words.float(), dim=1).chunk(2)
        loss = contrast(image, a, scale, same) + 0.5 * contrast(a, b, scale, same)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            english, chinese = (retrieval(pictures, text, captions, array, device, language) for language in ("en", "zh"))
            log(step=step, minutes=clock.elapsed, loss=loss.item(), english_r1=english[0], english_r5=english[1], chinese_r5=chinese[1])
    training.save(options.work / "words.pt", text=text.state_dict(), pictures=pictures.state_dict())


if __name__ == "__main__":
    main()
