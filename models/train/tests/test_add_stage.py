import tempfile
import tomllib
import unittest
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from pictogram import add_stage

MANIFEST = """format = 2
name = "a"

[picture]
width = 8

[stages.decoder]
graph = "decoder.onnx"

[[stages.decoder.inputs]]
name = "x"

[stages.text_encoder]
graph = "text_encoder.onnx"

[files."weights.bin"]
bytes = 1
sha256 = "0"
"""
SOURCE = """format = 2
name = "b"

[stages.enlarger]
graph = "enlarger.onnx"

[[stages.enlarger.inputs]]
name = "picture"

[[stages.enlarger.outputs]]
name = "enlarged"

[files."enlarger.onnx"]
bytes = 2
sha256 = "1"
"""


class Manifests(unittest.TestCase):
    def test_a_stage_stands_among_the_others_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("weights.bin", "enlarger.onnx")]
            for file in files:
                file.write_bytes(b"abc")
            merged = add_stage.with_stage(MANIFEST, SOURCE, "enlarger", files)
        read = tomllib.loads(merged)
        self.assertEqual(list(read["stages"]), ["decoder", "enlarger", "text_encoder"])
        self.assertEqual(read["stages"]["enlarger"]["outputs"], [{"name": "enlarged"}])
        self.assertEqual(read["stages"]["decoder"]["inputs"], [{"name": "x"}])
        self.assertEqual(list(read["files"]), ["enlarger.onnx", "weights.bin"])
        self.assertEqual(read["files"]["weights.bin"]["bytes"], 3)
        self.assertEqual((read["name"], read["picture"]["width"]), ("a", 8))

    def test_external_data_moves(self):
        tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", "128"), ("length", "16")):
            tensor.external_data.add(key=key, value=value)
        graph = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
        read = onnx.load_from_string(add_stage.moved(graph.SerializeToString(), 640))
        place = {entry.key: entry.value for entry in read.graph.initializer[0].external_data}
        self.assertEqual(place, {"location": "weights.bin", "offset": "768", "length": "16"})
