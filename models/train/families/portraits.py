"""The portraits of the second data set as arrays.

    python -m families.portraits --data DATA --work work

`DATA` is a folder with `many`. Writes `portraits.npy` (uint8, N×128×128×4, premultiplied alpha) and `portraits.json`, one caption a
picture.
"""

import argparse
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pictogram import settings
from pictogram.many import held_out
from pictogram.prepare_many import fitted

from . import attributes

KEPT = ("part", "key", "name", "concept", "attributes", "style")


class Portraits:
    """Pictures with designs (from 1 on), attributes, and which of them are kept for judging."""

    def __init__(self, work: Path):
        self.pictures = np.load(work / "portraits.npy", mmap_mode="r")
        self.rows = json.loads((work / "portraits.json").read_text(encoding="utf-8"))
        held = np.array([held_out(row) for row in self.rows])
        self.training, self.validation = np.flatnonzero(~held), np.flatnonzero(held)
        self.designs = np.array([attributes.DESIGNS.index(row["style"]) + 1 for row in self.rows])
        self.attributes = attributes.values(self.rows)

    def batch(self, indices: np.ndarray, device: str, mirrored: np.ndarray | None = None, side: int = settings.OUTPUT) -> torch.Tensor:
        """Pictures N×4×side×side in [-1, 1]; those of `mirrored` from left to right."""
        pictures = self.pictures[indices]
        if mirrored is not None:
            pictures = np.where(mirrored[:, None, None, None], pictures[:, :, ::-1], pictures)
        made = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        made = made if side == settings.OUTPUT else torch.nn.functional.avg_pool2d(made, settings.OUTPUT // side)
        return made.contiguous(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    options = parser.parse_args()
    folder = options.data / "many"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").open(encoding="utf-8")]
    rows = [row for row in rows if row["part"] == "portrait" and row["style"] in attributes.DESIGNS]
    with tarfile.open(folder / "portrait.tar") as tar:
        pictures = [fitted(Image.open(io.BytesIO(tar.extractfile(row["file"]).read())), settings.OUTPUT) for row in rows]
    options.work.mkdir(parents=True, exist_ok=True)
    np.save(options.work / "portraits.npy", np.stack(pictures))
    kept = [{name: row[name] for name in KEPT} for row in rows]
    (options.work / "portraits.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    print(f"{len(rows)} portraits, {sum(map(held_out, rows))} of them kept for judging")


if __name__ == "__main__":
    main()
