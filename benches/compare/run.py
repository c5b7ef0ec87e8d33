"""Compares Inkstone with onnxruntime on the same model; README.md beside this file says how."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

STAGES = ["text_encoder", "denoiser", "decoder"]
QUANTIZED = ["denoiser", "decoder"]
PROMPTS = ["red apple", "grinning face", "a smiling cat", "house", "rocket", "tree", "dragon", "pizza"]


class Peer:
    """A text-to-picture model in onnxruntime: one session a stage."""

    def __init__(self, folder: Path, pack: Path, manifest: dict, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.manifest = manifest
        # onnxruntime 1.32 refuses the text encoder's mask in f32; the pack's own runs in 1 % of a picture's time.
        folders = {name: folder if name in QUANTIZED else pack for name in STAGES}
        self.sessions = {
            name: onnxruntime.InferenceSession(path / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
            for name, path in folders.items()
        }

    def run(self, stage: str, values: dict, seen: dict | None = None) -> dict:
        session = self.sessions[stage]
        feed = {port.name: values[port.name] for port in session.get_inputs()}
        if seen is not None:
            seen[stage].append(feed)
        return dict(zip([port.name for port in session.get_outputs()], session.run(None, feed)))

    def draw(self, ids: np.ndarray, style: int, steps: int, seed: int, seen: dict | None = None) -> np.ndarray:
        values = {"ids": ids, "style": np.array([style], np.int64)}
        values |= self.run("text_encoder", values, seen)
        shape = self.manifest["stages"]["denoiser"]["outputs"][0]["shape"]
        x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
        times = self.manifest["sampling"]["schedules"][str(steps)]
        for start, end in zip(times, times[1:]):
            values |= {"picture": x, "time": np.array([start], np.float32)}
            (picture,) = self.run("denoiser", values, seen).values()
            x = x + (picture - x) * np.float32((end - start) / (1 - start))
        values["picture"] = x.clip(-1, 1)
        return self.run("decoder", values, seen)["decoded"]


def tokens(pack: Path, manifest: dict, prompt: str) -> np.ndarray:
    from tokenizers import Tokenizer

    limits = manifest["prompt"]
    ids = Tokenizer.from_file(str(pack / limits["tokenizer"])).encode(prompt).ids[: limits["max_tokens"]]
    return np.array([ids + [limits["padding"]] * (limits["max_tokens"] - len(ids))], np.int64)


class Seen(CalibrationDataReader):
    """The inputs that a stage saw while pictures were drawn."""

    def __init__(self, feeds: list[dict]):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def quantize(f32: Path, out: Path, peer: Peer, pack: Path) -> None:
    """onnxruntime's own static int8 quantization of every stage, calibrated on eight pictures."""
    seen = {stage: [] for stage in STAGES}
    for index, prompt in enumerate(PROMPTS):
        peer.draw(tokens(pack, peer.manifest, prompt), 1 + index % 9, 4, index, seen)
    for stage in QUANTIZED:
        whole, prepared = out / f"{stage}-whole.onnx", out / f"{stage}-prepared.onnx"
        onnx.save(onnx.load(f32 / f"{stage}.onnx"), whole)
        quant_pre_process(whole, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            out / f"{stage}.onnx",
            Seen(seen[stage]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def inkstone(binary: Path, pack: Path, threads: int, steps: int, runs: int) -> tuple[list[float], dict]:
    """Milliseconds of pictures after the first (as for the peers), and the whole report."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "generate", PROMPTS[0], "--pack", pack, "--seed", "1", "--steps", steps, "--threads", threads]
        command += ["--count", runs + 2, "--preview", "none", "--json", "--out", f"{folder}/"]
        report = json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout)
    return [picture["milliseconds"] for picture in report["pictures"][2:]], report


def time_peer(peer: Peer, ids: np.ndarray, steps: int, runs: int) -> list[float]:
    peer.draw(ids, 1, steps, 0)
    times = []
    for seed in range(runs):
        started = time.perf_counter()
        peer.draw(ids, 1, steps, seed)
        times.append((time.perf_counter() - started) * 1e3)
    return times


def compared(values: list[float], base: float | None) -> str:
    """Median and spread of a peer's milliseconds, and how many times as long Inkstone's `base` is."""
    median = statistics.median(values)
    ratio = f"inkstone takes {base / median:.2f} ×" if base is not None else ""
    return f"{median:8.1f} ms  ({min(values):.1f}–{max(values):.1f})  {ratio}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--f32", type=Path, help="the f32 export, for onnxruntime's own int8 and f32")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="the contestants take turns this many times")
    options = parser.parse_args()
    manifest = tomllib.loads((options.pack / "pack.toml").read_text())
    ids = tokens(options.pack, manifest, PROMPTS[0])
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, onnxruntime {onnxruntime.__version__}, {options.steps} steps")
    with tempfile.TemporaryDirectory() as folder:
        if options.f32:
            quantize(options.f32, Path(folder), Peer(options.f32, options.pack, manifest, os.cpu_count()), options.pack)
        for threads in options.threads:
            peers = {"onnxruntime on the pack": Peer(options.pack, options.pack, manifest, threads)}
            if options.f32:
                peers = {"onnxruntime int8": Peer(Path(folder), options.pack, manifest, threads), "onnxruntime f32": Peer(options.f32, options.pack, manifest, threads)} | peers
            times = {name: [] for name in ["inkstone", *peers]}
            for _ in range(options.rounds):
                measured, report = inkstone(options.binary, options.pack, threads, options.steps, options.runs)
                times["inkstone"] += measured
                for name, peer in peers.items():
                    times[name] += time_peer(peer, ids, options.steps, options.runs)
            base = statistics.median(times["inkstone"])
            print(f"\n{threads} threads, kernel {report['kernel']}")
            for name, values in times.items():
                inkstone_base = None if name == "inkstone" else base
                print(f"  {name:<24} {compared(values, inkstone_base)}")
            memory = {kind: f"{amount / 2**20:.1f} MiB" for kind, amount in report["memory"].items()}
            print(f"  inkstone: private {memory['private_bytes']}, mapped {memory['mapped_bytes']}, first step after {report['start_to_first_step_milliseconds']:.0f} ms")


if __name__ == "__main__":
    main()
