import random
import unittest

import numpy as np

from pictogram import many, unpack


class Shares(unittest.TestCase):
    def test_a_large_part_does_not_drown_a_small_one(self):
        rows = [{"part": "doodle", "concept": "cat"}] * 900 + [{"part": "clipart", "concept": "cat"}] * 100
        weights = many.share_of_rows(rows)
        self.assertAlmostEqual(weights.sum(), 1)
        self.assertAlmostEqual(weights[900:].sum() / weights[:900].sum(), many.SHARES["clipart"] / many.SHARES["doodle"])

    def test_common_concepts_are_shown_by_the_root_of_their_number(self):
        rows = [{"part": "clipart", "concept": "cat"}] * 400 + [{"part": "clipart", "concept": "kite"}] * 100
        weights = many.share_of_rows(rows)
        self.assertAlmostEqual(weights[:400].sum() / weights[400:].sum(), 2)


class Doodles(unittest.TestCase):
    STROKES = [[[0, 255, 255, 0, 0], [0, 0, 255, 255, 0]]]

    def test_fill_the_picture_and_differ_in_width(self):
        drawn = [many.draw_strokes(self.STROKES, 32, random.Random(seed)) for seed in range(20)]
        covered = [(picture[..., 3] > 0).mean() for picture in drawn]
        self.assertGreater(max(covered), 1.3 * min(covered))
        self.assertTrue(all((picture[..., 3].max(0) > 0).mean() > 0.9 for picture in drawn))

    def test_are_premultiplied(self):
        for seed in range(20):
            picture = many.draw_strokes(self.STROKES, 32, random.Random(seed))
            self.assertTrue((picture[..., :3] <= picture[..., 3:]).all())


class Looks(unittest.TestCase):
    def test_new_looks_start_in_the_middle_of_the_styles(self):
        table = np.array([[9.0], [1.0], [3.0]])
        self.assertEqual(unpack.with_new_looks(table, 5, is_open_known=True).ravel().tolist(), [9, 1, 3, 2, 2])
        self.assertEqual(unpack.with_new_looks(table, 5, is_open_known=False).ravel().tolist(), [2, 1, 3, 2, 2])
        self.assertEqual(unpack.with_new_looks(table, 3, is_open_known=False).ravel().tolist(), [9, 1, 3])


if __name__ == "__main__":
    unittest.main()
