import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from pictogram import bundle, rounding
from pictogram.networks import Model


class Pages(unittest.TestCase):
    def test_pictures_come_back_but_for_half_a_step(self):
        for side, count in ((32, 1100), (64, 20)):
            pictures = np.random.default_rng(0).integers(0, 256, (count, side, side, 4), np.uint8)
            back = bundle.unpaged(bundle.pages(pictures), count)
            self.assertEqual(back.shape, pictures.shape)
            self.assertLessEqual(np.abs(back.astype(int) - pictures).max(), bundle.STEP // 2)

    def test_what_is_premultiplied_stays_so(self):
        alpha = np.arange(256, dtype=np.uint8)
        self.assertTrue((bundle.coarse(alpha[:, None].clip(0, alpha)) <= bundle.coarse(alpha)).all())
        self.assertEqual(bundle.coarse(np.array([0, 255], np.uint8)).tolist(), [0, 255])


class Weights(unittest.TestCase):
    def test_come_back_on_the_same_grid(self):
        model = Model()
        rounding.settle(model)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            torch.save({"average": model.state_dict(), "many": True}, work / "student.pt")
            bundle.weights(work, work / "half", "student")
            bundle.restore(work / "half", work, "student")
            state = torch.load(work / "student.pt")
        self.assertTrue(state["many"])
        for layer in ("denoiser.canvas1.weight", "text.token.weight", "draft.two.weight"):
            before, after = model.state_dict()[layer], state["average"][layer]
            step = rounding.steps(before, (1,))
            self.assertTrue(((before / step).round() == (after / rounding.steps(after, (1,))).round()).all(), layer)


if __name__ == "__main__":
    unittest.main()
