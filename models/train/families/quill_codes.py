"""Trains the codebook of `quill`, and writes every portrait's tokens.

    python -m families.quill_codes --minutes 30

Goes on from `codes.pt`; at the end writes `tokens.npy`, of every portrait and of its mirror image (2×N×64).
"""

import numpy as np
import torch
from pictogram import rounding, sampling, training

from . import looping
from .blend import difference, psnr
from .portraits import Portraits
from .quill_networks import Codebook


@torch.no_grad()
def write_tokens(model: Codebook, portraits: Portraits, device: str) -> np.ndarray:
    everything, made = np.arange(len(portraits.rows)), []
    for mirrored in (False, True):
        parts = [portraits.batch(part, device, np.full(len(part), mirrored)) for part in np.array_split(everything, -(-len(everything) // 64))]
        made.append(torch.cat([model.quantizer.tokens(model.encoder(part)) for part in parts]).cpu().numpy())
    return np.stack(made).astype(np.int16)


def main() -> None:
    options = looping.arguments(__doc__, minutes=30, batch=8).parse_args()
    device, portraits = training.pick_device(options.device), Portraits(options.work)
    torch.manual_seed(options.seed)

    def loss(network, chooser):
        chosen = chooser.choice(portraits.training, options.batch)
        pictures = portraits.batch(chosen, device, chooser.random(options.batch) < 0.5)
        error = difference(network(pictures).float(), pictures)
        return error, {"error": error}

    @torch.no_grad()
    def judge(average):
        pictures = portraits.batch(portraits.validation, device)
        made = torch.cat([average(part).float() for part in pictures.split(32)])
        sampling.sheet(torch.stack([pictures, made], 1)[:30].flatten(0, 1), options.work / "codes.png", 10, 1)
        return {"psnr": psnr(made, pictures).mean().item()}

    model = looping.run(Codebook(), options, "codes", loss, judge)
    rounding.round_layers(model)
    tokens = write_tokens(model, portraits, device)
    np.save(options.work / "tokens.npy", tokens)
    print(f"{len(np.unique(tokens))} of the codes are used")


if __name__ == "__main__":
    main()
