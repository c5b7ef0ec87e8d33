"""The same picture drawn twice: by the int8 pack through the binary, and in f32 from the very noise that it uses."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import sampling, settings
from .captions import Captions
from .networks import Decoder, Model


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


def premultiplied(picture: np.ndarray) -> np.ndarray:
    """Straight RGBA uint8 → premultiplied float 0..255."""
    picture = picture.astype(np.float32)
    return np.concatenate([picture[..., :3] * picture[..., 3:] / 255, picture[..., 3:]], -1)


class Binary:
    """The int8 pack, through `inkstone generate`."""

    def __init__(self, path: Path, pack: Path):
        self.path, self.pack = path, pack

    def draw(self, prompt: str, style: str, steps: int, seed: int, background: str = "transparent") -> np.ndarray:
        """Straight RGBA uint8 H×W×4."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "picture.png"
            options = ["--style", style, "--steps", str(steps), "--seed", str(seed), "--background", background]
            options += ["--threads", "1", "--preview", "none", "--out", out]
            subprocess.run([self.path, "generate", prompt, "--pack", self.pack, *options], check=True, stdout=subprocess.DEVNULL)
            return np.asarray(Image.open(out).convert("RGBA"))

    def many(self, asked: list[tuple[str, str, int]], steps: int) -> np.ndarray:
        """Premultiplied float pictures N×H×W×4 of (prompt, style, seed)."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            drawn = pool.map(lambda one: self.draw(one[0], one[1], steps, one[2]), asked)
        return np.stack([premultiplied(picture) for picture in drawn])


class Networks:
    """The f32 networks of a work folder: the teacher or the student, and the decoder."""

    def __init__(self, work: Path, name: str, captions: Captions, device: str):
        self.captions, self.device = captions, device
        self.model, self.decoder = Model().eval().to(device), Decoder().eval().to(device)
        self.model.load_state_dict(torch.load(work / f"{name}.pt", map_location=device)["average"])
        self.decoder.load_state_dict(torch.load(work / "decoder.pt", map_location=device)["model"])

    @torch.no_grad()
    def many(self, asked: list[tuple[str, str, int]], times: list[float], guidance: float = 1.0, batch: int = 36, exact: bool = True) -> np.ndarray:
        """Premultiplied float pictures N×H×W×4 of (prompt, style, seed); `exact` in f32 alone."""
        made = []
        for begin in range(0, len(asked), batch):
            part = asked[begin : begin + batch]
            ids = self.captions.encode([prompt for prompt, _, _ in part]).to(self.device)
            styles = torch.tensor([settings.NUMBERS[style] for _, style, _ in part], device=self.device)
            empty = self.captions.encode([""]).to(self.device).expand_as(ids)
            conditioned, unconditioned = self.model.prompt(ids, styles), self.model.prompt(empty, styles)
            x = torch.cat([noise(seed) for _, _, seed in part]).to(self.device)
            for start, end in zip(times, times[1:]):
                start, end = (torch.full((len(part),), value, device=self.device) for value in (start, end))
                picture = sampling.guided(self.model, x, start, conditioned, unconditioned, guidance, self.device, exact)
                x = sampling.euler_step(x, picture, start, end)
            decoded = self.decoder(x.clamp(-1, 1), styles).clamp(-1, 1)
            made.append(((decoded + 1) * 127.5).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(made)
