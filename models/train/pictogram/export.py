"""Writes the f32 model as a folder that `inkstone-quantize` turns into a pack.

    python -m pictogram.export --out work/f32

One ONNX graph a stage (opset 23, external data), the tokenizer, `model.toml` (the manifest without checksums), the model card
and, with `--data`, the table of words that `inkstone-quantize` makes the lexicon of.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch

from . import lexicon, rounding, settings
from .networks import Decoder, Enlarger, Model

VERSION = "0.1.0"
DEFAULT_STYLE = "3d"
SPELLED = {9: "nine", 15: "fifteen"}
LICENCE = "MIT OR Apache-2.0"
ELEMENTS = {torch.float32: "f32", torch.int64: "i64"}


def stages(model: Model, decoder: Decoder) -> dict:
    """Network, example inputs and outputs' names of each stage."""
    ids, style = torch.zeros(1, settings.TOKENS, dtype=torch.int64), torch.ones(1, dtype=torch.int64)
    ids[0, 0] = settings.START
    picture = torch.zeros(1, settings.CHANNELS, settings.PICTURE, settings.PICTURE)
    names = ["context", "condition", "draft"]
    known = dict(zip(names, (tensor.detach() for tensor in model.prompt(ids, style))))
    return {
        "text_encoder": (model.prompt, {"ids": ids, "style": style}, names),
        "denoiser": (model.denoiser, {"picture": picture, "time": torch.zeros(1), **known}, ["clean"]),
        "decoder": (decoder, {"picture": picture, "style": style}, ["decoded"]),
    }


def enlarger_stage(work: Path) -> dict:
    """The enlarger, if it has been trained."""
    path, enlarger = work / "enlarger.pt", Enlarger().eval()
    if not path.exists():
        return {}
    enlarger.load_state_dict(torch.load(path, map_location="cpu")["model"])
    return {"enlarger": (enlarger, {"picture": torch.zeros(1, settings.CHANNELS, settings.OUTPUT, settings.OUTPUT)}, ["enlarged"])}


# Roles of ports whose names are not their roles.
ROLES = {
    "condition": "pooled", "clean": "prediction", "decoded": "picture", "enlarged": "picture", ("denoiser", "picture"): "noisy",
    "encoded": "latent", "edited": "latent", "codes": "ids", "next": "state",
}  # fmt: skip


def port(stage: str, name: str, tensor: torch.Tensor) -> str:
    role = ROLES.get((stage, name), ROLES.get(name, name))
    return f'{{ name = "{name}", role = "{role}", element = "{ELEMENTS[tensor.dtype]}", shape = {list(tensor.shape)} }}'


@torch.no_grad()
def export_stage(name: str, network, inputs: dict, outputs: list[str], out: Path) -> str:
    """Writes the graph, returns its table for `model.toml`."""
    values = tuple(inputs.values())
    program = torch.onnx.export(network, values, input_names=list(inputs), output_names=outputs, opset_version=23, dynamo=True, verbose=False)
    program.save(out / f"{name}.onnx", external_data=True)
    results = network(*values)
    results = results if isinstance(results, tuple) else (results,)
    lines = [f"[stages.{name}]", f'graph = "{name}.onnx"']
    lines.append("inputs = [" + ", ".join(port(name, *item) for item in inputs.items()) + "]")
    lines.append("outputs = [" + ", ".join(port(name, *item) for item in zip(outputs, results)) + "]")
    return "\n".join(lines)


def style(name: str) -> str:
    """A style's table."""
    words = (settings.STYLE_WORDS | settings.LOOK_WORDS).get(name, [])
    lines = ["[[styles]]", f"name = {json.dumps(name)}", f"id = {settings.NUMBERS[name]}", f"words = {json.dumps(words)}"]
    lines += ["default = true"] if name == DEFAULT_STYLE else []
    return "\n".join(lines + (['resampling = "nearest"'] if name == "pixel" else []))


def describe(tables: list[str], many: bool) -> str:
    """`model.toml`. JSON strings and arrays are valid TOML ones. What has learned `many` has its looks, too, and the style left open."""
    text = json.dumps
    schedules = "\n".join(f"{steps} = {text(times)}" for steps, times in settings.SCHEDULES.items())
    styles = "\n".join(style(name) for name in settings.STYLES + ([*settings.LOOKS, settings.ANY] if many else []))
    return f"""format = 2
name = "pictogram"
version = "{VERSION}"
licence = "{LICENCE}"
description = "Pictograms in {SPELLED[len(settings.STYLES) + len(settings.LOOKS) * many]} drawing styles from a few words in twelve languages"
family = "diffusion"

[picture]
width = {settings.OUTPUT}
height = {settings.OUTPUT}
channels = "rgba-premultiplied"

[prompt]
tokenizer = "tokenizer.json"
lexicon = "words.lexicon"
max_tokens = {settings.TOKENS}
max_characters = 1000
padding = {settings.PAD}
languages = {text(settings.LANGUAGES)}

[sampling]
prediction = "picture"
scheduler = "flow-euler"
default_steps = 4
default_guidance = 1.0
max_guidance = 4.0

[sampling.schedules]
{schedules}

{styles}

""" + "\n\n".join(tables) + "\n"


def describe_alone(tables: list[str]) -> str:
    """`model.toml` of stages that belong to no model yet."""
    about = {"name": "pictogram", "version": VERSION, "licence": LICENCE, "description": "Stages to be added to a pack"}
    lines = ["format = 2", *(f"{name} = {json.dumps(value)}" for name, value in about.items())]
    return "\n".join(lines) + "\n\n" + "\n\n".join(tables) + "\n"


def plain_tokenizer(source: Path) -> str:
    """The tokenizer without the truncation and padding that batches need: the manifest gives both."""
    tokenizer = json.loads(source.read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    return json.dumps(tokenizer, ensure_ascii=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the training data, for the table of words")
    parser.add_argument("--network", choices=["student", "teacher"], default="student")
    parser.add_argument("--only", choices=["enlarger"], help="write this stage alone, for `add_stage`")
    options = parser.parse_args()
    out = options.out or options.work / "f32"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if options.only:
        tables = [export_stage(name, *stage, out) for name, stage in enlarger_stage(options.work).items()]
        (out / "model.toml").write_text(describe_alone(tables), encoding="utf-8")
        return
    model, decoder = Model().eval(), Decoder().eval()
    state = torch.load(options.work / f"{options.network}.pt", map_location="cpu")
    model.load_state_dict(state["average"])
    model.draft.fine = True
    # Other factors would move weights off a grid on which they were trained.
    if not rounding.is_settled(model.draft):
        model.draft.even_out()
    decoder.load_state_dict(torch.load(options.work / "decoder.pt", map_location="cpu")["model"])
    all_stages = stages(model, decoder) | enlarger_stage(options.work)
    tables = [export_stage(name, *stage, out) for name, stage in all_stages.items()]
    (out / "model.toml").write_text(describe(tables, state.get("many", False)), encoding="utf-8")
    if options.data:
        lexicon.write(options.data, out / "words.tsv", state.get("many", False))
    (out / "tokenizer.json").write_text(plain_tokenizer(options.work / "tokenizer.json"), encoding="utf-8")
    card = Path(__file__).parents[1] / "MODEL_CARD.md"
    if card.exists():
        shutil.copy(card, out / "MODEL_CARD.md")


if __name__ == "__main__":
    main()
