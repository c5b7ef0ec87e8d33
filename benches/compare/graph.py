"""Compares Inkstone with onnxruntime, rten and tract on one ONNX graph; README.md beside this file says how."""

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

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from run import compared

NUMPY = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.INT64: np.int64}


class Noise(CalibrationDataReader):
    """Normal inputs, as a denoiser gets them; integers are 1."""

    def __init__(self, graph: onnx.GraphProto, count: int):
        self.ports = {port.name: (NUMPY[port.type.tensor_type.elem_type], [d.dim_value for d in port.type.tensor_type.shape.dim]) for port in graph.input}
        self.random, self.left = np.random.default_rng(0), count

    def draw(self) -> dict:
        made = lambda kind, shape: np.ones(shape, kind) if kind == np.int64 else self.random.standard_normal(shape).astype(kind)  # noqa: E731
        return {name: made(kind, shape) for name, (kind, shape) in self.ports.items()}

    def get_next(self):
        self.left -= 1
        return self.draw() if self.left >= 0 else None


def quantize(model: Path, out: Path) -> None:
    """onnxruntime's own static int8 quantization, calibrated on eight inputs. Weights lie beside their graphs: one file holds 2 GB."""
    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(str(model), prepared, skip_symbolic_shape=True, save_as_external_data=True)
    quantize_static(
        prepared,
        out,
        Noise(onnx.load(model, load_external_data=False).graph, 8),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )


def anonymous_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def by_onnxruntime(model: Path, threads: int, runs: int) -> dict:
    """Run in a process of its own, so that its memory can be told from Python's."""
    before = anonymous_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed, times = Noise(onnx.load(model, load_external_data=False).graph, 1).draw(), []
    for index in range(runs + 2):
        started = time.perf_counter()
        session.run(None, feed)
        times += [(time.perf_counter() - started) * 1e3] if index >= 2 else []
    return {"milliseconds": times, "memory": {"private_bytes": anonymous_bytes() - before}}


def called(*command) -> dict:
    return json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an f32 ONNX graph with fixed shapes")
    parser.add_argument("--binaries", type=Path, default=Path("target/release"), help="folder of inkstone-quantize and examples/stage")
    parser.add_argument("--rten", type=Path, help="the program in rten/, to compare with rten too")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="the contestants take turns this many times")
    parser.add_argument("--no-tract", action="store_true", help="leave out tract, which takes a minute a run for the largest graphs")
    parser.add_argument("--no-int8", action="store_true", help="leave out onnxruntime's int8, whose making takes seven times the memory of the weights")
    parser.add_argument("--peer", action="store_true", help="be the onnxruntime contestant: run the model and print JSON")
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(by_onnxruntime(options.model, options.threads[0], options.runs)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, onnxruntime {onnxruntime.__version__}, {options.model.name}")
    with tempfile.TemporaryDirectory() as folder:
        pack, int8 = Path(folder) / "pack", Path(folder) / "int8.onnx"
        subprocess.run([options.binaries / "inkstone-quantize", options.model, "--out", pack], check=True, stdout=subprocess.DEVNULL)
        if not options.no_int8:
            quantize(options.model, int8)
        stage, runs = options.binaries / "examples" / "stage", options.runs
        for threads in options.threads:
            peer = lambda model: [sys.executable, __file__, model, "--peer", "--threads", threads, "--runs", runs]  # noqa: E731
            contestants = {
                "inkstone": [stage, pack, "--threads", threads, "--runs", runs],
                "onnxruntime f32": peer(options.model),
            }
            if not options.no_int8:
                contestants["onnxruntime int8"] = peer(int8)
            if options.rten:
                contestants |= {"rten int8": [options.rten, int8, threads, runs], "rten f32": [options.rten, options.model, threads, runs]}
            if threads == 1 and not options.no_tract:
                contestants["tract f32"] = [stage, options.model, "--tract", "--runs", runs]
            times, private = {name: [] for name in contestants}, {}
            for _ in range(options.rounds):
                for name, command in contestants.items():
                    report = called(*command)
                    times[name] += report["milliseconds"]
                    private[name] = report["memory"]["private_bytes"]
            base = statistics.median(times["inkstone"])
            print(f"\n{threads} threads")
            for name, values in times.items():
                inkstone_base = None if name == "inkstone" else base
                print(f"  {name:<18} private {private[name] / 2**20:5.1f} MiB {compared(values, inkstone_base)}")


if __name__ == "__main__":
    main()
