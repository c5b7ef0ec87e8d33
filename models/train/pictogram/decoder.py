"""Trains the one-pass decoder 32×32 → 128×128.

    python -m pictogram.decoder --minutes 10

Inputs are the real small pictures, most of them with a little noise and blur, since what the denoiser draws is not clean, and with
`--drawn` also what the student itself draws of them, where that comes close; the loss is the error of the picture and of its
gradients. The decoder computes with the rounding of int8, and at the end its weights lie on the int8 grid.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import rounding, settings, training
from .captions import Captions, as_pictures
from .networks import Decoder, Model
from .sampling import sample, sheet
from .unpack import read_stage


# Standard deviations of the noise of single pixels and of blocks of 2×2 that spoiled pictures have at most.
FINE_NOISE, COARSE_NOISE = 0.1, 0.06
# How many pictures the student draws, which of them are close enough to the real ones, in dB, and their share of a batch.
DRAWN, CLOSE, DRAWN_SHARE = 5000, 21.0, 0.3


def spoil(small: torch.Tensor) -> torch.Tensor:
    """Half of the pictures as they are, half slightly wrong."""
    blurred = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    strength, fine, coarse, chance = torch.rand(4, len(small), 1, 1, 1, device=small.device)
    blocks = F.interpolate(torch.randn_like(small[..., ::2, ::2]), scale_factor=2)
    wrong = small + (blurred - small) * 0.5 * strength + torch.randn_like(small) * FINE_NOISE * fine.square() + blocks * COARSE_NOISE * coarse.square()
    return torch.where(chance < 0.5, small, wrong)


class Drawn:
    """What the student draws in four steps when it is asked for training pictures by name, where that is close to them; drawn once
    and kept in the work folder."""

    def __init__(self, captions: Captions, small: np.ndarray, work: Path, device: str):
        path = work / "drawn.npz"
        if not path.exists():
            indices = np.random.default_rng(0).choice(captions.training, DRAWN, replace=False, p=captions.weights)
            np.savez(path, indices=indices, pictures=draw_all(captions, indices, work, device))
        kept = np.load(path)
        error = np.square((kept["pictures"].astype(np.float32) - small[kept["indices"]]) / 255).mean((1, 2, 3))
        close = -10 * np.log10(error.clip(1e-10)) > CLOSE
        self.indices, self.pictures = kept["indices"][close], kept["pictures"][close]
        print(f"{close.sum()} of {len(close)} drawn pictures are within {CLOSE} dB of the real ones")

    def choose(self, count: int, chooser: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Indices of pictures, and what was drawn of them, in the order of the data."""
        places = chooser.choice(len(self.indices), count, replace=False)
        places = places[np.argsort(self.indices[places])]
        return self.indices[places], self.pictures[places]


@torch.no_grad()
def draw_all(captions: Captions, indices: np.ndarray, work: Path, device: str, batch: int = 100) -> np.ndarray:
    """uint8 N×32×32×4 of pictures asked for by their English names."""
    model = Model().to(device, memory_format=torch.channels_last).eval()
    model.load_state_dict(torch.load(work / "student.pt", map_location=device)["average"])
    made = []
    for part in np.array_split(indices, -(-len(indices) // batch)):
        ids = captions.encode([captions.rows[index]["words"]["en"][0] for index in part]).to(device)
        styles = torch.from_numpy(captions.styles[part]).to(device)
        pictures = sample(model, ids, styles, settings.SCHEDULES[4], 1.0, device, seed=int(part[0]))
        made.append(((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(made)


def gradients(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return picture[..., 1:] - picture[..., :-1], picture[..., 1:, :] - picture[..., :-1, :]


# What is left of an overshoot in the loss. Nothing at all would leave wrong extremes without a gradient.
LEAK = 0.05


def picture_loss(decoded: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """Error of the picture and of its gradients. What goes beyond black, white, clear or opaque costs next to nothing, since it
    is cut off: without that, clear and opaque places would hover around their values."""
    shown = decoded.clamp(-1, 1)
    decoded = shown + LEAK * (decoded - shown)
    loss = (decoded - picture).abs().mean()
    return loss + sum(0.5 * (a - b).abs().mean() for a, b in zip(gradients(decoded), gradients(picture)))


@torch.no_grad()
def judge(decoder, captions: Captions, small, large, device: str, path: Path) -> dict[str, float]:
    """Median PSNR in dB on held-out pictures, over all and by style, and a sheet: real above, decoded below."""
    indices = captions.validation
    with training.autocast(device):
        styles = torch.from_numpy(captions.styles[indices]).to(device)
        parts = [
            decoder(as_pictures(small[part], device), style).float().clamp(-1, 1)
            for part, style in zip(np.array_split(indices, 16), torch.tensor_split(styles, 16))
        ]
    decoded, real = torch.cat(parts), as_pictures(large[indices], device)
    error = ((decoded - real) / 2).square().mean((1, 2, 3)).clamp(min=1e-10)
    quality = -10 * error.log10()
    chosen = np.random.default_rng(0).choice(len(indices), 16, replace=False)
    sheet(torch.cat([real[chosen], decoded[chosen]]), path, 16, 1)
    by_style = {name: quality[styles == number + 1].median().item() for number, name in enumerate(settings.STYLES)}
    return {"psnr": quality.median().item(), **by_style}


def main() -> None:
    parser = training.arguments(__doc__, minutes=10, batch=32)
    parser.add_argument("--from-pack", type=Path, help="start from a pack's decoder")
    parser.add_argument("--drawn", action="store_true", help="learn from what the student draws, too")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions = Captions(options.work)
    small = np.load(options.work / "pictures32.npy")
    large = np.load(options.work / "pictures128.npy", mmap_mode="r")
    path = options.work / "decoder.pt"
    drawn = Drawn(captions, small, options.work, device) if options.drawn else None
    decoder = Decoder().to(device, memory_format=torch.channels_last)
    parameters = list(decoder.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        decoder.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    elif options.from_pack:
        decoder.load_state_dict(read_stage(options.from_pack, "decoder", Decoder()))
    rounding.round_layers(decoder)
    step, seen = state.get("step", 0), 0
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "decoder.jsonl")
    chooser = np.random.default_rng(options.seed + step)
    torch.manual_seed(options.seed + step)
    begun, next_save = clock.elapsed, clock.elapsed + 3

    def keep():
        training.save(path, model=decoder.state_dict(), optimiser=optimiser.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        for group in optimiser.param_groups:
            group["lr"] = 1.5e-3 * clock.rate(step, 100, 0.6)
        real = options.batch - (round(options.batch * DRAWN_SHARE) if drawn else 0)
        indices = np.sort(chooser.choice(captions.training, real, replace=False))
        inputs = spoil(as_pictures(small[indices], device))
        if drawn:
            others, pictures = drawn.choose(options.batch - real, chooser)
            indices, inputs = np.concatenate([indices, others]), torch.cat([inputs, as_pictures(pictures, device)])
        picture = as_pictures(large[indices], device)
        styles = torch.from_numpy(captions.styles[indices]).to(device)
        with training.autocast(device):
            decoded = decoder(inputs, styles)
        loss = picture_loss(decoded.float(), picture)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step, seen = step + 1, seen + options.batch
        if step % 100 == 0:
            speed = seen / (clock.elapsed - begun) / 60
            log(step=step, minutes=clock.elapsed, loss=loss.item(), pictures_per_second=speed, minutes_left=clock.minutes - clock.elapsed)
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + 3
    rounding.settle(decoder)
    keep()
    log(**judge(decoder, captions, small, large, device, options.work / "decoder.png"))


if __name__ == "__main__":
    main()
