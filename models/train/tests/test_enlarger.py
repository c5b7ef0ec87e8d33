import random
import unittest

import numpy as np
import torch

from pictogram import enlarger, rounding
from pictogram.networks import Enlarger


class Network(unittest.TestCase):
    def test_begins_as_catmull_rom(self):
        # Catmull-Rom keeps a plane as it is, and an edge as its curve says.
        y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        plane = (x * 0.02 + y * 0.03 - 0.4).expand(1, 4, 16, 16)
        made = Enlarger()(plane)
        Y, X = torch.meshgrid((torch.arange(32.0) - 0.5) / 2, (torch.arange(32.0) - 0.5) / 2, indexing="ij")
        wanted = X * 0.02 + Y * 0.03 - 0.4
        self.assertEqual(made.shape, (1, 4, 32, 32))
        self.assertLess((made - wanted)[..., 8:-8, 8:-8].abs().max(), 1e-5)
        edge = (x >= 8).float().expand(1, 4, 16, 16) * 2 - 1
        curve = (Enlarger()(edge)[0, 0, 16, 13:19] + 1) / 2
        self.assertLess((curve - torch.tensor([-0.0234, -0.0703, 0.2031, 0.7969, 1.0703, 1.0234])).abs().max(), 1e-3)

    def test_channels_stay_apart_at_the_beginning(self):
        picture = torch.full((1, 4, 16, 16), -1.0)
        picture[:, 2, 4:12, 4:12] = 0.7
        made = Enlarger()(picture)
        self.assertLess((made[:, [0, 1, 3]] + 1).abs().max(), 1e-5)
        self.assertLess((made[:, 2, 14:18, 14:18] - 0.7).abs().max(), 1e-5)

    def test_settles_on_the_grid_of_int8(self):
        network = Enlarger()
        rounding.round_layers(network)
        rounding.settle(network)
        self.assertTrue(rounding.is_settled(network))


class Parts(unittest.TestCase):
    def test_inputs_and_targets_show_the_same(self):
        chooser = np.random.default_rng(0)
        shrunk = chooser.integers(0, 256, (3, 128, 128, 4), np.uint8)
        pairs = enlarger.Pairs(shrunk, shrunk, shrunk.repeat(2, 1).repeat(2, 2))
        generator = random.Random(1)
        for _ in range(20):
            small, large = pairs.batch(np.array([0, 2]), generator, "cpu")
            self.assertEqual(small.shape, (2, 4, enlarger.PART, enlarger.PART))
            self.assertTrue((large[..., ::2, ::2] == small).all())


class Figures(unittest.TestCase):
    def test_equal_pictures_have_the_best_figure(self):
        pictures = np.full((2, 8, 8, 4), 100, np.uint8)
        self.assertGreater(enlarger.psnr(pictures, pictures).min(), 99.9)
        self.assertAlmostEqual(float(enlarger.psnr(pictures, pictures + 51)[0]), 13.98, places=2)
