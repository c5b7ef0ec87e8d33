"""Model folders of diffusers through models/export/export.py, inkstone-quantize and `inkstone generate`, against diffusers itself.

    python models/export/random_pipelines.py /tmp/tiny
    python quantize/tests/pipelines.py /tmp/tiny/* --binaries target/release

Every folder is a pipeline of PyTorch weights. It is exported, quantized and drawn with in one and in four steps, from the noise of
`inkstone generate --seed`, and so is the original, in f32. Prints the PSNR of each and exits with 1 where one is below --least decibels.
--from starts from a picture with a strength of 0.5. --lora merges random LoRA weights, which diffusers loads beside the model. Needs what models/export/requirements.txt names, numpy and
pillow, onnxruntime for --half, which makes the exports f16 first, and peft for --lora.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import diffusers
import numpy
import torch
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import LatentConsistencyModelPipeline
from PIL import Image

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
EXPORT = Path(__file__).parents[2] / "models/export/export.py"
PROMPT = "a red cat and an apple"
SEED = 7
LORA_SCALE = 0.8
STRENGTH = 0.5


def philox(counter, key):
    """Philox 4x32 of ten rounds, for arrays of counters (Salmon et al. 2011)."""
    counter = [part.astype(numpy.uint64) for part in counter]
    key = list(key)
    for _ in range(10):
        wide = [counter[0] * numpy.uint64(0xD2511F53), counter[2] * numpy.uint64(0xCD9E8D57)]
        high, low = ([part >> numpy.uint64(32) for part in wide], [part & numpy.uint64(0xFFFFFFFF) for part in wide])
        counter = [high[1] ^ counter[1] ^ numpy.uint64(key[0]), low[1], high[0] ^ counter[3] ^ numpy.uint64(key[1]), low[0]]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return numpy.stack(counter, axis=1).reshape(-1)


def noise(seed, stream, shape):
    """The noise of `src/pipeline/noise.rs`."""
    count = int(numpy.prod(shape))
    blocks = numpy.arange((count + 3) // 4, dtype=numpy.uint64)
    zeros = numpy.zeros_like(blocks)
    words = philox([blocks, zeros, zeros + numpy.uint64(stream), zeros], (seed % 2**32, seed >> 32))
    uniform = torch.from_numpy((words[:count].astype(numpy.float64) + 0.5) / 2**32)
    return torch.special.ndtri(uniform).to(torch.float32).reshape(shape)


def scheduler_of(pipeline):
    """The pipeline's own, or what the importer takes in its place."""
    own = pipeline.scheduler
    if type(own).__name__ == "PNDMScheduler":
        return diffusers.DDIMScheduler.from_config(own.config, clip_sample=False)
    return own


def encode(pipeline, text):
    """The rows and further conditions of a prompt; of no prompt if there is none."""
    if hasattr(pipeline, "text_encoder_2"):
        rows, without, pooled, pooled_without = pipeline.encode_prompt(PROMPT, do_classifier_free_guidance=True)
        side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        sizes = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32)
        chosen = (without, pooled_without) if text is None else (rows, pooled)
        return chosen[0], {"text_embeds": chosen[1], "time_ids": sizes}
    ids = pipeline.tokenizer(text or "", padding="max_length", truncation=True, return_tensors="pt").input_ids
    return pipeline.text_encoder(ids)[0], None


@torch.no_grad()
def original(folder, steps, guidance, lora=None, source=None):
    """The picture that diffusers makes."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    if lora:
        pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name, adapter_name="lora")
        pipeline.set_adapters("lora", LORA_SCALE)
    scheduler, unet = scheduler_of(pipeline), pipeline.unet

    (text, extra), (empty, empty_extra) = encode(pipeline, PROMPT), encode(pipeline, None)
    scheduler.set_timesteps(steps)
    shape = (1, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    fresh = (noise(SEED, step << 16, shape) for step in range(1, steps + 1))
    for module in (diffusers.schedulers.scheduling_lcm, diffusers.schedulers.scheduling_euler_ancestral_discrete):
        module.randn_tensor = lambda *_, **__: next(fresh)
    latent = noise(SEED, 0, shape) * scheduler.init_noise_sigma
    condition = None
    if unet.config.time_cond_proj_dim:
        condition = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
            pipeline, torch.tensor([guidance - 1]), embedding_dim=unet.config.time_cond_proj_dim
        )
    first = 0
    if source:
        first = steps - max(1, int(steps * STRENGTH))
        pixels = torch.from_numpy(numpy.asarray(Image.open(source).convert("RGB"))).permute(2, 0, 1)[None] / 127.5 - 1
        encoded = pipeline.vae.encode(pixels)
        clean = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        latent = scheduler.add_noise(clean * pipeline.vae.config.scaling_factor, noise(SEED, 0, shape), scheduler.timesteps[first : first + 1])
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        fresh = (noise(SEED, step << 16, shape) for step in range(first + 1, steps + 1))
    for time in scheduler.timesteps[first:]:
        scaled = scheduler.scale_model_input(latent, time)
        predicted = unet(scaled, time, text, timestep_cond=condition, added_cond_kwargs=extra)[0]
        if guidance != 1 and condition is None:
            without = unet(scaled, time, empty, added_cond_kwargs=empty_extra)[0]
            predicted = without + guidance * (predicted - without)
        latent = scheduler.step(predicted, time, latent).prev_sample
    picture = pipeline.vae.decode(latent / pipeline.vae.config.scaling_factor)[0]
    return ((picture[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255).numpy()


def random_lora(folder, file):
    """LoRA weights for the attention of a U-Net, as peft and diffusers save them."""
    import peft

    torch.manual_seed(3)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True)
    unet.add_adapter(peft.LoraConfig(r=4, target_modules=["to_k", "to_q", "to_v", "to_out.0"], init_lora_weights=False))
    layers = diffusers.utils.convert_state_dict_to_diffusers(peft.get_peft_model_state_dict(unet))
    diffusers.StableDiffusionPipeline.save_lora_weights(file.parent, unet_lora_layers=layers, weight_name=file.name)


def gradient(folder, file):
    """A picture of the size that a pipeline draws."""
    vae, unet = (diffusers.AutoencoderKL.load_config(folder / name, local_files_only=True) for name in ("vae", "unet"))
    side = unet["sample_size"] * 2 ** (len(vae.get("block_out_channels") or vae["decoder_block_out_channels"]) - 1)
    ramp = numpy.linspace(0, 255, side)
    Image.fromarray(numpy.stack(numpy.broadcast_arrays(ramp[:, None], ramp, 255 - ramp), axis=2).round().astype(numpy.uint8)).save(file)


def halve(folder):
    """Makes the graphs of an export f16, ports included, each in one file."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    for file in folder.glob("*/model.onnx"):
        model = convert_float_to_float16(onnx.load(file), keep_io_types=False, disable_shape_infer=True)
        (file.parent / "model.onnx_data").unlink()
        onnx.save(model, file)


def psnr(one, other):
    error = numpy.mean((one.astype(numpy.float64) - other) ** 2)
    return float("inf") if error == 0 else 10 * numpy.log10(255**2 / error)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--binaries", type=Path, required=True, help="folder of inkstone and inkstone-quantize")
    parser.add_argument("--half", action="store_true", help="make the exports f16 first")
    parser.add_argument("--from", action="store_true", dest="start", help="start from a picture")
    parser.add_argument("--lora", action="store_true", help="merge random LoRA weights")
    parser.add_argument("--pictures", type=Path, help="folder to write diffusers' pictures of four steps and guidance to")
    parser.add_argument("--least", type=float, default=30.0, help="decibels below which a picture is another one")
    arguments = parser.parse_args()
    bad = False
    for folder in arguments.folders:
        with tempfile.TemporaryDirectory() as temporary:
            temporary = Path(temporary)
            lora = temporary / "lora.safetensors" if arguments.lora else None
            if lora:
                random_lora(folder, lora)
            merged = ["--lora", f"{lora}={LORA_SCALE}"] if lora else []
            source = temporary / "source.png" if arguments.start else None
            if source:
                gradient(folder, source)
            encoder = ["--encoder"] if source else []
            run(sys.executable, EXPORT, folder, "--out", temporary / "onnx", *merged, *encoder)
            if arguments.half:
                halve(temporary / "onnx")
            run(arguments.binaries / "inkstone-quantize", temporary / "onnx", "--out", temporary / "pack")
            for steps, guidance in [(1, 1.0), (4, 1.0), (4, 4.0)]:
                file = temporary / f"{steps}-{guidance}.png"
                options = ["--steps", steps, "--guidance", guidance, "--seed", SEED, "--preview", "none", "-o", file]
                if source:
                    options += ["--from", source, "--strength", STRENGTH]
                run(arguments.binaries / "inkstone", "generate", PROMPT, "--pack", temporary / "pack", *options)
                drawn = numpy.asarray(Image.open(file).convert("RGB"))
                wanted = original(folder, steps, guidance, lora, source)
                if arguments.pictures and guidance != 1:
                    Image.fromarray(wanted.round().astype(numpy.uint8)).save(arguments.pictures / f"{folder.name}.png")
                decibels = psnr(drawn, wanted)
                bad |= decibels < arguments.least
                # A picture of one colour would be easy to meet.
                deviation = float(wanted.std())
                print(f"{folder.name:20} {steps} steps, guidance {guidance}: {decibels:5.1f} dB, deviation {deviation:4.1f}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
