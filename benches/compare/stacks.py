"""Makes f32 ONNX graphs of one kind of layer, with random weights, for `graph.py` and `capped.py`.

    python stacks.py transformer transformer.onnx      # 12 blocks as text encoders have them, 77 tokens of width 512
    python stacks.py convolutions convolutions.onnx    # 24 convolutions 1024 → 1024 at 8×8, 226 M parameters
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from unet import Graph

BLOCKS, TOKENS, WIDTH, HEADS = 12, 77, 512, 8
CONVOLUTIONS, CHANNELS, SIDE = 24, 1024, 8


def normalised(graph: Graph, x: str) -> str:
    return graph.add("LayerNormalization", x, graph.noise(WIDTH, around=1), graph.noise(WIDTH), axis=-1, epsilon=1e-5)


def attended(graph: Graph, x: str) -> str:
    parts = [graph.reshape(graph.linear(x, WIDTH, WIDTH), 1, TOKENS, HEADS, WIDTH // HEADS) for _ in range(3)]
    queries, keys, values = (graph.add("Transpose", part, perm=perm) for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
    scores = graph.add("Mul", graph.add("MatMul", queries, keys), graph.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32)))
    mixed = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values), perm=[0, 2, 1, 3])
    return graph.linear(graph.reshape(mixed, 1, TOKENS, WIDTH), WIDTH, WIDTH)


def gelu(graph: Graph, x: str) -> str:
    """x·(1 + erf(x/√2))/2, as PyTorch's exporters write it."""
    scaled, one, half = (graph.constant(np.array(value, np.float32)) for value in (2**0.5, 1, 0.5))
    erf = graph.add("Add", graph.add("Erf", graph.add("Div", x, scaled)), one)
    return graph.add("Mul", graph.add("Mul", x, erf), half)


def transformer(graph: Graph) -> list[int]:
    x = "x"
    for _ in range(BLOCKS):
        x = graph.add("Add", x, attended(graph, normalised(graph, x)))
        x = graph.add("Add", x, graph.linear(gelu(graph, graph.linear(normalised(graph, x), WIDTH, 4 * WIDTH)), 4 * WIDTH, WIDTH))
    return [1, TOKENS, WIDTH]


def convolutions(graph: Graph) -> list[int]:
    x = "x"
    for _ in range(CONVOLUTIONS):
        x = graph.convolution(x, CHANNELS, CHANNELS)
    return [1, CHANNELS, SIDE, SIDE]


def main() -> None:
    kinds = {"transformer": transformer, "convolutions": convolutions}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    graph = Graph(options.seed)
    shape = kinds[options.kind](graph)
    graph.nodes[-1].output[0] = "y"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y"))
    made = helper.make_graph(graph.nodes, options.kind, [x], [y], graph.constants)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), options.out)
    parameters = sum(int(np.prod(constant.dims)) for constant in graph.constants if constant.data_type == TensorProto.FLOAT)
    print(f"{options.out}: {parameters / 1e6:.2f} M parameters, {len(graph.nodes)} nodes")


if __name__ == "__main__":
    main()
