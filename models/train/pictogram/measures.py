"""Figures about drawn pictures. Pictures are premultiplied float N×128×128×4, 0..255; features are the judge's."""

import numpy as np
import torch

from . import attributes, settings, training
from .captions import as_pictures
from .judge import Judge, shrunk


def features(judge: Judge, pictures: np.ndarray, device: str) -> np.ndarray:
    """N×256 of unit length."""
    return seen(judge.see, pictures, device)


def details(judge: Judge, pictures: np.ndarray, device: str) -> np.ndarray:
    """N×4096: what the judge sees by places, before it makes one thing of it. What a thing wears is told by these."""
    return seen(lambda part: judge.blocks(part).flatten(1).float(), pictures, device)


@torch.no_grad()
def seen(see, pictures: np.ndarray, device: str, batch: int = 128) -> np.ndarray:
    rows = []
    for begin in range(0, len(pictures), batch):
        part = shrunk(pictures[begin : begin + batch].round().astype(np.uint8))
        with training.autocast(device):
            rows.append(see(as_pictures(part, device)).cpu().numpy())
    return np.concatenate(rows)


@torch.no_grad()
def concept_features(judge: Judge, concepts: list[int]) -> np.ndarray:
    """The judge's own vectors of concepts, to which their pictures and their names in all languages are drawn."""
    return torch.nn.functional.normalize(judge.concepts, dim=1)[concepts].cpu().numpy()


def ranks(seen: np.ndarray, candidates: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How many wrong candidates come before the right one, for every picture."""
    scores = seen @ candidates.T
    return (scores > scores[np.arange(len(seen)), right][:, None]).sum(1)


def recall(rank: np.ndarray) -> dict:
    return {"r1": round(float((rank < 1).mean()), 3), "r5": round(float((rank < 5).mean()), 3), "pictures": len(rank)}


def frechet(real: np.ndarray, drawn: np.ndarray) -> float:
    """Fréchet distance of two Gaussians fitted to features (Heusel et al. 2017)."""
    a, b = np.cov(real, rowvar=False), np.cov(drawn, rowvar=False)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    mixed = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(0)).sum()
    return float(np.square(real.mean(0) - drawn.mean(0)).sum() + np.trace(a) + np.trace(b) - 2 * mixed)


def kernel_distance(real: np.ndarray, drawn: np.ndarray) -> float:
    """Unbiased KID: squared maximum mean discrepancy with a cubic kernel (Bińkowski et al. 2018)."""
    # Features have unit length, so that the products take the place of x·y / dimensions.
    rr, dd, rd = ((x @ y.T + 1) ** 3 for x, y in ((real, real), (drawn, drawn), (real, drawn)))
    off = lambda k: (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))  # noqa: E731
    return float(off(rr) + off(dd) - 2 * rd.mean())


def spread(groups: np.ndarray) -> float:
    """Mean cosine distance between pictures of one prompt, from features prompts×seeds×256."""
    seeds = groups.shape[1]
    products = np.einsum("psf,ptf->pst", groups, groups)
    return float(1 - ((products.sum((1, 2)) - seeds) / (seeds * (seeds - 1))).mean())


def apart(pictures: np.ndarray) -> float:
    """Mean root mean square difference between pictures of one thing at the denoiser's size, 0..1: a spread that needs no judge."""
    small = np.stack([at_model_size(picture) for picture in pictures]).reshape(len(pictures), -1) / 255.0
    pairs = [(one, other) for one in range(len(small)) for other in range(one)]
    return float(np.mean([np.sqrt(np.square(small[one] - small[other]).mean()) for one, other in pairs]))


def radii(rows: np.ndarray, neighbour: int) -> np.ndarray:
    """Squared distance of every row to its `neighbour`-th nearest among the others."""
    return np.sort(2 - 2 * rows @ rows.T, 1)[:, neighbour]


def precision_recall(real: np.ndarray, drawn: np.ndarray, neighbour: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991) of features of unit length: the share of drawn rows
    that lie within reach of a real one, and of real ones within reach of a drawn one; a row reaches as far as its `neighbour`-th
    nearest of its own kind."""
    distances = 2 - 2 * drawn @ real.T
    precision = (distances <= radii(real, neighbour)[None]).any(1).mean()
    recall = (distances <= radii(drawn, neighbour)[:, None]).any(0).mean()
    return float(precision), float(recall)


def nearest(seen: np.ndarray, training: np.ndarray, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """The nearest training pictures of every drawn one, best first: their places and cosine similarities."""
    scores = seen @ training.T
    places = np.argsort(-scores, 1)[:, :count]
    return places, np.take_along_axis(scores, places, 1)


def closest_pair(rows: np.ndarray) -> float:
    """The largest cosine similarity of two different rows."""
    scores = rows @ rows.T
    np.fill_diagonal(scores, -1)
    return float(scores.max())


def probe(rows: np.ndarray, labels: np.ndarray, classes: int, ridge: float = 100.0) -> np.ndarray:
    """Weights (features + 1)×classes of a linear classifier of details, by ridge regression on one-hot labels."""
    inputs = np.concatenate([rows, np.ones((len(rows), 1))], 1).astype(np.float64)
    targets = np.eye(classes)[labels] - 1 / classes
    return np.linalg.solve(inputs.T @ inputs + ridge * np.eye(inputs.shape[1]), inputs.T @ targets)


def probed(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The class of every row."""
    return (np.concatenate([rows, np.ones((len(rows), 1))], 1) @ weights).argmax(1)


def conditioning(pictures: np.ndarray) -> float:
    """From pictures prompts×seeds×…: how much the prompt changes against how much the seed changes.

    About 0 for a model that ignores its prompt, which is how badly quantized ones fail.
    """
    flat = pictures.reshape(*pictures.shape[:2], -1) / 255
    return float(flat.var(0).mean() / flat.var(1).mean().clip(1e-9))


def psnr(one: np.ndarray, other: np.ndarray) -> dict:
    """dB over pictures: median and tenth percentile."""
    error = np.square((one - other) / 255).reshape(len(one), -1).mean(1)
    quality = -10 * np.log10(error.clip(1e-10))
    return {"median": round(float(np.median(quality)), 2), "p10": round(float(np.quantile(quality, 0.1)), 2)}


def at_model_size(picture: np.ndarray) -> np.ndarray:
    side, factor = settings.PICTURE, picture.shape[0] // settings.PICTURE
    return picture.reshape(side, factor, side, factor, 4).mean((1, 3)).round().astype(np.uint8)


def shows_colour(picture: np.ndarray, colour: str) -> bool:
    return attributes.dominant(at_model_size(picture))[0] == colour


def things(picture: np.ndarray, least: float = 0.02) -> int:
    """Separate shapes that each cover at least 2 % of the picture."""
    left = at_model_size(picture)[..., 3] > 96
    found = 0
    while left.any():
        grown = np.zeros_like(left)
        grown[tuple(np.argwhere(left)[0])] = True
        while True:
            wider = grown.copy()
            wider[1:] |= grown[:-1]
            wider[:-1] |= grown[1:]
            wider[:, 1:] |= grown[:, :-1]
            wider[:, :-1] |= grown[:, 1:]
            wider &= left
            if (wider == grown).all():
                break
            grown = wider
        found += grown.mean() >= least
        left &= ~grown
    return int(found)
