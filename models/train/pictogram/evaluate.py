"""Looks at a finished pack through the Inkstone binary: contact sheets, and int8 against f32 on the same noise.

    python -m pictogram.evaluate --pack ../pictogram --binary ../../target/release/inkstone

Writes sheets to the pack's `card/` folder and prints the figures of the model card as JSON. Pictures come from
the int8 pack through the binary; the f32 pictures come from the networks in `--work`, started from the very
noise that the binary uses.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import sampling, settings
from .captions import Captions
from .networks import Decoder, Model

SEED = 1
STEPS = [1, 2, 4]


def philox(block: np.ndarray, seed: int, stream: int = 0) -> np.ndarray:
    """Philox 4×32 with ten rounds (Salmon et al. 2011): four words of each counter."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = [block.astype(np.uint64), np.zeros_like(block, np.uint64), np.full_like(block, stream, np.uint64), np.zeros_like(block, np.uint64)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for _ in range(10):
        first, second = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        counter = [(second >> shift) ^ counter[1] ^ key[0], second & mask, (first >> shift) ^ counter[3] ^ key[1], first & mask]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    return np.stack(counter, -1)


def noise(seed: int) -> torch.Tensor:
    """The binary's noise for a seed, 1×4×32×32."""
    count = settings.CHANNELS * settings.PICTURE**2
    words = philox(np.arange(count // 4), seed).reshape(-1)
    uniform = torch.from_numpy((words.astype(np.float64) + 0.5) / 2**32)
    return torch.special.ndtri(uniform).float().reshape(1, settings.CHANNELS, settings.PICTURE, settings.PICTURE)


class Binary:
    """The int8 pack, through `inkstone generate`."""

    def __init__(self, path: Path, pack: Path):
        self.path, self.pack = path, pack

    def draw(self, prompt: str, style: str, steps: int, seed: int, background: str = "transparent") -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "picture.png"
            options = ["--style", style, "--steps", str(steps), "--seed", str(seed), "--background", background, "--preview", "none", "--out", out]
            subprocess.run([self.path, "generate", prompt, "--pack", self.pack, *options], check=True, stdout=subprocess.DEVNULL)
            return np.asarray(Image.open(out).convert("RGBA"))


def grid(rows: list[list[np.ndarray]], path: Path) -> None:
    """A sheet of equally large RGBA pictures on white, rows by columns."""
    side, gap = rows[0][0].shape[0], 4
    page = Image.new("RGB", (len(rows[0]) * (side + gap), len(rows) * (side + gap)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            image = Image.fromarray(picture)
            page.paste(image, (x * (side + gap), y * (side + gap)), image)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(128).save(path, optimize=True)


def sheets(binary: Binary, card: Path) -> None:
    concepts = sampling.CONCEPTS
    grid([[binary.draw(concept, style, 4, SEED) for concept in concepts] for style in settings.STYLES], card / "styles.png")
    grid([[binary.draw(concept, "3d", 4, seed) for concept in concepts] for seed in range(4)], card / "seeds.png")
    grid([[binary.draw(concept, "flat", steps, SEED) for concept in concepts] for steps in STEPS], card / "steps.png")
    languages = ["red apple", "红苹果", "manzana roja", "pomme rouge", "roter Apfel", "赤いリンゴ", "빨간 사과", "maçã vermelha"]
    languages += ["красное яблоко", "تفاحة حمراء", "लाल सेब", "mela rossa"]
    grid([[binary.draw(prompt, style, 4, SEED) for prompt in languages] for style in ("3d", "one")], card / "languages.png")


@torch.no_grad()
def draw_f32(model: Model, decoder: Decoder, captions: Captions, prompt: str, style: str, steps: int, seed: int) -> np.ndarray:
    """The same picture in f32: premultiplied RGBA 0..255, H×W×4."""
    ids, styles = captions.encode([prompt]), torch.tensor([settings.STYLES.index(style) + 1])
    context, condition = model.text(ids, styles)
    x, times = noise(seed), settings.SCHEDULES[steps]
    for start, end in zip(times, times[1:]):
        picture = model.denoiser(x, torch.tensor([start]), context, condition)
        x = sampling.euler_step(x, picture, torch.tensor([start]), torch.tensor([end]))
    decoded = decoder(x.clamp(-1, 1), styles)[0].clamp(-1, 1)
    return ((decoded + 1) * 127.5).permute(1, 2, 0).numpy()


def premultiplied(picture: np.ndarray) -> np.ndarray:
    picture = picture.astype(np.float32)
    return np.concatenate([picture[..., :3] * picture[..., 3:] / 255, picture[..., 3:]], -1)


def int8_against_f32(binary: Binary, work: Path) -> dict:
    """Median and tenth percentile of the PSNR in dB over styles × concepts, by number of steps."""
    captions, model, decoder = Captions(work), Model().eval(), Decoder().eval()
    model.load_state_dict(torch.load(work / "student.pt", map_location="cpu")["average"])
    decoder.load_state_dict(torch.load(work / "decoder.pt", map_location="cpu")["model"])
    figures = {}
    for steps in STEPS:
        quality = []
        for style in settings.STYLES:
            for concept in sampling.CONCEPTS:
                exact = draw_f32(model, decoder, captions, concept, style, steps, SEED)
                seen = premultiplied(binary.draw(concept, style, steps, SEED))
                quality.append(-10 * np.log10(max(np.square((seen - exact) / 255).mean(), 1e-10)))
        figures[f"psnr_{steps}_steps"] = {"median": round(float(np.median(quality)), 2), "p10": round(float(np.quantile(quality, 0.1)), 2)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--skip-f32", action="store_true", help="sheets only")
    options = parser.parse_args()
    binary = Binary(options.binary, options.pack)
    sheets(binary, options.pack / "card")
    if not options.skip_f32:
        print(json.dumps(int8_against_f32(binary, options.work), indent=2))


if __name__ == "__main__":
    main()
