"""Text alone: every way of naming a concept, in every language, is taught to lead to the same place.

    python -m pictogram.names --minutes 8

The concepts' places start as the mean of their pictures in the space of the `words` stage and may move; the
text encoder is trained to pick the concept out of all of them. No picture is looked at, so that a minute of
this sees as many captions as an hour of training on pictures.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import settings, training
from .captions import Captions, as_pictures
from .networks import PictureEncoder, TextEncoder
from .words import shorten


@torch.no_grad()
def places(pictures: PictureEncoder, captions: Captions, array, device: str) -> torch.Tensor:
    """Mean picture embedding of every concept; a concept with held-out pictures only keeps a random one."""
    total = torch.randn(captions.concepts.max() + 1, settings.WIDTH, device=device) * 1e-3
    for indices in np.array_split(captions.training, 64):
        with training.autocast(device):
            embedded = F.normalize(pictures(as_pictures(array[indices], device)).float(), dim=1)
        total.index_add_(0, torch.from_numpy(captions.concepts[indices]).to(device), embedded)
    return F.normalize(total, dim=1)


@torch.no_grad()
def named(text: TextEncoder, concepts: torch.Tensor, captions: Captions, device: str, language: str) -> float:
    """Share of held-out (concept, style) pairs whose bare name picks their concept first."""
    known = set(captions.concepts[captions.training].tolist())
    indices = [i for i in captions.validation if captions.concepts[i] in known and language in captions.rows[i]["words"]]
    with training.autocast(device):
        _, words = text.words(captions.encode([captions.rows[i]["words"][language][0] for i in indices]).to(device))
    picked = (F.normalize(words.float(), dim=1) @ F.normalize(concepts, dim=1).T).argmax(1).cpu()
    return (picked == torch.from_numpy(captions.concepts[indices])).float().mean().item()


def main() -> None:
    parser = training.arguments(__doc__, minutes=8, batch=384)
    parser.add_argument("--text", type=Path, help="checkpoint whose text encoder is taken instead of the words stage's")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    generator, chooser = training.chances(options.seed)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy", mmap_mode="r")
    words = torch.load(options.work / "words.pt", map_location=device)
    pictures = PictureEncoder().to(device, memory_format=torch.channels_last)
    pictures.load_state_dict(words["pictures"])
    text = TextEncoder().to(device)
    state = words["text"]
    if options.text:
        state = {name[5:]: value for name, value in torch.load(options.text, map_location=device)["average"].items() if name.startswith("text.")}
    text.load_state_dict(state)
    concepts = torch.nn.Parameter(places(pictures, captions, array, device))
    scale = torch.nn.Parameter(torch.tensor(2.7, device=device))
    rest = [p for n, p in text.named_parameters() if n != "token.weight"]
    groups = [{"params": [*rest, concepts, scale], "base": 1e-3}, {"params": [text.token.weight], "base": 4e-3}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.02, fused=True)
    clock, log, step = training.Clock(options.minutes), training.Log(options.work / "names.jsonl"), 0
    while clock.fraction < 1:
        training.set_rates([optimiser], clock.rate(step, 50, 0.4))
        indices = chooser.choice(captions.training, options.batch, replace=False)
        ids, _ = captions.batch(indices, generator, style_word=0.1)
        with training.autocast(device):
            _, pooled = text.words(shorten(ids).to(device))
        scores = F.normalize(pooled.float(), dim=1) @ F.normalize(concepts, dim=1).T * scale.exp()
        loss = F.cross_entropy(scores, torch.from_numpy(captions.concepts[indices]).to(device), label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            shares = {f"named_{language}": named(text, concepts, captions, device, language) for language in ("en", "zh", "ar")}
            log(step=step, minutes=clock.elapsed, loss=loss.item(), scale=scale.exp().item(), **shares)
    training.save(options.work / "names.pt", text=text.state_dict(), concepts=concepts.data)


if __name__ == "__main__":
    main()
