"""Makes the index of training pictures that `inkstone explain` looks the nearest ones up in, and adds it to a pack.

    python -m pictogram.similar --data PICTOGRAMS --pack ../pictogram

Needs numpy and Pillow alone. A picture's descriptor is its colours, multiplied by alpha, and its alpha, as means of 16×16 cells: whole
numbers until the last division, so that `src/picture/descriptor.rs` computes the same. The first principal components of all descriptors
are what is kept of each, in bytes. The index holds no pictures: names, licences and these bytes. Of the pack `pack.toml` alone changes.

| part of the file | bytes |
|---|---|
| `INKNEAR1` | 8 |
| length of the header, little-endian | 4 |
| header, JSON: `side`, `dimensions`, `count`, `sources`, `nearest` | as it says |
| mean descriptor | side × side × 4 |
| step of each dimension's numbers, float32 | dimensions × 4 |
| scale of each component, float32 | dimensions × 4 |
| components, int8 | dimensions × side × side × 4 |
| numbers of each picture, int8 | count × dimensions |
| a line a picture, UTF-8: style, key and name, parted by tabs | the rest |

`nearest` holds percentiles, from the 0th to the 100th, of how similar each training picture is to the nearest other one.
"""

import argparse
import hashlib
import io
import json
import re
import struct
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from . import settings
from .holding import held_out

MAGIC = b"INKNEAR1"
SIDE, DIMENSIONS = 16, 64
NAME = "training.index"
SOURCES = {
    "3d": "Fluent Emoji, Microsoft",
    "flat": "Fluent Emoji, Microsoft",
    "ink": "Fluent Emoji, Microsoft",
    "noto": "Noto Emoji, Google",
    "blob": "Blobmoji",
    "fx": "Firefox OS Emoji, Mozilla",
    "one": "EmojiOne 2",
    "line": "Streamline Emojis, Streamline",
    "pixel": "Dungeon Crawl Stone Soup tiles",
}


def descriptor(pixels: np.ndarray) -> np.ndarray:
    """H×W×4 bytes with straight alpha, sides multiples of 16 → 16·16·4 numbers from 0 to 255."""
    pixels = pixels.astype(np.int64)
    alpha = pixels[..., 3:]
    weighted = np.concatenate([pixels[..., :3] * alpha, alpha * 255], -1)
    height, width = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    sums = weighted.reshape(SIDE, height, SIDE, width, 4).sum((1, 3))
    return (sums / float(height * width * 255)).astype(np.float32).reshape(-1)


def read(data: Path) -> tuple[list[dict], np.ndarray]:
    """The rows of all pictures that training sees, and their descriptors."""
    lines = (data / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if not held_out(row)]
    tars = {style: tarfile.open(data / f"{style}.tar") for style in settings.STYLES}
    pictures = (Image.open(io.BytesIO(tars[row["style"]].extractfile(row["file"]).read())).convert("RGBA") for row in rows)
    return rows, np.stack([descriptor(np.asarray(picture)) for picture in pictures])


def components(centred: np.ndarray) -> np.ndarray:
    """The first principal components, each with its largest number positive, so that every run gives the same."""
    _, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    first = vectors[:, ::-1][:, :DIMENSIONS].T
    signs = np.sign(first[np.arange(DIMENSIONS), np.abs(first).argmax(1)])
    return first * signs[:, None]


def in_bytes(rows: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers from -127 to 127, and what a step of them is along an axis."""
    steps = (np.abs(rows).max(axis, keepdims=True) / 127).astype(np.float32)
    return np.rint(rows / steps).astype(np.int8), steps.reshape(-1)


def nearest_similarities(vectors: np.ndarray) -> np.ndarray:
    """How similar each vector is to the nearest other one: the cosine of the angle between them."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    return similarity.max(1)


def index(rows: list[dict], descriptors: np.ndarray) -> bytes:
    """The file."""
    mean = np.rint(descriptors.mean(0)).astype(np.uint8)
    centred = descriptors - mean.astype(np.float32)
    basis, scales = in_bytes(components(centred), 1)
    coordinates = centred @ (basis.astype(np.float64) * scales[:, None]).T
    codes, steps = in_bytes(coordinates, 0)
    percentiles = np.percentile(nearest_similarities(codes * steps.astype(np.float64)), np.arange(101))
    licences = {row["style"]: row["licence"] for row in rows}
    header = {
        "side": SIDE,
        "dimensions": len(basis),
        "count": len(rows),
        "sources": [{"style": style, "source": SOURCES[style], "licence": licences[style]} for style in settings.STYLES if style in licences],
        "nearest": [round(float(value), 3) for value in percentiles],
    }
    text = "".join(f"{row['style']}\t{row['key']}\t{' '.join(row['name'].split())}\n" for row in rows).encode()
    packed = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [mean, steps.astype("<f4"), scales.astype("<f4"), basis, codes]
    return MAGIC + struct.pack("<I", len(packed)) + packed + b"".join(part.tobytes() for part in parts) + text


def with_index(manifest: str, file: str, data: bytes) -> str:
    """The manifest with the index; an index that it names already is replaced."""
    manifest = re.sub(r"(?m)^\[training\]\n(?:[^\[\n].*\n)*\n*", "", manifest)
    manifest = re.sub(rf'(?m)^\[files\."{re.escape(file)}"\]\n(?:[^\[\n].*\n)*\n*', "", manifest).rstrip() + "\n\n"
    record = f'[files."{file}"]\nbytes = {len(data)}\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n\n'
    later = next((found.start() for found in re.finditer(r'(?m)^\[files\."([^"]*)"\]', manifest) if found[1] > file), len(manifest))
    manifest = manifest[:later] + record + manifest[later:]
    first = min(manifest.index(table) for table in ("[[styles]]", "[stages.") if table in manifest)
    return (manifest[:first] + f'[training]\nindex = "{file}"\n\n' + manifest[first:]).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with captions.jsonl and a tar a style")
    parser.add_argument("--pack", type=Path, required=True, help="pack that gets the index")
    options = parser.parse_args()
    data = index(*read(options.data))
    manifest = options.pack / "pack.toml"
    text = with_index(manifest.read_text(encoding="utf-8"), NAME, data)
    for path, bytes_ in ((options.pack / NAME, data), (manifest, text.encode())):
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(bytes_)
        temporary.replace(path)
    print(f"{NAME}: {len(data)} bytes")


if __name__ == "__main__":
    main()
