import unittest

import numpy as np

from pictogram import measures


def unit_rows(count: int, seed: int, features: int = 8) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class PrecisionRecall(unittest.TestCase):
    def test_of_the_same_rows_both_are_whole(self):
        rows = unit_rows(40, 0)
        self.assertEqual(measures.precision_recall(rows, rows), (1.0, 1.0))

    def test_of_rows_far_apart_both_are_nothing(self):
        rows = unit_rows(40, 0) * 0.05 + np.eye(8)[0]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self.assertEqual(measures.precision_recall(rows, -rows), (0.0, 0.0))

    def test_one_picture_for_all_is_precise_and_recalls_little(self):
        real = unit_rows(60, 1)
        drawn = np.repeat(real[:1], 20, 0)
        precision, recall = measures.precision_recall(real, drawn)
        self.assertEqual(precision, 1.0)
        self.assertLess(recall, 0.1)


class Neighbours(unittest.TestCase):
    def test_nearest_come_best_first(self):
        rows = unit_rows(30, 2)
        places, scores = measures.nearest(rows[:4], rows)
        self.assertEqual(places[:, 0].tolist(), [0, 1, 2, 3])
        self.assertTrue((np.diff(scores, axis=1) <= 0).all())

    def test_the_closest_pair_is_of_different_rows(self):
        rows = np.eye(3)
        rows[2] = [0.6, 0.8, 0.0]
        self.assertAlmostEqual(measures.closest_pair(rows), 0.8)


class Spread(unittest.TestCase):
    def test_copies_do_not_differ(self):
        pictures = np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 128, 128, 4)), 8, 0)
        self.assertEqual(measures.apart(pictures), 0.0)
        self.assertAlmostEqual(measures.spread(np.repeat(unit_rows(1, 0), 8, 0)[None]), 0.0)

    def test_black_and_white_are_as_far_apart_as_can_be(self):
        self.assertAlmostEqual(measures.apart(np.stack([np.zeros((128, 128, 4)), np.full((128, 128, 4), 255.0)])), 1.0)


class Probe(unittest.TestCase):
    def test_tells_groups_apart(self):
        labels = np.repeat(np.arange(3), 30)
        rows = np.eye(8)[labels] + 0.1 * unit_rows(90, 3)
        weights = measures.probe(rows, labels, 3, ridge=1.0)
        self.assertEqual(measures.probed(weights, np.eye(8)[:3]).tolist(), [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
