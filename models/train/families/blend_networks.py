"""The networks of `blend`: pictures to 128 numbers and back, numbers drawn from what is asked for, numbers changed by attributes.

Every layer here has a counterpart among the engine's operators.
"""

import torch
import torch.nn.functional as F
from pictogram import settings
from pictogram.networks import DecoderBlock
from pictogram.rounding import Conv2d, Linear
from torch import nn

from . import attributes

LATENT = 128  # numbers that a picture becomes
SEEN, DRAFT = 32, 64  # sides of the picture that the encoder sees, and of the decoder's draft


def blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(DecoderBlock(channels) for _ in range(count)))


def shrunk(picture, side: int):
    """A picture N×4×128×128 with this side."""
    return F.avg_pool2d(picture, settings.OUTPUT // side)


class Encoder(nn.Module):
    """Picture N×4×128×128 in [-1, 1] → mean and logarithm of the variance of its latent, both N×128. What a portrait is made of lies in the
    same places in all of a design, so that one linear layer tells it."""

    def __init__(self):
        super().__init__()
        self.mean = Linear(settings.CHANNELS * SEEN**2, LATENT)
        self.spread = nn.Parameter(torch.full((LATENT,), -4.0))

    def forward(self, picture):
        mean = self.mean(shrunk(picture, SEEN).flatten(1))
        return mean, self.spread.clamp(-10, 2).expand_as(mean)


class Decoder(nn.Module):
    """Latent N×128 → picture N×4×128×128: a draft by one linear layer, which convolutions sharpen."""

    def __init__(self, fine: int = 40, coarse: int = 64):
        super().__init__()
        self.draft = Linear(LATENT, settings.CHANNELS * DRAFT**2)
        self.first = nn.Conv2d(settings.CHANNELS * 4, fine, 3, padding=1)
        self.down = Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.level1, self.level2 = blocks(coarse, 1), blocks(fine, 1)
        self.up = Conv2d(coarse, fine * 4, 1)
        self.last = nn.Conv2d(fine, settings.CHANNELS * 16, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, latent):
        draft = self.draft(latent).unflatten(1, (settings.CHANNELS, DRAFT, DRAFT))
        h = self.first(F.pixel_unshuffle(draft, 2))
        coarse = self.level1(self.down(F.silu(h)))
        h = self.level2(h + F.pixel_shuffle(self.up(F.silu(coarse)), 2))
        return F.interpolate(draft, scale_factor=2, mode="nearest") + F.pixel_shuffle(self.last(F.silu(h)), 4)


class Autoencoder(nn.Module):
    """Encoder and decoder, trained together."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, picture):
        """The picture again, and what its latent's distribution differs from a normal one by, in nats a picture."""
        mean, spread = self.encoder(picture)
        mean, spread = mean.float(), spread.float()
        latent = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1)
        return self.decoder(latent), divergence

    @torch.no_grad()
    def begin(self, seen: torch.Tensor, drafts: torch.Tensor) -> None:
        """Starts the linear layers as principal components of pictures N×4096, scaled to a variance of 1, and as the least squares from
        these to drafts N×16384: what an hour of descent would only approach."""
        middle = seen.mean(0)
        values, vectors = torch.linalg.eigh((seen - middle) @ (seen - middle).T)
        values, vectors = values.flip(0)[:LATENT], vectors.flip(1)[:, :LATENT]
        # Of the latents' sums of squares, N each.
        weight = ((seen - middle).T @ vectors).T * (len(seen) ** 0.5 / values)[:, None]
        latents = vectors * len(seen) ** 0.5
        self.encoder.mean.weight.copy_(weight)
        self.encoder.mean.bias.copy_(-weight @ middle)
        self.decoder.draft.bias.copy_(drafts.mean(0))
        self.decoder.draft.weight.copy_((drafts - drafts.mean(0)).T @ latents / len(seen))


class Flow(nn.Module):
    """Noisy latent N×128, time N, what is asked for → the velocity from noise to latent."""

    KNOTS = 16

    def __init__(self, width: int = 320, depth: int = 3):
        super().__init__()
        self.register_buffer("knots", torch.arange(self.KNOTS) * 1.0, persistent=False)
        self.latent, self.time = nn.Linear(LATENT, width), nn.Linear(self.KNOTS, width, bias=False)
        self.asked = nn.Linear(len(attributes.NAMES), width, bias=False)
        self.style = nn.Embedding(len(attributes.DESIGNS) + 1, width)
        self.blocks = nn.ModuleList(nn.ModuleList([nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)]) for _ in range(depth))
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(width, LATENT)
        nn.init.zeros_(self.last.weight)

    def forward(self, latent, time, asked, design):
        hats = F.relu(1 - (time[:, None] * (self.KNOTS - 1) - self.knots).abs())
        condition = self.time(hats) + self.asked(asked) + self.style(design)
        h = self.latent(latent) + condition
        for norm, up, down in self.blocks:
            h = h + down(F.silu(up(norm(h)) + condition))
        return self.last(F.silu(self.norm(h)))


class Prior(nn.Module):
    """Noise 1×128, attributes 1×A (1: wanted, -1: not wanted, 0: open) and a design's number → latent, by Euler's method in a few steps."""

    def __init__(self, flow: Flow, scale: torch.Tensor, shift: torch.Tensor, steps: int = 8):
        super().__init__()
        self.flow, self.steps = flow, steps
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, noise, asked, design):
        latent = noise
        for step in range(self.steps):
            time = torch.full((len(noise),), step / self.steps, device=noise.device)
            latent = latent + self.flow(latent, time, asked, design) / self.steps
        return latent * self.scale + self.shift


class Editor(nn.Module):
    """Latent 1×128 and amounts of attributes 1×A → latent: along the difference between pictures with and without an attribute, in the
    design that the latent belongs to."""

    def __init__(self, design: nn.Linear, directions: torch.Tensor):
        super().__init__()
        self.design = design
        self.register_buffer("directions", directions.flatten(1))  # designs × (attributes · 128)

    def forward(self, latent, amounts):
        shares = torch.softmax(self.design(latent), 1)
        directions = (shares @ self.directions).unflatten(1, (-1, LATENT))
        return latent + (amounts @ directions[0])
