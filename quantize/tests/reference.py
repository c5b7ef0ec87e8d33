"""Compares a pack with the f32 graphs it was made from, in onnxruntime, and with what the engine makes of it.

    python quantize/tests/reference.py PACK F32_FOLDER [--seed 0] [--least 25] [--engine target/release/examples/stage]

PACK is a folder that inkstone-quantize wrote, F32_FOLDER the export. Every graph of the pack goes through onnx.checker with
shape inference, then both graphs run on the same random inputs. Prints operators, and the signal-to-noise ratio of every output
in decibels; exits with 1 where one is below --least. With --engine (`cargo build --release --example stage`) the inputs are those of
the benchmarks, and the engine's outputs are compared with onnxruntime's on the pack. Needs Python 3.11, onnx, onnxruntime and numpy.
"""

import argparse
import collections
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator


def wave(port: dict) -> np.ndarray:
    """What `benches/inputs` gives a stage."""
    count = int(np.prod(port["shape"]))
    if port["element"] == "f32":
        return np.sin(np.arange(count, dtype=np.float32) * np.float32(0.37)).reshape(port["shape"])
    return np.ones(port["shape"], np.int64)


def run_engine(program: Path, pack: Path, stage: str, shapes: list) -> list[np.ndarray]:
    command = [program, pack, "--stage", stage, "--runs", "1", "--warm", "0", "--outputs"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [np.array(values, np.float32).reshape(shape) for values, shape in zip(report["outputs"], shapes, strict=True)]


def random_input(name: str, port: dict, vocabulary: int, generator: np.random.Generator) -> np.ndarray:
    shape = port["shape"]
    if port["element"] == "f32":
        # Times lie between 0 and 1, everything else is about as wide as a normal distribution.
        drawn = generator.random(shape) if name == "time" else generator.standard_normal(shape)
        return drawn.astype(np.float32)
    ids = generator.integers(1, vocabulary, shape)
    if ids.ndim == 2:
        ids[:, ids.shape[1] // 2 :] = 0  # padding
    return ids


def table_rows(model: onnx.ModelProto, port: str) -> int:
    """Rows of the smallest table that the input indexes, two where there is none."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    rows = [shapes[n.input[0]][0] for n in model.graph.node if n.op_type == "Gather" and n.input[1] == port and n.input[0] in shapes]
    return min(rows, default=2)


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_original(path: Path, source: onnx.ModelProto, inputs: dict) -> list[np.ndarray]:
    """onnxruntime 1.32 wants the mask of the standard Attention [1, 1, T, S]; onnx's own evaluator broadcasts it."""
    if any(node.op_type == "Attention" and len(node.input) > 3 for node in source.graph.node):
        return ReferenceEvaluator(onnx.load(path)).run(None, inputs)
    return session(path).run(None, inputs)


def decibels(wanted: np.ndarray, found: np.ndarray) -> float:
    noise = np.square(wanted.astype(np.float64) - found).sum()
    return float("inf") if noise == 0 else 10 * np.log10(np.square(wanted.astype(np.float64)).sum() / noise)


def operators(path: Path) -> str:
    nodes = onnx.load(path, load_external_data=False).graph.node
    counts = collections.Counter(f"{node.domain}.{node.op_type}".lstrip(".") for node in nodes)
    return f"{len(nodes)} nodes: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("f32_folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=25.0, help="lowest ratio accepted, in decibels")
    parser.add_argument("--engine", type=Path, help="the example `stage`")
    arguments = parser.parse_args()
    manifest = tomllib.loads((arguments.pack / "pack.toml").read_text())
    generator = np.random.default_rng(arguments.seed)
    lowest = float("inf")
    for name, stage in manifest["stages"].items():
        quantized, original = arguments.pack / stage["graph"], arguments.f32_folder / stage["graph"]
        onnx.checker.check_model(quantized, full_check=True)
        print(f"{name}: checker ok, {operators(quantized)}")
        source = onnx.load(original, load_external_data=False)
        drawn = {
            port["name"]: random_input(port["name"], port, table_rows(source, port["name"]), generator) for port in stage["inputs"]
        }
        inputs = {port["name"]: wave(port) for port in stage["inputs"]} if arguments.engine else drawn
        wanted, found = run_original(original, source, inputs), session(quantized).run(None, inputs)
        for port, left, right in zip(stage["outputs"], wanted, found, strict=True):
            ratio = decibels(left, right)
            lowest = min(lowest, ratio)
            print(f"  {port['name']} {list(left.shape)}: {ratio:.1f} dB, rms {np.sqrt(np.square(left).mean()):.3g}")
        if arguments.engine:
            made = run_engine(arguments.engine, arguments.pack, name, [output.shape for output in found])
            for port, left, right in zip(stage["outputs"], found, made, strict=True):
                lowest = min(lowest, decibels(left, right))
                print(f"  {port['name']} by the engine: {decibels(left, right):.1f} dB from onnxruntime's")
    return 0 if lowest >= arguments.least else 1


if __name__ == "__main__":
    sys.exit(main())
