"""The networks of `quill`: pictures to 64 tokens and back, and a transformer that writes the tokens one after another.

Every layer here has a counterpart among the engine's operators.
"""

import math

import torch
import torch.nn.functional as F
from pictogram import settings
from pictogram.rounding import Conv2d, Linear
from torch import nn

from . import attributes
from .blend_networks import blocks

# Finite scalar quantization (Mentzer et al. 2023, arXiv 2309.15505): every number is rounded to one of so many levels.
LEVELS = (8, 5, 5, 5)
SIDE = 8  # tokens in a row
CODES = math.prod(LEVELS)
TOKENS = SIDE**2


class Quantizer(nn.Module):
    """Maps N×4×8×8 → the same on the levels, in [-1, 1]; tokens are its numbers in base `LEVELS`."""

    def __init__(self):
        super().__init__()
        half = torch.tensor([(level - 1) / 2 for level in LEVELS])
        bases = torch.tensor([math.prod(LEVELS[:index]) for index in range(len(LEVELS))]).float()
        self.register_buffer("halves", half.reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("bases", bases.reshape(1, -1, 1, 1), persistent=False)

    def steps(self, h):
        """Whole numbers from 0 to each level less one, still as the encoder gives them."""
        return (torch.tanh(h) + 1) * self.halves

    def forward(self, h):
        steps = self.steps(h)
        return (steps + (steps.round() - steps).detach()) / self.halves - 1

    def tokens(self, h):
        """N×4×8×8 → tokens N×64 as floats."""
        return (self.steps(h).round() * self.bases).sum(1).flatten(1)


def table() -> torch.Tensor:
    """What each token stands for: codes × 4, in [-1, 1]."""
    numbers, rows = torch.arange(CODES), []
    for level in LEVELS:
        rows.append((numbers % level) / ((level - 1) / 2) - 1)
        numbers = numbers // level
    return torch.stack(rows, 1)


class Encoder(nn.Module):
    """Picture N×4×128×128 in [-1, 1] → N×4×8×8, not yet rounded."""

    def __init__(self, channels=(48, 96)):
        super().__init__()
        self.first = nn.Conv2d(settings.CHANNELS * 16, channels[0], 3, stride=2, padding=1)
        self.level1 = blocks(channels[0], 1)
        self.down = Conv2d(channels[0], channels[1], 3, stride=2, padding=1)
        self.level2 = blocks(channels[1], 1)
        self.last = nn.Conv2d(channels[1], len(LEVELS), 1)

    def forward(self, picture):
        h = self.level1(self.first(F.pixel_unshuffle(picture, 4)))
        return self.last(F.silu(self.level2(self.down(F.silu(h)))))


class Decoder(nn.Module):
    """Levels N×4×8×8 → picture N×4×128×128."""

    def __init__(self, channels=(112, 56, 32, 24), depths=(2, 1, 1)):
        super().__init__()
        self.first = nn.Conv2d(len(LEVELS), channels[0], 3, padding=1)
        self.levels = nn.ModuleList(blocks(c, depth) for c, depth in zip(channels, depths))
        self.grow = nn.ModuleList(Conv2d(a, b * 4, 1) for a, b in zip(channels, channels[1:]))
        self.last = nn.Conv2d(channels[-1], settings.CHANNELS * 4, 3, padding=1)

    def forward(self, levels):
        h = self.first(levels)
        for level, grow in zip(self.levels, self.grow):
            h = F.pixel_shuffle(grow(level(h)), 2)
        return F.pixel_shuffle(self.last(F.silu(h)), 2)


class Codebook(nn.Module):
    """Encoder, rounding and decoder, trained together."""

    def __init__(self):
        super().__init__()
        self.encoder, self.quantizer, self.decoder = Encoder(), Quantizer(), Decoder()

    def forward(self, picture):
        return self.decoder(self.quantizer(self.encoder(picture)))


class Block(nn.Module):
    """Tokens attend to those before them."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (Linear(width, width) for _ in range(4))
        self.up, self.down = Linear(width, 4 * width), Linear(4 * width, width)

    def attend(self, queries, keys, values, bias):
        queries, keys, values = (rows.unflatten(-1, (self.heads, -1)).transpose(1, 2) for rows in (queries, keys, values))
        scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2) + bias
        return (torch.softmax(scores, -1) @ values).transpose(1, 2).flatten(2)

    def forward(self, x, bias):
        h = self.norm1(x)
        x = x + self.out(self.attend(self.query(h), self.key(h), self.value(h), bias))
        return x + self.down(F.silu(self.up(self.norm2(x))))

    def step(self, x, keys, values, here, bias):
        """One token 1×1×W with the keys and values of all places, 1×64×W; `here` is 1 at this token's place, 1×64×1."""
        h = self.norm1(x)
        keys = keys * (1 - here) + here * self.key(h)
        values = values * (1 - here) + here * self.value(h)
        x = x + self.out(self.attend(self.query(h), keys, values, bias))
        return x + self.down(F.silu(self.up(self.norm2(x)))), keys, values


class Writer(nn.Module):
    """What is asked for and the tokens so far → scores of the next token."""

    def __init__(self, width: int = 160, depth: int = 6, heads: int = 5):
        super().__init__()
        self.width = width
        # Number 0 stands for the beginning.
        self.token = nn.Embedding(CODES + 1, width)
        self.position = nn.Parameter(torch.randn(TOKENS, width) * 0.02)
        self.asked = nn.Linear(len(attributes.NAMES), width, bias=False)
        self.style = nn.Embedding(len(attributes.DESIGNS) + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.last = nn.LayerNorm(width), Linear(width, CODES)
        nn.init.normal_(self.token.weight, std=0.1)
        nn.init.normal_(self.style.weight, std=0.1)
        for block in self.blocks:
            for layer in (block.out, block.down):
                nn.init.zeros_(layer.weight)

    def condition(self, asked, design):
        return self.asked(asked) + self.style(design)

    def forward(self, tokens, asked, design):
        """Tokens N×64, attributes N×A, designs N → scores N×64×codes, each of the token at that place."""
        before = F.pad(tokens[:, :-1] + 1, (1, 0))
        x = self.token(before) + self.position + self.condition(asked, design)[:, None]
        bias = torch.full((TOKENS, TOKENS), -1e4, device=x.device).triu(1)
        for block in self.blocks:
            x = block(x, bias)
        return self.last(self.norm(x))


class Step(nn.Module):
    """The writer as it is run: the token before (0: none), its place, what is asked for, keys and values → scores of the next token, keys
    and values."""

    def __init__(self, writer: Writer):
        super().__init__()
        self.writer = writer
        self.register_buffer("places", torch.arange(TOKENS) * 1.0, persistent=False)

    def forward(self, token, time, asked, design, state):
        writer = self.writer
        here = F.relu(1 - (time - self.places).abs())  # 64
        bias = -1e4 * (self.places - time).clamp(0, 1)
        x = writer.token(token) + here[None] @ writer.position + writer.condition(asked, design)
        x, here = x[:, None], here[None, :, None]
        kept = []
        for index, block in enumerate(writer.blocks):
            x, keys, values = block.step(x, state[:, 2 * index], state[:, 2 * index + 1], here, bias)
            kept += [keys, values]
        return writer.last(writer.norm(x))[:, 0], torch.stack(kept, 1)


class TokensDecoder(nn.Module):
    """Tokens 1×64 → picture 1×4×128×128."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder
        self.register_buffer("table", table())

    def forward(self, ids):
        levels = self.table[ids].transpose(1, 2).unflatten(2, (SIDE, SIDE))
        return self.decoder(levels)


class TokensEncoder(nn.Module):
    """Picture 1×4×128×128 → tokens 1×64, as floats."""

    def __init__(self, codebook: Codebook):
        super().__init__()
        self.codebook = codebook

    def forward(self, picture):
        return self.codebook.quantizer.tokens(self.codebook.encoder(picture))
