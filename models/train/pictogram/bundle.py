"""A work folder's pictures at the denoiser's size as one small file, for a machine that can take but a few megabytes.

    python -m pictogram.bundle pack --work work --file work/bundle.zip
    python -m pictogram.bundle unpack --work work --file work/bundle.zip
    python -m pictogram.bundle weights --work work --file student.half --network student
    python -m pictogram.bundle restore --work work --file student.half --network student

Holds what `train`, `distil` and `draft` read; `decoder` and `judge` need the large pictures and `prepare` itself. Pictures travel as
WebP, a page of 32×32 of them at a time. `weights` and `restore` carry a finished network back in half the size: 16 bits
keep weights that lie on the int8 grid so close to it that settling them again finds the same integers.
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import rounding, settings, training
from .networks import Model

FILES = ["captions.json", "tokenizer.json", "many.json", "composing.json"]
ARRAYS = ["pictures32.npy", "many32.npy", "pieces.npy"]
ACROSS = 32
# Colours travel in steps of four, which nobody sees (47 dB) and which takes a third off the size.
STEP = 4


def coarse(array: np.ndarray) -> np.ndarray:
    """Values in whole steps, from nothing to everything."""
    return ((array.astype(np.uint16) + STEP // 2) // STEP * STEP).clip(0, 255).astype(np.uint8)


def pages(array: np.ndarray) -> list[bytes]:
    """uint8 N×side×side×4 → WebP pages."""
    side, each, made = array.shape[1], ACROSS * ACROSS, []
    for begin in range(0, len(array), each):
        part = np.zeros((each, side, side, 4), np.uint8)
        part[: len(array) - begin] = coarse(array[begin : begin + each])
        page = part.reshape(ACROSS, ACROSS, side, side, 4).swapaxes(1, 2).reshape(ACROSS * side, ACROSS * side, 4)
        data = io.BytesIO()
        # `exact` keeps the colours of what is clear, although premultiplied ones are all black.
        Image.fromarray(page, "RGBA").save(data, "webp", lossless=True, exact=True, quality=80, method=4)
        made.append(data.getvalue())
    return made


def unpaged(data: list[bytes], count: int) -> np.ndarray:
    """The first `count` pictures of WebP pages."""
    parts = []
    for page in data:
        rows = np.asarray(Image.open(io.BytesIO(page)).convert("RGBA"))
        side = len(rows) // ACROSS
        parts.append(rows.reshape(ACROSS, side, ACROSS, side, 4).swapaxes(1, 2).reshape(-1, side, side, 4))
    return np.concatenate(parts)[:count]


def pack(work: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as bundle:
        for name in FILES:
            bundle.write(work / name, name)
        for name in ARRAYS:
            array = np.load(work / name, mmap_mode="r")
            for number, page in enumerate(pages(array)):
                bundle.writestr(f"{name}/{len(array)}/{number:04}.webp", page, zipfile.ZIP_STORED)


def unpack(path: Path, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as bundle:
        for name in FILES:
            bundle.extract(name, work)
        for name in ARRAYS:
            members = sorted(member for member in bundle.namelist() if member.startswith(f"{name}/"))
            np.save(work / name, unpaged([bundle.read(member) for member in members], int(members[0].split("/")[1])))


def weights(work: Path, path: Path, network: str) -> None:
    """The average of a checkpoint in 16 bits."""
    state = torch.load(work / f"{network}.pt", map_location="cpu")
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state["average"].items()}
    torch.save({"average": half, "many": state.get("many", False)}, path)


def restore(path: Path, work: Path, network: str) -> None:
    """A checkpoint that the later stages and `export` read; a student's weights are put back onto their grid."""
    state = torch.load(path, map_location="cpu")
    model = Model()
    model.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state["average"].items()})
    if network == "student":
        rounding.settle(model)
    training.save(work / f"{network}.pt", average=model.state_dict(), model=model.state_dict(), many=state["many"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["pack", "unpack", "weights", "restore"])
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--network", choices=["student", "teacher"], default="student")
    options = parser.parse_args()
    actions = {
        "pack": lambda: pack(options.work, options.file),
        "unpack": lambda: unpack(options.file, options.work),
        "weights": lambda: weights(options.work, options.file, options.network),
        "restore": lambda: restore(options.file, options.work, options.network),
    }
    actions[options.action]()
    print(f"{options.file}: {options.file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
