"""Makes pipelines with random weights, of the classes that the importer takes, as diffusers saves them.

    python random_pipelines.py FOLDER [NAME ...] [--width 16]

Each has a folder of its own below FOLDER. Small ones: stable-diffusion (PNDM, as 1.x), stable-diffusion-2 (DDIM, v-prediction), turbo
(Euler), latent-consistency (LCM, embedded guidance) and taesd (a one-step model with an AutoencoderTiny). In the sizes of the models
that people use, only where they are named: sd-turbo (866 M parameters) and sdxs (319 M), both with the decoder of TAESD.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

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


def parts(folder, width, padding="<|endoftext|>", latent="kl", condition=None, head=None):
    torch.manual_seed(5)
    words, count = tokenizer(folder / "words", padding)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=count,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=count - 2,
            eos_token_id=count - 1,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=SIDE,
        block_out_channels=(width, 2 * width),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width,
        attention_head_dim=head or 2,
        use_linear_projection=head is not None,
        norm_num_groups=8,
        time_cond_proj_dim=condition,
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
        "sd-turbo": (StableDiffusionPipeline, full, turbo),
        "sdxs": (StableDiffusionPipeline, full, turbo),
    }
    for name in arguments.names or list(made)[:5]:
        kind, networks, scheduler = made[name]
        folder = arguments.folder / name
        kind(**networks(folder, name), scheduler=scheduler, **plain).save_pretrained(folder)


if __name__ == "__main__":
    main()
