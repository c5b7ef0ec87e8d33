"""Trains the enlarger 128×128 → 256×256, which is applied again for larger pictures.

    python -m pictogram.enlarger --data PICTOGRAMS --from-pack ../pictogram --minutes 60

Inputs are parts of the pictures shrunk to 128×128 and, for the other half, of what the pack's decoder makes of them at 32×32, since that
is what will be enlarged; the pictures themselves, 256×256, are what they should become. Sprites are left out: they are enlarged by
whole pixels. The loss is that of the decoder. The layers between the first and the last compute with the rounding of int8, and at the
end their weights lie on the int8 grid. `prepare` comes before.
"""

import random
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from . import rounding, settings, training
from .captions import Captions, as_pictures
from .decoder import picture_loss
from .networks import Decoder, Enlarger
from .prepare import read_picture
from .sampling import sheet
from .unpack import read_stage

# Side of the parts that are learned, in pixels of the input, and the share of them that the decoder made.
PART, DECODED_SHARE = 64, 0.5
# Share of pictures whose red, green and blue change places, and of those that are slightly blurred or noisy.
SHUFFLED, SPOILED, NOISE = 0.25, 0.2, 0.02
# One picture in so many is used.
EVERY = 3
SIDE = 2 * settings.OUTPUT


class Pairs:
    """Inputs uint8 N×128×128×4, shrunk and decoded, and what they should become, N×256×256×4. All may lie in files."""

    def __init__(self, shrunk: np.ndarray, decoded: np.ndarray, large: np.ndarray):
        self.shrunk, self.decoded, self.large = shrunk, decoded, large

    def part(self, index: int, generator: random.Random) -> tuple[np.ndarray, np.ndarray]:
        """A part of a picture, turned and mirrored at random, and what it should become."""
        inputs = self.decoded if generator.random() < DECODED_SHARE else self.shrunk
        top, left = (generator.randrange(settings.OUTPUT - PART + 1) for _ in range(2))
        small = inputs[index, top : top + PART, left : left + PART]
        large = self.large[index, 2 * top : 2 * (top + PART), 2 * left : 2 * (left + PART)]
        turns, is_mirrored = generator.randrange(4), generator.random() < 0.5
        order = [*generator.sample(range(3), 3), 3] if generator.random() < SHUFFLED else [0, 1, 2, 3]
        return tuple(turned(picture, turns, is_mirrored)[..., order] for picture in (small, large))

    def batch(self, indices: np.ndarray, generator: random.Random, device: str) -> tuple[torch.Tensor, torch.Tensor]:
        small, large = zip(*(self.part(index, generator) for index in indices))
        return as_pictures(np.stack(small), device), as_pictures(np.stack(large), device)


def turned(picture: np.ndarray, turns: int, is_mirrored: bool) -> np.ndarray:
    picture = np.rot90(picture, turns)
    return picture[:, ::-1] if is_mirrored else picture


def spoil(pictures: torch.Tensor) -> torch.Tensor:
    """Some of the pictures slightly blurred and noisy, the others as they are."""
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    strength, noise, chance = torch.rand(3, len(pictures), 1, 1, 1, device=pictures.device)
    wrong = pictures + (blurred - pictures) * 0.4 * strength + torch.randn_like(pictures) * NOISE * noise
    return torch.where(chance < SPOILED, wrong, pictures)


def used(captions: Captions) -> np.ndarray:
    """Indices of the pictures that are no sprites: of those to learn from every third, since edges are alike, and all that are held out."""
    is_used = np.arange(len(captions.rows)) % EVERY == 0
    is_used[captions.validation] = True
    return np.flatnonzero(is_used & (captions.styles != settings.NUMBERS["pixel"]))


def read_large(data: Path, captions: Captions, path: Path) -> np.ndarray:
    """The pictures at 256×256, premultiplied, in a file that is made if it is missing. Rows that are not used stay empty."""
    if not path.exists():
        tars = {style: tarfile.open(data / f"{style}.tar") for style in settings.STYLES}
        made = np.lib.format.open_memmap(path.with_suffix(".tmp"), "w+", np.uint8, (len(captions.rows), SIDE, SIDE, 4))
        for index in used(captions):
            row = captions.rows[index]
            file = tars[row["style"]].extractfile(f"{row['style']}/{row['key']}.webp")
            made[index] = read_picture(file.read()).round()
        made.flush()
        path.with_suffix(".tmp").rename(path)
    return np.load(path, mmap_mode="r")


@torch.no_grad()
def read_decoded(pack: Path | None, captions: Captions, work: Path, device: str, batch: int = 64) -> np.ndarray:
    """What the pack's decoder makes of the pictures at 32×32, in a file that is made if it is missing."""
    path = work / "decoded128.npy"
    if not path.exists():
        if pack is None:
            raise SystemExit(f"{path} is missing: name the pack whose decoder makes it with --from-pack")
        decoder = Decoder().to(device).eval()
        decoder.load_state_dict(read_stage(pack, "decoder", decoder))
        small, made = np.load(work / "pictures32.npy"), np.zeros((len(captions.rows), settings.OUTPUT, settings.OUTPUT, 4), np.uint8)
        for part in np.array_split(used(captions), len(captions.rows) // batch):
            styles = torch.from_numpy(captions.styles[part]).to(device)
            with training.autocast(device):
                decoded = decoder(as_pictures(small[part], device), styles)
            made[part] = as_bytes(decoded)
        np.save(path.with_suffix(".part.npy"), made)
        path.with_suffix(".part.npy").rename(path)
    return np.load(path, mmap_mode="r")


def as_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Pictures in [-1, 1] → uint8 N×side×side×4."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def resized(pictures: np.ndarray, side: int, kind: Image.Resampling) -> np.ndarray:
    """Premultiplied pictures by one of Pillow's filters."""
    return np.stack([np.asarray(Image.fromarray(picture, "RGBa").resize((side, side), kind)) for picture in pictures])


def psnr(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """In dB, one a picture."""
    error = np.square((made.astype(np.float32) - real) / 255).mean((1, 2, 3))
    return -10 * np.log10(error.clip(1e-10))


@torch.no_grad()
def enlarge(enlarger: Enlarger, pictures: np.ndarray, device: str) -> np.ndarray:
    return np.concatenate([as_bytes(enlarger(as_pictures(part, device))) for part in np.array_split(pictures, -(-len(pictures) // 8))])


def judge(enlarger: Enlarger, pairs: Pairs, captions: Captions, indices: np.ndarray, path: Path, device: str) -> dict[str, float]:
    """Median PSNR of the enlarged pictures and of filters' in dB, and a sheet: input, Lanczos, enlarged, real."""
    figures, real = {}, pairs.large[indices]
    for name, inputs in (("shrunk", pairs.shrunk[indices]), ("decoded", pairs.decoded[indices])):
        made = enlarge(enlarger, inputs, device)
        filtered = {kind: resized(inputs, SIDE, Image.Resampling[kind.upper()]) for kind in ("bicubic", "lanczos")}
        quality = psnr(made, real)
        figures[name] = float(np.median(quality))
        figures |= {f"{name}_{kind}": float(np.median(psnr(pictures, real))) for kind, pictures in filtered.items()}
        if name == "decoded":
            for style in settings.STYLES:
                chosen = captions.styles[indices] == settings.NUMBERS[style]
                figures |= {style: float(np.median(quality[chosen]))} if chosen.any() else {}
            few = slice(0, len(indices), -(-len(indices) // 8))
            rows = (resized(inputs[few], SIDE, Image.Resampling.NEAREST), filtered["lanczos"][few], made[few], real[few])
            sheet(torch.cat([as_pictures(row, "cpu") for row in rows]), path, len(rows[0]), 1)
    return figures


def main() -> None:
    parser = training.arguments(__doc__, minutes=60, batch=16)
    parser.add_argument("--data", type=Path, required=True, help="folder of the pictures, as `prepare` takes it")
    parser.add_argument("--from-pack", type=Path, help="the pack whose decoder makes the inputs")
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, path = Captions(options.work), options.work / "enlarger.pt"
    decoded = read_decoded(options.from_pack, captions, options.work, device)
    large = read_large(options.data, captions, options.work / "pictures256.npy")
    pairs = Pairs(np.load(options.work / "pictures128.npy", mmap_mode="r"), decoded, large)
    learned, held_out = (np.intersect1d(indices, used(captions)) for indices in (captions.training, captions.validation))
    enlarger = Enlarger().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(enlarger.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    state = torch.load(path, map_location=device) if path.exists() else {}
    if state:
        enlarger.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    rounding.round_layers(enlarger)
    step = state.get("step", 0)
    clock, log = training.Clock(options.minutes, state.get("minutes", 0.0)), training.Log(options.work / "enlarger.jsonl")
    generator, chooser = training.chances(options.seed + step)
    next_save, average = clock.elapsed + options.save_every, training.Running(0.99)

    def keep():
        training.save(path, model=enlarger.state_dict(), optimiser=optimiser.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * clock.rate(step, 200, 0.4)
        inputs, picture = pairs.batch(chooser.choice(learned, options.batch), generator, device)
        with training.autocast(device):
            enlarged = enlarger(spoil(inputs))
        loss = picture_loss(enlarged, picture)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(enlarger.parameters(), 1.0)
        optimiser.step()
        step, _ = step + 1, average.add(loss)
        if step % 200 == 0:
            log(step=step, minutes=clock.elapsed, loss=average.item())
        if clock.elapsed > next_save:
            keep()
            next_save = clock.elapsed + options.save_every
    rounding.settle(enlarger)
    keep()
    log(step=step, **judge(enlarger.eval(), pairs, captions, held_out, options.work / "enlarger.png", device))


if __name__ == "__main__":
    main()
