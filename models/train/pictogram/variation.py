"""Copies of a picture that its caption does not mention: mirrored, tilted, stretched, moved, of slightly other colours.

One picture a prompt leaves nothing for the seed to decide. Pictures are premultiplied uint8 H×W×4; depends on nothing.
"""

import random

import numpy as np
from PIL import Image

# Shares of copies that are mirrored, that are tilted, stretched and moved, and that have other colours. Three in ten stay as they are:
# what a thing looks like by itself has to remain what its words mean above all.
MIRRORED, BENT, TINTED = 0.35, 0.35, 0.3
# Standard deviation of the tilt in degrees, and the most that is never exceeded.
TILT, MOST_TILT = 5.0, 12.0
# How small a picture becomes and how much broader or narrower, and how far it moves, as shares of the side.
SMALLEST, STRETCH, MOVE = 0.86, 0.1, 0.04
# How far hues turn, in degrees, and how much saturation and brightness change.
HUE, SATURATION, BRIGHTNESS = 20.0, 0.25, 0.12
# Rows: brightness and two axes of colour. Turning the axes turns the hue and leaves greys as they are.
TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
FROM_YIQ = np.linalg.inv(TO_YIQ)


def mirrored(picture: np.ndarray) -> np.ndarray:
    return picture[:, ::-1]


def bent(picture: np.ndarray, generator: random.Random) -> np.ndarray:
    """Tilted, smaller, broader or narrower, and moved."""
    side = len(picture)
    angle = np.radians(np.clip(generator.gauss(0, TILT), -MOST_TILT, MOST_TILT))
    size, stretch = generator.uniform(SMALLEST, 1.0), generator.uniform(-STRETCH, STRETCH)
    # From places in the copy to places in the picture.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.diag([1 / (size * (1 - max(stretch, 0))), 1 / (size * (1 + min(stretch, 0)))]) @ turn
    middle = np.array([side / 2, side / 2])
    moved = np.array([generator.uniform(-MOVE, MOVE), generator.uniform(-MOVE, MOVE)]) * side
    offset = middle - matrix @ (middle + moved)
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    image = Image.fromarray(picture, "RGBa") if picture.flags.c_contiguous else Image.fromarray(np.ascontiguousarray(picture), "RGBa")
    return np.asarray(image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC))


def tinted(picture: np.ndarray, generator: random.Random) -> np.ndarray:
    """With hues turned a little, more or less saturated, brighter or darker; what is grey stays grey."""
    angle = np.radians(generator.uniform(-HUE, HUE))
    strength, light = 1 + generator.uniform(-SATURATION, SATURATION), 1 + generator.uniform(-BRIGHTNESS, BRIGHTNESS)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    turn[1:] *= strength
    # Premultiplied colours are shares of their alpha: a linear map keeps them so, up to what leaves the range.
    matrix = (FROM_YIQ @ turn @ TO_YIQ * light).astype(np.float32)
    colours = (picture[..., :3] @ matrix.T).clip(0, picture[..., 3:])
    return np.concatenate([colours.round().astype(np.uint8), picture[..., 3:]], -1)


def vary(picture: np.ndarray, generator: random.Random, mirror: bool = True, bend: bool = True, tint: bool = True) -> np.ndarray:
    """A copy with each kind of change by chance, of those that this picture bears."""
    if mirror and generator.random() < MIRRORED:
        picture = mirrored(picture)
    if bend and generator.random() < BENT:
        picture = bent(picture, generator)
    return tinted(picture, generator) if tint and generator.random() < TINTED else picture
