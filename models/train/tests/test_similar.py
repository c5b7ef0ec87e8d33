import json
import struct
import unittest

import numpy as np

from pictogram import similar

MANIFEST = """format = 2

[sampling]
a = 1

[[styles]]
name = "3d"

[stages.decoder]
graph = "decoder.onnx"

[files."decoder.onnx"]
bytes = 1
sha256 = "0"

[files."weights.bin"]
bytes = 1
sha256 = "0"
"""


class Similar(unittest.TestCase):
    def test_cells_are_means_of_what_is_seen(self):
        pixels = np.zeros((32, 32, 4), np.uint8)
        pixels[:2, :2] = [200, 100, 0, 255]
        pixels[:2, 2:4] = [200, 100, 0, 0]
        found = similar.descriptor(pixels).reshape(16, 16, 4)
        np.testing.assert_array_equal(found[0, 0], [200, 100, 0, 255])
        np.testing.assert_array_equal(found[0, 1], [0, 0, 0, 0])

    def test_an_index_says_what_it_holds(self):
        random = np.random.default_rng(1)
        rows = [{"style": "3d", "key": str(number), "name": f"thing\t{number}", "licence": "MIT"} for number in range(100)]
        data = similar.index(rows, random.uniform(0, 255, (100, 1024)).astype(np.float32))
        self.assertEqual(data[:8], similar.MAGIC)
        length = struct.unpack("<I", data[8:12])[0]
        header = json.loads(data[12 : 12 + length])
        self.assertEqual((header["count"], header["dimensions"], len(header["nearest"])), (100, 64, 101))
        binary = 1024 + 64 * 8 + 64 * 1024 + 100 * 64
        lines = data[12 + length + binary :].decode().splitlines()
        self.assertEqual((len(lines), lines[7]), (100, "3d\t7\tthing 7"))

    def test_a_manifest_names_its_index_once(self):
        once = similar.with_index(MANIFEST, "training.index", b"abc")
        self.assertEqual(similar.with_index(once, "training.index", b"abc"), once)
        self.assertEqual(once.count("[training]"), 1)
        self.assertLess(once.index('[files."training.index"]'), once.index('[files."weights.bin"]'))
        self.assertLess(once.index("[training]"), once.index("[[styles]]"))


if __name__ == "__main__":
    unittest.main()
