"""Reads a pack's int8 weights back into the networks, so that no run has to start from zero again."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn


def tensor_of(weights: np.ndarray, initializer: onnx.TensorProto) -> np.ndarray:
    if initializer.data_location != onnx.TensorProto.EXTERNAL:
        return onnx.numpy_helper.to_array(initializer)
    place = {entry.key: entry.value for entry in initializer.external_data}
    data = weights[int(place["offset"]) : int(place["offset"]) + int(place["length"])]
    return data.view(onnx.helper.tensor_dtype_to_np_dtype(initializer.data_type)).reshape(list(initializer.dims))


def unpacked(panels: np.ndarray, rows: int) -> np.ndarray:
    """[rows/8][inputs/4][8][4] → [rows][inputs]."""
    return panels.transpose(0, 2, 1, 3).reshape(panels.shape[0] * 8, -1)[:rows]


def layer_weights(node: onnx.NodeProto, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """The f32 weights of a quantized layer, in PyTorch's order of axes."""
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    weights, scale = tensors[node.input[1]].astype(np.float32), tensors[node.input[2]]
    if node.op_type == "QEmbedding":
        return weights * scale[:, None]
    rows = attributes["kernel" if node.op_type == "QConv" else "mk"][0]
    weights = unpacked(weights, rows) * scale[:, None]
    if node.op_type == "QConv":
        outputs, height, width, channels = attributes["kernel"]
        return weights.reshape(outputs, height, width, channels).transpose(0, 3, 1, 2)
    return weights


def nameless(network: nn.Module) -> list[str]:
    """Layers without a bias, in the order in which the network runs: the exporter drops their names."""
    names = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear) and layer.bias is None]
    return sorted(names, key=lambda name: ["down", "middle", "up"].index(name.split(".")[0]))


def without_number(name: str) -> str:
    """A tensor that took its layer's name beside the exporter's own has a number behind it."""
    return re.sub(r"\.(weight|bias)\.\d+$", r".\1", name)


def with_new_looks(table: np.ndarray, rows: int, is_open_known: bool) -> np.ndarray:
    """A table of styles with rows for looks that the pack does not have: they start in the middle of the styles, as the one that is
    left open does where the stage never learned it."""
    if len(table) == rows:
        return table
    middle = table[1:].mean(0, keepdims=True)
    return np.concatenate([table[:1] if is_open_known else middle, table[1:], np.repeat(middle, rows - len(table), 0)])


def read_stage(folder: Path, stage: str, network: nn.Module) -> dict[str, torch.Tensor]:
    graph = onnx.load(folder / f"{stage}.onnx", load_external_data=False).graph
    weights = np.memmap(folder / "weights.bin", np.uint8, "r")
    tensors = {initializer.name: tensor_of(weights, initializer) for initializer in graph.initializer}
    known, without_name = network.state_dict(), iter(nameless(network))
    named = {without_number(name): tensor for name, tensor in tensors.items()}
    fits = lambda name, tensor: tensor.shape == tuple(known[name].shape) or name.endswith("style.weight")  # noqa: E731
    state = {name: named[name] for name in known if name in named and fits(name, named[name])}
    for node in graph.node:
        if node.op_type in ("QConv", "QLinear", "QEmbedding"):
            name = without_number(node.input[1]).removesuffix(".weight")
            name = name if f"{name}.weight" in known else next(without_name)
            state[f"{name}.weight"] = layer_weights(node, tensors)
            if node.op_type != "QEmbedding" and f"{name}.bias" in known:
                state[f"{name}.bias"] = tensors[node.input[3]]
    # A parameter of which the network takes a part comes without its name; if only one tensor has its shape, it is that.
    for name in known.keys() - state.keys():
        alike = [tensor for other, tensor in tensors.items() if other not in known and tensor.shape == tuple(known[name].shape)]
        if len(alike) == 1:
            state[name] = alike[0]
    for name in known:
        if name.endswith("style.weight") and name in state:
            state[name] = with_new_looks(state[name], len(known[name]), is_open_known=stage == "text_encoder")
    missing = [name for name in known if name not in state or tuple(state[name].shape) != tuple(known[name].shape)]
    if missing:
        raise SystemExit(f"{folder}/{stage}.onnx does not fit this recipe's network: {', '.join(missing[:5])}")
    return {name: torch.from_numpy(np.array(tensor)) for name, tensor in state.items()}


def load_pack(folder: Path, model, work: Path) -> None:
    """Fills text encoder, draft and denoiser; what is left of rounding disappears within a few steps of training."""
    if vocabulary(folder) != vocabulary(work):
        raise SystemExit(
            f"{work}/tokenizer.json gives words other numbers than {folder}/tokenizer.json, which the pack's weights know: "
            f"copy the pack's there, as `python -m pictogram.prepare --from-pack {folder}` does"
        )
    model.prompt.load_state_dict(read_stage(folder, "text_encoder", model.prompt))
    model.denoiser.load_state_dict(read_stage(folder, "denoiser", model.denoiser))


def vocabulary(folder: Path) -> list[str]:
    """The pieces of words in the order of their numbers."""
    return [piece for piece, _ in json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]]
