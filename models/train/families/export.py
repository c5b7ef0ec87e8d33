"""Writes a model of these families as a folder that `inkstone-quantize` turns into a pack.

    python -m families.export blend --out work/blend-f32
    python -m families.export quill --out work/quill-f32
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from pictogram import settings
from pictogram.export import LICENCE, export_stage
from torch import nn

from . import attributes, looping
from .blend_networks import LATENT, Autoencoder, Editor, Flow, Prior
from .quill_networks import CODES, TOKENS, Codebook, Step, TokensDecoder, TokensEncoder, Writer

VERSION = "0.1.0"
# Words for what all pictures show.
SUBJECT = ["portrait", "face", "person", "people", "avatar", "head", "somebody", "someone", "character"]
DESCRIPTIONS = {
    "blend": "Portraits in six designs that are sampled, mixed, and changed by attributes: a variational autoencoder",
    "quill": "Portraits in six designs, written token by token and continued from a half-given picture: an autoregressive model",
}


class MeanEncoder(nn.Module):
    """Picture → the mean of its latent."""

    def __init__(self, model: Autoencoder):
        super().__init__()
        self.encoder = model.encoder

    def forward(self, picture):
        return self.encoder(picture)[0]


def examples() -> dict:
    """Inputs that the stages have in common."""
    return {
        "picture": torch.zeros(1, settings.CHANNELS, settings.OUTPUT, settings.OUTPUT),
        "attributes": torch.zeros(1, len(attributes.NAMES)),
        "style": torch.ones(1, dtype=torch.int64),
    }


def blend(work: Path) -> dict:
    """Network, example inputs and outputs' names of each stage."""
    model = looping.load(Autoencoder(), work / "blend.pt")
    found = torch.load(work / "directions.pt")
    flow = looping.load(Flow(), work / "prior.pt")
    design = nn.Linear(LATENT, len(attributes.DESIGNS))
    design.load_state_dict(found["design"])
    common, latent = examples(), torch.zeros(1, LATENT)
    asked = {name: common[name] for name in ("attributes", "style")}
    return {
        "prior": (Prior(flow, found["scale"], found["shift"]), {"noisy": latent, **asked}, ["encoded"]),
        "encoder": (MeanEncoder(model), {"picture": common["picture"]}, ["encoded"]),
        "editor": (Editor(design, found["directions"]), {"latent": latent, "attributes": common["attributes"]}, ["edited"]),
        "decoder": (model.decoder, {"latent": latent}, ["decoded"]),
    }


def quill(work: Path) -> dict:
    """Network, example inputs and outputs' names of each stage."""
    codebook = looping.load(Codebook(), work / "codes.pt")
    writer = looping.load(Writer(), work / "quill.pt")
    common = examples()
    state = torch.zeros(1, 2 * len(writer.blocks), TOKENS, writer.width)
    given = {"token": torch.zeros(1, dtype=torch.int64), "time": torch.zeros(1), "attributes": common["attributes"], "style": common["style"]}
    return {
        "writer": (Step(writer), {**given, "state": state}, ["logits", "next"]),
        "encoder": (TokensEncoder(codebook), {"picture": common["picture"]}, ["codes"]),
        "decoder": (TokensDecoder(codebook.decoder), {"ids": torch.zeros(1, TOKENS, dtype=torch.int64)}, ["decoded"]),
    }


FAMILIES = {"blend": ("vae", blend), "quill": ("autoregressive", quill)}


def style(name: str, number: int, words: list[str]) -> str:
    lines = ["[[styles]]", f"name = {json.dumps(name)}", f"id = {number}", f"words = {json.dumps(words)}"]
    return "\n".join(lines + (["default = true"] if number == attributes.OPEN else []))


def describe(name: str, tables: list[str]) -> str:
    """`model.toml`. JSON strings and arrays are valid TOML ones."""
    text = json.dumps
    named = [f"[[attributes.named]]\nname = {text(one.name)}\nwords = {text(list(one.words))}" for one in attributes.ATTRIBUTES]
    styles = [style("any", attributes.OPEN, [])]
    styles += [style(design, number, attributes.DESIGN_WORDS[design]) for number, design in enumerate(attributes.DESIGNS, 1)]
    tokens = f"[tokens]\ncount = {TOKENS}\ncodes = {CODES}\ntemperature = 0.9\ntop_k = 32\n" if name == "quill" else ""
    head = f"""format = 2
name = {text(name)}
version = {text(VERSION)}
licence = {text(LICENCE)}
description = {text(DESCRIPTIONS[name])}
family = {text(FAMILIES[name][0])}

[picture]
width = {settings.OUTPUT}
height = {settings.OUTPUT}
channels = "rgba-premultiplied"

[attributes]
subject = {text(SUBJECT)}
"""
    return "\n\n".join(part for part in [head, *named, tokens, *styles, *tables] if part) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(FAMILIES))
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    out = options.out or options.work / f"{options.name}-f32"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    stages = FAMILIES[options.name][1](options.work)
    tables = [export_stage(name, network.eval(), inputs, outputs, out) for name, (network, inputs, outputs) in stages.items()]
    (out / "model.toml").write_text(describe(options.name, tables), encoding="utf-8")
    card = Path(__file__).parent / f"{options.name.upper()}.md"
    if card.exists():
        shutil.copy(card, out / "MODEL_CARD.md")


if __name__ == "__main__":
    main()
