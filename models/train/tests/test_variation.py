import random
import unittest

import numpy as np

from pictogram import variation


def disc() -> np.ndarray:
    """A red disc with soft edges on nothing, premultiplied."""
    y, x = np.mgrid[:32, :32] - 15.5
    alpha = (12 - np.hypot(x, y)).clip(0, 1) * 255
    return np.stack([alpha, alpha * 0.2, alpha * 0.2, alpha], -1).round().astype(np.uint8)


class Copies(unittest.TestCase):
    def test_stay_premultiplied(self):
        generator = random.Random(0)
        for _ in range(200):
            copy = variation.vary(disc(), generator).astype(int)
            self.assertTrue((copy[..., :3] <= copy[..., 3:]).all())
            self.assertEqual(copy.shape, (32, 32, 4))

    def test_tints_leave_greys_and_alpha(self):
        grey = disc()
        grey[..., :3] = grey[..., :1] // 2
        tinted = variation.tinted(grey, random.Random(1)).astype(int)
        self.assertLessEqual(np.ptp(tinted[..., :3], axis=-1).max(), 1)
        self.assertTrue((tinted[..., 3] == grey[..., 3]).all())

    def test_what_a_picture_does_not_bear_is_not_done(self):
        generator, picture = random.Random(2), disc()
        for _ in range(20):
            self.assertTrue((variation.vary(picture, generator, mirror=False, bend=False, tint=False) == picture).all())

    def test_bent_pictures_stay_in_the_middle(self):
        generator = random.Random(3)
        for _ in range(50):
            alpha = variation.bent(disc(), generator)[..., 3].astype(float)
            y, x = (np.mgrid[:32, :32] * alpha).sum((1, 2)) / alpha.sum()
            self.assertLess(max(abs(y - 15.5), abs(x - 15.5)), 4)


if __name__ == "__main__":
    unittest.main()
