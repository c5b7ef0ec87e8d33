"""Exports a Stable Diffusion class model, a folder of PyTorch weights as people download it, to ONNX with fixed sizes.

    pip install -r requirements.txt
    python export.py sd-turbo --out sd-turbo-onnx [--size 512] [--lora FILE[=SCALE] ...]
    inkstone-quantize sd-turbo-onnx --out sd-turbo

The folder is one of diffusers: model_index.json, and a folder each for text encoder, tokenizer, U-Net, decoder and scheduler. Written are
text_encoder/, unet/ and vae_decoder/, each with model.onnx (weights beside it in model.onnx_data) and config.json, and copies of
tokenizer/, scheduler/ and model_index.json: what optimum writes, with every size fixed. Half floats are exported as f32.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import diffusers
import onnx
import torch

OPSET = 17
SUPPORTED = "StableDiffusionPipeline and LatentConsistencyModelPipeline"


class TextEncoder(torch.nn.Module):
    """Token ids to a row a token."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids):
        return self.encoder(input_ids, return_dict=False)[0]


class Denoiser(torch.nn.Module):
    """A noisy latent, its time and the encoded text to the prediction; the guidance, embedded, where the model takes it."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, encoder_hidden_states, timestep_cond=None):
        return self.unet(sample, timestep, encoder_hidden_states, timestep_cond=timestep_cond, return_dict=False)[0]


class Decoder(torch.nn.Module):
    """A latent to a picture from -1 to 1."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample):
        return self.vae.decode(latent_sample, return_dict=False)[0]


def export(module, inputs, output, folder, config):
    """Writes folder/model.onnx for inputs by name, and the part's configuration beside it."""
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(file)
    for left in folder.iterdir():
        left.unlink()
    onnx.save_model(model, file, save_as_external_data=True, location="model.onnx_data", size_threshold=1024)
    config = {key: value for key, value in dict(config).items() if key != "_name_or_path"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str) + "\n")
    print(f"{file}: {sum(part.stat().st_size for part in folder.iterdir()) / 1e6:.1f} MB", file=sys.stderr)


def lora(text):
    """FILE or FILE=SCALE."""
    file, _, scale = text.partition("=")
    return Path(file), float(scale or 1.0)


def load(folder, loras):
    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        folder, torch_dtype=torch.float32, local_files_only=True, safety_checker=None, feature_extractor=None
    )
    if not hasattr(pipeline, "unet") or hasattr(pipeline, "text_encoder_2"):
        sys.exit(f"error: {folder} is a {type(pipeline).__name__}; supported are {SUPPORTED}")
    for number, (file, scale) in enumerate(loras):
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=f"lora{number}")
        pipeline.fuse_lora(lora_scale=scale, adapter_names=[f"lora{number}"])
        pipeline.unload_lora_weights()
    return pipeline


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="folder of a diffusers pipeline")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, which must not be there yet")
    parser.add_argument("--size", type=int, help="width and height of pictures in pixels; by default those of the training")
    parser.add_argument("--lora", type=lora, action="append", default=[], metavar="FILE[=SCALE]", help="LoRA weights to merge")
    arguments = parser.parse_args()
    out = arguments.out
    if out.exists():
        sys.exit(f"error: {out} is there already")
    if not (arguments.model / "model_index.json").is_file():
        sys.exit(f"error: {arguments.model} has no model_index.json: it is no folder of a diffusers pipeline")
    pipeline = load(arguments.model, arguments.lora)
    scale = 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
    unet = pipeline.unet
    if arguments.size is not None and arguments.size % scale:
        sys.exit(f"error: --size must be a multiple of {scale}, by which the decoder enlarges")
    side = arguments.size // scale if arguments.size else unet.config.sample_size
    # diffusers' processors call kernels that ONNX has no operator for; these are plain products.
    unet.set_attn_processor(diffusers.models.attention_processor.AttnProcessor())
    if hasattr(pipeline.vae, "set_attn_processor"):
        pipeline.vae.set_attn_processor(diffusers.models.attention_processor.AttnProcessor())
    pipeline.text_encoder.config._attn_implementation = "eager"

    tokens = pipeline.tokenizer.model_max_length
    ids = torch.ones(1, tokens, dtype=torch.int64)
    export(TextEncoder(pipeline.text_encoder), {"input_ids": ids}, "last_hidden_state", out / "text_encoder", pipeline.text_encoder.config.to_dict())
    inputs = {
        "sample": torch.randn(1, unet.config.in_channels, side, side),
        "timestep": torch.tensor([999.0]),
        "encoder_hidden_states": torch.randn(1, tokens, unet.config.cross_attention_dim),
    }
    if unet.config.time_cond_proj_dim:
        inputs["timestep_cond"] = torch.randn(1, unet.config.time_cond_proj_dim)
    export(Denoiser(unet), inputs, "out_sample", out / "unet", unet.config)
    latent = {"latent_sample": torch.randn(1, unet.config.in_channels, side, side)}
    export(Decoder(pipeline.vae), latent, "sample", out / "vae_decoder", pipeline.vae.config)
    pipeline.tokenizer.save_pretrained(out / "tokenizer")
    pipeline.scheduler.save_pretrained(out / "scheduler")
    shutil.copy(arguments.model / "model_index.json", out / "model_index.json")


if __name__ == "__main__":
    main()
