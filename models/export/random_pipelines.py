"""Makes pipelines with random weights, of the classes that the importer takes, as diffusers saves them.

    python random_pipelines.py FOLDER [NAME ...] [--width 16]

Each has a folder of its own below FOLDER. Small ones: stable-diffusion (PNDM, as 1.x), stable-diffusion-2 (DDIM, v-prediction), turbo
(Euler), latent-consistency (LCM, embedded guidance), taesd (a one-step model with an AutoencoderTiny) and xl (Stable Diffusion XL, Euler
ancestral). In the sizes of the models that people use, only where they are named: sd-turbo (866 M parameters) and sdxs (319 M), both with
the decoder of TAESD, and kl, Stable Diffusion's own decoder (49.5 M) behind a small U-Net.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SIDE = 8
TOKENS = 77


def tokenizer(folder, padding):
    """Single characters and some pieces of words: enough for any text of a to z."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    vocabulary = letters + [letter + "</w>" for letter in letters]
    merges = ["c a", "ca t</w>", "a p", "ap p", "l e</w>", "app le</w>", "r e", "re d</w>"]
    vocabulary += [merge.replace(" ", "") for merge in merges]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    made = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS, pad_token=padding
    )
    return made, len(vocabulary)


def text_config(count, width, **more):
    return CLIPTextConfig(
        vocab_size=count,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=count - 2,
        eos_token_id=count - 1,
        **more,
    )


def parts(folder, width, padding="<|endoftext|>", latent="kl", condition=None, head=None, **unet_options):
    torch.manual_seed(5)
    words, count = tokenizer(folder / "words", padding)
    text = CLIPTextModel(text_config(count, width))
    options = {"cross_attention_dim": width, **unet_options}
    unet = UNet2DConditionModel(
        sample_size=SIDE,
        block_out_channels=(width, 2 * width),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=head or 2,
        use_linear_projection=head is not None,
        norm_num_groups=8,
        time_cond_proj_dim=condition,
        **options,
    )
    if latent == "kl":
        vae = AutoencoderKL(
            block_out_channels=(width, width),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=8,
            latent_channels=4,
        )
    else:
        vae = AutoencoderTiny(
            encoder_block_out_channels=(width,) * 2,
            decoder_block_out_channels=(width,) * 2,
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        )
    return {"vae": vae, "text_encoder": text, "tokenizer": words, "unet": unet}


def xl_parts(folder, width):
    """Two text encoders of different widths, whose rows the U-Net reads side by side, and the second one's projected text."""
    networks = parts(
        folder,
        width,
        head=(2, 4),
        cross_attention_dim=3 * width,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24,
    )
    words, count = tokenizer(folder / "words_2", "!")
    second = CLIPTextModelWithProjection(text_config(count, 2 * width, projection_dim=24))
    return {**networks, "text_encoder_2": second, "tokenizer_2": words}


def kl_parts(folder, name):
    """The decoder of Stable Diffusion with a small U-Net before it, for 512×512."""
    networks = parts(folder, 16)
    networks["unet"].register_to_config(sample_size=64)
    networks["vae"] = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    return networks


def full(folder, name):
    """The networks of SD-Turbo (Stable Diffusion 2.1) or SDXS-512-0.9, with TAESD's decoder."""
    torch.manual_seed(5)
    words, _ = tokenizer(folder / "words", "!")
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=23,
            num_attention_heads=16,
            hidden_act="gelu",
            projection_dim=512,
        )
    )
    shape = {
        "sd-turbo": {
            "block_out_channels": (320, 640, 1280, 1280),
            "attention_head_dim": (5, 10, 20, 20),
        },
        "sdxs": {
            "block_out_channels": (320, 640, 1280),
            "attention_head_dim": (5, 10, 20),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "mid_block_type": None,
            "layers_per_block": 1,
        },
    }[name]
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=1024, use_linear_projection=True, **shape)
    return {"vae": AutoencoderTiny(), "text_encoder": text, "tokenizer": words, "unet": unet}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--width", type=int, default=16, help="channels of the small ones, a multiple of 8")
    arguments = parser.parse_args()

    def small(**options):
        return lambda folder, _: parts(folder, arguments.width, **options)

    beta = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    plain = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    turbo = EulerDiscreteScheduler(**beta, timestep_spacing="trailing", steps_offset=1)
    made = {
        "stable-diffusion": (StableDiffusionPipeline, small(), PNDMScheduler(**beta, skip_prk_steps=True, steps_offset=1)),
        "stable-diffusion-2": (
            StableDiffusionPipeline,
            small(padding="!", head=(2, 4)),
            DDIMScheduler(**beta, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        ),
        "turbo": (StableDiffusionPipeline, small(padding="!", head=(2, 4)), turbo),
        "latent-consistency": (
            LatentConsistencyModelPipeline,
            small(condition=16),
            LCMScheduler(**beta, original_inference_steps=50),
        ),
        "taesd": (StableDiffusionPipeline, small(latent="tiny"), turbo),
        "xl": (
            StableDiffusionXLPipeline,
            lambda folder, _: xl_parts(folder, arguments.width),
            EulerAncestralDiscreteScheduler(**beta, timestep_spacing="trailing", steps_offset=1),
        ),
        "sd-turbo": (StableDiffusionPipeline, full, turbo),
        "sdxs": (StableDiffusionPipeline, full, turbo),
        "kl": (StableDiffusionPipeline, kl_parts, turbo),
    }
    for name in arguments.names or list(made)[:6]:
        kind, networks, scheduler = made[name]
        folder = arguments.folder / name
        options = {} if kind is StableDiffusionXLPipeline else plain
        kind(**networks(folder, name), scheduler=scheduler, **options).save_pretrained(folder)


if __name__ == "__main__":
    main()
