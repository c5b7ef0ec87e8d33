"""Makes the reference U-Net: an f32 ONNX graph of the shape that diffusion models have, with random weights.

    python unet.py unet.onnx

11.2 M parameters, 1.62 GMAC, input `x` 1×4×32×32 and time embedding `temb` 1×256. Opset 17, the operators that
PyTorch's exporters write: convolutions, normalisation over groups, SiLU, attention by heads, nearest enlargement.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, LEVELS, SIDE, CHANNELS, TIME, HEADS = 64, (1, 2, 4), 32, 4, 256, 4
ATTENTION = {1, 2}


class Graph:
    """Nodes and constants of a graph under construction; every method returns the name of its output."""

    def __init__(self, seed: int):
        self.random, self.nodes, self.constants = np.random.default_rng(seed), [], []

    def constant(self, values: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"{name}_node", **attributes))
        return name

    def weights(self, *shape: int, fan: int) -> str:
        return self.constant((self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def noise(self, *shape: int, around: float = 0.0, by: float = 0.05) -> str:
        return self.constant((around + by * self.random.standard_normal(shape)).astype(np.float32))

    def shape(self, *sizes: int) -> str:
        return self.constant(np.array(sizes, np.int64))

    def reshape(self, x: str, *sizes: int) -> str:
        return self.add("Reshape", x, self.shape(*sizes))

    def convolution(self, x: str, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> str:
        weights = self.weights(outputs, inputs, size, size, fan=inputs * size * size)
        return self.add("Conv", x, weights, self.noise(outputs), kernel_shape=[size] * 2, pads=[size // 2] * 4, strides=[stride] * 2)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.weights(inputs, outputs, fan=inputs)), self.noise(outputs))

    def silu(self, x: str) -> str:
        return self.add("Mul", x, self.add("Sigmoid", x))

    def norm(self, x: str, channels: int, side: int) -> str:
        groups = min(32, channels // 4)
        one, zero = (self.constant(np.full(groups, value, np.float32)) for value in (1, 0))
        x = self.add("InstanceNormalization", self.reshape(x, 1, groups, -1), one, zero, epsilon=1e-5)
        x = self.add("Mul", self.reshape(x, 1, channels, side, side), self.noise(channels, 1, 1, around=1, by=0.1))
        return self.add("Add", x, self.noise(channels, 1, 1, by=0.1))

    def residual(self, x: str, inputs: int, outputs: int, side: int, time: str) -> str:
        h = self.convolution(self.silu(self.norm(x, inputs, side)), inputs, outputs)
        h = self.add("Add", h, self.reshape(self.linear(time, TIME, outputs), 1, outputs, 1, 1))
        h = self.convolution(self.silu(self.norm(h, outputs, side)), outputs, outputs)
        return self.add("Add", x if inputs == outputs else self.convolution(x, inputs, outputs, size=1), h)

    def attention(self, x: str, channels: int, side: int) -> str:
        tokens, width = side * side, channels // HEADS
        rows = self.add("Transpose", self.reshape(self.norm(x, channels, side), 1, channels, tokens), perm=[0, 2, 1])
        queries, keys, values = (self.reshape(self.linear(rows, channels, channels), 1, tokens, HEADS, width) for _ in range(3))
        queries, values = (self.add("Transpose", part, perm=[0, 2, 1, 3]) for part in (queries, values))
        scores = self.add("MatMul", queries, self.add("Transpose", keys, perm=[0, 2, 3, 1]))
        scores = self.add("Mul", scores, self.constant(np.array(width**-0.5, np.float32)))
        mixed = self.add("Transpose", self.add("MatMul", self.add("Softmax", scores, axis=-1), values), perm=[0, 2, 1, 3])
        out = self.add("Transpose", self.linear(self.reshape(mixed, 1, tokens, channels), channels, channels), perm=[0, 2, 1])
        return self.add("Add", x, self.reshape(out, 1, channels, side, side))


def unet(seed: int) -> onnx.ModelProto:
    graph = Graph(seed)
    time = graph.silu(graph.linear("temb", TIME, TIME))
    time = graph.silu(graph.linear(time, TIME, TIME))
    x, channels, side = graph.convolution("x", CHANNELS, WIDTH), WIDTH, SIDE
    skips = [(x, channels)]
    for level, factor in enumerate(LEVELS):
        x, channels = graph.residual(x, channels, WIDTH * factor, side, time), WIDTH * factor
        x = graph.attention(x, channels, side) if level in ATTENTION else x
        skips.append((x, channels))
        if level + 1 < len(LEVELS):
            x, side = graph.convolution(x, channels, channels, stride=2), side // 2
            skips.append((x, channels))
    x = graph.attention(graph.residual(x, channels, channels, side, time), channels, side)
    x = graph.residual(x, channels, channels, side, time)
    for level, factor in reversed(list(enumerate(LEVELS))):
        for _ in range(2):
            skip, more = skips.pop()
            x = graph.residual(graph.add("Concat", x, skip, axis=1), channels + more, WIDTH * factor, side, time)
            channels = WIDTH * factor
            x = graph.attention(x, channels, side) if level in ATTENTION else x
        if level > 0:
            scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
            x = graph.add("Resize", x, "", scales, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
            x, side = graph.convolution(x, channels, channels), side * 2
    x = graph.convolution(graph.silu(graph.norm(x, channels, side)), channels, CHANNELS)
    graph.nodes[-1].output[0] = "y"
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    picture = (1, CHANNELS, SIDE, SIDE)
    made = helper.make_graph(graph.nodes, "unet", [value("x", *picture), value("temb", 1, TIME)], [value("y", *picture)], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = unet(options.seed)
    onnx.checker.check_model(model)
    onnx.save(model, options.out)
    parameters = sum(int(np.prod(constant.dims)) for constant in model.graph.initializer if constant.data_type == TensorProto.FLOAT)
    print(f"{options.out}: {parameters / 1e6:.2f} M parameters, {len(model.graph.node)} nodes")


if __name__ == "__main__":
    main()
