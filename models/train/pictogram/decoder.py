"""Trains the one-pass decoder 32×32 → 128×128.

    python -m pictogram.decoder --minutes 10

Inputs are the real small pictures, alone and several small things in one picture, most of them with a little noise and blur, since
what the denoiser draws is not clean, with `--many` those of the second data set, and with `--drawn` also what the student itself
draws of them, where that comes close; the loss is the error of the picture and of its gradients. The decoder computes with the
rounding of int8, and at the end its weights lie on the int8 grid.
"""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import rounding, settings, training
from .attributes import AND, SPOTS, by_style, counted, place
from .captions import Captions, as_pictures
from .many import Many, draw_strokes
from .networks import Decoder, Model
from .prepare import shrink
from .sampling import sample, sheet
from .unpack import read_stage


# Standard deviations of the noise of single pixels and of blocks of 2×2 that spoiled pictures have at most.
FINE_NOISE, COARSE_NOISE = 0.1, 0.06
# Of what `--drawn` has the student draw: single things and crowds, what is close enough to the real ones, in dB, and its share of a batch.
DRAWN_ALONE, DRAWN_CROWDS, CLOSE, DRAWN_SHARE = 8000, 4000, 21.0, 0.3
# Pictures of several things, and their share of a batch.
CROWDS, CROWD_SHARE = 8000, 0.2
# Share of a batch that is of the second data set, of its doodles how many, and how often their look is left open.
SECOND_SHARE, DOODLES, OPEN = 0.35, 2000, 0.5
# Share of pictures whose red, green and blue change places: things are asked for in colours that they never had.
SHUFFLED = 0.25


class Pictures:
    """Small and large pictures, uint8 N×32×32×4 and N×128×128×4, with their styles and what they are asked for as. The large ones
    may lie in a file or on a GPU."""

    def __init__(self, small: np.ndarray, large: np.ndarray, styles: np.ndarray, texts: list[str], device: str):
        self.small, self.styles, self.texts, self.device = small, styles, texts, device
        self.large = torch.from_numpy(np.array(large)).to(device) if device != "cpu" else large

    def take(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Small and large pictures in [-1, 1], and styles. Indices in the file's order read it fastest."""
        styles = torch.from_numpy(self.styles[indices]).to(self.device)
        return as_pictures(self.small[indices], self.device), as_pictures(self.large[indices], self.device), styles


def alone(captions: Captions, work: Path, device: str) -> Pictures:
    texts = [row["words"]["en"][0] for row in captions.rows]
    large = np.load(work / "pictures128.npy", mmap_mode="r")
    return Pictures(np.load(work / "pictures32.npy"), large, captions.styles, texts, device)


def crowds(captions: Captions, single: Pictures, work: Path, count: int) -> Pictures:
    """Two to four of a thing, or two different ones of a style, half as large."""
    chooser, generator = np.random.default_rng(1), random.Random(1)
    large, same = np.load(work / "pictures128.npy", mmap_mode="r"), by_style(captions)
    made, styles, texts = [], [], []
    for index in chooser.choice(captions.training, count, p=captions.weights):
        name, number = single.texts[index], generator.choice([2, 2, 3, 4])
        members, text = [index] * number, counted(number, "en", name, generator)
        if generator.random() < 0.4:
            members = [index, generator.choice(same[captions.styles[index]])]
            text = name + AND["en"] + single.texts[members[1]]
        spots = SPOTS[len(members)]
        made.append([place([(pictures[member], spot) for member, spot in zip(members, spots)]) for pictures in (single.small, large)])
        styles.append(captions.styles[index])
        texts.append(text)
    small, large = (np.stack(pictures) for pictures in zip(*made))
    return Pictures(small, large, np.array(styles), texts, single.device)


def second(captions: Captions, work: Path, device: str) -> Pictures:
    """The pictures of the second data set and some of its doodles."""
    many, generator = Many(captions, work), random.Random(2)
    doodles = [row for row in many.rows if "strokes" in row][::4][:DOODLES]
    drawn = np.stack([draw_strokes(row["strokes"], settings.OUTPUT, generator) for row in doodles])
    shrunk = np.stack([shrink(picture.astype(np.float32), settings.OUTPUT // settings.PICTURE) for picture in drawn]).round().astype(np.uint8)
    rows = [row for row in many.rows if "strokes" not in row] + doodles
    looks = [settings.OPEN if row["look"] is None or generator.random() < OPEN else settings.NUMBERS[row["look"]] for row in rows]
    small, large = np.concatenate([many.array, shrunk]), np.concatenate([np.load(work / "many128.npy"), drawn])
    return Pictures(small, large, np.array(looks), [row["name"] for row in rows], device)


def spoil(small: torch.Tensor) -> torch.Tensor:
    """Half of the pictures as they are, half slightly wrong."""
    blurred = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    strength, fine, coarse, chance = torch.rand(4, len(small), 1, 1, 1, device=small.device)
    blocks = F.interpolate(torch.randn_like(small[..., ::2, ::2]), scale_factor=2)
    wrong = small + (blurred - small) * 0.5 * strength + torch.randn_like(small) * FINE_NOISE * fine.square() + blocks * COARSE_NOISE * coarse.square()
    return torch.where(chance < 0.5, small, wrong)


class Drawn:
    """What the student draws when it is asked for pictures, where that is close to them."""

    def __init__(self, captions: Captions, pictures: Pictures, indices: np.ndarray, model: Model):
        self.pictures, self.inputs = pictures, draw_all(captions, pictures, indices, model)
        error = np.square((self.inputs.astype(np.float32) - pictures.small[indices]) / 255).mean((1, 2, 3))
        close = -10 * np.log10(error.clip(1e-10)) > CLOSE
        self.indices, self.inputs = indices[close], self.inputs[close]
        print(f"{close.sum()} of {len(close)} drawn pictures are within {CLOSE} dB of the real ones")

    def take(self, count: int, chooser: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What was drawn, the large pictures that were meant, and their styles."""
        places = chooser.choice(len(self.indices), count)
        places = places[np.argsort(self.indices[places])]
        _, large, styles = self.pictures.take(self.indices[places])
        return as_pictures(self.inputs[places], self.pictures.device), large, styles


@torch.no_grad()
def draw_all(captions: Captions, pictures: Pictures, indices: np.ndarray, model: Model, batch: int = 250) -> np.ndarray:
    """uint8 N×32×32×4 of pictures asked for in English, half of them drawn in four steps, the others in two and in one."""
    made = []
    for number, part in enumerate(np.array_split(indices, -(-len(indices) // batch))):
        ids = captions.encode([pictures.texts[index] for index in part]).to(pictures.device)
        styles = torch.from_numpy(pictures.styles[part]).to(pictures.device)
        drawn = sample(model, ids, styles, settings.SCHEDULES[(4, 2, 4, 1)[number % 4]], 1.0, pictures.device, seed=number)
        made.append(((drawn + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(made)


def read_student(work: Path, device: str) -> Model:
    model = Model().to(device, memory_format=torch.channels_last).eval()
    model.load_state_dict(torch.load(work / "student.pt", map_location=device)["average"])
    return model


def varied(inputs: torch.Tensor, pictures: torch.Tensor, generator: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Half of the batches mirrored, and in a part of every batch red, green and blue in another order."""
    if generator.random() < 0.5:
        inputs, pictures = inputs.flip(3), pictures.flip(3)
    count = round(len(inputs) * SHUFFLED)
    rows, order = torch.randperm(len(inputs), device=inputs.device)[:count], [*generator.sample(range(3), 3), 3]
    return tuple(batch.index_copy(0, rows, batch[rows][:, order]) for batch in (inputs, pictures))


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
def judge(decoder, pictures: Pictures, indices: np.ndarray, path: Path) -> dict[str, float]:
    """Median PSNR in dB of some pictures, over all and by style, and a sheet: real above, decoded below."""
    small, real, styles = pictures.take(indices)
    with training.autocast(pictures.device):
        parts = [decoder(*part).float().clamp(-1, 1) for part in zip(small.tensor_split(16), styles.tensor_split(16))]
    decoded = torch.cat(parts)
    error = ((decoded - real) / 2).square().mean((1, 2, 3)).clamp(min=1e-10)
    quality = -10 * error.log10()
    chosen = np.random.default_rng(0).choice(len(indices), 16, replace=False)
    sheet(torch.cat([real[chosen], decoded[chosen]]), path, 16, 1)
    by_style = {name: quality[styles == settings.NUMBERS[name]].median().item() for name in settings.STYLES if (styles == settings.NUMBERS[name]).any()}
    return {"psnr": quality.median().item(), **by_style}


def batch_of(
    single: Pictures, training_indices: np.ndarray, crowd: Pictures, other: Pictures | None, drawn: list[Drawn], count: int, chooser: np.random.Generator
):
    """Inputs, the pictures they stand for, and styles: single things, crowds, the second data set, and what the student drew."""
    from_drawn, from_crowd, from_other = round(count * DRAWN_SHARE) if drawn else 0, round(count * CROWD_SHARE), round(count * SECOND_SHARE) if other else 0
    parts = [single.take(np.sort(chooser.choice(training_indices, count - from_drawn - from_crowd - from_other, replace=False)))]
    parts.append(crowd.take(chooser.choice(len(crowd.texts), from_crowd)))
    if other:
        parts.append(other.take(np.sort(chooser.choice(len(other.texts), from_other))))
    parts = [(spoil(small), large, styles) for small, large, styles in parts]
    parts += [source.take(share, chooser) for source, share in zip(drawn, (from_drawn - from_drawn // 4, from_drawn // 4))]
    return (torch.cat(tensors) for tensors in zip(*parts))


def main() -> None:
    parser = training.arguments(__doc__, minutes=10, batch=32)
    parser.add_argument("--from-pack", type=Path, help="start from a pack's decoder")
    parser.add_argument("--drawn", action="store_true", help="learn from what the student draws, too")
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    options = parser.parse_args()
    device = training.pick_device(options.device)
    captions, path = Captions(options.work), options.work / "decoder.pt"
    single = alone(captions, options.work, device)
    crowd = crowds(captions, single, options.work, CROWDS)
    other = second(captions, options.work, device) if options.many else None
    drawn = []
    if options.drawn:
        student = read_student(options.work, device)
        drawn = [
            Drawn(captions, single, np.random.default_rng(0).choice(captions.training, DRAWN_ALONE, replace=False, p=captions.weights), student),
            Drawn(captions, crowd, np.arange(DRAWN_CROWDS), student),
        ]
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
    generator, chooser = training.chances(options.seed + step)
    begun, next_save = clock.elapsed, clock.elapsed + options.save_every

    def keep():
        training.save(path, model=decoder.state_dict(), optimiser=optimiser.state_dict(), step=step, minutes=clock.elapsed)

    while clock.fraction < 1:
        for group in optimiser.param_groups:
            group["lr"] = 1.5e-3 * clock.rate(step, 100, 0.6)
        inputs, picture, styles = batch_of(single, captions.training, crowd, other, drawn, options.batch, chooser)
        inputs, picture = varied(inputs, picture, generator)
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
            next_save = clock.elapsed + options.save_every
    rounding.settle(decoder)
    keep()
    log(**judge(decoder, single, captions.validation, options.work / "decoder.png"))
    if other:
        log(second=judge(decoder, other, np.arange(0, len(other.texts), 40), options.work / "decoder-second.png")["psnr"])
    log(crowds=judge(decoder, crowd, np.arange(0, CROWDS, 20), options.work / "decoder-crowds.png")["psnr"])


if __name__ == "__main__":
    main()
