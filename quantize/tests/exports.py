"""Small networks of the kinds that packs are made from, by both of PyTorch's exporters, through inkstone-quantize and the engine.

    python quantize/tests/exports.py --binaries target/release [--only NAME ...]

`cargo build --release -p inkstone-quantize` and `cargo build --release --example stage` make the programs. Every network is exported,
quantized, and compared by reference.py: the pack with the original in onnxruntime, the engine with onnxruntime on the pack.
Weights are random, so that the figures say that the graphs mean the same, not how good a model would look. Prints a line for each
and exits with 1 where one is refused or its pack is below --least decibels. Needs torch, onnxscript and what reference.py needs.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

REFERENCE = Path(__file__).with_name("reference.py")


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.condition = nn.Linear(condition, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, condition):
        h = self.conv1(F.silu(self.norm1(x))) + self.condition(F.silu(condition))[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


class SelfAttention(nn.Module):
    """Queries, keys and values by one layer."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(channels)
        self.packed, self.out = nn.Linear(channels, 3 * channels, bias=False), nn.Linear(channels, channels)

    def forward(self, x):
        n, rows, channels = x.shape
        q, k, v = self.packed(self.norm(x)).view(n, rows, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, rows, channels))


class CrossAttention(nn.Module):
    """Products of rank three, with heads in the place of pictures."""

    def __init__(self, channels: int, context: int, heads: int):
        super().__init__()
        self.heads, self.query, self.out = heads, nn.Linear(channels, channels, bias=False), nn.Linear(channels, channels)
        self.key, self.value = (nn.Linear(context, channels, bias=False) for _ in range(2))

    def by_head(self, x):
        n, rows, channels = x.shape
        return x.reshape(n, rows, self.heads, -1).permute(0, 2, 1, 3).reshape(n * self.heads, rows, channels // self.heads)

    def forward(self, x, context):
        q, k, v = self.by_head(self.query(x)), self.by_head(self.key(context)), self.by_head(self.value(context))
        empty = torch.empty(q.shape[0], q.shape[1], k.shape[1])
        scores = torch.baddbmm(empty, q, k.transpose(-1, -2), beta=0, alpha=q.shape[-1] ** -0.5)
        n, rows, channels = x.shape
        mixed = torch.bmm(scores.softmax(-1), v).reshape(n, self.heads, rows, -1).permute(0, 2, 1, 3)
        return x + self.out(mixed.reshape(n, rows, channels))


class UNet(nn.Module):
    """A denoiser in the manner of latent diffusion (Rombach et al., arXiv 2112.10752)."""

    def __init__(self):
        super().__init__()
        self.first, self.time1, self.time2 = nn.Conv2d(4, 32, 3, padding=1), nn.Linear(32, 64), nn.Linear(64, 64)
        self.down1, self.shrink, self.down2 = Residual(32, 32, 64), nn.Conv2d(32, 64, 3, stride=2, padding=1), Residual(64, 64, 64)
        self.into, self.attend, self.listen, self.back = nn.Conv2d(64, 64, 1), SelfAttention(64, 4), CrossAttention(64, 96, 4), nn.Conv2d(64, 64, 1)
        self.norm, self.gated, self.narrow = nn.LayerNorm(64), nn.Linear(64, 512), nn.Linear(256, 64)
        self.grow, self.up = nn.Conv2d(64, 32, 3, padding=1), Residual(64, 32, 64)
        self.last_norm, self.last = nn.GroupNorm(8, 32), nn.Conv2d(32, 4, 3, padding=1)

    def embed(self, time):
        angles = time[:, None] * 1000 * torch.exp(-math.log(10_000) * torch.arange(16) / 16)
        return self.time2(F.silu(self.time1(torch.cat([angles.cos(), angles.sin()], -1))))

    def transform(self, h, context):
        rows = self.into(h).flatten(2).transpose(1, 2)
        rows = self.listen(self.attend(rows), context)
        value, gate = self.gated(self.norm(rows)).chunk(2, -1)
        rows = rows + self.narrow(value * F.gelu(gate))
        return h + self.back(rows.transpose(1, 2).reshape(h.shape))

    def forward(self, x, time, context):
        condition = self.embed(time)
        skip = self.down1(self.first(x), condition)
        h = self.transform(self.down2(self.shrink(skip), condition), context)
        h = self.grow(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.last(F.silu(self.last_norm(self.up(torch.cat([h, skip], 1), condition))))


class DiffusionTransformer(nn.Module):
    """Peebles and Xie, arXiv 2212.09748."""

    def __init__(self, width: int = 96, side: int = 8, blocks: int = 2):
        super().__init__()
        self.side, self.patches = side, nn.Conv2d(4, width, 2, stride=2)
        self.position = nn.Parameter(torch.randn(1, side * side, width) * 0.02)
        self.label, self.time = nn.Embedding(10, width), nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        plain = lambda: nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)  # noqa: E731
        self.norms = nn.ModuleList(plain() for _ in range(2 * blocks))
        self.modulations = nn.ModuleList(nn.Linear(width, 6 * width) for _ in range(blocks))
        self.packed, self.outs = (nn.ModuleList(nn.Linear(width, n * width) for _ in range(blocks)) for n in (3, 1))
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(blocks))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(blocks))
        self.last = nn.Linear(width, 16)

    def forward(self, x, time, label):
        h = self.patches(x).flatten(2).transpose(1, 2) + self.position
        condition = F.silu(self.time(time[:, None]) + self.label(label))
        n, rows, width = h.shape
        for block, modulation in enumerate(self.modulations):
            shift1, scale1, gate1, shift2, scale2, gate2 = modulation(condition)[:, None].chunk(6, -1)
            packed = self.packed[block](self.norms[2 * block](h) * (1 + scale1) + shift1).view(n, rows, 3, 4, width // 4)
            q, k, v = packed.permute(2, 0, 3, 1, 4)
            h = h + gate1 * self.outs[block](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, rows, width))
            wide = F.gelu(self.wide[block](self.norms[2 * block + 1](h) * (1 + scale2) + shift2), approximate="tanh")
            h = h + gate2 * self.narrow[block](wide)
        return self.last(h).view(n, self.side, self.side, 2, 2, 4).permute(0, 5, 1, 3, 2, 4).reshape(n, 4, 2 * self.side, 2 * self.side)


class LatentDecoder(nn.Module):
    """Attention of one head over channels first, a transposed convolution, a hyperbolic tangent."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(4, 64, 3, padding=1), nn.GroupNorm(32, 64, eps=1e-6)
        self.query, self.key, self.value, self.out = (nn.Conv2d(64, 64, 1) for _ in range(4))
        self.grow, self.more, self.last = nn.Conv2d(64, 64, 3, padding=1), nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, x):
        h = self.first(x / 0.18215)
        y = self.norm(h)
        n, channels, height, width = y.shape
        q, k, v = (layer(y).reshape(n, channels, height * width) for layer in (self.query, self.key, self.value))
        weights = F.softmax(torch.bmm(q.permute(0, 2, 1), k) * channels**-0.5, 2)
        h = h + self.out(torch.bmm(v, weights.permute(0, 2, 1)).reshape(h.shape))
        h = F.silu(self.more(F.silu(self.grow(F.interpolate(h, scale_factor=2, mode="nearest")))))
        return torch.tanh(self.last(h))


class CausalText(nn.Module):
    """A text encoder whose words see those before them (Radford et al., arXiv 2103.00020)."""

    def __init__(self, width: int = 96, blocks: int = 2):
        super().__init__()
        self.tokens, self.positions, self.last = nn.Embedding(1000, width), nn.Embedding(77, width), nn.LayerNorm(width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * blocks))
        self.query, self.key, self.value, self.out = (nn.ModuleList(nn.Linear(width, width) for _ in range(blocks)) for _ in range(4))
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(blocks))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(blocks))

    def forward(self, ids):
        n, rows = ids.shape
        x = self.tokens(ids) + self.positions(torch.arange(rows))
        mask = torch.full((rows, rows), float("-inf")).triu(1)[None, None]
        for block, out in enumerate(self.out):
            y = self.norms[2 * block](x)
            q, k, v = (layer[block](y).view(n, rows, 4, -1).transpose(1, 2) for layer in (self.query, self.key, self.value))
            x = x + out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(x.shape))
            y = self.wide[block](self.norms[2 * block + 1](x))
            x = x + self.narrow[block](y * torch.sigmoid(1.702 * y))
        return self.last(x)


class RelativeText(nn.Module):
    """A bias of scores by head and distance, root mean squares, a gated layer (Raffel et al., arXiv 1910.10683)."""

    def __init__(self, width: int = 96, heads: int = 4):
        super().__init__()
        self.heads, self.tokens, self.distances = heads, nn.Embedding(1000, width), nn.Embedding(32, heads)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gain1, self.gain2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.gate, self.wide, self.narrow = nn.Linear(width, 2 * width, bias=False), nn.Linear(width, 2 * width, bias=False), nn.Linear(2 * width, width, bias=False)

    @staticmethod
    def normal(x, gain):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain

    def forward(self, ids):
        x = self.tokens(ids)
        n, rows, _ = x.shape
        y, by_head = self.normal(x, self.gain1), lambda z: z.view(n, rows, self.heads, -1).transpose(1, 2)
        distances = (torch.arange(rows)[None] - torch.arange(rows)[:, None]).abs().clamp(max=31)
        scores = by_head(self.query(y)) @ by_head(self.key(y)).transpose(-1, -2) + self.distances(distances).permute(2, 0, 1)[None]
        x = x + self.out((scores.softmax(-1) @ by_head(self.value(y))).transpose(1, 2).reshape(x.shape))
        y = self.normal(x, self.gain2)
        return x + self.narrow(F.gelu(self.gate(y), approximate="tanh") * self.wide(y))


class Mixed(nn.Module):
    """What stays f32 beside int8 layers: padding on two sides, instance norms, pixel shuffles, linear enlargement, Mish, grouped windows."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.shuffled = nn.Conv2d(3, 48, 3, stride=2), nn.InstanceNorm2d(48, affine=True), nn.Conv2d(48, 192, 3, padding=1)
        self.wide, self.grouped, self.last = nn.Conv2d(48, 32, 5, padding=2), nn.Conv2d(32, 32, 3, padding=1, groups=4), nn.Conv2d(32, 3, (3, 1), padding=(1, 0))

    def forward(self, x):
        h = F.mish(self.norm(self.first(F.pad(x, (0, 1, 0, 1)))))
        h = self.grouped(F.hardswish(self.wide(F.pixel_shuffle(self.shuffled(h), 2))))
        return self.last(F.softplus(F.interpolate(F.max_pool2d(h, 2), scale_factor=2, mode="bilinear", align_corners=False)))


def networks() -> dict[str, tuple[nn.Module, dict[str, torch.Tensor]]]:
    noise, time, context = torch.randn, torch.rand(1), torch.randn(1, 20, 96)
    return {
        "unet": (UNet(), {"x": noise(1, 4, 16, 16), "time": time, "context": context}),
        "unet-oblong": (UNet(), {"x": noise(1, 4, 22, 14), "time": time, "context": context}),
        "transformer": (DiffusionTransformer(), {"x": noise(1, 4, 16, 16), "time": time, "label": torch.tensor([3])}),
        "decoder": (LatentDecoder(), {"x": noise(1, 4, 8, 8)}),
        "causal-text": (CausalText(), {"ids": torch.randint(0, 1000, (1, 77))}),
        "relative-text": (RelativeText(), {"ids": torch.randint(0, 1000, (1, 20))}),
        "mixed": (Mixed(), {"x": noise(1, 3, 31, 31)}),
    }


def export(network: nn.Module, inputs: dict, file: Path, newer: bool) -> None:
    names = {"input_names": list(inputs), "output_names": ["y"]}
    version = {} if newer else {"opset_version": 17}
    torch.onnx.export(network.eval(), tuple(inputs.values()), str(file), dynamo=newer, verbose=False, **names, **version)


def check(folder: Path, binaries: Path, least: float) -> str:
    """What went wrong with the export in a folder, or nothing; prints what reference.py says."""
    made = subprocess.run([binaries / "inkstone-quantize", folder / "model.onnx", "--out", folder / "pack"], capture_output=True, text=True)
    if made.returncode:
        return made.stderr.strip()
    command = [sys.executable, REFERENCE, folder / "pack", folder, "--least", str(least), "--engine", binaries / "examples/stage"]
    compared = subprocess.run(command, capture_output=True, text=True)
    print("\n".join(line for line in compared.stdout.splitlines()[1:]))
    return "" if compared.returncode == 0 else compared.stderr.strip()[-500:] or f"below {least} dB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--least", type=float, default=25.0, help="lowest ratio accepted, in decibels")
    parser.add_argument("--only", nargs="*", help="names of networks")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    failed = 0
    for name, (network, inputs) in networks().items():
        if arguments.only and name not in arguments.only:
            continue
        for newer in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                print(f"{name}, {'newer' if newer else 'older'} exporter")
                export(network, inputs, Path(folder) / "model.onnx", newer)
                problem = check(Path(folder), arguments.binaries.resolve(), arguments.least)
                if problem:
                    print(f"  FAILED: {problem}")
                    failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
