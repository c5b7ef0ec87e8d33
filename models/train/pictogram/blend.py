"""Takes a retrained student part of the way only: its weights and those of the pack that it started from, mixed.

    python -m pictogram.blend --from-pack ../pictogram --draft 0.6 --denoiser 0.8

What was learned last, colours, stays for the most part; what was lost for it, counts and bare names, comes back (Wortsman et
al. 2022, arXiv 2109.01903). `student.pt` becomes the mixture; 0 is the pack, 1 the student.
"""

import argparse
from pathlib import Path

import torch

from . import rounding, settings, training
from .networks import Model
from .unpack import load_pack


def mixed(old: dict, new: dict, draft: float, other: float) -> dict:
    share = lambda name: draft if name.startswith("draft.") else other  # noqa: E731
    return {name: value + (new[name] - value) * share(name) for name, value in old.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--from-pack", type=Path, required=True)
    parser.add_argument("--draft", type=float, required=True, help="the student's share in the draft")
    parser.add_argument("--denoiser", type=float, required=True, help="its share in everything else")
    options = parser.parse_args()
    pack, path = Model(), options.work / "student.pt"
    load_pack(options.from_pack, pack, options.work)
    state = torch.load(path, map_location="cpu")
    weights = mixed(pack.state_dict(), state["average"], options.draft, options.denoiser)
    pack.load_state_dict(state["average"])
    if rounding.is_settled(pack):
        # What was trained on the int8 grid stays on it.
        pack.load_state_dict(weights)
        rounding.settle(pack)
        weights = pack.state_dict()
    training.save(path, model=weights, average=weights, step=state["step"], minutes=state["minutes"])


if __name__ == "__main__":
    main()
