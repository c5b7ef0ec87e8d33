"""Layers that can compute with the rounding of the int8 engine, so that training knows of it. Depends on nothing.

Weights are symmetric with one scale an output channel, activations symmetric with a scale from their largest value:
one a picture for convolutions, one a row for linear layers. Gradients pass through rounding as if it were not there
(straight-through estimator, Bengio et al. 2013, arXiv 1308.3432; for int8 networks Jacob et al. 2018, arXiv 1712.05877).
"""

import torch
import torch.nn.functional as F
from torch import nn

LIMIT = 127


def steps(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """The size of one integer step where all values along `axes` share a scale."""
    return values.detach().abs().amax(axes, keepdim=True).float() / LIMIT + 1e-12


def rounded(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """Values on their int8 grid."""
    step = steps(values, axes)
    return (values.detach().float() / step).round() * step


def passing(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """Values on their int8 grid, with the gradient of the values themselves."""
    return values + (rounded(values, axes).to(values.dtype) - values.detach())


class Linear(nn.Linear):
    """`wide` inputs keep their digits: the engine takes them in two parts."""

    rounds, wide = False, False

    def forward(self, x):
        if not self.rounds:
            return super().forward(x)
        return F.linear(x if self.wide else passing(x, (-1,)), passing(self.weight, (1,)), self.bias)


class Conv2d(nn.Conv2d):
    rounds = False

    def forward(self, x):
        if not self.rounds:
            return super().forward(x)
        return self._conv_forward(passing(x, (1, 2, 3)), passing(self.weight, (1, 2, 3)), self.bias)


class Embedding(nn.Embedding):
    rounds = False

    def forward(self, x):
        rows = super().forward(x)
        return passing(rows, (-1,)) if self.rounds else rows


LAYERS = (Linear, Conv2d, Embedding)


def round_layers(network: nn.Module, rounds: bool = True) -> None:
    """Whether the layers of a network compute as in int8."""
    for layer in network.modules():
        if isinstance(layer, LAYERS):
            layer.rounds = rounds


def on_grid(weight: torch.Tensor) -> torch.Tensor:
    """A layer's weights on their grid: one scale a row of outputs."""
    return rounded(weight, tuple(range(1, weight.ndim)))


@torch.no_grad()
def settle(network: nn.Module) -> None:
    """Puts the weights themselves onto the grid, where quantizing them again loses nothing."""
    for layer in network.modules():
        if isinstance(layer, LAYERS):
            layer.weight.copy_(on_grid(layer.weight))


def is_settled(network: nn.Module) -> bool:
    """Whether all weights lie on the grid."""
    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    return all(torch.allclose(layer.weight, on_grid(layer.weight), rtol=1e-4, atol=1e-9) for layer in layers)
