"""The three stages of the model. Every layer here has a counterpart among the engine's operators.

Text encoder: tokens and style → context rows and a condition vector. Denoiser: a convolutional U-Net on
32×32×4 that predicts the clean picture (x-prediction). Decoder: 32×32 → 128×128 in one pass.
"""

import contextlib
import math

import torch
import torch.nn.functional as F
from torch import nn

from . import settings
from .rounding import Conv2d, Embedding, Linear


def attention(queries, keys, values, heads: int, bias=None):
    """N×T×C, N×S×C, N×S×C → N×T×C."""
    queries, keys, values = (rows.unflatten(-1, (heads, -1)).transpose(1, 2) for rows in (queries, keys, values))
    if queries.is_cuda or not torch.is_grad_enabled():
        out = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
    else:
        # On a CPU two products train a third faster than the fused operator's backward pass.
        scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
        scores = scores if bias is None else scores + bias.to(scores.dtype)
        out = torch.softmax(scores, -1, dtype=scores.dtype) @ values
    return out.transpose(1, 2).flatten(2)


class TextBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (Linear(width, width) for _ in range(4))
        self.up, self.down = Linear(width, 4 * width), Linear(4 * width, width)
        # The encoder starts as a bag of words, which learns fastest, and becomes more than that.
        for layer in (self.out, self.down):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, bias):
        h = self.norm1(x)
        x = x + self.out(attention(self.query(h), self.key(h), self.value(h), self.heads, bias))
        return x + self.down(F.silu(self.up(self.norm2(x))))


class TextEncoder(nn.Module):
    """Ids N×24 and styles N → context N×25×192 (padding rows are zero), condition N×256."""

    def __init__(self, width: int = settings.WIDTH, depth: int = 2, heads: int = 6):
        super().__init__()
        self.token = Embedding(settings.VOCABULARY, width)
        self.position = nn.Parameter(torch.randn(settings.TOKENS, width) * 0.02)
        self.style = nn.Embedding(len(settings.NUMBERS), width)
        self.blocks = nn.ModuleList(TextBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.pooled_condition = Linear(width, settings.CONDITION)
        self.style_condition = Linear(width, settings.CONDITION)
        nn.init.normal_(self.token.weight, std=0.3)
        nn.init.normal_(self.style.weight, std=0.3)

    def words(self, ids):
        """Context rows of the words N×24×192 and their mean N×192."""
        kept = (ids != settings.PAD).to(self.position.dtype)
        bias = ((kept - 1) * 1e4)[:, None, None, :]
        x = self.token(ids) + self.position[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, bias)
        rows = self.norm(x) * kept[:, :, None]
        return rows, rows.sum(1) / kept.sum(1, keepdim=True)

    def forward(self, ids, styles):
        rows, pooled = self.words(ids)
        style = self.style(styles)
        condition = self.pooled_condition(pooled) + self.style_condition(style)
        return torch.cat([rows, style[:, None]], 1), condition


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(16, channels // 4), channels)


def norm_silu(x, norm: nn.GroupNorm, scale=None, shift=None):
    """SiLU of the normed picture, which scale and shift modulate."""
    if x.is_cuda:
        # Autocast would norm in f32, and reading and writing that is most of what a GPU does here; sums are f32 in any case.
        with torch.autocast("cuda", enabled=False):
            h = F.group_norm(x, norm.num_groups, norm.weight.to(x.dtype), norm.bias.to(x.dtype), norm.eps)
    else:
        h = norm(x)
    return F.silu(h if scale is None else h * (1 + scale) + shift)


class ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = group_norm(outputs), Conv2d(outputs, outputs, 3, padding=1)
        self.modulation = Linear(condition, 2 * outputs)
        self.skip = Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, condition):
        h = self.conv1(norm_silu(x, self.norm1))
        scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, 1)
        return self.skip(x) + self.conv2(norm_silu(h, self.norm2, scale, shift))


class AttentionBlock(nn.Module):
    """Pixels attend to pixels and to the words, in one softmax."""

    def __init__(self, channels: int, context: int, head: int = 32):
        super().__init__()
        self.heads = channels // head
        self.norm = group_norm(channels)
        self.query, self.key, self.value = (Linear(channels, channels) for _ in range(3))
        self.context_key, self.context_value = (Linear(context, channels, bias=False) for _ in range(2))
        self.out = Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, context):
        rows = self.norm(x).flatten(2).transpose(1, 2)
        keys = torch.cat([self.key(rows), self.context_key(context)], 1)
        values = torch.cat([self.value(rows), self.context_value(context)], 1)
        out = self.out(attention(self.query(rows), keys, values, self.heads))
        return x + out.transpose(1, 2).unflatten(2, x.shape[2:])


def in_two_parts(layer: nn.Linear, row):
    """What `layer` makes of one row, as the sum of what it makes of the row in steps of 1/127 and of what these leave over.

    The same in f32. In int8 each part has its own scale, and the two hold 15 bits together, for the price of one:
    kernels multiply several rows at once.
    """
    step = row.abs().amax(1, keepdim=True) / 127 + 1e-12
    coarse = torch.round(row / step) * step
    return layer(torch.cat([coarse, row - coarse])).sum(0, keepdim=True) - layer.bias


class Draft(nn.Module):
    """Condition N×256 → the mean of the pictures N×4×32×32 that the words may mean.

    Hidden values are a few large ones among many small: one int8 scale for all would be the largest error of the
    whole model (35 dB). `fine`, for N = 1, is how it is exported. And the small ones have large weights, which would leave few
    steps to all others: `even_out` moves their size from the weights to factors of the hidden values.
    """

    fine = False

    def __init__(self, hidden: int = 1024):
        super().__init__()
        self.one, self.two = Linear(settings.CONDITION, hidden), Linear(hidden, hidden)
        self.three = Linear(hidden, settings.CHANNELS * settings.PICTURE**2)
        self.two.wide = self.three.wide = True
        self.register_buffer("two_factors", torch.ones(hidden))
        self.register_buffer("three_factors", torch.ones(hidden))

    def forward(self, condition):
        apply = in_two_parts if self.fine else nn.Linear.__call__
        hidden = F.silu(self.one(condition)) * self.two_factors
        rows = apply(self.three, F.silu(apply(self.two, hidden)) * self.three_factors)
        return rows.unflatten(1, (settings.CHANNELS, settings.PICTURE, settings.PICTURE))

    @torch.no_grad()
    def even_out(self):
        """Makes the weights of every hidden value equally large; nothing else changes. As cross-layer equalisation (Nagel et
        al. 2019, arXiv 1906.04721), but with factors of their own, since SiLU lets none pass."""
        for layer, factors in ((self.two, self.two_factors), (self.three, self.three_factors)):
            sizes = layer.weight.square().mean(0).sqrt()
            sizes = (sizes / sizes.mean()).clamp_min(1e-3)
            layer.weight /= sizes
            factors *= sizes


class Denoiser(nn.Module):
    """Noisy picture N×4×32×32, time N in [0, 1], context, condition, draft → clean picture N×4×32×32."""

    KNOTS = 64

    def __init__(self, channels=(48, 96, 192), blocks: int = 1, context: int = settings.WIDTH):
        super().__init__()
        self.channels, self.blocks = channels, blocks
        width = settings.CONDITION
        # Hat functions, not sines: multiply, add and maximum give the same bits on every board.
        self.register_buffer("knots", torch.arange(self.KNOTS) * 1.0, persistent=False)
        self.time1, self.time2 = Linear(self.KNOTS, width), Linear(width, width)
        self.first = nn.Conv2d(settings.CHANNELS, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, current = [channels[0]], channels[0]
        for level, count in enumerate(channels):
            for _ in range(blocks):
                self.down.append(self.stage(current, count, level, context))
                current = count
                skips.append(current)
            if level + 1 < len(channels):
                self.down.append(Conv2d(current, current, 3, stride=2, padding=1))
                skips.append(current)
        # From pure noise a convolution cannot tell where it is. A coarse picture made from the condition alone can.
        self.canvas = (current // 2, settings.PICTURE >> (len(channels) - 1), settings.PICTURE >> (len(channels) - 1))
        self.canvas1, self.canvas2 = Linear(width, 512), Linear(512, math.prod(self.canvas))
        self.canvas3 = Conv2d(self.canvas[0], current, 1)
        nn.init.zeros_(self.canvas2.weight)
        nn.init.zeros_(self.canvas2.bias)
        # What a thing in a style looks like is learned a hundred times faster without the rest of the network.
        self.draft_in = nn.Conv2d(settings.CHANNELS, channels[0], 3, padding=1)
        nn.init.zeros_(self.draft_in.weight)
        nn.init.zeros_(self.draft_in.bias)
        self.middle = nn.ModuleList(
            [ResidualBlock(current, current, width), AttentionBlock(current, context), ResidualBlock(current, current, width)]
        )
        for level, count in reversed(list(enumerate(channels))):
            for _ in range(blocks + 1):
                self.up.append(self.stage(current + skips.pop(), count, level, context))
                current = count
            if level > 0:
                self.up.append(Conv2d(current, current, 3, padding=1))
        self.norm, self.last = group_norm(current), nn.Conv2d(current, settings.CHANNELS, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    @staticmethod
    def stage(inputs: int, outputs: int, level: int, context: int) -> nn.ModuleList:
        block = [ResidualBlock(inputs, outputs, settings.CONDITION)]
        return nn.ModuleList(block + ([AttentionBlock(outputs, context)] if level >= 1 else []))

    def embed_time(self, time):
        hats = F.relu(1 - (time[:, None] * (self.KNOTS - 1) - self.knots).abs())
        return self.time2(F.silu(self.time1(hats)))

    def forward(self, x, time, context, condition, draft):
        h = self.first(x) + self.draft_in(draft)
        condition = F.silu(self.embed_time(time) + condition)
        skips = [h]
        for module in self.down:
            h = run_stage(module, h, context, condition)
            skips.append(h)
        canvas = self.canvas2(F.silu(self.canvas1(condition)))
        h = h + self.canvas3(canvas.unflatten(1, self.canvas))
        h = self.middle[0](h, condition)
        h = self.middle[2](self.middle[1](h, context), condition)
        for module in self.up:
            if isinstance(module, nn.Conv2d):
                h = module(F.interpolate(h, scale_factor=2, mode="nearest"))
            else:
                h = run_stage(module, torch.cat([h, skips.pop()], 1), context, condition)
        return self.last(norm_silu(h, self.norm))


def run_stage(module, h, context, condition):
    if isinstance(module, nn.Conv2d):
        return module(h)
    h = module[0](h, condition)
    return module[1](h, context) if len(module) > 1 else h


class PromptEncoder(nn.Module):
    """Everything that is known before the first step: ids N×24, styles N → context, condition, draft."""

    def __init__(self, text: TextEncoder, draft: Draft):
        super().__init__()
        self.text, self.draft = text, draft

    def forward(self, ids, style):
        context, condition = self.text(ids, style)
        return context, condition, self.draft(condition)


class Model(nn.Module):
    """Text encoder, draft and denoiser, trained together."""

    def __init__(self, **denoiser):
        super().__init__()
        self.text, self.draft = TextEncoder(), Draft()
        self.denoiser = Denoiser(**denoiser)

    @property
    def prompt(self) -> PromptEncoder:
        """The stage that runs once a picture; it shares the model's layers."""
        return PromptEncoder(self.text, self.draft)

    def forward(self, x, time, ids, styles):
        return self.denoiser(x, time, *self.prompt(ids, styles))


class DecoderBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(channels // 8, channels)
        self.conv1, self.conv2 = (Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class Decoder(nn.Module):
    """Picture N×4×32×32 and style N → picture N×4×128×128."""

    def __init__(self, channels=(160, 96, 48), blocks: int = 2):
        super().__init__()
        self.style = nn.Embedding(len(settings.NUMBERS), channels[0])
        self.first = nn.Conv2d(settings.CHANNELS * 4, channels[0], 3, padding=1)
        self.levels = nn.ModuleList(nn.Sequential(*(DecoderBlock(c) for _ in range(blocks))) for c in channels)
        self.grow = nn.ModuleList(Conv2d(a, b * 4, 1) for a, b in zip(channels, channels[1:]))
        self.last = nn.Conv2d(channels[-1], settings.CHANNELS * 4, 3, padding=1)

    def forward(self, x, styles):
        h = self.first(F.pixel_unshuffle(x, 2)) + self.style(styles)[:, :, None, None]
        for index, level in enumerate(self.levels):
            h = level(h)
            if index < len(self.grow):
                h = F.pixel_shuffle(self.grow[index](h), 2)
        return F.pixel_shuffle(self.last(F.silu(h)), 2)


class EnlargerBlock(nn.Module):
    """No norm: its mean would differ from one tile of a picture to the next."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.conv2 = (Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Enlarger(nn.Module):
    """Picture N×4×H×W → picture N×4×2H×2W, H and W even.

    It begins as Catmull-Rom, a linear filter of the picture that stays f32 (`base`), and learns what to add to that from what it sees around.
    """

    def __init__(self, channels: int = 48, blocks: int = 3):
        super().__init__()
        inputs, outputs = settings.CHANNELS * 4, settings.CHANNELS * 16
        self.base = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.first = Conv2d(inputs, channels, 3, padding=1)
        self.blocks = nn.ModuleList(EnlargerBlock(channels) for _ in range(blocks))
        self.last = Conv2d(channels, outputs, 3, padding=1)
        for layer in (self.last, self.base):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.base.weight.copy_(torch.kron(torch.eye(settings.CHANNELS), catmull_rom_of_blocks()).view_as(self.base.weight))

    def forward(self, x):
        # From 0 to 1, so that what is padded is transparent.
        parts = F.pixel_unshuffle(x * 0.5 + 0.5, 2)
        # bfloat16 has too few digits for the picture itself.
        with torch.autocast(x.device.type, enabled=False) if torch.is_autocast_enabled(x.device.type) else contextlib.nullcontext():
            base = self.base(parts)
        h = self.first(parts)
        for block in self.blocks:
            h = block(h)
        return F.pixel_shuffle(base + self.last(F.silu(h)), 4) * 2 - 1


def catmull_rom_of_blocks() -> torch.Tensor:
    """Twofold enlarging as a convolution of 3×3 blocks of 2×2 pixels: 16 outputs × 4 inputs·9."""
    places = torch.arange(-2, 4)
    distance = (places - ((torch.arange(4)[:, None] + 0.5) / 2 - 0.5)).abs()
    near, far = (1.5 * distance - 2.5) * distance**2 + 1, ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    line = torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0)).view(4, 3, 2)
    # Outputs by row and column, then inputs by row and column within their block, then blocks by row and column.
    return torch.einsum("yai,xbj->yxijab", line, line).reshape(16, 4 * 9)


class PictureEncoder(nn.Module):
    """Picture N×4×32×32 → N×192, the picture side of the image–text network."""

    def __init__(self, channels: int = 48, width: int = settings.WIDTH):
        super().__init__()
        layers, inputs = [], settings.CHANNELS
        for level, outputs in enumerate((channels, 2 * channels, 4 * channels)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=1 if level == 0 else 2, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()]
            layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()]
            inputs = outputs
        layers += [nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten()]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(2 * inputs * 16, width)

    def forward(self, x):
        return self.out(self.layers(x))
