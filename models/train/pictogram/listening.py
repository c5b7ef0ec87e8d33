"""How much a denoiser listens to its prompt: its error with the right prompt and with others.

    python -m pictogram.listening --network teacher

Squared error of the predicted picture on training pictures, by time, with their own names, the same in Chinese,
another picture's name, no words, and another picture's style. What the picture shows is decided at time 0, where
there is nothing but the prompt: right and wrong have to lie far apart there.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch

from . import settings, training
from .captions import Captions, as_pictures
from .networks import Model

TIMES = [0.0, 0.1, 0.3, 0.6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--network", choices=["teacher", "student"], default="teacher")
    parser.add_argument("--weights", choices=["average", "model"], default="average")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, array = Captions(options.work), np.load(options.work / "pictures32.npy", mmap_mode="r")
    model = Model().eval().to(device)
    model.load_state_dict(torch.load(options.work / f"{options.network}.pt", map_location=device)[options.weights])
    torch.manual_seed(0)
    chooser = random.Random(5)
    indices = np.sort(chooser.sample([int(i) for i in captions.training if captions.rows[i]["emoji"]], options.pictures))
    others = chooser.sample(range(len(indices)), len(indices))
    pictures, styles = as_pictures(array[indices], device), torch.from_numpy(captions.styles[indices]).to(device)
    names, chinese = ([captions.rows[i]["words"][language][0] for i in indices] for language in ("en", "zh"))
    asked = {
        "right": (names, styles),
        "chinese": (chinese, styles),
        "wrong": ([names[i] for i in others], styles),
        "empty": ([""] * len(names), styles),
        "wrong style": (names, styles[others]),
    }
    print("time   " + "".join(f"{name:>12}" for name in asked))
    for time in TIMES:
        noisy = (1 - time) * torch.randn_like(pictures) + time * pictures
        times = torch.full((len(indices),), time, device=device)
        with torch.no_grad(), training.autocast(device):
            errors = [
                (model(noisy, times, captions.encode(texts).to(device), of).float() - pictures).square().mean().item() for texts, of in asked.values()
            ]
        print(f"{time:<7}" + "".join(f"{error:12.4f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
