import random
import unittest

import numpy as np

from pictogram import composing, places


def square(colour: int, side: int = 8) -> np.ndarray:
    picture = np.zeros((side, side, 4), np.uint8)
    picture[2:-2, 2:-2] = (colour, 0, 0, 255)
    return picture


class Toy(composing.Compositions):
    """Two heads and two things, one pair of them excluded."""

    def __init__(self):
        box = {"box": [0.1, 0.1, 0.9, 0.9], "top": 0.1}
        self.heads = [{"codepoints": key, "word": key, "kind": "front", "places": ["top"], "styles": {"3d": box}} for key in ("cat", "fox")]
        self.items = [{"codepoints": key, "word": key, "place": "top", "width": 0.6, "hang": 0.8, "styles": ["3d"]} for key in ("crown", "glasses")]
        self.names, self.texts = {}, {key: key for key in ("cat", "fox", "crown", "glasses")}
        self.excluded, self.styles = {"cat/crown", "fox/night"}, ["3d"]
        self.pieces = {(key, "3d"): square(200, composing.SIDE) for key in self.texts}
        self.things, self.places = ["fox"], {"en": {}}


class Pairs(unittest.TestCase):
    def test_excluded_ones_never_come(self):
        toy, generator = Toy(), random.Random(0)
        texts = [toy.worn("3d", generator)[2] for _ in range(300)]
        self.assertFalse([text for text in texts if "cat" in text and "crown" in text])
        self.assertTrue([text for text in texts if "fox" in text and "crown" in text])

    def test_excluded_scenes_never_come(self):
        toy, generator = Toy(), random.Random(0)
        made = [toy.scene("3d", generator) for _ in range(300)]
        self.assertFalse([text for _, _, text in filter(None, made) if "night" in text])
        self.assertGreater(len(list(filter(None, made))), 200)

    def test_pairs_of_things_take_no_article(self):
        toy, generator = Toy(), random.Random(1)
        texts = [toy.worn("3d", generator)[2] for _ in range(300)]
        self.assertFalse([text for text in texts if "a glasses" in text])


class Pictures(unittest.TestCase):
    def test_what_is_above_hides_what_is_below(self):
        page = composing.pasted(square(100), square(200), 0, 0)
        self.assertEqual(page[4, 4].tolist(), [200, 0, 0, 255])

    def test_pieces_are_cut_off_at_edges(self):
        for left, top in ((-20, 0), (6, 6), (0, -5)):
            self.assertEqual(composing.pasted(square(100), square(200), left, top).shape, (8, 8, 4))

    def test_frames_are_full(self):
        self.assertEqual(composing.opaque_box(composing.framed(square(200, 40), 32)), (0, 0, 32, 32))

    def test_every_place_is_opaque_and_has_a_floor(self):
        for place in places.PLACES:
            picture, floor = places.paint_place(place, 64, random.Random(0))
            self.assertEqual(picture.shape, (64, 64, 4))
            self.assertTrue((picture[..., 3] == 255).all())
            self.assertTrue(0.5 < floor <= 1)


class Forms(unittest.TestCase):
    def test_places_stand_where_a_language_has_them(self):
        self.assertEqual(composing.place_forms("en", ["night", "at night"]), ["{0} at night"])
        self.assertEqual(composing.place_forms("zh", ["雪", "雪地里"]), ["雪地里的{0}"])
        self.assertEqual(composing.place_forms("ja", ["夜", "夜の"]), ["夜の{0}"])


if __name__ == "__main__":
    unittest.main()
