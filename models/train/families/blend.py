"""Trains the variational autoencoder of `blend`.

    python -m families.blend --minutes 60

May be cut anywhere: it goes on from `blend.pt` until `--minutes` are spent over all runs together. Pictures become 128 numbers and pictures
again; what is minimised is the difference of pixels at several sizes, that of their edges, and, by little, what the numbers' distribution
differs from a normal one by (Kingma & Welling, arXiv 1312.6114; β of Higgins et al. 2017). Linear layers start as principal components and
least squares, which say in half a minute what an hour of descent does not reach on one core. For the last part of the time the layers
compute with the rounding of int8.
"""

import numpy as np
import torch
import torch.nn.functional as F
from pictogram import sampling, training

from . import looping
from .blend_networks import DRAFT, SEEN, Autoencoder, shrunk
from .portraits import Portraits

# How much edges count beside pixels, and large areas' squared difference, by which colours are learned first.
EDGES, AREAS = 0.5, 4.0


def difference(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference at three sizes, that of the steps between neighbours, and the squared one of areas of 8×8."""
    total = torch.zeros((), device=made.device)
    for level in range(3):
        total = total + (made - wanted).abs().mean()
        if level == 0:
            for axis in (2, 3):
                total = total + EDGES * (made.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean()
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return total + AREAS * (made - wanted).square().mean()


def psnr(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Decibels a picture, of N×C×H×W in [-1, 1]."""
    return 10 * torch.log10(4 / (made.clamp(-1, 1) - wanted).square().mean((1, 2, 3)).clamp_min(1e-10))


@torch.no_grad()
def compare(model: Autoencoder, portraits: Portraits, device: str) -> tuple[float, torch.Tensor]:
    """Mean PSNR on the pictures kept for judging, and both beside each other."""
    made = []
    pictures = portraits.batch(portraits.validation, device)
    for part in pictures.split(32):
        made.append(model.decoder(model.encoder(part)[0]).float())
    made = torch.cat(made)
    return psnr(made, pictures).mean().item(), torch.stack([pictures, made], 1)


def main() -> None:
    parser = looping.arguments(__doc__, minutes=60, batch=8)
    parser.add_argument("--beta", type=float, default=2e-5, help="how much a nat of divergence counts")
    options = parser.parse_args()
    device, portraits = training.pick_device(options.device), Portraits(options.work)
    torch.manual_seed(options.seed)

    def loss(network, chooser):
        chosen = chooser.choice(portraits.training, options.batch)
        pictures = portraits.batch(chosen, device, chooser.random(options.batch) < 0.5)
        drawn, divergence = network(pictures)
        error = difference(drawn.float(), pictures)
        return error + options.beta * divergence.mean(), {"error": error, "divergence": divergence.mean()}

    def judge(average):
        decibels, pairs = compare(average, portraits, device)
        sampling.sheet(pairs[:30].flatten(0, 1), options.work / "blend.png", 10, 1)
        return {"psnr": decibels}

    model = Autoencoder().to(device)
    if not (options.work / "blend.pt").exists():
        parts = [portraits.batch(part, device) for part in np.array_split(portraits.training, 64)]
        seen, drafts = (torch.cat([shrunk(part, side).flatten(1) for part in parts]) for side in (SEEN, DRAFT))
        model.begin(seen, drafts)
        print(f"{compare(model, portraits, device)[0]:.1f} dB to begin with", flush=True)
        del parts, seen, drafts
    looping.run(model, options, "blend", loss, judge, solved=("encoder.mean", "decoder.draft"))


if __name__ == "__main__":
    main()
