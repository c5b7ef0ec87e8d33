"""Exports a Stable Diffusion class model, a folder of PyTorch weights as people download it, to ONNX with fixed sizes.

    pip install -r requirements.txt
    python export.py sd-turbo --out sd-turbo-onnx [--size 512] [--tile 256] [--lora FILE[=SCALE] ...]
        [--encoder] [--preview-decoder taesd]
    inkstone-quantize sd-turbo-onnx --out sd-turbo

The folder is one of diffusers: model_index.json, and a folder each for text encoder, tokenizer, U-Net, decoder and scheduler; with two text
encoders and tokenizers for Stable Diffusion XL. Written are text_encoder/, text_encoder_2/, unet/ and vae_decoder/, each with model.onnx
(weights beside it in model.onnx_data) and config.json, and copies of the tokenizers, scheduler/ and model_index.json: what optimum writes,
with every size fixed. Half floats are exported as f32.

--tile exports the decoder for a part of the picture, which needs the less memory the smaller it is: parts are decoded one by one and blended.
--encoder exports the encoder as well, with which pictures can be started from.
--preview-decoder exports an AutoencoderTiny for the same latents as well, such as TAESD, with which every step can be looked at.
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
SUPPORTED = "StableDiffusionPipeline, StableDiffusionXLPipeline and LatentConsistencyModelPipeline"


class TextEncoder(torch.nn.Module):
    """Token ids to a row a token."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids):
        return self.encoder(input_ids, return_dict=False)[0]


class TextEncoderXL(torch.nn.Module):
    """Token ids to the rows before the last layer and, of the second encoder, the projected text."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids):
        encoded = self.encoder(input_ids, output_hidden_states=True)
        rows = encoded.hidden_states[-2]
        return (rows, encoded.text_embeds) if hasattr(encoded, "text_embeds") else rows


class Denoiser(torch.nn.Module):
    """A noisy latent, its time, the encoded text and the conditions that the model takes, by name, to the prediction."""

    def __init__(self, unet, conditions):
        super().__init__()
        self.unet = unet
        self.conditions = conditions

    def forward(self, sample, timestep, encoder_hidden_states, *conditions):
        named = dict(zip(self.conditions, conditions))
        guidance = named.pop("timestep_cond", None)
        return self.unet(
            sample, timestep, encoder_hidden_states, timestep_cond=guidance, added_cond_kwargs=named or None, return_dict=False
        )[0]


class Decoder(torch.nn.Module):
    """A latent to a picture from -1 to 1."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample):
        return self.vae.decode(latent_sample, return_dict=False)[0]


class Encoder(torch.nn.Module):
    """A picture from -1 to 1 to the latent that it most likely is."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, sample):
        encoded = self.vae.encode(sample)
        return encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()


def keep_constants_outside(graph):
    """Makes constant nodes initializers, whose values lie outside of the graph: the weights of large models are among them."""
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        tensor = node.attribute[0].t
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def export(module, inputs, outputs, folder, config):
    """Writes folder/model.onnx for inputs by name, and the part's configuration beside it."""
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=outputs,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(file)
    for left in folder.iterdir():
        left.unlink()
    keep_constants_outside(model.graph)
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
    if not hasattr(pipeline, "unet") or getattr(pipeline, "text_encoder", None) is None or pipeline.unet.config.get("in_channels") != 4:
        sys.exit(f"error: {folder} is a {type(pipeline).__name__}; supported are {SUPPORTED}")
    for number, (file, scale) in enumerate(loras):
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=f"lora{number}")
        pipeline.fuse_lora(lora_scale=scale, adapter_names=[f"lora{number}"])
        pipeline.unload_lora_weights()
    return pipeline


def encoders(pipeline):
    """The text encoders with their names and tokenizers."""
    yield "text_encoder", pipeline.text_encoder, "tokenizer", pipeline.tokenizer
    if hasattr(pipeline, "text_encoder_2"):
        yield "text_encoder_2", pipeline.text_encoder_2, "tokenizer_2", pipeline.tokenizer_2


def export_encoders(pipeline, out):
    is_xl = hasattr(pipeline, "text_encoder_2")
    for name, encoder, tokenizer_name, tokenizer in encoders(pipeline):
        encoder.config._attn_implementation = "eager"
        ids = torch.ones(1, tokenizer.model_max_length, dtype=torch.int64)
        module, outputs = TextEncoder(encoder), ["last_hidden_state"]
        if is_xl:
            module, outputs = TextEncoderXL(encoder), ["prompt_embeds"]
            if name == "text_encoder_2":
                outputs.append("text_embeds")
        export(module, {"input_ids": ids}, outputs, out / name, encoder.config.to_dict())
        tokenizer.save_pretrained(out / tokenizer_name)


def export_denoiser(pipeline, side, out):
    unet, tokens = pipeline.unet, pipeline.tokenizer.model_max_length
    inputs = {
        "sample": torch.randn(1, unet.config.in_channels, side, side),
        "timestep": torch.tensor([999.0]),
        "encoder_hidden_states": torch.randn(1, tokens, unet.config.cross_attention_dim),
    }
    required = list(inputs)
    if unet.config.time_cond_proj_dim:
        inputs["timestep_cond"] = torch.randn(1, unet.config.time_cond_proj_dim)
    if unet.config.addition_embed_type == "text_time":
        inputs["text_embeds"] = torch.randn(1, pipeline.text_encoder_2.config.projection_dim)
        inputs["time_ids"] = torch.randn(1, 6)
    conditions = [name for name in inputs if name not in required]
    export(Denoiser(unet, conditions), inputs, ["out_sample"], out / "unet", unet.config)


def plain(vae):
    """diffusers' processors call kernels that ONNX has no operator for; these are plain products."""
    if hasattr(vae, "set_attn_processor"):
        vae.set_attn_processor(diffusers.models.attention_processor.AttnProcessor())
    return vae


def export_decoder(vae, side, folder):
    latent = {"latent_sample": torch.randn(1, vae.config.latent_channels, side, side)}
    export(Decoder(plain(vae)), latent, ["sample"], folder, vae.config)


def latent_side(pixels, scale, option):
    if pixels <= 0 or pixels % scale:
        sys.exit(f"error: {option} must be a multiple of {scale} above 0: the decoder enlarges by that")
    return pixels // scale


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="folder of a diffusers pipeline")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, which must not be there yet")
    parser.add_argument("--size", type=int, help="width and height of pictures in pixels; by default those of the training")
    parser.add_argument("--tile", type=int, help="width and height in pixels of what the decoder draws at a time; by default the whole picture")
    parser.add_argument("--lora", type=lora, action="append", default=[], metavar="FILE[=SCALE]", help="LoRA weights to merge")
    parser.add_argument("--encoder", action="store_true", help="export the encoder, too")
    parser.add_argument("--preview-decoder", type=Path, metavar="FOLDER", help="an AutoencoderTiny to draw previews with")
    arguments = parser.parse_args()
    out = arguments.out
    if out.exists():
        sys.exit(f"error: {out} is there already")
    if not (arguments.model / "model_index.json").is_file():
        sys.exit(f"error: {arguments.model} has no model_index.json: it is no folder of a diffusers pipeline")
    pipeline = load(arguments.model, arguments.lora)
    scale = 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
    side = latent_side(arguments.size, scale, "--size") if arguments.size is not None else pipeline.unet.config.sample_size
    tile = side if arguments.tile is None else latent_side(arguments.tile, scale, "--tile")
    if tile >= side and arguments.tile is not None:
        print(f"note: --tile {arguments.tile} is no smaller than the picture, which is decoded as a whole", file=sys.stderr)
        tile = side
    pipeline.unet.set_attn_processor(diffusers.models.attention_processor.AttnProcessor())

    export_encoders(pipeline, out)
    export_denoiser(pipeline, side, out)
    export_decoder(pipeline.vae, tile, out / "vae_decoder")
    if arguments.encoder:
        pixels = {"sample": torch.randn(1, 3, side * scale, side * scale)}
        export(Encoder(plain(pipeline.vae)), pixels, ["latent_sample"], out / "vae_encoder", pipeline.vae.config)
    if arguments.preview_decoder:
        tiny = diffusers.AutoencoderTiny.from_pretrained(arguments.preview_decoder, torch_dtype=torch.float32, local_files_only=True)
        export_decoder(tiny, side, out / "preview_decoder")
    pipeline.scheduler.save_pretrained(out / "scheduler")
    shutil.copy(arguments.model / "model_index.json", out / "model_index.json")


if __name__ == "__main__":
    main()
