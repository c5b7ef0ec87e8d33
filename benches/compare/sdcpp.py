"""Compares whole pictures of Inkstone with those of stable-diffusion.cpp on the same Stable Diffusion class model, in turn.

    python sdcpp.py sd-turbo --pack packs/sd-turbo --binary ../../target/release/inkstone

The folder is what `export.py` reads, PyTorch weights as diffusers saves them, with an AutoencoderTiny as decoder; the pack is what
`inkstone-quantize` makes of the export. Both draw three pictures of 512×512 in one step, each of another prompt, in a process of its own; the
first is not counted. Times are from prompt to pixels, without loading. stable-diffusion.cpp (PyPI `stable-diffusion-cpp-python`) has its weights
as q8_0, blocks of 32 int8 numbers with a scale, or f16.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ["a red cat", "an apple", "a cat"]


def memory(kind: str) -> int:
    """Resident bytes of this process, of a kind: RssAnon are private, RssFile mapped."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def renamed(model: Path, folder: Path) -> Path:
    """The model with the text encoder's tensors named as transformers did before version 5, which is what stable-diffusion.cpp knows."""
    from safetensors.torch import load_file, save_file

    (folder / "text_encoder").mkdir()
    encoder = load_file(model / "text_encoder" / "model.safetensors")
    prefix = "" if any(name.startswith("text_model.") for name in encoder) else "text_model."
    save_file({prefix + name: tensor for name, tensor in encoder.items()}, folder / "text_encoder" / "model.safetensors")
    (folder / "unet").symlink_to((model / "unet").resolve())
    return folder


def by_stable_diffusion_cpp(model: Path, decoder: Path, weights: str, threads: int) -> dict:
    """Run in a process of its own, so that its memory can be told from Python's."""
    from stable_diffusion_cpp import StableDiffusion

    before, times = memory("RssAnon"), []
    made = StableDiffusion(
        model_path=str(model), taesd_path=str(decoder), wtype=weights, n_threads=threads, diffusion_flash_attn=True, vae_decode_only=True, verbose=False
    )
    for prompt in PROMPTS:
        started = time.perf_counter()
        pictures = made.generate_image(prompt, width=512, height=512, sample_steps=1, cfg_scale=1.0, sample_method="euler", seed=7)
        times.append((time.perf_counter() - started) * 1e3)
        assert pictures[0].size == (512, 512)
    return {"milliseconds": times[1:], "private": memory("RssAnon") - before, "mapped": memory("RssFile")}


def by_inkstone(binary: Path, pack: Path, threads: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "generate", "-", "--pack", pack, "--steps", 1, "--seed", 7, "--threads", threads, "--guess", "--json"]
        command += ["--preview", "none", "--out", folder]
        done = subprocess.run([str(part) for part in command], input="\n".join(PROMPTS), check=True, capture_output=True, text=True)
    decoder, reports, rest = json.JSONDecoder(), [], done.stdout.strip()
    while rest:
        report, end = decoder.raw_decode(rest)
        reports += report if isinstance(report, list) else [report]
        rest = rest[end:].strip()
    pictures = [picture for report in reports for picture in report["pictures"]]
    assert len(pictures) == len(PROMPTS) and {(picture["width"], picture["height"]) for picture in pictures} == {(512, 512)}
    used = reports[-1]["memory"]
    return {"milliseconds": [picture["milliseconds"] for picture in pictures[1:]], "private": used["private_bytes"], "mapped": used["mapped_bytes"]}


def by_peer(options: argparse.Namespace, model: Path, weights: str, threads: int) -> dict:
    command = [sys.executable, __file__, model, "--pack", options.pack, "--threads", threads, "--peer", weights]
    command += ["--decoder", options.model / "vae" / "diffusion_pytorch_model.safetensors"]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(options: argparse.Namespace, model: Path, threads: int) -> None:
    contestants = {"inkstone int8": lambda: by_inkstone(options.binary, options.pack, threads)}
    for weights in options.weights:
        contestants[f"stable-diffusion.cpp {weights}"] = lambda weights=weights: by_peer(options, model, weights, threads)
    reports = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, draw in contestants.items():
            reports[name].append(draw())
    print(f"\n{threads} threads")
    for name, rounds in reports.items():
        times = [value for report in rounds for value in report["milliseconds"]]
        largest = {kind: max(report[kind] for report in rounds) / 2**20 for kind in ("private", "mapped")}
        print(
            f"  {name:<26} {statistics.median(times):8.0f} ms ({min(times):.0f}–{max(times):.0f}),"
            f" private {largest['private']:.0f} MiB, mapped {largest['mapped']:.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a folder of PyTorch weights")
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--binary", type=Path, default=Path("target/release/inkstone"))
    parser.add_argument("--weights", nargs="+", default=["q8_0", "f16"], help="types of stable-diffusion.cpp")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="the contestants take turns this many times")
    parser.add_argument("--peer", help="be stable-diffusion.cpp with weights of this type, and print JSON")
    parser.add_argument("--decoder", type=Path, help="the weights of its decoder")
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(by_stable_diffusion_cpp(options.model, options.decoder, options.peer, options.threads[0])))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.model.name}")
    with tempfile.TemporaryDirectory() as folder:
        model = renamed(options.model, Path(folder))
        for threads in options.threads:
            compare(options, model, threads)


if __name__ == "__main__":
    main()
