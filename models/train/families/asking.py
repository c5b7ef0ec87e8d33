"""Prompts to train from: a portrait's attributes, of which as many are left open as in what people ask for. Depends on `portraits`."""

import numpy as np
import torch

from . import attributes
from .portraits import Portraits

# Share of prompts that say nothing, and that say everything; the rest says a share of its own. A thing that is absent is said less often.
NOTHING, EVERYTHING, ABSENT = 0.15, 0.15, 0.3
# Share of prompts in which the design is left open.
ANY_DESIGN = 0.2


def designs(portraits: Portraits, indices: np.ndarray, chooser: np.random.Generator) -> torch.Tensor:
    """Numbers of designs, some of them left open."""
    return torch.from_numpy(np.where(chooser.random(len(indices)) < ANY_DESIGN, attributes.OPEN, portraits.designs[indices]))


def asked(portraits: Portraits, indices: np.ndarray, chooser: np.random.Generator) -> torch.Tensor:
    """N×attributes: 1 for what is asked for, -1 for what is not wanted, 0 for what is open."""
    values = portraits.attributes[indices].astype(np.float32)
    shares = chooser.random((len(indices), 1))
    draws = chooser.random((len(indices), 1))
    shares = np.where(draws < NOTHING, 0.0, np.where(draws > 1 - EVERYTHING, 1.0, shares**2))
    likely = np.where(values > 0, shares, np.where(shares == 1, 1.0, shares * ABSENT))
    return torch.from_numpy(values * (chooser.random(values.shape) < likely)).float()
